/* ts_transpose_conv_int16.h - a convolution from a small image of int16 to a larger one; twin of tinystream/ops/transpose_conv_int16.py */
#ifndef TS_TRANSPOSE_CONV_INT16_H
#define TS_TRANSPOSE_CONV_INT16_H

#include "ts_requant_int16.h"

struct ts_transpose_conv_int16 {
    int32_t height, width;          /* of x */
    int32_t y_height, y_width;
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x;
    int32_t pad_y, pad_x;           /* of y that the first pixel's kernel lies outside */
    int32_t channels, outputs;
    int32_t wide;                   /* whether sums have 64 bits */
    int32_t low, high;              /* the activation: y stays between */
    const int8_t *weight;           /* [kernel_height][kernel_width][outputs][channels] */
    const int64_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int64_t *acc;                   /* [outputs] */
};

/* acc += what lies under (i, j) of y */
static inline void ts_transpose_conv_int16_sum(const struct ts_transpose_conv_int16 *k, const int16_t *x, int32_t i, int32_t j)
{
    int32_t row = (i + k->pad_y) / k->stride_y;         /* of x, for the first tap that meets it */
    for (int32_t u = (i + k->pad_y) % k->stride_y; u < k->kernel_height && row >= 0; u += k->stride_y, row--) {
        if (row >= k->height) {
            continue;
        }
        int32_t column = (j + k->pad_x) / k->stride_x;
        for (int32_t v = (j + k->pad_x) % k->stride_x; v < k->kernel_width && column >= 0; v += k->stride_x, column--) {
            if (column < k->width) {
                const int8_t *tap = k->weight + (u * k->kernel_width + v) * k->outputs * k->channels;
                ts_dot_int16(tap, k->channels, x + (row * k->width + column) * k->channels, k->channels, k->outputs, k->acc);
            }
        }
    }
}

/* x[height][width][channels] -> y[y_height][y_width][outputs] */
static void ts_transpose_conv_int16(const struct ts_transpose_conv_int16 *k, const int16_t *x, int16_t *y)
{
    for (int32_t i = 0; i < k->y_height; i++) {
        for (int32_t j = 0; j < k->y_width; j++, y += k->outputs) {
            memcpy(k->acc, k->bias, (size_t)k->outputs * sizeof *k->acc);
            ts_transpose_conv_int16_sum(k, x, i, j);
            ts_requant_row_int16(k->acc, k->multiplier, k->shift, k->outputs, k->wide, k->low, k->high, y);
        }
    }
}

#endif
