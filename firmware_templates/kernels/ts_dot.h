/* ts_dot.h - rows of int8 weights times bytes; the inner loops of convolutions and dense layers
 *
 * Inputs are counted from -128 (0 .. 255): the bias has the difference, and processors that multiply unsigned by
 * signed bytes do so at full width.  Several sums a pass, so that each byte that is loaded is used more than once.
 */
#ifndef TS_DOT_H
#define TS_DOT_H

#include "ts_fixed.h"

/* x[count] int8 -> y[count], counted from -128 */
static inline void ts_dot_bytes(const int8_t *restrict x, int32_t count, uint8_t *restrict y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = (uint8_t)(x[i] + 128);
    }
}

/* acc[r] += weight[r][0 .. count) * x[0 .. count), weight rows `stride` apart */
static inline void ts_dot_1(const int8_t *restrict weight, int32_t stride, const uint8_t *restrict x, int32_t count,
                            int32_t rows, int32_t *restrict acc)
{
    int32_t r = 0;
    for (; r + 4 <= rows; r += 4, weight += 4 * stride) {
        const int8_t *w0 = weight, *w1 = w0 + stride, *w2 = w1 + stride, *w3 = w2 + stride;
        int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
        for (int32_t i = 0; i < count; i++) {
            a0 += x[i] * w0[i];
            a1 += x[i] * w1[i];
            a2 += x[i] * w2[i];
            a3 += x[i] * w3[i];
        }
        acc[r] += a0;
        acc[r + 1] += a1;
        acc[r + 2] += a2;
        acc[r + 3] += a3;
    }
    for (; r < rows; r++, weight += stride) {
        int32_t a = 0;
        for (int32_t i = 0; i < count; i++) {
            a += x[i] * weight[i];
        }
        acc[r] += a;
    }
}

/* two inputs, x[0 .. count) and x[count .. 2 count): acc[0 .. rows) and acc[rows .. 2 rows) += weight * x */
static inline void ts_dot_2(const int8_t *restrict weight, const uint8_t *restrict x, int32_t count, int32_t rows, int32_t *restrict acc)
{
    const uint8_t *x0 = x, *x1 = x + count;
    int32_t r = 0;
    for (; r + 2 <= rows; r += 2, weight += 2 * count) {
        const int8_t *w0 = weight, *w1 = weight + count;
        int32_t a00 = 0, a01 = 0, a10 = 0, a11 = 0;
        for (int32_t i = 0; i < count; i++) {
            a00 += x0[i] * w0[i];
            a01 += x0[i] * w1[i];
            a10 += x1[i] * w0[i];
            a11 += x1[i] * w1[i];
        }
        acc[r] += a00;
        acc[r + 1] += a01;
        acc[rows + r] += a10;
        acc[rows + r + 1] += a11;
    }
    if (r < rows) {
        int32_t a0 = 0, a1 = 0;
        for (int32_t i = 0; i < count; i++) {
            a0 += x0[i] * weight[i];
            a1 += x1[i] * weight[i];
        }
        acc[r] += a0;
        acc[rows + r] += a1;
    }
}

#endif
