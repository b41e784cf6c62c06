/* ts_mul_constant_int16.h - the product of a tensor of int16 and a constant; twin of tinystream/ops/mul_constant_int16.py */
#ifndef TS_MUL_CONSTANT_INT16_H
#define TS_MUL_CONSTANT_INT16_H

#include "ts_requant_int16.h"

struct ts_mul_constant_int16 {
    int32_t outer, repeat, inner;   /* c[outer][inner] is met by x[outer][repeat][inner] */
    int32_t multiplier, shift;      /* shift <= 0 */
    int32_t low, high;              /* the activation: y stays between */
    const int16_t *c;
};

/* x -> y[outer][repeat][inner], which may be x */
static void ts_mul_constant_int16(const struct ts_mul_constant_int16 *k, const int16_t *x, int16_t *y)
{
    const int16_t *c = k->c;
    for (int32_t o = 0; o < k->outer; o++, c += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, x += k->inner, y += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                y[i] = ts_clamp16(ts_requant(x[i] * c[i], k->multiplier, k->shift), k->low, k->high);
            }
        }
    }
}

#endif
