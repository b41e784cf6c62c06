/* ts_logistic_int16.h - 1 / (1 + exp(-x)); twin of tinystream/ops/logistic_int16.py */
#ifndef TS_LOGISTIC_INT16_H
#define TS_LOGISTIC_INT16_H

#include "ts_sigmoid.h"

struct ts_logistic_int16 {
    int32_t length;
    int32_t multiplier, shift;      /* of x, to steps of 1 / (24 * 512) */
    const uint16_t *table;          /* sigmoid(i / 24): [256] */
};

/* x[length] -> y[length], which may be x */
static void ts_logistic_int16(const struct ts_logistic_int16 *k, const int16_t *x, int16_t *y)
{
    for (int32_t i = 0; i < k->length; i++) {
        const int32_t q = ts_sigmoid_steps(x[i], k->multiplier, k->shift);
        const int32_t v = ts_sigmoid_at(k->table, q < 0 ? -q : q, 9, 0x7FFF << 10);
        y[i] = (int16_t)((q < 0 ? (1 << 25) - v + (1 << 9) - 1 : v + (1 << 9)) >> 10);
    }
}

#endif
