/* ts_divide.h - a quotient to nearest */
#ifndef TS_DIVIDE_H
#define TS_DIVIDE_H

#include "ts_fixed.h"

/* floor((a + floor(b / 2)) / b): a / b to nearest; b > 0, and a + b / 2 fits */
static inline int64_t ts_divide(int64_t a, int64_t b)
{
    const int64_t sum = a + b / 2, quotient = sum / b;
    return quotient * b > sum ? quotient - 1 : quotient;
}

/* the same in 32 bits, which most cores divide in one instruction */
static inline int32_t ts_divide32(int32_t a, int32_t b)
{
    const int32_t sum = a + b / 2, quotient = sum / b;
    return quotient * b > sum ? quotient - 1 : quotient;
}

#endif
