/* ts_conv_2d.h - a window slides over an image; twin of tinystream/ops/conv_2d.py */
#ifndef TS_CONV_2D_H
#define TS_CONV_2D_H

#include "ts_requant.h"
#if TS_GROUPS
#include "ts_groups.h"
#else
#include "ts_dot.h"
#endif

struct ts_conv_2d {
    int32_t height, width, channels;        /* of x */
    int32_t y_height, y_width, outputs;
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x;
    int32_t dilation_y, dilation_x;
    int32_t pad_y, pad_x;                   /* rows and columns by which the first window begins outside */
    int32_t pairs;                          /* whether two windows may share words */
    int32_t x_zero, y_zero;
    int32_t low, high;                      /* the activation: y stays between */
    const int8_t *weight;                   /* [outputs][terms]; with TS_GROUPS [outputs / 4][terms][4] and what is left */
    const int32_t *requant;                 /* with TS_GROUPS, mostly: [outputs][2], see ts_requant.h; then the other three are not there */
    const int32_t *bias;                    /* for x counted from -128; with TS_GROUPS for x as it is */
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t *patch;                         /* one window, or two: [terms] words, or as many bytes as they have */
};

/* Where a window lies in x: its first row and column, and whether all of it is inside, each of its rows in one piece. */
struct ts_conv_2d_window {
    int32_t row, column;
    bool whole;
};

static inline struct ts_conv_2d_window ts_conv_2d_at(const struct ts_conv_2d *k, int32_t pixel)
{
    struct ts_conv_2d_window w = { pixel / k->y_width * k->stride_y - k->pad_y, pixel % k->y_width * k->stride_x - k->pad_x, false };
    w.whole = k->dilation_x == 1 && w.column >= 0 && w.column + k->kernel_width <= k->width && w.row >= 0
        && w.row + (k->kernel_height - 1) * k->dilation_y < k->height;
    return w;
}

/* the first value of a window's row u, where it is whole */
static inline const int8_t *ts_conv_2d_row(const struct ts_conv_2d *k, const int8_t *x, struct ts_conv_2d_window w, int32_t u)
{
    return x + ((w.row + u * k->dilation_y) * k->width + w.column) * k->channels;
}

/* a tap's values; NULL where it lies outside */
static inline const int8_t *ts_conv_2d_tap(const struct ts_conv_2d *k, const int8_t *x, struct ts_conv_2d_window w, int32_t u, int32_t v)
{
    const int32_t row = w.row + u * k->dilation_y, column = w.column + v * k->dilation_x;
    const bool inside = row >= 0 && row < k->height && column >= 0 && column < k->width;
    return inside ? x + (row * k->width + column) * k->channels : NULL;
}

#if TS_GROUPS

/* one window, in its place where it is in one piece there, or gathered */
static inline const int8_t *ts_conv_2d_one(const struct ts_conv_2d *k, const int8_t *x, int32_t pixel)
{
    const struct ts_conv_2d_window w = ts_conv_2d_at(k, pixel);
    if (w.whole && (k->kernel_height == 1 || (k->kernel_width == k->width && k->dilation_y == 1))) {
        return ts_conv_2d_row(k, x, w, 0);
    }
    int8_t *patch = (int8_t *)k->patch;
    for (int32_t u = 0; u < k->kernel_height; u++) {
        for (int32_t v = 0; v < k->kernel_width; v++, patch += k->channels) {
            const int8_t *tap = ts_conv_2d_tap(k, x, w, u, v);
            if (tap != NULL) {
                memcpy(patch, tap, (size_t)k->channels);
            } else {
                memset(patch, k->x_zero, (size_t)k->channels);
            }
        }
    }
    return (const int8_t *)k->patch;
}

#if TS_PAIRS

/* one of two windows of which a part lies outside, or whose rows have gaps */
static inline void ts_conv_2d_pair_taps(const struct ts_conv_2d *k, const int8_t *x, int32_t pixel, bool second)
{
    const struct ts_conv_2d_window w = ts_conv_2d_at(k, pixel);
    int32_t *pair = k->patch;
    for (int32_t u = 0; u < k->kernel_height; u++) {
        for (int32_t v = 0; v < k->kernel_width; v++, pair += k->channels) {
            const int8_t *tap = ts_conv_2d_tap(k, x, w, u, v);
            if (tap == NULL) {
                for (int32_t c = 0; c < k->channels; c++) {
                    pair[c] = second ? pair[c] + k->x_zero * (1 << TS_PAIR_SHIFT) : k->x_zero;
                }
            } else if (second) {
                ts_pair_second(tap, k->channels, pair);
            } else {
                ts_pair_first(tap, k->channels, pair);
            }
        }
    }
}

/* windows `pixel` and the one after it, side by side in the words of patch */
static inline void ts_conv_2d_pair(const struct ts_conv_2d *k, const int8_t *x, int32_t pixel)
{
    const struct ts_conv_2d_window w0 = ts_conv_2d_at(k, pixel), w1 = ts_conv_2d_at(k, pixel + 1);
    const int32_t count = k->kernel_width * k->channels;
    if (w0.whole && w1.whole) {
        for (int32_t u = 0; u < k->kernel_height; u++) {
            ts_pair_both(ts_conv_2d_row(k, x, w0, u), ts_conv_2d_row(k, x, w1, u), count, k->patch + u * count);
        }
    } else {
        ts_conv_2d_pair_taps(k, x, pixel, false);
        ts_conv_2d_pair_taps(k, x, pixel + 1, true);
    }
}

#endif

/* x[height][width][channels] -> y[y_height][y_width][outputs] */
static void ts_conv_2d(const struct ts_conv_2d *k, const int8_t *x, int8_t *y)
{
    const int32_t terms = k->kernel_height * k->kernel_width * k->channels, pixels = k->y_height * k->y_width;
    const struct ts_requant requant = { k->requant, k->bias, k->multiplier, k->shift, 2 * k->y_zero + 257, k->low, k->high };
    int32_t pixel = 0;
#if TS_PAIRS
    if (k->pairs) {
        for (; pixel + 2 <= pixels; pixel += 2, y += 2 * k->outputs) {
            ts_conv_2d_pair(k, x, pixel);
            ts_channels_two(k->weight, &requant, k->outputs, k->patch, terms, y, y + k->outputs);
        }
    }
#endif
    for (; pixel < pixels; pixel++, y += k->outputs) {
        ts_channels_one(k->weight, &requant, k->outputs, ts_conv_2d_one(k, x, pixel), terms, y);
    }
}

#else

enum { TS_CONV_2D_OUTPUTS = 32 };           /* at once: they bound the stack */

/* a window, counted from -128 */
static inline void ts_conv_2d_gather(const struct ts_conv_2d *k, const int8_t *x, int32_t pixel, uint8_t *patch)
{
    const struct ts_conv_2d_window w = ts_conv_2d_at(k, pixel);
    const int32_t count = k->kernel_width * k->channels;
    if (w.whole) {
        const bool one_piece = k->kernel_width == k->width && k->dilation_y == 1;
        const int32_t rows = one_piece ? 1 : k->kernel_height, length = one_piece ? k->kernel_height * count : count;
        for (int32_t u = 0; u < rows; u++) {
            ts_dot_bytes(ts_conv_2d_row(k, x, w, u), length, patch + u * length);
        }
        return;
    }
    for (int32_t u = 0; u < k->kernel_height; u++) {
        for (int32_t v = 0; v < k->kernel_width; v++, patch += k->channels) {
            const int8_t *tap = ts_conv_2d_tap(k, x, w, u, v);
            if (tap != NULL) {
                ts_dot_bytes(tap, k->channels, patch);
            } else {
                memset(patch, k->x_zero + 128, (size_t)k->channels);
            }
        }
    }
}

/* y[count][outputs] of one window or two */
static inline void ts_conv_2d_rows(const struct ts_conv_2d *k, const uint8_t *patch, int32_t terms, int32_t count, int8_t *y)
{
    int32_t acc[2 * TS_CONV_2D_OUTPUTS];
    for (int32_t o = 0; o < k->outputs; o += TS_CONV_2D_OUTPUTS) {
        const int32_t outputs = k->outputs - o < TS_CONV_2D_OUTPUTS ? k->outputs - o : TS_CONV_2D_OUTPUTS;
        for (int32_t p = 0; p < count; p++) {
            memcpy(acc + p * outputs, k->bias + o, (size_t)outputs * sizeof *acc);
        }
        if (count == 2) {
            ts_dot_2(k->weight + o * terms, patch, terms, outputs, acc);
        } else {
            ts_dot_1(k->weight + o * terms, terms, patch, terms, outputs, acc);
        }
        for (int32_t p = 0; p < count; p++) {
            ts_requant_row(acc + p * outputs, k->multiplier + o, k->shift + o, outputs, k->y_zero, k->low, k->high, y + p * k->outputs + o);
        }
    }
}

/* x[height][width][channels] -> y[y_height][y_width][outputs] */
static void ts_conv_2d(const struct ts_conv_2d *k, const int8_t *x, int8_t *y)
{
    const int32_t terms = k->kernel_height * k->kernel_width * k->channels, pixels = k->y_height * k->y_width;
    uint8_t *patch = (uint8_t *)k->patch;
    for (int32_t pixel = 0; pixel < pixels; pixel += 2, y += 2 * k->outputs) {
        const int32_t count = pixels - pixel < 2 ? pixels - pixel : 2;
        for (int32_t p = 0; p < count; p++) {
            ts_conv_2d_gather(k, x, pixel + p, patch + p * terms);
        }
        ts_conv_2d_rows(k, patch, terms, count, y);
    }
}

#endif

#endif
