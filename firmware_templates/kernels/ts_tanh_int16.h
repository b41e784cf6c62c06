/* ts_tanh_int16.h - the hyperbolic tangent; twin of tinystream/ops/tanh_int16.py */
#ifndef TS_TANH_INT16_H
#define TS_TANH_INT16_H

#include "ts_sigmoid.h"

struct ts_tanh_int16 {
    int32_t length;
    int32_t multiplier, shift;      /* of 2 x, to steps of 1 / (24 * 256) */
    const uint16_t *table;          /* sigmoid(i / 24): [256] */
};

/* x[length] -> y[length], which may be x */
static void ts_tanh_int16(const struct ts_tanh_int16 *k, const int16_t *x, int16_t *y)
{
    for (int32_t i = 0; i < k->length; i++) {
        const int32_t q = ts_sigmoid_steps(x[i], k->multiplier, k->shift);
        const int32_t v = ts_sigmoid_at(k->table, q < 0 ? -q : q, 8, 0xFFFF << 8) - (1 << 23);
        y[i] = (int16_t)((q < 0 ? -v + (1 << 7) - 1 : v + (1 << 7)) >> 8);
    }
}

#endif
