/* ts_load.h - read an element of an array whose type the plan knows */
#ifndef TS_LOAD_H
#define TS_LOAD_H

#include "ts_fixed.h"

/* x[i]; type is the bytes of an element, negative where it is signed: -2 is int16_t, 2 is uint16_t */
static inline int64_t ts_load(const void *x, int32_t type, int32_t i)
{
    switch (type) {
    case -1: return ((const int8_t *)x)[i];
    case 1:  return ((const uint8_t *)x)[i];
    case -2: return ((const int16_t *)x)[i];
    case 2:  return ((const uint16_t *)x)[i];
    case -4: return ((const int32_t *)x)[i];
    case 4:  return ((const uint32_t *)x)[i];
    default: return ((const int64_t *)x)[i];
    }
}

#endif
