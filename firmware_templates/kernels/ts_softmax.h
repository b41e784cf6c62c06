/* ts_softmax.h - exp(x) over their sum; twin of tinystream/ops/softmax.py */
#ifndef TS_SOFTMAX_H
#define TS_SOFTMAX_H

#include "ts_fixed.h"

struct ts_softmax {
    int32_t rows, classes;
    const int32_t *exp;         /* Q31, of the difference to the largest: [256] */
};

/* 1 / (1 + a), 0 <= a < 1, both in Q31: three steps of Newton's, from 48/17 - 32/17 d in Q29 */
static inline int32_t ts_softmax_one_over_one_plus(int32_t a)
{
    const int32_t half = (int32_t)(((int64_t)a + ((int64_t)1 << 31)) >> 1);
    int32_t x = 1515870810 + ts_srdhm(half, -1010580540);
    for (int i = 0; i < 3; i++) {
        x += 4 * ts_srdhm(x, (1 << 29) - ts_srdhm(half, x));
    }
    return ts_sat32(2 * (int64_t)x);
}

/* x[rows][classes] -> y[rows][classes], which may be x */
static void ts_softmax(const struct ts_softmax *k, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < k->rows; row++, x += k->classes, y += k->classes) {
        int32_t largest = x[0], sum = 0;
        for (int32_t i = 1; i < k->classes; i++) {
            largest = x[i] > largest ? x[i] : largest;
        }
        for (int32_t i = 0; i < k->classes; i++) {
            sum += ts_rounding_divide(k->exp[largest - x[i]], 12);
        }
        const int zeros = 31 - ts_msb((uint32_t)sum);
        const int32_t scale = ts_softmax_one_over_one_plus((int32_t)(((uint32_t)sum << zeros) & 0x7FFFFFFFu));
        for (int32_t i = 0; i < k->classes; i++) {
            y[i] = ts_sat8(ts_rounding_divide(ts_srdhm(scale, k->exp[largest - x[i]]), 12 - zeros + 23) - 128);
        }
    }
}

#endif
