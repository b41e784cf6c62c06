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
    int32_t gathered;                       /* whether some window lies partly outside, or has gaps in its rows */
    int32_t pairs;                          /* whether two windows may share words */
    int32_t x_zero, y_zero;
    int32_t low, high;                      /* the activation: y stays between */
    const int8_t *weight;                   /* [outputs][terms]; with TS_GROUPS in groups, see ts_groups.h */
    const int32_t *requant;                 /* with TS_GROUPS, mostly: [outputs][2], see ts_requant.h; then the other three are not there */
    const int32_t *bias;                    /* for x counted from -128; with TS_GROUPS for x as it is */
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t *patch;                         /* one window, or two: [terms] words, or as many bytes as they have */
    int8_t *rows;                           /* where windows are gathered: a row of each of two */
};

/* Where a window lies in x: its first row and column, which of its taps along x are inside, and whether all of it is, each row in one
 * piece.
 */
struct ts_conv_2d_window {
    int32_t row, column;
    int32_t from, to;
    bool whole;
};

static inline struct ts_conv_2d_window ts_conv_2d_at(const struct ts_conv_2d *k, int32_t pixel)
{
    const int32_t i = pixel / k->y_width, j = pixel - i * k->y_width;
    struct ts_conv_2d_window w = { i * k->stride_y - k->pad_y, j * k->stride_x - k->pad_x, 0, k->kernel_width, false };
    if (!k->gathered) {
        w.whole = true;
        return w;
    }
    const int32_t bottom = w.row + (k->kernel_height - 1) * k->dilation_y, right = w.column + (k->kernel_width - 1) * k->dilation_x;
    if (w.column >= 0 && right < k->width) {
        w.whole = w.row >= 0 && bottom < k->height && (k->dilation_x == 1 || k->kernel_width == 1);
        return w;
    }
    for (int32_t at = w.column; at < 0; at += k->dilation_x) {              /* ends: dilation > 0 */
        w.from++;
    }
    for (int32_t at = right; at >= k->width; at -= k->dilation_x) {         /* ends: dilation > 0 */
        w.to--;
    }
    return w;
}

/* the first value of a whole window */
static inline const int8_t *ts_conv_2d_first(const struct ts_conv_2d *k, const int8_t *x, struct ts_conv_2d_window w)
{
    return x + (w.row * k->width + w.column) * k->channels;
}

/* values from a row of a window to the next */
static inline int32_t ts_conv_2d_step(const struct ts_conv_2d *k)
{
    return k->dilation_y * k->width * k->channels;
}

/* row u of a window that is not whole: x_zero outside */
static inline void ts_conv_2d_row(const struct ts_conv_2d *k, const int8_t *x, struct ts_conv_2d_window w, int32_t u, int8_t *row)
{
    const int32_t i = w.row + u * k->dilation_y, channels = k->channels, together = k->dilation_x == 1 ? w.to - w.from : 1;
    const bool inside = i >= 0 && i < k->height;
    memset(row, k->x_zero, (size_t)(k->kernel_width * channels));
    for (int32_t v = w.from; v < w.to && inside; v += together) {           /* ends: together is 1, or w.to - w.from > 0 */
        memcpy(row + v * channels, x + (i * k->width + w.column + v * k->dilation_x) * channels, (size_t)(together * channels));
    }
}

/* whether a window lies inside in one piece */
static inline bool ts_conv_2d_piece(const struct ts_conv_2d *k, struct ts_conv_2d_window w)
{
    return w.whole && (k->kernel_height == 1 || (k->kernel_width == k->width && k->dilation_y == 1));
}

#if TS_GROUPS

/* one window, in its place where it is in one piece there, or gathered */
static inline const int8_t *ts_conv_2d_one(const struct ts_conv_2d *k, const int8_t *x, struct ts_conv_2d_window w)
{
    if (ts_conv_2d_piece(k, w)) {
        return ts_conv_2d_first(k, x, w);
    }
    const int32_t count = k->kernel_width * k->channels;
    int8_t *patch = (int8_t *)k->patch;
    for (int32_t u = 0; u < k->kernel_height; u++, patch += count) {
        if (w.whole) {
            memcpy(patch, ts_conv_2d_first(k, x, w) + u * ts_conv_2d_step(k), (size_t)count);
        } else {
            ts_conv_2d_row(k, x, w, u, patch);
        }
    }
    return (const int8_t *)k->patch;
}

#if TS_PAIRS

/* two windows side by side in the words of patch */
static inline void ts_conv_2d_pair(const struct ts_conv_2d *k, const int8_t *x, struct ts_conv_2d_window w0, struct ts_conv_2d_window w1)
{
    const int32_t count = k->kernel_width * k->channels, step = ts_conv_2d_step(k);
    int32_t *pair = k->patch;
    if (w0.whole && w1.whole) {
        const int8_t *x0 = ts_conv_2d_first(k, x, w0), *x1 = ts_conv_2d_first(k, x, w1);
        for (const int32_t *end = pair + k->kernel_height * count; pair != end; x0 += step, x1 += step, pair += count) {
            ts_pair_both(x0, x1, count, pair);
        }
        return;
    }
    for (int32_t u = 0; u < k->kernel_height; u++, pair += count) {
        ts_conv_2d_row(k, x, w0, u, k->rows);
        ts_conv_2d_row(k, x, w1, u, k->rows + count);
        ts_pair_both(k->rows, k->rows + count, count, pair);
    }
}

#endif

/* x[height][width][channels] -> y[y_height][y_width][outputs] */
static void ts_conv_2d(const struct ts_conv_2d *k, const int8_t *x, int8_t *y)
{
    const int32_t terms = k->kernel_height * k->kernel_width * k->channels, pixels = k->y_height * k->y_width, outputs = k->outputs;
    const struct ts_requant requant = { k->requant, k->bias, k->multiplier, k->shift, 2 * k->y_zero + 257, k->low, k->high };
    int32_t pixel = 0;
#if TS_PAIRS
    const bool straight = k->kernel_height * k->kernel_width == 1 && k->stride_y * k->stride_x == 1;   /* windows are the pixels of x */
    for (; k->pairs && pixel + 2 <= pixels; pixel += 2, y += 2 * outputs) {
        if (straight) {
            ts_pair_both(x + pixel * terms, x + (pixel + 1) * terms, terms, k->patch);
        } else {
            ts_conv_2d_pair(k, x, ts_conv_2d_at(k, pixel), ts_conv_2d_at(k, pixel + 1));
        }
        ts_channels_two(k->weight, &requant, outputs, k->patch, terms, y, y + outputs);
    }
#endif
    for (; pixel < pixels; pixel++, y += outputs) {
        ts_channels_one(k->weight, &requant, outputs, ts_conv_2d_one(k, x, ts_conv_2d_at(k, pixel)), terms, y);
    }
}

#else

enum { TS_CONV_2D_OUTPUTS = 32 };           /* at once: they bound the stack */

/* a window, counted from -128 */
static inline void ts_conv_2d_gather(const struct ts_conv_2d *k, const int8_t *x, struct ts_conv_2d_window w, uint8_t *patch)
{
    const int32_t count = k->kernel_width * k->channels;
    if (ts_conv_2d_piece(k, w)) {
        ts_dot_bytes(ts_conv_2d_first(k, x, w), k->kernel_height * count, patch);
        return;
    }
    for (int32_t u = 0; u < k->kernel_height; u++, patch += count) {
        if (w.whole) {
            ts_dot_bytes(ts_conv_2d_first(k, x, w) + u * ts_conv_2d_step(k), count, patch);
        } else {
            ts_conv_2d_row(k, x, w, u, k->rows);
            ts_dot_bytes(k->rows, count, patch);
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
            ts_conv_2d_gather(k, x, ts_conv_2d_at(k, pixel + p), patch + p * terms);
        }
        ts_conv_2d_rows(k, patch, terms, count, y);
    }
}

#endif

#endif
