/* ts_mul.h - the product of two tensors, each with its own scale; twin of tinystream/ops/mul.py */
#ifndef TS_MUL_H
#define TS_MUL_H

#include "ts_requant.h"

struct ts_mul {
    int32_t outer, repeat, inner;   /* b[outer][inner] is met by a[outer][repeat][inner] */
    int32_t a_zero, b_zero;
    int32_t multiplier, shift;      /* shift <= 15 */
    int32_t y_zero;
    int32_t low, high;              /* the activation: y stays between */
};

/* a, b -> y[outer][repeat][inner], which may be a */
static void ts_mul(const struct ts_mul *k, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t o = 0; o < k->outer; o++, b += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, a += k->inner, y += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                const int32_t product = (a[i] - k->a_zero) * (b[i] - k->b_zero);
                y[i] = ts_product8(product, k->multiplier, k->shift, k->y_zero, k->low, k->high);
            }
        }
    }
}

#endif
