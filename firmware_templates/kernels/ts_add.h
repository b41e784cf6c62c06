/* ts_add.h - the sum of two tensors, each with its own scale; twin of tinystream/ops/add.py */
#ifndef TS_ADD_H
#define TS_ADD_H

#include "ts_plain.h"
#include "ts_requant.h"

struct ts_add {
    int32_t outer, repeat, inner;   /* b[outer][inner] is met by a[outer][repeat][inner] */
    int32_t multiplier, shift;      /* shift < 0 */
    int32_t plain;                  /* whether ts_plain.h requantises */
    int32_t y_zero;
    int32_t low, high;              /* the activation: y stays between */
    const int32_t *a_table;         /* each value of a, from -128 on, at the common scale: [256] */
    const int32_t *b_table;
};

/* count sums; the tables' values of 0 */
TS_APART static void ts_add_plain(const int32_t *a_zero, const int32_t *b_zero, struct ts_plain plain, const int8_t *a, const int8_t *b,
                           int32_t count, int8_t *y)
{
    for (const int8_t *end = a + count; a < end;) {     /* ends: each turn takes one of a */
        *y++ = ts_plain8(plain, a_zero[*a++] + b_zero[*b++]);
    }
}

/* a, b -> y[outer][repeat][inner], which may be a */
static void ts_add(const struct ts_add *k, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t o = 0; o < k->outer; o++, b += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, a += k->inner, y += k->inner) {
            if (k->plain) {
                ts_add_plain(k->a_table + 128, k->b_table + 128, ts_plain(k->multiplier, k->shift, 0, k->y_zero), a, b, k->inner, y);
                continue;
            }
            for (int32_t i = 0; i < k->inner; i++) {
                const int32_t sum = k->a_table[a[i] + 128] + k->b_table[b[i] + 128];
                y[i] = ts_clamp8(ts_requant_down(sum, k->multiplier, k->shift) + k->y_zero, k->low, k->high);
            }
        }
    }
}

#endif
