/* ts_softmax_wide.h - exp(x) over their sum, from int8 to int16; twin of tinystream/ops/softmax_wide.py */
#ifndef TS_SOFTMAX_WIDE_H
#define TS_SOFTMAX_WIDE_H

#include "ts_exponential.h"

struct ts_softmax_wide {
    int32_t rows, classes;
    const int32_t *exp;         /* Q31, of the difference to the largest: [256] */
};

/* x[rows][classes] -> y[rows][classes] */
static void ts_softmax_wide(const struct ts_softmax_wide *k, const int8_t *x, int16_t *y)
{
    for (int32_t row = 0; row < k->rows; row++, x += k->classes, y += k->classes) {
        const struct ts_exponential all = ts_exponential_of(k->exp, x, k->classes);
        for (int32_t i = 0; i < k->classes; i++) {
            y[i] = ts_sat16(ts_exponential_quotient(&all, k->exp, x[i], 16) - 32768);
        }
    }
}

#endif
