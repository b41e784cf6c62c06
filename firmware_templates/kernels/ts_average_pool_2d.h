/* ts_average_pool_2d.h - the mean of each window; twin of tinystream/ops/average_pool_2d.py */
#ifndef TS_AVERAGE_POOL_2D_H
#define TS_AVERAGE_POOL_2D_H

#include "ts_fixed.h"

struct ts_average_pool_2d {
    int32_t height, width, channels;        /* of x */
    int32_t y_height, y_width;
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x;
    int32_t pad_y, pad_x;                   /* rows and columns by which the first window begins outside */
    int32_t reciprocal, reciprocal_shift;   /* of the number of values in a whole window */
    int32_t low, high;                      /* the activation: y stays between */
    int32_t *acc;                           /* [channels] */
};

/* sums of n values each -> means; n is the whole window or, at a border, less */
static inline void ts_average_pool_2d_divide(const struct ts_average_pool_2d *k, int32_t n, int8_t *restrict y)
{
    const bool whole = n == k->kernel_height * k->kernel_width;
    for (int32_t c = 0; c < k->channels; c++) {
        const int32_t sum = k->acc[c];
        const uint32_t size = (uint32_t)(sum < 0 ? -sum : sum);
        const uint32_t quotient = whole
            ? (uint32_t)((uint64_t)(4 * size + 2 * (uint32_t)n) * (uint32_t)k->reciprocal >> 32) >> k->reciprocal_shift
            : (size + (uint32_t)n / 2) / (uint32_t)n;
        const int32_t mean = sum < 0 ? -(int32_t)quotient : (int32_t)quotient;
        y[c] = (int8_t)(mean < k->low ? k->low : mean > k->high ? k->high : mean);
    }
}

/* x[height][width][channels] -> y[y_height][y_width][channels] */
static void ts_average_pool_2d(const struct ts_average_pool_2d *k, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < k->y_height; i++) {
        for (int32_t j = 0; j < k->y_width; j++, y += k->channels) {
            const int32_t row = i * k->stride_y - k->pad_y, column = j * k->stride_x - k->pad_x;
            const int32_t top = row < 0 ? 0 : row, left = column < 0 ? 0 : column;
            const int32_t bottom = row + k->kernel_height < k->height ? row + k->kernel_height : k->height;
            const int32_t right = column + k->kernel_width < k->width ? column + k->kernel_width : k->width;
            int32_t *restrict acc = k->acc;
            memset(acc, 0, (size_t)k->channels * sizeof *acc);
            for (int32_t u = top; u < bottom; u++) {
                for (int32_t v = left; v < right; v++) {
                    const int8_t *restrict pixel = x + (u * k->width + v) * k->channels;
                    for (int32_t c = 0; c < k->channels; c++) {
                        acc[c] += pixel[c];
                    }
                }
            }
            ts_average_pool_2d_divide(k, (bottom - top) * (right - left), y);
        }
    }
}

#endif
