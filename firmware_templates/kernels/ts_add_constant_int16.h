/* ts_add_constant_int16.h - the sum of a tensor of int16 and a constant; twin of tinystream/ops/add_constant_int16.py */
#ifndef TS_ADD_CONSTANT_INT16_H
#define TS_ADD_CONSTANT_INT16_H

#include "ts_sum_int16.h"

struct ts_add_constant_int16 {
    int32_t outer, repeat, inner;               /* c[outer][inner] is met by x[outer][repeat][inner] */
    int32_t x_multiplier, x_shift, x_sign;      /* to the common scale; shifts <= 0 */
    int32_t multiplier, shift;                  /* from there to y */
    int32_t low, high;                          /* the activation: y stays between */
    const int32_t *c;                           /* at the common scale */
};

/* x -> y[outer][repeat][inner], which may be x */
static void ts_add_constant_int16(const struct ts_add_constant_int16 *k, const int16_t *x, int16_t *y)
{
    const int32_t *c = k->c;
    for (int32_t o = 0; o < k->outer; o++, c += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, x += k->inner, y += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                const int32_t sum = k->x_sign * ts_sum_int16_raise(x[i], k->x_multiplier, k->x_shift) + c[i];
                y[i] = ts_sum_int16_lower(sum, k->multiplier, k->shift, k->low, k->high);
            }
        }
    }
}

#endif
