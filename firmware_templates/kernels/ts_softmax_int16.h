/* ts_softmax_int16.h - exp(x) over their sum; twin of tinystream/ops/softmax_int16.py */
#ifndef TS_SOFTMAX_INT16_H
#define TS_SOFTMAX_INT16_H

#include "ts_fixed.h"

struct ts_softmax_int16 {
    int32_t rows, classes;
    int32_t multiplier, shift;      /* of a difference to the largest, to steps of 10 / 65535; shift <= 14 */
    const int16_t *exp;             /* of -10 .. 0: [513] */
    const int16_t *reciprocal;      /* 1 / (1 + v) of 0 .. 1: [513] */
};

/* a table at an int16, linear in between */
static inline int32_t ts_softmax_int16_at(const int16_t *table, int16_t x)
{
    const int32_t at = (x >> 7) + 256, base = table[at];
    return base + (((table[at + 1] - base) * (x & 127) + 64) >> 7);
}

/* x[rows][classes] -> y[rows][classes], which may be x */
static void ts_softmax_int16(const struct ts_softmax_int16 *k, const int16_t *x, int16_t *y)
{
    for (int32_t row = 0; row < k->rows; row++, x += k->classes, y += k->classes) {
        int32_t largest = x[0], sum = 0;
        for (int32_t i = 1; i < k->classes; i++) {
            largest = x[i] > largest ? x[i] : largest;
        }
        for (int32_t i = 0; i < k->classes; i++) {
            y[i] = (int16_t)ts_softmax_int16_at(k->exp, ts_sat16(ts_requant(x[i] - largest, k->multiplier, k->shift) + 32767));
            sum += y[i];
        }
        const int zeros = 31 - ts_msb((uint32_t)sum);
        const int32_t whole = (int32_t)((((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14);
        const int32_t scale = ts_softmax_int16_at(k->reciprocal, ts_sat16(whole - 3 * (1 << 15)));
        for (int32_t i = 0; i < k->classes; i++) {
            const int32_t v = (y[i] * scale + (1 << (30 - zeros))) >> (31 - zeros);     /* 30 bits: both are int16, and not negative */
            y[i] = (int16_t)(v > 32767 ? 32767 : v);
        }
    }
}

#endif
