/* ts_mul_int16.h - the product of two tensors of int16, each with its own scale; twin of tinystream/ops/mul_int16.py */
#ifndef TS_MUL_INT16_H
#define TS_MUL_INT16_H

#include "ts_requant_int16.h"

struct ts_mul_int16 {
    int32_t outer, repeat, inner;   /* b[outer][inner] is met by a[outer][repeat][inner] */
    int32_t multiplier, shift;      /* shift <= 0 */
    int32_t low, high;              /* the activation: y stays between */
};

/* a, b -> y[outer][repeat][inner], which may be a */
static void ts_mul_int16(const struct ts_mul_int16 *k, const int16_t *a, const int16_t *b, int16_t *y)
{
    for (int32_t o = 0; o < k->outer; o++, b += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, a += k->inner, y += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                y[i] = ts_clamp16(ts_requant(a[i] * b[i], k->multiplier, k->shift), k->low, k->high);
            }
        }
    }
}

#endif
