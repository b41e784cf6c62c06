/* ts_div.h - the quotient of two tensors, each with its own scale; twin of tinystream/ops/div.py */
#ifndef TS_DIV_H
#define TS_DIV_H

#include "ts_requant.h"

struct ts_div {
    int32_t outer, repeat, inner;   /* b[outer][inner] divides a[outer][repeat][inner] */
    int32_t a_zero, b_zero;
    int32_t multiplier, shift;      /* shift <= 22 */
    int32_t y_zero;
    int32_t low, high;              /* the activation: y stays between */
    const int32_t *inverse;         /* of each value of b, from -128 on: 1 / |b - b_zero| in Q31, without leading zeros: [256] */
    const int8_t *bits;             /* how many bits |b - b_zero| lies above 1 */
};

/* value / b, requantised; at: b + 128 */
static inline int8_t ts_div_one(const struct ts_div *k, int32_t value, int32_t at)
{
    const uint32_t magnitude = (uint32_t)(value < 0 ? ~value : value);
    const int room = magnitude ? 30 - ts_msb(magnitude) : 31;       /* leading bits that are only sign */
    const int32_t fine = ts_srdhm(ts_srdhm((int32_t)((int64_t)value * ((int64_t)1 << room)), k->inverse[at]), k->multiplier);
    const int32_t right = room + k->bits[at] - k->shift;
    return ts_clamp8((right > 31 ? 0 : ts_rounding_divide(fine, right)) + (int64_t)k->y_zero, k->low, k->high);
}

/* a, b -> y[outer][repeat][inner], which may be a */
static void ts_div(const struct ts_div *k, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t o = 0; o < k->outer; o++, b += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, a += k->inner, y += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                const int32_t value = a[i] - k->a_zero;
                y[i] = ts_div_one(k, b[i] < k->b_zero ? -value : value, b[i] + 128);
            }
        }
    }
}

#endif
