/* ts_add_constant.h - the sum of a tensor and a constant; twin of tinystream/ops/add_constant.py */
#ifndef TS_ADD_CONSTANT_H
#define TS_ADD_CONSTANT_H

#include "ts_requant.h"

struct ts_add_constant {
    int32_t outer, repeat, inner;   /* c[outer][inner] is met by x[outer][repeat][inner] */
    int32_t multiplier, shift;      /* shift < 0 */
    int32_t y_zero;
    int32_t low, high;              /* the activation: y stays between */
    const int32_t *x_table;         /* each value of x, from -128 on, at the common scale: [256] */
    const int32_t *c;               /* at the common scale, too */
};

/* x -> y[outer][repeat][inner], which may be x */
static void ts_add_constant(const struct ts_add_constant *k, const int8_t *x, int8_t *y)
{
    const int32_t *c = k->c;
    for (int32_t o = 0; o < k->outer; o++, c += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, x += k->inner, y += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                const int32_t sum = k->x_table[x[i] + 128] + c[i];
                y[i] = ts_clamp8(ts_requant_down(sum, k->multiplier, k->shift) + k->y_zero, k->low, k->high);
            }
        }
    }
}

#endif
