/* ts_depthwise_conv_2d_int16.h - every channel of int16 has its own window; twin of tinystream/ops/depthwise_conv_2d_int16.py */
#ifndef TS_DEPTHWISE_CONV_2D_INT16_H
#define TS_DEPTHWISE_CONV_2D_INT16_H

#include "ts_requant_int16.h"

struct ts_depthwise_conv_2d_int16 {
    int32_t height, width, channels;        /* of x */
    int32_t y_height, y_width;
    int32_t each;                           /* output channels to an input channel */
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x;
    int32_t dilation_y, dilation_x;
    int32_t pad_y, pad_x;                   /* rows and columns by which the first window begins outside */
    int32_t wide;                           /* whether sums have 64 bits */
    int32_t low, high;                      /* the activation: y stays between */
    const int8_t *weight;                   /* [kernel_height][kernel_width][channels * each] */
    const int64_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t *acc;                           /* [channels * each] */
};

/* acc += one tap: a pixel times its weights */
static inline void ts_depthwise_conv_2d_int16_tap(int32_t channels, int32_t each, const int16_t *restrict pixel, const int8_t *restrict weight,
                                                  int32_t *restrict acc)
{
    if (each == 1) {
        for (int32_t c = 0; c < channels; c++) {
            acc[c] += pixel[c] * weight[c];
        }
        return;
    }
    for (int32_t c = 0; c < channels; c++) {
        for (int32_t e = 0; e < each; e++) {
            *acc++ += pixel[c] * *weight++;
        }
    }
}

/* x[height][width][channels] -> y[y_height][y_width][channels * each] */
static void ts_depthwise_conv_2d_int16(const struct ts_depthwise_conv_2d_int16 *k, const int16_t *x, int16_t *y)
{
    const int32_t outputs = k->channels * k->each;
    for (int32_t i = 0; i < k->y_height; i++) {
        for (int32_t j = 0; j < k->y_width; j++, y += outputs) {
            const int8_t *weight = k->weight;
            memset(k->acc, 0, (size_t)outputs * sizeof *k->acc);
            for (int32_t u = 0; u < k->kernel_height; u++) {
                const int32_t row = i * k->stride_y - k->pad_y + u * k->dilation_y;
                for (int32_t v = 0; v < k->kernel_width; v++, weight += outputs) {
                    const int32_t column = j * k->stride_x - k->pad_x + v * k->dilation_x;
                    if (row >= 0 && row < k->height && column >= 0 && column < k->width) {
                        ts_depthwise_conv_2d_int16_tap(k->channels, k->each, x + (row * k->width + column) * k->channels, weight, k->acc);
                    }
                }
            }
            for (int32_t o = 0; o < outputs; o++) {
                y[o] = ts_narrow_int16(k->bias[o] + k->acc[o], k->multiplier[o], k->shift[o], k->wide, k->low, k->high);
            }
        }
    }
}

#endif
