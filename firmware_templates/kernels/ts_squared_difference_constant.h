/* ts_squared_difference_constant.h - the square of the difference to a constant; twin of tinystream/ops/squared_difference_constant.py */
#ifndef TS_SQUARED_DIFFERENCE_CONSTANT_H
#define TS_SQUARED_DIFFERENCE_CONSTANT_H

#include "ts_requant.h"

struct ts_squared_difference_constant {
    int32_t outer, repeat, inner;   /* c[outer][inner] is met by x[outer][repeat][inner] */
    int32_t multiplier, shift;      /* shift < 0 */
    int32_t y_zero;
    const int16_t *x_table;         /* each value of x, from -128 on, at the common scale, 15 bits: [256] */
    const int16_t *c;               /* at the common scale, too */
};

/* x -> y[outer][repeat][inner], which may be x */
static void ts_squared_difference_constant(const struct ts_squared_difference_constant *k, const int8_t *x, int8_t *y)
{
    const int16_t *c = k->c;
    for (int32_t o = 0; o < k->outer; o++, c += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, x += k->inner, y += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                const int32_t difference = k->x_table[x[i] + 128] - c[i];
                y[i] = ts_sat8(ts_requant_down(difference * difference, k->multiplier, k->shift) + (int64_t)k->y_zero);
            }
        }
    }
}

#endif
