/* ts_add_constant.h - the sum of a tensor and a constant; twin of tinystream/ops/add_constant.py */
#ifndef TS_ADD_CONSTANT_H
#define TS_ADD_CONSTANT_H

#include "ts_plain.h"
#include "ts_requant.h"

struct ts_add_constant {
    int32_t outer, repeat, inner;   /* c[outer][inner] is met by x[outer][repeat][inner] */
    int32_t multiplier, shift;      /* shift < 0 */
    int32_t plain;                  /* whether ts_plain.h requantises */
    int32_t y_zero;
    int32_t low, high;              /* the activation: y stays between */
    const int32_t *x_table;         /* each value of x, from -128 on, at the common scale: [256] */
    const int32_t *c;               /* at the common scale, too */
};

/* count sums; the table's value of 0 */
TS_APART static void ts_add_constant_plain(const int32_t *x_zero, struct ts_plain plain, const int8_t *x, const int32_t *c, int32_t count,
                                    int8_t *y)
{
    for (const int8_t *end = x + count; x < end;) {     /* ends: each turn takes one of x */
        *y++ = ts_plain8(plain, x_zero[*x++] + *c++);
    }
}

/* x -> y[outer][repeat][inner], which may be x */
static void ts_add_constant(const struct ts_add_constant *k, const int8_t *x, int8_t *y)
{
    const int32_t *c = k->c;
    for (int32_t o = 0; o < k->outer; o++, c += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, x += k->inner, y += k->inner) {
            if (k->plain) {
                ts_add_constant_plain(k->x_table + 128, ts_plain(k->multiplier, k->shift, 0, k->y_zero), x, c, k->inner, y);
                continue;
            }
            for (int32_t i = 0; i < k->inner; i++) {
                const int32_t sum = k->x_table[x[i] + 128] + c[i];
                y[i] = ts_clamp8(ts_requant_down(sum, k->multiplier, k->shift) + k->y_zero, k->low, k->high);
            }
        }
    }
}

#endif
