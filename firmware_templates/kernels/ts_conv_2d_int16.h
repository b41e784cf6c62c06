/* ts_conv_2d_int16.h - a window slides over an image of int16; twin of tinystream/ops/conv_2d_int16.py */
#ifndef TS_CONV_2D_INT16_H
#define TS_CONV_2D_INT16_H

#include "ts_requant_int16.h"

struct ts_conv_2d_int16 {
    int32_t height, width, channels;        /* of x */
    int32_t y_height, y_width, outputs;     /* of y */
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x;
    int32_t dilation_y, dilation_x;
    int32_t pad_y, pad_x;                   /* rows and columns by which the first window begins outside */
    int32_t wide;                           /* whether sums have 64 bits */
    int32_t low, high;                      /* the activation: y stays between */
    const int8_t *weight;                   /* [outputs][kernel_height][kernel_width][channels] */
    const int64_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int16_t *patch;                         /* one window */
    int64_t *acc;                           /* [outputs] */
};

/* the window whose first corner is (row, column) of x; 0 where it is outside */
static inline void ts_conv_2d_int16_gather(const struct ts_conv_2d_int16 *k, const int16_t *x, int32_t row, int32_t column, int16_t *patch)
{
    const size_t pixel = (size_t)k->channels * sizeof *x;
    for (int32_t u = 0; u < k->kernel_height; u++, row += k->dilation_y) {
        for (int32_t v = 0; v < k->kernel_width; v++, patch += k->channels) {
            const int32_t at = column + v * k->dilation_x;
            if (row >= 0 && row < k->height && at >= 0 && at < k->width) {
                memcpy(patch, x + (row * k->width + at) * k->channels, pixel);
            } else {
                memset(patch, 0, pixel);
            }
        }
    }
}

/* x[height][width][channels] -> y[y_height][y_width][outputs] */
static void ts_conv_2d_int16(const struct ts_conv_2d_int16 *k, const int16_t *x, int16_t *y)
{
    const int32_t terms = k->kernel_height * k->kernel_width * k->channels;
    for (int32_t i = 0; i < k->y_height; i++) {
        for (int32_t j = 0; j < k->y_width; j++, y += k->outputs) {
            ts_conv_2d_int16_gather(k, x, i * k->stride_y - k->pad_y, j * k->stride_x - k->pad_x, k->patch);
            memcpy(k->acc, k->bias, (size_t)k->outputs * sizeof *k->acc);
            ts_dot_int16(k->weight, terms, k->patch, terms, k->outputs, k->acc);
            ts_requant_row_int16(k->acc, k->multiplier, k->shift, k->outputs, k->wide, k->low, k->high, y);
        }
    }
}

#endif
