/* ts_limit_int16.h - a clamp; twin of tinystream/ops/limit_int16.py */
#ifndef TS_LIMIT_INT16_H
#define TS_LIMIT_INT16_H

#include "ts_requant_int16.h"

struct ts_limit_int16 {
    int32_t length;
    int32_t low, high;
};

/* x[length] -> y[length], which may be x */
static void ts_limit_int16(const struct ts_limit_int16 *k, const int16_t *x, int16_t *y)
{
    for (int32_t i = 0; i < k->length; i++) {
        y[i] = ts_clamp16(x[i], k->low, k->high);
    }
}

#endif
