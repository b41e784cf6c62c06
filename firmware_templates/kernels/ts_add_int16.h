/* ts_add_int16.h - the sum of two tensors of int16, each with its own scale; twin of tinystream/ops/add_int16.py */
#ifndef TS_ADD_INT16_H
#define TS_ADD_INT16_H

#include "ts_sum_int16.h"

struct ts_add_int16 {
    int32_t outer, repeat, inner;               /* b[outer][inner] is met by a[outer][repeat][inner] */
    int32_t a_multiplier, a_shift, a_sign;      /* to the common scale; shifts <= 0 */
    int32_t b_multiplier, b_shift, b_sign;
    int32_t multiplier, shift;                  /* from there to y */
    int32_t low, high;                          /* the activation: y stays between */
};

/* a, b -> y[outer][repeat][inner], which may be a */
static void ts_add_int16(const struct ts_add_int16 *k, const int16_t *a, const int16_t *b, int16_t *y)
{
    for (int32_t o = 0; o < k->outer; o++, b += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, a += k->inner, y += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                const int32_t sum = k->a_sign * ts_sum_int16_raise(a[i], k->a_multiplier, k->a_shift)
                    + k->b_sign * ts_sum_int16_raise(b[i], k->b_multiplier, k->b_shift);
                y[i] = ts_sum_int16_lower(sum, k->multiplier, k->shift, k->low, k->high);
            }
        }
    }
}

#endif
