/* ts_prelu.h - x, or a slope of its own where it is negative; twin of tinystream/ops/prelu.py */
#ifndef TS_PRELU_H
#define TS_PRELU_H

#include "ts_requant.h"

struct ts_prelu {
    int32_t outer, repeat, inner;   /* alpha[outer][inner] is met by x[outer][repeat][inner] */
    int32_t x_zero;
    int32_t multiplier, shift;      /* shift <= 15 */
    int32_t y_zero;
    const int16_t *alpha;           /* from its zero */
    const int8_t *table;            /* y of each x that is not negative, from -128 on: [256] */
};

/* x -> y[outer][repeat][inner], which may be x */
static void ts_prelu(const struct ts_prelu *k, const int8_t *x, int8_t *y)
{
    const int16_t *alpha = k->alpha;
    for (int32_t o = 0; o < k->outer; o++, alpha += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, x += k->inner, y += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                const int32_t value = x[i] - k->x_zero;
                y[i] = value >= 0 ? k->table[x[i] + 128]
                                  : ts_product8(value * alpha[i], k->multiplier, k->shift, k->y_zero, INT8_MIN, INT8_MAX);
            }
        }
    }
}

#endif
