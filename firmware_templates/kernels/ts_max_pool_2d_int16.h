/* ts_max_pool_2d_int16.h - the largest value of each window; twin of tinystream/ops/max_pool_2d_int16.py */
#ifndef TS_MAX_POOL_2D_INT16_H
#define TS_MAX_POOL_2D_INT16_H

#include "ts_fixed.h"

struct ts_max_pool_2d_int16 {
    int32_t height, width, channels;        /* of x */
    int32_t y_height, y_width;
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x;
    int32_t pad_y, pad_x;                   /* rows and columns by which the first window begins outside */
    int32_t low, high;                      /* the activation: y stays between */
};

/* x[height][width][channels] -> y[y_height][y_width][channels] */
static void ts_max_pool_2d_int16(const struct ts_max_pool_2d_int16 *k, const int16_t *x, int16_t *restrict y)
{
    for (int32_t i = 0; i < k->y_height; i++) {
        for (int32_t j = 0; j < k->y_width; j++, y += k->channels) {
            const int32_t row = i * k->stride_y - k->pad_y, column = j * k->stride_x - k->pad_x;
            for (int32_t c = 0; c < k->channels; c++) {
                y[c] = (int16_t)k->low;     /* the activation's floor */
            }
            for (int32_t u = row < 0 ? 0 : row; u < row + k->kernel_height && u < k->height; u++) {
                for (int32_t v = column < 0 ? 0 : column; v < column + k->kernel_width && v < k->width; v++) {
                    const int16_t *restrict pixel = x + (u * k->width + v) * k->channels;
                    for (int32_t c = 0; c < k->channels; c++) {
                        y[c] = pixel[c] > y[c] ? pixel[c] : y[c];
                    }
                }
            }
            for (int32_t c = 0; c < k->channels; c++) {
                y[c] = (int16_t)(y[c] > k->high ? k->high : y[c]);
            }
        }
    }
}

#endif
