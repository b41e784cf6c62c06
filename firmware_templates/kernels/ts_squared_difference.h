/* ts_squared_difference.h - the square of the difference of two tensors; twin of tinystream/ops/squared_difference.py */
#ifndef TS_SQUARED_DIFFERENCE_H
#define TS_SQUARED_DIFFERENCE_H

#include "ts_requant.h"

struct ts_squared_difference {
    int32_t outer, repeat, inner;   /* b[outer][inner] is met by a[outer][repeat][inner] */
    int32_t multiplier, shift;      /* shift < 0 */
    int32_t y_zero;
    const int16_t *a_table;         /* each value of a, from -128 on, at the common scale, 15 bits: [256] */
    const int16_t *b_table;
};

/* a, b -> y[outer][repeat][inner], which may be a */
static void ts_squared_difference(const struct ts_squared_difference *k, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t o = 0; o < k->outer; o++, b += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, a += k->inner, y += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                const int32_t difference = k->a_table[a[i] + 128] - k->b_table[b[i] + 128];
                y[i] = ts_sat8(ts_requant_down(difference * difference, k->multiplier, k->shift) + (int64_t)k->y_zero);
            }
        }
    }
}

#endif
