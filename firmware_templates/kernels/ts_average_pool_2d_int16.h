/* ts_average_pool_2d_int16.h - the mean of each window; twin of tinystream/ops/average_pool_2d_int16.py */
#ifndef TS_AVERAGE_POOL_2D_INT16_H
#define TS_AVERAGE_POOL_2D_INT16_H

#include "ts_requant_int16.h"

struct ts_average_pool_2d_int16 {
    int32_t height, width, channels;        /* of x */
    int32_t y_height, y_width;
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x;
    int32_t pad_y, pad_x;                   /* rows and columns by which the first window begins outside */
    int32_t low, high;                      /* the activation: y stays between */
    int32_t *acc;                           /* [channels] */
};

/* x[height][width][channels] -> y[y_height][y_width][channels] */
static void ts_average_pool_2d_int16(const struct ts_average_pool_2d_int16 *k, const int16_t *x, int16_t *y)
{
    for (int32_t i = 0; i < k->y_height; i++) {
        for (int32_t j = 0; j < k->y_width; j++, y += k->channels) {
            const int32_t row = i * k->stride_y - k->pad_y, column = j * k->stride_x - k->pad_x;
            int32_t *restrict acc = k->acc, n = 0;
            memset(acc, 0, (size_t)k->channels * sizeof *acc);
            for (int32_t u = row < 0 ? 0 : row; u < row + k->kernel_height && u < k->height; u++) {
                for (int32_t v = column < 0 ? 0 : column; v < column + k->kernel_width && v < k->width; v++, n++) {
                    const int16_t *restrict pixel = x + (u * k->width + v) * k->channels;
                    for (int32_t c = 0; c < k->channels; c++) {
                        acc[c] += pixel[c];
                    }
                }
            }
            for (int32_t c = 0; c < k->channels; c++) {
                const int64_t half = acc[c] > 0 ? n / 2 : -(n / 2);
                y[c] = ts_clamp16((acc[c] + half) / n, k->low, k->high);
            }
        }
    }
}

#endif
