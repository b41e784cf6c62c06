/* ts_depthwise_conv_2d.h - every channel has its own window; twin of tinystream/ops/depthwise_conv_2d.py */
#ifndef TS_DEPTHWISE_CONV_2D_H
#define TS_DEPTHWISE_CONV_2D_H

#include "ts_requant.h"

struct ts_depthwise_conv_2d {
    int32_t height, width, channels;        /* of x */
    int32_t y_height, y_width;
    int32_t each;                           /* output channels to an input channel */
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x;
    int32_t dilation_y, dilation_x;
    int32_t pad_y, pad_x;                   /* rows and columns by which the first window begins outside */
    int32_t outside_length;                 /* channels; 0 where no window reaches outside */
    int32_t x_zero, y_zero;
    int32_t low, high;                      /* the activation: y stays between */
    const int8_t *weight;                   /* [kernel_height][kernel_width][channels * each] */
    const int32_t *bias;                    /* without sum(weight) * x_zero */
    const int32_t *multiplier;
    const int8_t *shift;
    int8_t *outside;                        /* a pixel that is not in the image: [outside_length] of x_zero */
    int32_t *acc;                           /* [channels * each] */
};

/* the pixel under a tap */
static inline const int8_t *ts_depthwise_conv_2d_pixel(const struct ts_depthwise_conv_2d *k, const int8_t *x, int32_t row, int32_t column)
{
    const bool inside = row >= 0 && row < k->height && column >= 0 && column < k->width;
    return inside ? x + (row * k->width + column) * k->channels : k->outside;
}

/* acc += taps[0 .. count) * weight, channel by channel; four taps a pass, so that acc is loaded once for four */
static inline void ts_depthwise_conv_2d_add(int32_t channels, int32_t count, const int8_t *const *taps, const int8_t *restrict weight,
                                            int32_t *restrict acc)
{
    const int8_t *restrict x0 = taps[0], *restrict w0 = weight;
    if (count == 4) {
        const int8_t *restrict x1 = taps[1], *restrict x2 = taps[2], *restrict x3 = taps[3];
        const int8_t *restrict w1 = w0 + channels, *restrict w2 = w1 + channels, *restrict w3 = w2 + channels;
        for (int32_t c = 0; c < channels; c++) {
            acc[c] += x0[c] * w0[c] + x1[c] * w1[c] + x2[c] * w2[c] + x3[c] * w3[c];
        }
        return;
    }
    for (int32_t t = 0; t < count; t++, w0 += channels) {
        x0 = taps[t];
        for (int32_t c = 0; c < channels; c++) {
            acc[c] += x0[c] * w0[c];
        }
    }
}

/* the same where a channel gives several */
static inline void ts_depthwise_conv_2d_add_each(const struct ts_depthwise_conv_2d *k, int32_t count, const int8_t *const *taps,
                                                 const int8_t *restrict weight, int32_t *restrict acc)
{
    for (int32_t t = 0; t < count; t++) {
        int32_t *sum = acc;
        for (int32_t c = 0; c < k->channels; c++) {
            const int32_t x = taps[t][c];
            for (int32_t m = 0; m < k->each; m++) {
                *sum++ += x * *weight++;
            }
        }
    }
}

/* x[height][width][channels] -> y[y_height][y_width][channels * each] */
static void ts_depthwise_conv_2d(const struct ts_depthwise_conv_2d *k, const int8_t *x, int8_t *y)
{
    const int32_t outputs = k->channels * k->each, taps = k->kernel_height * k->kernel_width;
    memset(k->outside, k->x_zero, (size_t)k->outside_length);

    for (int32_t i = 0; i < k->y_height; i++) {
        for (int32_t j = 0; j < k->y_width; j++, y += outputs) {
            const int8_t *pixels[4], *weight = k->weight;
            int32_t row = i * k->stride_y - k->pad_y, v = 0;
            memcpy(k->acc, k->bias, (size_t)outputs * sizeof *k->acc);
            for (int32_t done = 0; done < taps;) {
                int32_t count = 0;
                for (; count < 4 && done < taps; count++, done++) {
                    pixels[count] = ts_depthwise_conv_2d_pixel(k, x, row, j * k->stride_x - k->pad_x + v * k->dilation_x);
                    if (++v == k->kernel_width) {
                        v = 0;
                        row += k->dilation_y;
                    }
                }
                if (k->each == 1) {
                    ts_depthwise_conv_2d_add(k->channels, count, pixels, weight, k->acc);
                } else {
                    ts_depthwise_conv_2d_add_each(k, count, pixels, weight, k->acc);
                }
                weight += count * outputs;
            }
            ts_requant_row(k->acc, k->multiplier, k->shift, outputs, k->y_zero, k->low, k->high, y);
        }
    }
}

#endif
