/* ts_softmax.h - exp(x) over their sum; twin of tinystream/ops/softmax.py */
#ifndef TS_SOFTMAX_H
#define TS_SOFTMAX_H

#include "ts_reciprocal.h"

struct ts_softmax {
    int32_t rows, classes;
    const int32_t *exp;         /* Q31, of the difference to the largest: [256] */
};

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
        const int32_t scale = ts_one_over_one_plus((int32_t)(((uint32_t)sum << zeros) & 0x7FFFFFFFu));
        for (int32_t i = 0; i < k->classes; i++) {
            y[i] = ts_sat8(ts_rounding_divide(ts_srdhm(scale, k->exp[largest - x[i]]), 12 - zeros + 23) - 128);
        }
    }
}

#endif
