/* ts_depthwise_conv_2d.h - every channel has its own window; twin of tinystream/ops/depthwise_conv_2d.py
 *
 * y may lie in the memory of x where a channel gives one: value c of every pixel of y then lies where only values of
 * channel c of x lie, and a channel is read whole before it is written.
 */
#ifndef TS_DEPTHWISE_CONV_2D_H
#define TS_DEPTHWISE_CONV_2D_H

#include "ts_requant.h"

struct ts_depthwise_conv_2d {
    int32_t height, width, channels;        /* of x */
    int32_t start, pixel;                   /* where x begins, and from one pixel to the next */
    int32_t y_height, y_width;
    int32_t each;                           /* output channels to an input channel */
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x;
    int32_t dilation_y, dilation_x;
    int32_t pad_y, pad_x;                   /* rows and columns by which the first window begins outside */
    int32_t x_zero, y_zero;
    int32_t low, high;                      /* the activation: y stays between */
    const int8_t *weight;                   /* [kernel_height][kernel_width][channels * each] */
    const int32_t *bias;                    /* without sum(weight) * x_zero */
    const int32_t *multiplier;
    const int8_t *shift;
    int8_t *plane;                          /* one channel with what surrounds it */
    int32_t *acc;
};

/* One axis of the image.  The kernel's inner loop runs along the longer one. */
struct ts_depthwise_axis {
    int32_t x, y, kernel, stride, dilation, pad;    /* in pixels */
    int32_t x_step, y_step, weight_step;            /* in values, from one to the next */
    int32_t reach;                                  /* pixels that the windows look at */
};

static inline struct ts_depthwise_axis ts_depthwise_axis(int32_t x, int32_t y, int32_t kernel, int32_t stride, int32_t dilation,
                                                         int32_t pad, int32_t x_step, int32_t y_step, int32_t weight_step)
{
    const int32_t reach = (y - 1) * stride + (kernel - 1) * dilation + 1;
    const int32_t inside = reach - pad < x ? reach - pad : x;
    return (struct ts_depthwise_axis){ inside, y, kernel, stride, dilation, pad, x_step, y_step, weight_step, reach };
}

/* a row of three taps over three windows side by side */
static inline void ts_depthwise_taps(const int8_t *x, int32_t w0, int32_t w1, int32_t w2, int32_t *a0, int32_t *a1, int32_t *a2)
{
    *a0 += x[0] * w0;
    *a0 += x[1] * w1;
    *a1 += x[1] * w0;
    *a0 += x[2] * w2;
    *a1 += x[2] * w1;
    *a2 += x[2] * w0;
    *a1 += x[3] * w2;
    *a2 += x[3] * w1;
    *a2 += x[4] * w2;
}

/* any taps over a row of windows */
static void ts_depthwise_row(const struct ts_depthwise_axis *slow, const struct ts_depthwise_axis *fast, const int8_t *x, const int8_t *weight,
                             int32_t *acc)
{
    for (int32_t j = 0; j < fast->y; j++) {
        const int8_t *p = x + j * fast->stride, *q = weight;
        int32_t a = 0;
        for (int32_t u = 0; u < slow->kernel; u++) {
            for (int32_t v = 0; v < fast->kernel; v++) {
                a += p[v * fast->dilation] * q[v * fast->weight_step];
            }
            p += slow->dilation * fast->reach;
            q += slow->weight_step;
        }
        acc[j] = a;
    }
}

struct ts_depthwise_narrow {
    int64_t preset;
    int32_t multiplier, shift, bias;
};

static inline struct ts_depthwise_narrow ts_depthwise_narrow(const struct ts_depthwise_conv_2d *k, int32_t o)
{
    const int32_t shift = -k->shift[o];
    const int64_t preset = ((int64_t)(((uint32_t)k->y_zero << shift) + (1u << (shift - 1))) << 32) + ((int64_t)1 << 31);
    return (struct ts_depthwise_narrow){ preset, k->multiplier[o], shift, 2 * k->bias[o] };
}

static inline int8_t ts_depthwise_narrow1(int32_t acc, int32_t bias, int32_t multiplier, int64_t preset, int32_t shift)
{
    const int32_t a = 2 * acc + bias;
    const int32_t h = (int32_t)(((int64_t)a * multiplier + preset) >> 32) + (a >> 31);
    const int32_t v = h >> shift;
    return (int8_t)(v < -128 ? -128 : v > 127 ? 127 : v);
}

static inline void ts_depthwise_narrow_row(const struct ts_depthwise_narrow *n, const int32_t *acc, int32_t count, int8_t *y, int32_t step)
{
    const int32_t multiplier = n->multiplier, shift = n->shift, bias = n->bias;
    const int64_t preset = n->preset;
    int32_t j = 0;
    for (; j + 2 <= count; j += 2) {
        *y = ts_depthwise_narrow1(acc[j], bias, multiplier, preset, shift);
        y[step] = ts_depthwise_narrow1(acc[j + 1], bias, multiplier, preset, shift);
        y += 2 * step;
    }
    for (; j < count; j++) {
        *y = ts_depthwise_narrow1(acc[j], bias, multiplier, preset, shift);
    }
}

/* 3x3 taps over a row of windows side by side: three at a time, the last three perhaps once more */
static void ts_depthwise_3x3(const struct ts_depthwise_conv_2d *k, const struct ts_depthwise_axis *slow, const struct ts_depthwise_axis *fast, int32_t o, int8_t *y)
{
    const int32_t right = fast->weight_step, down = slow->weight_step, pitch = fast->reach;
    const int8_t *weight = k->weight + o;
    const int32_t w0 = weight[0], w1 = weight[right], w2 = weight[2 * right];
    weight += down;
    const int32_t w3 = weight[0], w4 = weight[right], w5 = weight[2 * right];
    weight += down;
    const int32_t w6 = weight[0], w7 = weight[right], w8 = weight[2 * right];
    const int8_t *row = k->plane;
    const struct ts_depthwise_narrow n = ts_depthwise_narrow(k, o);
    for (int32_t i = 0; i < slow->y; i++, row += slow->stride * pitch, y += slow->y_step) {
        const int8_t *x = row, *end = row + fast->y;
        int32_t *acc = k->acc;
        do {
            int32_t a0 = 0, a1 = 0, a2 = 0;
            ts_depthwise_taps(x, w0, w1, w2, &a0, &a1, &a2);
            ts_depthwise_taps(x + pitch, w3, w4, w5, &a0, &a1, &a2);
            ts_depthwise_taps(x + 2 * pitch, w6, w7, w8, &a0, &a1, &a2);
            acc[0] = a0;
            acc[1] = a1;
            acc[2] = a2;
            acc += 3;
            x += 3;
        } while (x < end);
        ts_depthwise_narrow_row(&n, k->acc, fast->y, y, fast->y_step);
    }
}

/* a channel of x into the middle of the plane */
static inline void ts_depthwise_gather(const struct ts_depthwise_axis *slow, const struct ts_depthwise_axis *fast, const int8_t *x,
                                       int8_t *plane)
{
    plane += slow->pad * fast->reach + fast->pad;
    const int32_t step = fast->x_step;
    for (int32_t i = 0; i < slow->x; i++, x += slow->x_step, plane += fast->reach) {
        const int8_t *from = x;
        int32_t j = 0;
        for (; j + 4 <= fast->x; j += 4, from += 4 * step) {
            plane[j] = from[0];
            plane[j + 1] = from[step];
            plane[j + 2] = from[2 * step];
            plane[j + 3] = from[3 * step];
        }
        for (; j < fast->x; j++, from += step) {
            plane[j] = *from;
        }
    }
}

/* x[height][width][channels] -> y[y_height][y_width][channels * each] */
static void ts_depthwise_conv_2d(const struct ts_depthwise_conv_2d *k, const int8_t *x, int8_t *y)
{
    const int32_t outputs = k->channels * k->each;
    struct ts_depthwise_axis slow = ts_depthwise_axis(k->height, k->y_height, k->kernel_height, k->stride_y, k->dilation_y, k->pad_y,
                                                      k->width * k->pixel, k->y_width * outputs, k->kernel_width * outputs);
    struct ts_depthwise_axis fast = ts_depthwise_axis(k->width, k->y_width, k->kernel_width, k->stride_x, k->dilation_x, k->pad_x,
                                                      k->pixel, outputs, outputs);
    if (slow.y > fast.y) {
        const struct ts_depthwise_axis swap = slow;
        slow = fast;
        fast = swap;
    }
    const bool three = slow.kernel == 3 && fast.kernel == 3 && slow.dilation == 1 && fast.dilation == 1 && fast.stride == 1 && fast.y >= 3;
    memset(k->plane, k->x_zero, (size_t)(slow.reach * fast.reach));
    x += k->start;
    for (int32_t c = 0; c < k->channels; c++, x++) {
        ts_depthwise_gather(&slow, &fast, x, k->plane);
        for (int32_t o = c * k->each; o < (c + 1) * k->each; o++, y++) {
            if (three) {
                ts_depthwise_3x3(k, &slow, &fast, o, y);
                continue;
            }
            const struct ts_depthwise_narrow n = ts_depthwise_narrow(k, o);
            const int8_t *row = k->plane;
            int8_t *to = y;
            for (int32_t i = 0; i < slow.y; i++, row += slow.stride * fast.reach, to += slow.y_step) {
                ts_depthwise_row(&slow, &fast, row, k->weight + o, k->acc);
                ts_depthwise_narrow_row(&n, k->acc, fast.y, to, fast.y_step);
            }
        }
    }
}

#endif
