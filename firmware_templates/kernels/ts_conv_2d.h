/* ts_conv_2d.h - a window slides over an image; twin of tinystream/ops/conv_2d.py */
#ifndef TS_CONV_2D_H
#define TS_CONV_2D_H

#include "ts_dot.h"
#include "ts_requant.h"

struct ts_conv_2d {
    int32_t height, width, channels;        /* of x */
    int32_t y_height, y_width, outputs;     /* of y */
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x;
    int32_t dilation_y, dilation_x;
    int32_t pad_y, pad_x;                   /* rows and columns by which the first window begins outside */
    int32_t x_zero, y_zero;
    int32_t low, high;                      /* the activation: y stays between */
    const int8_t *weight;                   /* [outputs][kernel_height][kernel_width][channels] */
    const int32_t *bias;                    /* for x counted from -128 */
    const int32_t *multiplier;
    const int8_t *shift;
    uint8_t *patch;                         /* one window, or two side by side, counted from -128 */
    int32_t *acc;                           /* [outputs], or two of them */
};

/* the window whose first corner is (row, column) of x; x_zero where it is outside */
static inline void ts_conv_2d_gather(const struct ts_conv_2d *k, const int8_t *x, int32_t row, int32_t column, uint8_t *patch)
{
    const bool whole_rows = k->dilation_x == 1 && column >= 0 && column + k->kernel_width <= k->width;
    const int32_t pixels = whole_rows ? k->kernel_width : 1;
    const bool one_piece = whole_rows && k->kernel_width == k->width && k->dilation_y == 1 && row >= 0
        && row + k->kernel_height <= k->height;
    if (one_piece) {
        ts_dot_bytes(x + row * k->width * k->channels, k->kernel_height * k->kernel_width * k->channels, patch);
        return;
    }
    for (int32_t u = 0; u < k->kernel_height; u++, row += k->dilation_y) {
        for (int32_t v = 0; v < k->kernel_width; v += pixels) {
            const int32_t at = column + v * k->dilation_x;
            if (row >= 0 && row < k->height && at >= 0 && at < k->width) {
                ts_dot_bytes(x + (row * k->width + at) * k->channels, pixels * k->channels, patch);
            } else {
                memset(patch, k->x_zero + 128, (size_t)(pixels * k->channels));
            }
            patch += pixels * k->channels;
        }
    }
}

/* x[height][width][channels] -> y[y_height][y_width][outputs] */
static void ts_conv_2d(const struct ts_conv_2d *k, const int8_t *x, int8_t *y)
{
    const int32_t terms = k->kernel_height * k->kernel_width * k->channels;
    int32_t waiting = 0;                    /* windows in patch */

    for (int32_t i = 0; i < k->y_height; i++) {
        for (int32_t j = 0; j < k->y_width; j++) {
            const bool last = i == k->y_height - 1 && j == k->y_width - 1;
            ts_conv_2d_gather(k, x, i * k->stride_y - k->pad_y, j * k->stride_x - k->pad_x, k->patch + waiting * terms);
            memcpy(k->acc + waiting * k->outputs, k->bias, (size_t)k->outputs * sizeof *k->acc);
            waiting++;
            if (waiting < 2 && !last) {
                continue;
            }
            if (waiting == 2) {
                ts_dot_2(k->weight, k->patch, terms, k->outputs, k->acc);
            } else {
                ts_dot_1(k->weight, terms, k->patch, terms, k->outputs, k->acc);
            }
            for (int32_t p = 0; p < waiting; p++, y += k->outputs) {
                ts_requant_row(k->acc + p * k->outputs, k->multiplier, k->shift, k->outputs, k->y_zero, k->low, k->high, y);
            }
            waiting = 0;
        }
    }
}

#endif
