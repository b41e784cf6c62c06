/* ts_mul_constant.h - the product of a tensor and a constant; twin of tinystream/ops/mul_constant.py */
#ifndef TS_MUL_CONSTANT_H
#define TS_MUL_CONSTANT_H

#include "ts_requant.h"

struct ts_mul_constant {
    int32_t outer, repeat, inner;   /* c[outer][inner] is met by x[outer][repeat][inner] */
    int32_t x_zero;
    int32_t multiplier, shift;      /* shift <= 15 */
    int32_t y_zero;
    int32_t low, high;              /* the activation: y stays between */
    const int16_t *c;               /* from its zero */
};

/* x -> y[outer][repeat][inner], which may be x */
static void ts_mul_constant(const struct ts_mul_constant *k, const int8_t *x, int8_t *y)
{
    const int16_t *c = k->c;
    for (int32_t o = 0; o < k->outer; o++, c += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, x += k->inner, y += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                const int32_t product = (x[i] - k->x_zero) * c[i];
                y[i] = ts_product8(product, k->multiplier, k->shift, k->y_zero, k->low, k->high);
            }
        }
    }
}

#endif
