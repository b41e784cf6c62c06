/* ts_depthwise_conv_2d.h - every channel has its own window; twin of tinystream/ops/depthwise_conv_2d.py
 *
 * y may lie in the place of x where the plan says so.  Value c of every pixel of y then lies where only values of channel c of x
 * lie, and rows are read before they are written: row i of y is not longer than row i of x.
 */
#ifndef TS_DEPTHWISE_CONV_2D_H
#define TS_DEPTHWISE_CONV_2D_H

#include "ts_requant.h"
#if TS_GROUPS
#include "ts_groups.h"
#endif

struct ts_depthwise_conv_2d {
    int32_t height, width, channels;        /* of x */
    int32_t start, pixel;                   /* where x begins in what is read, and values from one of its pixels to the next */
    int32_t y_height, y_width;
    int32_t each;                           /* output channels to an input channel */
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x;
    int32_t dilation_y, dilation_x;
    int32_t pad_y, pad_x;                   /* rows and columns by which the first window begins outside */
    int32_t rows;                           /* whether a few rows at a time are copied; else windows are read where they are */
    int32_t x_zero, y_zero;
    int32_t low, high;                      /* the activation: y stays between */
    const int8_t *weight;                   /* [kernel_height][kernel_width][channels * each] */
    const int32_t *bias;                    /* without sum(weight) * x_zero */
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t *ring;                          /* the rows, of one channel, and one that lies outside */
    int32_t *sums;                          /* of a row of windows */
};

/* where the values of a pixel lie; NULL outside the image */
static inline const int8_t *ts_depthwise_pixel(const struct ts_depthwise_conv_2d *k, const int8_t *x, int32_t row, int32_t column)
{
    const bool inside = row >= 0 && row < k->height && column >= 0 && column < k->width;
    return inside ? x + k->start + (row * k->width + column) * k->pixel : NULL;
}

#if TS_GROUPS

#if TS_PAIRS                    /* two windows side by side share the words of a row, see ts_groups.h */
typedef int32_t ts_depthwise_word;
typedef int64_t ts_depthwise_sum;
enum { TS_DEPTHWISE_WINDOWS = 2 };
#else
typedef int8_t ts_depthwise_word;
typedef int32_t ts_depthwise_sum;
enum { TS_DEPTHWISE_WINDOWS = 1 };
#endif

static inline ts_depthwise_word ts_depthwise_join(int32_t first, int32_t second)
{
#if TS_PAIRS
    return first + second * (1 << TS_PAIR_SHIFT);
#else
    (void)second;
    return (ts_depthwise_word)first;
#endif
}

/* adds the sums of as many windows as share words */
static inline void ts_depthwise_add(ts_depthwise_sum sum, int32_t *sums)
{
#if TS_PAIRS
    int32_t first, second;
    ts_pair_split(sum, &first, &second);
    sums[0] += first;
    sums[1] += second;
#else
    sums[0] += sum;
#endif
}

/* One axis of the image; what it is told is in pixels, steps are in values. */
struct ts_depthwise_axis {
    int32_t x, y, kernel, stride, dilation, pad;
    int32_t x_step, y_step, weight_step;
};

/* What is the same for all channels.  The inner loop goes along `fast`. */
struct ts_depthwise_plan {
    struct ts_depthwise_axis slow, fast;
    int32_t shared;             /* pixels from a window to the one that shares its words */
    int32_t words;              /* of a row */
    int32_t ring;               /* rows that one row of windows looks at */
};

static inline struct ts_depthwise_plan ts_depthwise_plan(const struct ts_depthwise_conv_2d *k)
{
    const int32_t outputs = k->channels * k->each;
    const struct ts_depthwise_axis down = { k->height, k->y_height, k->kernel_height, k->stride_y, k->dilation_y, k->pad_y,
                                            k->width * k->pixel, k->y_width * outputs, k->kernel_width * outputs };
    const struct ts_depthwise_axis right = { k->width, k->y_width, k->kernel_width, k->stride_x, k->dilation_x, k->pad_x,
                                             k->pixel, outputs, outputs };
    const bool turned = k->y_height > k->y_width && k->y_width == k->width;     /* else columns of y are not those of x */
    struct ts_depthwise_plan p = { turned ? right : down, turned ? down : right, 0, 0, 0 };
    const int32_t last = (p.fast.y - 1) / TS_DEPTHWISE_WINDOWS * TS_DEPTHWISE_WINDOWS * p.fast.stride;
    p.shared = (TS_DEPTHWISE_WINDOWS - 1) * p.fast.stride;
    p.words = last + (p.fast.kernel - 1) * p.fast.dilation + 1;
    p.ring = (p.slow.kernel - 1) * p.slow.dilation + 1;
    return p;
}

/* a row of one channel into the words of the ring; those that lie outside as a whole are there */
static inline void ts_depthwise_gather(const struct ts_depthwise_plan *p, int32_t zero, const int8_t *x, ts_depthwise_word *row)
{
    const int32_t step = p->fast.x_step, shared = p->shared, pad = p->fast.pad;
    const int32_t room = p->words + shared - pad, count = p->fast.x < room ? p->fast.x : room;
    const int8_t *from = x, *second = x + shared * step;
    int32_t j = pad < shared ? -pad : -shared;
    row += pad;
    for (; j < 0; j++) {
        row[j] = ts_depthwise_join(zero, second[j * step]);
    }
    for (; j + 2 + shared <= count; j += 2, from += 2 * step, second += 2 * step) {
        row[j] = ts_depthwise_join(from[0], second[0]);
        row[j + 1] = ts_depthwise_join(from[step], second[step]);
    }
    for (; j + shared < count; j++, from += step, second += step) {
        row[j] = ts_depthwise_join(*from, *second);
    }
    for (; j < count && j < p->words - pad; j++, from += step) {
        row[j] = ts_depthwise_join(*from, zero);
    }
}

/* sums = 3x3 taps of each window in a row; w: the weights */
static inline void ts_depthwise_3x3(const struct ts_depthwise_plan *p, const ts_depthwise_word *const *rows, const int32_t *w, int32_t *sums)
{
    const ts_depthwise_word *a = rows[0], *b = rows[1], *c = rows[2];
    const int32_t w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3], w4 = w[4], w5 = w[5], w6 = w[6], w7 = w[7], w8 = w[8];
    const int32_t next = TS_DEPTHWISE_WINDOWS * p->fast.stride;
    for (const int32_t *end = sums + p->fast.y; sums < end; sums += TS_DEPTHWISE_WINDOWS, a += next, b += next, c += next) {
        ts_depthwise_sum sum = (ts_depthwise_sum)a[0] * w0;
        sum += (ts_depthwise_sum)a[1] * w1;
        sum += (ts_depthwise_sum)a[2] * w2;
        sum += (ts_depthwise_sum)b[0] * w3;
        sum += (ts_depthwise_sum)b[1] * w4;
        sum += (ts_depthwise_sum)b[2] * w5;
        sum += (ts_depthwise_sum)c[0] * w6;
        sum += (ts_depthwise_sum)c[1] * w7;
        sum += (ts_depthwise_sum)c[2] * w8;
#if TS_PAIRS
        ts_pair_split(sum, &sums[0], &sums[1]);
#else
        sums[0] = sum;
#endif
    }
}

/* sums += a row of the kernel's taps of each window */
static inline void ts_depthwise_taps(const struct ts_depthwise_plan *p, const ts_depthwise_word *row, const int8_t *weight, int32_t *sums)
{
    for (int32_t j = 0; j < p->fast.y; j += TS_DEPTHWISE_WINDOWS, row += TS_DEPTHWISE_WINDOWS * p->fast.stride) {
        ts_depthwise_sum sum = 0;
        for (int32_t v = 0; v < p->fast.kernel; v++) {
            sum += (ts_depthwise_sum)row[v * p->fast.dilation] * weight[v * p->fast.weight_step];
        }
        ts_depthwise_add(sum, sums + j);
    }
}

/* How a channel's sums become int8.  y = (h + (zero << down) + (1 << (down - 1)) - (sum < 0)) >> down with h = sum * multiplier / 2^31 to
 * nearest is ts_requant8 in fewer instructions: the difference between sum < 0 and h < 0 does not reach a half.
 */
struct ts_depthwise_scale {
    int64_t preset;
    int32_t multiplier, bias, down;         /* twice the bias */
    bool plain;                             /* 2 * sum fits, and so does zero << down */
};

static inline struct ts_depthwise_scale ts_depthwise_scale(const struct ts_depthwise_conv_2d *k, int32_t o)
{
    const int32_t bias = k->bias[o], down = -k->shift[o];
    struct ts_depthwise_scale s = { 0, k->multiplier[o], 0, down, down >= 1 && down <= 22 && bias > -(1 << 29) && bias < 1 << 29 };
    if (s.plain) {
        s.bias = 2 * bias;
        s.preset = (int64_t)(k->y_zero * (1 << down) + (1 << (down - 1))) * ((int64_t)1 << 32) + ((int64_t)1 << 31);
    }
    return s;
}

static inline int8_t ts_depthwise_narrow_plain(const struct ts_depthwise_scale *s, int32_t sum)
{
    const int32_t twice = 2 * sum + s->bias;
    const int32_t v = ((int32_t)(((int64_t)twice * s->multiplier + s->preset) >> 32) + (twice >> 31)) >> s->down;
    return (int8_t)(v < -128 ? -128 : v > 127 ? 127 : v);
}

/* a row of sums of one channel -> y, every step-th value */
static inline void ts_depthwise_narrow(const struct ts_depthwise_conv_2d *k, const struct ts_depthwise_scale *scale, int32_t o,
                                       const int32_t *sums, int32_t count, int8_t *y, int32_t step)
{
    if (!scale->plain) {
        for (int32_t j = 0; j < count; j++) {
            y[j * step] = ts_requant8(sums[j] + k->bias[o], k->multiplier[o], k->shift[o], k->y_zero, k->low, k->high);
        }
        return;
    }
    const struct ts_depthwise_scale s = *scale;
    int8_t *to = y;
    for (int32_t j = count >> 1; j > 0; j--, sums += 2, to += step) {
        *to = ts_depthwise_narrow_plain(&s, sums[0]);
        to += step;
        *to = ts_depthwise_narrow_plain(&s, sums[1]);
    }
    if (count & 1) {
        *to = ts_depthwise_narrow_plain(&s, *sums);
    }
    if (k->low > -128 || k->high < 127) {
        for (int32_t j = 0; j < count; j++, y += step) {
            *y = (int8_t)(*y < k->low ? k->low : *y > k->high ? k->high : *y);
        }
    }
}

/* channel o of y, from its channel of x, whose rows pass through the ring */
static inline void ts_depthwise_channel(const struct ts_depthwise_conv_2d *k, const struct ts_depthwise_plan *p, const int8_t *x, int32_t o,
                                        int8_t *y)
{
    ts_depthwise_word *const ring = (ts_depthwise_word *)k->ring, *const outside = ring + p->ring * p->words;
    const int8_t *weight = k->weight + o;
    const bool three = p->slow.kernel == 3 && p->fast.kernel == 3 && p->slow.dilation == 1 && p->fast.dilation == 1;
    const struct ts_depthwise_scale scale = ts_depthwise_scale(k, o);
    int32_t w[9], read = 0;                 /* rows of x that have been */
    for (int32_t u = 0; three && u < 3; u++) {
        for (int32_t v = 0; v < 3; v++) {
            w[3 * u + v] = weight[u * p->slow.weight_step + v * p->fast.weight_step];
        }
    }
    for (int32_t i = 0; i < p->slow.y; i++, y += p->slow.y_step) {
        const int32_t first = i * p->slow.stride - p->slow.pad;
        const ts_depthwise_word *rows[3];
        for (; read < first + p->ring && read < p->slow.x; read++) {
            ts_depthwise_gather(p, k->x_zero, x + read * p->slow.x_step, ring + read % p->ring * p->words);
        }
        if (!three) {
            memset(k->sums, 0, (size_t)(p->fast.y + 1) * sizeof *k->sums);
        }
        for (int32_t u = 0; u < p->slow.kernel; u++) {
            const int32_t r = first + u * p->slow.dilation;
            const ts_depthwise_word *row = r >= 0 && r < p->slow.x ? ring + r % p->ring * p->words : outside;
            if (three) {
                rows[u] = row;
            } else {
                ts_depthwise_taps(p, row, weight + u * p->slow.weight_step, k->sums);
            }
        }
        if (three) {
            ts_depthwise_3x3(p, rows, w, k->sums);
        }
        ts_depthwise_narrow(k, &scale, o, k->sums, p->fast.y, y, p->fast.y_step);
    }
}

/* a channel at a time */
static inline void ts_depthwise_rows(const struct ts_depthwise_conv_2d *k, const int8_t *x, int8_t *y)
{
    const struct ts_depthwise_plan p = ts_depthwise_plan(k);
    ts_depthwise_word *const ring = (ts_depthwise_word *)k->ring;
    for (int32_t i = 0; i < (p.ring + 1) * p.words; i++) {
        ring[i] = ts_depthwise_join(k->x_zero, k->x_zero);
    }
    for (int32_t o = 0, m = 0; o < k->channels * k->each; o++) {
        ts_depthwise_channel(k, &p, x + k->start, o, y + o);
        if (++m == k->each) {
            m = 0;
            x++;
        }
    }
}

/* y[4] of four channels, where the window is inside */
static inline void ts_depthwise_four(const struct ts_depthwise_conv_2d *k, const int8_t *x, int32_t o, int8_t *y)
{
    const int32_t outputs = k->channels * k->each;
    const bool column = k->kernel_width == 1;           /* then its taps are a row of another step */
    const int32_t rows = column ? 1 : k->kernel_height, taps = column ? k->kernel_height : k->kernel_width;
    const int32_t down = k->dilation_y * k->width * k->pixel, step = column ? down : k->dilation_x * k->pixel;
    const int8_t *weight = k->weight + o;
    int32_t a = k->bias[o], b = k->bias[o + 1], c = k->bias[o + 2], d = k->bias[o + 3];
    for (int32_t u = 0; u < rows; u++, x += down) {
        const int8_t *tap = x;
        for (int32_t v = 0; v < taps; v++, tap += step, weight += outputs) {
            a += tap[0] * weight[0];
            b += tap[1] * weight[1];
            c += tap[2] * weight[2];
            d += tap[3] * weight[3];
        }
    }
    y[0] = ts_requant8(a, k->multiplier[o], k->shift[o], k->y_zero, k->low, k->high);
    y[1] = ts_requant8(b, k->multiplier[o + 1], k->shift[o + 1], k->y_zero, k->low, k->high);
    y[2] = ts_requant8(c, k->multiplier[o + 2], k->shift[o + 2], k->y_zero, k->low, k->high);
    y[3] = ts_requant8(d, k->multiplier[o + 3], k->shift[o + 3], k->y_zero, k->low, k->high);
}

/* one output channel of one window */
static inline int8_t ts_depthwise_one(const struct ts_depthwise_conv_2d *k, const int8_t *x, int32_t row, int32_t column, int32_t o)
{
    const int8_t *weight = k->weight + o;
    int32_t sum = k->bias[o];
    for (int32_t u = 0; u < k->kernel_height; u++) {
        for (int32_t v = 0; v < k->kernel_width; v++, weight += k->channels * k->each) {
            const int8_t *tap = ts_depthwise_pixel(k, x, row + u * k->dilation_y, column + v * k->dilation_x);
            sum += *weight * (tap == NULL ? k->x_zero : tap[o / k->each]);
        }
    }
    return ts_requant8(sum, k->multiplier[o], k->shift[o], k->y_zero, k->low, k->high);
}

/* x[height][width][channels] -> y[y_height][y_width][channels * each] */
static void ts_depthwise_conv_2d(const struct ts_depthwise_conv_2d *k, const int8_t *x, int8_t *y)
{
    if (k->rows) {
        ts_depthwise_rows(k, x, y);
        return;
    }
    const int32_t outputs = k->channels * k->each;
    for (int32_t i = 0; i < k->y_height; i++) {
        for (int32_t j = 0; j < k->y_width; j++, y += outputs) {
            const int32_t row = i * k->stride_y - k->pad_y, column = j * k->stride_x - k->pad_x;
            const bool whole = row >= 0 && row + (k->kernel_height - 1) * k->dilation_y < k->height
                && column >= 0 && column + (k->kernel_width - 1) * k->dilation_x < k->width;
            int32_t o = 0;
            if (whole && k->each == 1) {
                const int8_t *tap = ts_depthwise_pixel(k, x, row, column);
                for (; o + 4 <= outputs; o += 4) {
                    ts_depthwise_four(k, tap + o, o, y + o);
                }
            }
            for (; o < outputs; o++) {
                y[o] = ts_depthwise_one(k, x, row, column, o);
            }
        }
    }
}

#else

enum { TS_DEPTHWISE_LANES = 64, TS_DEPTHWISE_RING = 1 << 15 };     /* channels at once, bytes of a ring of rows: they bound the stack */

/* acc += taps[0 .. count) * weight, channel by channel; four taps a pass, so that acc is loaded once for four */
static inline void ts_depthwise_add(int32_t lanes, int32_t outputs, int32_t count, const int8_t *const *taps, const int8_t *restrict weight,
                                    int32_t *restrict acc)
{
    const int8_t *restrict x0 = taps[0], *restrict w0 = weight;
    if (count == 4) {
        const int8_t *restrict x1 = taps[1], *restrict x2 = taps[2], *restrict x3 = taps[3];
        const int8_t *restrict w1 = w0 + outputs, *restrict w2 = w1 + outputs, *restrict w3 = w2 + outputs;
        for (int32_t c = 0; c < lanes; c++) {
            acc[c] += x0[c] * w0[c] + x1[c] * w1[c] + x2[c] * w2[c] + x3[c] * w3[c];
        }
        return;
    }
    for (int32_t t = 0; t < count; t++, w0 += outputs) {
        x0 = taps[t];
        for (int32_t c = 0; c < lanes; c++) {
            acc[c] += x0[c] * w0[c];
        }
    }
}

/* a row of x, or of what surrounds it, to the ring: [words][lanes] */
static inline void ts_depthwise_gather(const struct ts_depthwise_conv_2d *k, const int8_t *x, int32_t row, int32_t words, int32_t lanes,
                                       int8_t *ring)
{
    for (int32_t j = 0; j < words; j++, ring += lanes) {
        const int8_t *pixel = ts_depthwise_pixel(k, x, row, j - k->pad_x);
        if (pixel != NULL) {
            memcpy(ring, pixel, (size_t)lanes);
        } else {
            memset(ring, k->x_zero, (size_t)lanes);
        }
    }
}

/* channels o .. o + lanes, through a ring of rows that holds them */
static inline void ts_depthwise_rows(const struct ts_depthwise_conv_2d *k, const int8_t *x, int32_t o, int32_t words, int32_t lanes, int8_t *y)
{
    int8_t ring[TS_DEPTHWISE_RING];
    int32_t acc[TS_DEPTHWISE_LANES], read = 0;
    const int32_t reach = (k->kernel_height - 1) * k->dilation_y + 1, taps = k->kernel_height * k->kernel_width;
    for (int32_t i = 0; i < k->y_height; i++) {
        for (; read < i * k->stride_y + reach; read++) {
            ts_depthwise_gather(k, x + o, read - k->pad_y, words, lanes, ring + read % reach * words * lanes);
        }
        for (int32_t j = 0; j < k->y_width; j++, y += k->channels) {
            const int8_t *pixels[4], *weight = k->weight + o;
            int32_t u = 0, v = 0;
            memcpy(acc, k->bias + o, (size_t)lanes * sizeof *acc);
            for (int32_t done = 0; done < taps;) {
                int32_t count = 0;
                for (; count < 4 && done < taps; count++, done++) {
                    pixels[count] = ring + ((i * k->stride_y + u * k->dilation_y) % reach * words + j * k->stride_x + v * k->dilation_x) * lanes;
                    if (++v == k->kernel_width) {
                        v = 0;
                        u++;
                    }
                }
                ts_depthwise_add(lanes, k->channels, count, pixels, weight, acc);
                weight += count * k->channels;
            }
            ts_requant_row(acc, k->multiplier + o, k->shift + o, lanes, k->y_zero, k->low, k->high, y);
        }
    }
}

/* channels o .. o + lanes of the window at (row, column), which is read where it is */
static inline void ts_depthwise_window(const struct ts_depthwise_conv_2d *k, const int8_t *x, int32_t row, int32_t column, int32_t o,
                                       int32_t lanes, int8_t *y)
{
    const int32_t outputs = k->channels * k->each;
    const int8_t *restrict weight = k->weight + o;
    int32_t acc[TS_DEPTHWISE_LANES];
    memcpy(acc, k->bias + o, (size_t)lanes * sizeof *acc);
    for (int32_t u = 0; u < k->kernel_height; u++) {
        for (int32_t v = 0; v < k->kernel_width; v++, weight += outputs) {
            const int8_t *tap = ts_depthwise_pixel(k, x, row + u * k->dilation_y, column + v * k->dilation_x);
            if (tap == NULL) {
                for (int32_t c = 0; c < lanes; c++) {
                    acc[c] += k->x_zero * weight[c];
                }
            } else if (k->each == 1) {
                ts_depthwise_add(lanes, outputs, 1, (const int8_t *[]){ tap + o }, weight, acc);
            } else {
                for (int32_t c = 0; c < lanes; c++) {
                    acc[c] += tap[o / k->each] * weight[c];
                }
            }
        }
    }
    ts_requant_row(acc, k->multiplier + o, k->shift + o, lanes, k->y_zero, k->low, k->high, y);
}

/* x[height][width][channels] -> y[y_height][y_width][channels * each] */
static void ts_depthwise_conv_2d(const struct ts_depthwise_conv_2d *k, const int8_t *x, int8_t *y)
{
    const int32_t outputs = k->channels * k->each;
    const int32_t words = (k->y_width - 1) * k->stride_x + (k->kernel_width - 1) * k->dilation_x + 1;
    int32_t most = TS_DEPTHWISE_LANES;
    if (k->rows && k->each == 1) {
        const int32_t room = TS_DEPTHWISE_RING / (words * ((k->kernel_height - 1) * k->dilation_y + 1));
        most = room < most ? room : most;
    }
    for (int32_t o = 0, lanes; o < outputs; o += lanes) {
        const int32_t left = k->each == 1 ? outputs - o : k->each - o % k->each;
        lanes = left < most ? left : most;
        if (k->rows && k->each == 1) {
            ts_depthwise_rows(k, x, o, words, lanes, y + o);
            continue;
        }
        int8_t *to = y + o;
        for (int32_t i = 0; i < k->y_height; i++) {
            for (int32_t j = 0; j < k->y_width; j++, to += outputs) {
                ts_depthwise_window(k, x, i * k->stride_y - k->pad_y, j * k->stride_x - k->pad_x, o, lanes, to);
            }
        }
    }
}

#endif

#endif
