/* ts_transpose_conv.h - a convolution from a small image to a larger one; twin of tinystream/ops/transpose_conv.py */
#ifndef TS_TRANSPOSE_CONV_H
#define TS_TRANSPOSE_CONV_H

#include "ts_dot.h"
#include "ts_requant.h"

struct ts_transpose_conv {
    int32_t height, width;          /* of x */
    int32_t y_height, y_width;
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x;
    int32_t pad_y, pad_x;           /* of y that the first pixel's kernel lies outside */
    int32_t channels, outputs;
    int32_t y_zero;
    int32_t low, high;              /* the activation: y stays between */
    const int8_t *weight;           /* [kernel_height][kernel_width][outputs][channels] */
    const int32_t *fold;            /* of each tap, for x counted from -128: [kernel_height][kernel_width][outputs] */
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    uint8_t *bytes;                 /* x, counted from -128 */
    int32_t *acc;                   /* [outputs] */
};

/* acc += tap (u, v) of a pixel */
static inline void ts_transpose_conv_tap(const struct ts_transpose_conv *k, int32_t u, int32_t v, const uint8_t *pixel)
{
    const int32_t tap = (u * k->kernel_width + v) * k->outputs;
    for (int32_t o = 0; o < k->outputs; o++) {
        k->acc[o] += k->fold[tap + o];
    }
    ts_dot_1(k->weight + tap * k->channels, k->channels, pixel, k->channels, k->outputs, k->acc);
}

/* x[height][width][channels] -> y[y_height][y_width][outputs] */
static void ts_transpose_conv(const struct ts_transpose_conv *k, const int8_t *x, int8_t *y)
{
    ts_dot_bytes(x, k->height * k->width * k->channels, k->bytes);
    for (int32_t i = 0; i < k->y_height; i++) {
        for (int32_t j = 0; j < k->y_width; j++, y += k->outputs) {
            memcpy(k->acc, k->bias, (size_t)k->outputs * sizeof *k->acc);
            int32_t row = (i + k->pad_y) / k->stride_y;         /* of x, for the first tap that meets it */
            for (int32_t u = (i + k->pad_y) % k->stride_y; u < k->kernel_height && row >= 0; u += k->stride_y, row--) {
                if (row >= k->height) {
                    continue;
                }
                int32_t column = (j + k->pad_x) / k->stride_x;
                for (int32_t v = (j + k->pad_x) % k->stride_x; v < k->kernel_width && column >= 0; v += k->stride_x, column--) {
                    if (column < k->width) {
                        ts_transpose_conv_tap(k, u, v, k->bytes + (row * k->width + column) * k->channels);
                    }
                }
            }
            ts_requant_row(k->acc, k->multiplier, k->shift, k->outputs, k->y_zero, k->low, k->high, y);
        }
    }
}

#endif
