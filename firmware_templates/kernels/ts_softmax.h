/* ts_softmax.h - exp(x) over their sum; twin of tinystream/ops/softmax.py */
#ifndef TS_SOFTMAX_H
#define TS_SOFTMAX_H

#include "ts_exponential.h"

struct ts_softmax {
    int32_t rows, classes;
    const int32_t *exp;         /* Q31, of the difference to the largest: [256] */
};

/* x[rows][classes] -> y[rows][classes], which may be x */
static void ts_softmax(const struct ts_softmax *k, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < k->rows; row++, x += k->classes, y += k->classes) {
        const struct ts_exponential all = ts_exponential_of(k->exp, x, k->classes);
        for (int32_t i = 0; i < k->classes; i++) {
            y[i] = ts_sat8(ts_exponential_quotient(&all, k->exp, x[i], 8) - 128);
        }
    }
}

#endif
