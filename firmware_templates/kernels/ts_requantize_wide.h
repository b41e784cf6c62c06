/* ts_requantize_wide.h - the same values at another scale, or of another width; twin of tinystream/ops/requantize_wide.py */
#ifndef TS_REQUANTIZE_WIDE_H
#define TS_REQUANTIZE_WIDE_H

#include "ts_load.h"

struct ts_requantize_wide {
    int32_t length;
    int32_t type, y_type;       /* of x and of y, as ts_load says it */
    int32_t multiplier, shift;  /* x - x_zero, shifted left, fits 32 bits */
    int32_t x_zero, y_zero;
    int32_t low, high;          /* what y's type holds */
};

/* y[i] = value, which fits */
static inline void ts_requantize_wide_store(void *y, int32_t type, int32_t i, int64_t value)
{
    switch (type) {
    case -1: ((int8_t *)y)[i] = (int8_t)value; break;
    case -2: ((int16_t *)y)[i] = (int16_t)value; break;
    default: ((int32_t *)y)[i] = (int32_t)value;
    }
}

/* x[length] -> y[length], which may be x if it is of the same type */
static void ts_requantize_wide(const struct ts_requantize_wide *k, const void *x, void *y)
{
    for (int32_t i = 0; i < k->length; i++) {
        const int32_t distance = (int32_t)(ts_load(x, k->type, i) - k->x_zero);
        const int64_t v = (int64_t)ts_requant(distance, k->multiplier, k->shift) + k->y_zero;
        ts_requantize_wide_store(y, k->y_type, i, v < k->low ? k->low : v > k->high ? k->high : v);
    }
}

#endif
