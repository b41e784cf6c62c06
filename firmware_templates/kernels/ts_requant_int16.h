/* ts_requant_int16.h - sums of int16 times int8, and how they become int16; twin of tinystream/ops/_int16.py */
#ifndef TS_REQUANT_INT16_H
#define TS_REQUANT_INT16_H

#include "ts_fixed.h"

static inline int16_t ts_clamp16(int64_t x, int32_t low, int32_t high)
{
    return (int16_t)(x < low ? low : x > high ? high : x);
}

/* x * multiplier * 2^(shift - 31), rounded twice; x << shift may need more than 32 bits */
static inline int64_t ts_requant_any_int16(int32_t x, int32_t multiplier, int32_t shift)
{
    if (shift > 0) {
        return ts_rshift((int64_t)x * multiplier, 31 - shift);
    }
    return ts_rounding_divide(ts_srdhm(x, multiplier), -shift);
}

/* A sum.  wide: it has up to 48 bits, and the multiplier 15; else the sum has 32 bits, and the multiplier 31. */
static inline int16_t ts_narrow_int16(int64_t acc, int32_t multiplier, int32_t shift, int32_t wide, int32_t low, int32_t high)
{
    return ts_clamp16(wide ? ts_rshift(acc * multiplier, 15 - shift) : ts_requant_any_int16((int32_t)acc, multiplier, shift), low, high);
}

/* a row of them */
static inline void ts_requant_row_int16(const int64_t *restrict acc, const int32_t *restrict multiplier, const int8_t *restrict shift,
                                        int32_t count, int32_t wide, int32_t low, int32_t high, int16_t *restrict y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = ts_narrow_int16(acc[i], multiplier[i], shift[i], wide, low, high);
    }
}

/* acc[r] += weight[r][0 .. count) * x[0 .. count), weight rows `stride` apart; 32 bits hold 511 products of 23 bits */
static inline void ts_dot_int16(const int8_t *restrict weight, int32_t stride, const int16_t *restrict x, int32_t count, int32_t rows,
                                int64_t *restrict acc)
{
    for (int32_t at = 0; at < count; at += 511) {
        const int32_t n = count - at < 511 ? count - at : 511;
        int32_t r = 0;
        for (; r + 2 <= rows; r += 2) {             /* two at once: each x is loaded for both */
            const int8_t *w0 = weight + r * stride + at, *w1 = w0 + stride;
            int32_t a0 = 0, a1 = 0;
            for (int32_t i = 0; i < n; i++) {
                a0 += x[at + i] * w0[i];
                a1 += x[at + i] * w1[i];
            }
            acc[r] += a0;
            acc[r + 1] += a1;
        }
        if (r < rows) {
            const int8_t *w = weight + r * stride + at;
            int32_t a = 0;
            for (int32_t i = 0; i < n; i++) {
                a += x[at + i] * w[i];
            }
            acc[r] += a;
        }
    }
}

#endif
