/* ts_depthwise_conv_2d.h - every channel has its own window; twin of tinystream/ops/depthwise_conv_2d.py
 *
 * y may lie in the place of x where the plan says so.  Value c of every pixel of y then lies where only values of channel c of x
 * lie, and rows are read before they are written: row i of y is not longer than row i of x.
 */
#ifndef TS_DEPTHWISE_CONV_2D_H
#define TS_DEPTHWISE_CONV_2D_H

#include "ts_plain.h"
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
    int32_t rows;                           /* of windows, for which a channel's x is copied; 0: windows are read where they are */
    int32_t plain;                          /* whether every sum is requantised by ts_plain.h */
    int32_t x_zero, y_zero;
    int32_t low, high;                      /* the activation: y stays between */
    const int8_t *weight;                   /* [kernel_height][kernel_width][channels * each] */
    const int32_t *bias;                    /* without sum(weight) * x_zero */
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t *band;                          /* what `rows` of windows of one channel look at */
    int32_t *sums;                          /* of these windows */
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

/* the sums of the windows that share words */
static inline void ts_depthwise_split(ts_depthwise_sum sum, int32_t *sums)
{
#if TS_PAIRS
    const int32_t first = (int32_t)((uint32_t)sum << (32 - TS_PAIR_SHIFT)) >> (32 - TS_PAIR_SHIFT);
    sums[0] = first;
    sums[1] = (int32_t)(sum >> TS_PAIR_SHIFT) - (first >> 31);
#else
    sums[0] = sum;
#endif
}

/* One axis of the image; what it is told is in pixels, steps are in values. */
struct ts_depthwise_axis {
    int32_t x, y, kernel, stride, dilation, pad;
    int32_t x_step, y_step, weight_step;
};

static inline void ts_depthwise_outside(const struct ts_depthwise_conv_2d *k, int32_t count, ts_depthwise_word *words)
{
    for (int32_t i = 0; i < count; i++) {
        words[i] = ts_depthwise_join(k->x_zero, k->x_zero);
    }
}

/* What is the same for all channels.  The inner loops go along `fast`. */
struct ts_depthwise_plan {
    struct ts_depthwise_axis slow, fast;
    int32_t shared;             /* pixels from a window to the one that shares its words */
    int32_t words;              /* of a row */
    int32_t reach;              /* rows that one row of windows looks at */
};

static inline struct ts_depthwise_plan ts_depthwise_plan(const struct ts_depthwise_conv_2d *k)
{
    const int32_t outputs = k->channels * k->each;
    const struct ts_depthwise_axis down = { k->height, k->y_height, k->kernel_height, k->stride_y, k->dilation_y, k->pad_y,
                                            k->width * k->pixel, k->y_width * outputs, k->kernel_width * outputs, };
    const struct ts_depthwise_axis right = { k->width, k->y_width, k->kernel_width, k->stride_x, k->dilation_x, k->pad_x,
                                             k->pixel, outputs, outputs, };
    const bool turned = k->y_height > k->y_width && k->y_width == k->width;     /* else columns of y are not those of x */
    struct ts_depthwise_plan p = { turned ? right : down, turned ? down : right, 0, 0, 0 };
    const int32_t last = (p.fast.y - 1) / TS_DEPTHWISE_WINDOWS * TS_DEPTHWISE_WINDOWS * p.fast.stride;
    p.shared = (TS_DEPTHWISE_WINDOWS - 1) * p.fast.stride;
    p.words = last + (p.fast.kernel - 1) * p.fast.dilation + 1;
    p.reach = (p.slow.kernel - 1) * p.slow.dilation + 1;
    return p;
}

/* `rows` rows of one channel of x to the words of the band; words that lie outside as a whole are there */
TS_APART static void ts_depthwise_gather(const struct ts_depthwise_plan *p, int32_t zero, const int8_t *x, int32_t rows, ts_depthwise_word *band)
{
    const int32_t step = p->fast.x_step, shared = p->shared, pad = p->fast.pad, room = p->words - pad;
    const int32_t count = p->fast.x < room + shared ? p->fast.x : room + shared, both = count - shared;
    const int32_t single = count < room ? count : room, before = pad < shared ? pad : shared;
    band += pad;
    for (int32_t i = 0; i < rows; i++, x += p->slow.x_step, band += p->words) {
        const int8_t *first = x, *second = x + shared * step;
        ts_depthwise_word *to = band;
        for (int32_t j = before; j > 0; j--) {
            to[-j] = ts_depthwise_join(zero, second[-j * step]);
        }
        if (shared == 1) {                  /* the second of a word is the first of the next */
            int32_t value = *first;
            for (const ts_depthwise_word *end = band + (both & ~1); to < end; to += 2) {
                const int32_t between = first[step];
                first += 2 * step;
                to[0] = ts_depthwise_join(value, between);
                value = *first;
                to[1] = ts_depthwise_join(between, value);
            }
            second = first + step;
        } else {
            for (const ts_depthwise_word *end = band + (both & ~1); to < end; to += 2, first += 2 * step, second += 2 * step) {
                to[0] = ts_depthwise_join(first[0], second[0]);
                to[1] = ts_depthwise_join(first[step], second[step]);
            }
        }
        if (both & 1) {
            *to++ = ts_depthwise_join(*first, *second);
            first += step;
        }
        for (const ts_depthwise_word *end = band + single; to < end; to++, first += step) {
            *to = ts_depthwise_join(*first, zero);
        }
    }
}

#define TS_DEPTHWISE_TAPS(sum, x, u, v, w) \
    ((sum) += (ts_depthwise_sum)(x)[0] * (u), (sum) += (ts_depthwise_sum)(x)[1] * (v), (sum) += (ts_depthwise_sum)(x)[2] * (w))

/* sums[rows][fast.y] = 3x3 taps of each window */
TS_APART static void ts_depthwise_3x3(const struct ts_depthwise_plan *p, const ts_depthwise_word *band, int32_t rows, const int8_t *weight,
                               int32_t *restrict sums)
{
    const int32_t right = p->fast.weight_step, down = p->slow.weight_step;
    const int32_t w0 = weight[0], w1 = weight[right], w2 = weight[2 * right];
    weight += down;
    const int32_t w3 = weight[0], w4 = weight[right], w5 = weight[2 * right];
    weight += down;
    const int32_t w6 = weight[0], w7 = weight[right], w8 = weight[2 * right];
    const int32_t next = TS_DEPTHWISE_WINDOWS * p->fast.stride, count = p->fast.y + (p->fast.y & (TS_DEPTHWISE_WINDOWS - 1));
    for (int32_t i = 0; i < rows; i++, band += p->slow.stride * p->words) {
        const ts_depthwise_word *a = band, *b = a + p->words, *c = b + p->words;
        const int32_t *end = sums + count;
        if (next == TS_DEPTHWISE_WINDOWS) {
            for (; end - sums >= 2 * TS_DEPTHWISE_WINDOWS; sums += 2 * TS_DEPTHWISE_WINDOWS) {
                ts_depthwise_sum s = 0, t = 0;
                TS_DEPTHWISE_TAPS(s, a, w0, w1, w2);
                TS_DEPTHWISE_TAPS(t, a + TS_DEPTHWISE_WINDOWS, w0, w1, w2);
                TS_DEPTHWISE_TAPS(s, b, w3, w4, w5);
                TS_DEPTHWISE_TAPS(t, b + TS_DEPTHWISE_WINDOWS, w3, w4, w5);
                TS_DEPTHWISE_TAPS(s, c, w6, w7, w8);
                TS_DEPTHWISE_TAPS(t, c + TS_DEPTHWISE_WINDOWS, w6, w7, w8);
                ts_depthwise_split(s, sums);
                ts_depthwise_split(t, sums + TS_DEPTHWISE_WINDOWS);
                a += 2 * TS_DEPTHWISE_WINDOWS;
                b += 2 * TS_DEPTHWISE_WINDOWS;
                c += 2 * TS_DEPTHWISE_WINDOWS;
            }
        }
        for (; sums < end; sums += TS_DEPTHWISE_WINDOWS, a += next, b += next, c += next) {
            ts_depthwise_sum s = 0;
            TS_DEPTHWISE_TAPS(s, a, w0, w1, w2);
            TS_DEPTHWISE_TAPS(s, b, w3, w4, w5);
            TS_DEPTHWISE_TAPS(s, c, w6, w7, w8);
            ts_depthwise_split(s, sums);
        }
    }
}

#undef TS_DEPTHWISE_TAPS

/* sums[rows][fast.y] = any taps of each window */
TS_APART static void ts_depthwise_taps(const struct ts_depthwise_plan *p, const ts_depthwise_word *band, int32_t rows, const int8_t *weight,
                                int32_t *sums)
{
    const int32_t taps = p->fast.kernel, apart = p->fast.dilation, step = p->fast.weight_step;
    const int32_t down = p->slow.dilation * p->words - taps * apart, below = p->slow.weight_step - taps * step;
    for (int32_t i = 0; i < rows; i++, band += p->slow.stride * p->words) {
        const ts_depthwise_word *window = band;
        for (const int32_t *end = sums + p->fast.y; sums < end; sums += TS_DEPTHWISE_WINDOWS) {
            const ts_depthwise_word *word = window;
            const int8_t *tap = weight;
            ts_depthwise_sum sum = 0;
            for (int32_t u = p->slow.kernel; u > 0; u--, word += down, tap += below) {
                for (int32_t v = taps; v > 0; v--, word += apart, tap += step) {
                    sum += (ts_depthwise_sum)*word * *tap;
                }
            }
            ts_depthwise_split(sum, sums);
            window += TS_DEPTHWISE_WINDOWS * p->fast.stride;
        }
    }
}

static inline struct ts_plain ts_depthwise_scale(const struct ts_depthwise_conv_2d *k, int32_t o)
{
    return ts_plain(k->multiplier[o], k->shift[o], k->bias[o], k->y_zero);
}

/* sums[rows][fast.y] of one channel -> y */
TS_APART static void ts_depthwise_narrow(const struct ts_depthwise_plan *p, struct ts_plain s, const int32_t *sums, int32_t rows,
                                  int8_t *y)
{
    const int32_t step = p->fast.y_step;
    for (int32_t i = 0; i < rows; i++, y += p->slow.y_step) {
        int8_t *to = y;
        for (const int32_t *end = sums + (p->fast.y & ~1); sums < end; sums += 2) {
            *to = ts_plain8(s, sums[0]);
            to += step;
            *to = ts_plain8(s, sums[1]);
            to += step;
        }
        if (p->fast.y & 1) {
            *to = ts_plain8(s, sums[0]);
            sums += TS_DEPTHWISE_WINDOWS;
        }
    }
}

/* the same of any channel */
static inline void ts_depthwise_narrow_any(const struct ts_depthwise_conv_2d *k, const struct ts_depthwise_plan *p, int32_t o, const int32_t *sums,
                                           int32_t rows, int8_t *y)
{
    for (int32_t i = 0; i < rows; i++, y += p->slow.y_step) {
        for (int32_t j = 0; j < p->fast.y; j++) {
            y[j * p->fast.y_step] = ts_requant8(sums[j] + k->bias[o], k->multiplier[o], k->shift[o], k->y_zero, k->low, k->high);
        }
        sums += p->fast.y + (p->fast.y & (TS_DEPTHWISE_WINDOWS - 1));
    }
}

/* channel o of y from its channel of x, some rows of windows at a time */
static inline void ts_depthwise_channel(const struct ts_depthwise_conv_2d *k, const struct ts_depthwise_plan *p, const int8_t *x, int32_t o,
                                        int8_t *y)
{
    ts_depthwise_word *const band = (ts_depthwise_word *)k->band;
    const bool three = p->slow.kernel == 3 && p->fast.kernel == 3 && p->slow.dilation == 1 && p->fast.dilation == 1;
    const int8_t *weight = k->weight + o;
    const int32_t top = p->slow.pad, bottom = top + p->slow.x;      /* rows are counted from the first one outside */
    int32_t have = 0;
    for (int32_t i = 0; i < p->slow.y; i += k->rows, y += k->rows * p->slow.y_step) {      /* ends: rows > 0, else it is not called */
        const int32_t rows = p->slow.y - i < k->rows ? p->slow.y - i : k->rows;
        const int32_t first = i * p->slow.stride, end = first + (rows - 1) * p->slow.stride + p->reach;
        if (have > first && i > 0) {
            memmove(band, band + k->rows * p->slow.stride * p->words, (size_t)((have - first) * p->words) * sizeof *band);
        }
        have = have > first ? have : first;
        for (int32_t r = have; r < end && k->rows < p->slow.y; r++) {       /* where there is one band, they are there */
            if (r < top || r >= bottom) {
                ts_depthwise_outside(k, p->words, band + (r - first) * p->words);
            }
        }
        const int32_t in = have > top ? have : top, out = end < bottom ? end : bottom;
        ts_depthwise_gather(p, k->x_zero, x + (in - top) * p->slow.x_step, out - in, band + (in - first) * p->words);
        have = end;
        if (three) {
            ts_depthwise_3x3(p, band, rows, weight, k->sums);
        } else {
            ts_depthwise_taps(p, band, rows, weight, k->sums);
        }
        if (k->plain) {
            ts_depthwise_narrow(p, ts_depthwise_scale(k, o), k->sums, rows, y);
        } else {
            ts_depthwise_narrow_any(k, p, o, k->sums, rows, y);
        }
    }
}

/* a channel at a time */
static inline void ts_depthwise_channels(const struct ts_depthwise_conv_2d *k, const int8_t *x, int8_t *y)
{
    const struct ts_depthwise_plan p = ts_depthwise_plan(k);
    ts_depthwise_outside(k, ((k->rows - 1) * p.slow.stride + p.reach) * p.words, (ts_depthwise_word *)k->band);
    x += k->start;
    for (int32_t o = 0, m = 0; o < k->channels * k->each; o++) {
        ts_depthwise_channel(k, &p, x, o, y + o);
        if (++m == k->each) {
            m = 0;
            x++;
        }
    }
}

static inline int8_t ts_depthwise_narrow_one(const struct ts_depthwise_conv_2d *k, int32_t o, int32_t sum)
{
    return k->plain ? ts_plain8(ts_depthwise_scale(k, o), sum)
                    : ts_requant8(sum + k->bias[o], k->multiplier[o], k->shift[o], k->y_zero, k->low, k->high);
}

/* y[4] of four channels, where the window is inside */
static inline void ts_depthwise_four(const struct ts_depthwise_conv_2d *k, const int8_t *x, int32_t o, int8_t *y)
{
    const int32_t outputs = k->channels * k->each;
    const bool column = k->kernel_width == 1;           /* then its taps are a row of another step */
    const int32_t rows = column ? 1 : k->kernel_height, taps = column ? k->kernel_height : k->kernel_width;
    const int32_t down = k->dilation_y * k->width * k->pixel, step = column ? down : k->dilation_x * k->pixel;
    const int8_t *weight = k->weight + o;
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (int32_t u = 0; u < rows; u++, x += down) {
        const int8_t *tap = x;
        for (int32_t v = 0; v < taps; v++, tap += step, weight += outputs) {
            a += tap[0] * weight[0];
            b += tap[1] * weight[1];
            c += tap[2] * weight[2];
            d += tap[3] * weight[3];
        }
    }
    y[0] = ts_depthwise_narrow_one(k, o, a);
    y[1] = ts_depthwise_narrow_one(k, o + 1, b);
    y[2] = ts_depthwise_narrow_one(k, o + 2, c);
    y[3] = ts_depthwise_narrow_one(k, o + 3, d);
}

/* one output channel of one window */
static inline int8_t ts_depthwise_one(const struct ts_depthwise_conv_2d *k, const int8_t *x, int32_t row, int32_t column, int32_t o)
{
    const int8_t *weight = k->weight + o;
    int32_t sum = 0;
    for (int32_t u = 0; u < k->kernel_height; u++) {
        for (int32_t v = 0; v < k->kernel_width; v++, weight += k->channels * k->each) {
            const int8_t *tap = ts_depthwise_pixel(k, x, row + u * k->dilation_y, column + v * k->dilation_x);
            sum += *weight * (tap == NULL ? k->x_zero : tap[o / k->each]);
        }
    }
    return ts_depthwise_narrow_one(k, o, sum);
}

/* x[height][width][channels] -> y[y_height][y_width][channels * each] */
static void ts_depthwise_conv_2d(const struct ts_depthwise_conv_2d *k, const int8_t *x, int8_t *y)
{
    if (k->rows) {
        ts_depthwise_channels(k, x, y);
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
                for (; o < (outputs & ~3); o += 4) {
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
    memset(ring, k->x_zero, (size_t)(words * lanes));
    if (row < 0 || row >= k->height) {
        return;
    }
    const int8_t *pixel = ts_depthwise_pixel(k, x, row, 0);
    const int32_t room = words - k->pad_x, columns = k->width < room ? k->width : room;
    ring += k->pad_x * lanes;
    if (lanes == k->pixel) {
        memcpy(ring, pixel, (size_t)(columns * lanes));
        return;
    }
    for (int32_t j = 0; j < columns; j++) {
        memcpy(ring + j * lanes, pixel + j * k->pixel, (size_t)lanes);
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
            int32_t row = i * k->stride_y % reach, v = 0;
            const int8_t *pixel = ring + (row * words + j * k->stride_x) * lanes;
            memcpy(acc, k->bias + o, (size_t)lanes * sizeof *acc);
            for (int32_t done = 0; done < taps;) {      /* ends: each turn does 1 to 4 */
                int32_t count = 0;
                for (; count < 4 && done < taps; count++, done++) {
                    pixels[count] = pixel;
                    pixel += k->dilation_x * lanes;
                    if (++v == k->kernel_width) {
                        v = 0;
                        row += k->dilation_y;
                        row -= row < reach ? 0 : reach;
                        pixel = ring + (row * words + j * k->stride_x) * lanes;
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
    for (int32_t o = 0, lanes; o < outputs; o += lanes) {       /* ends: lanes > 0, as neither `left` nor `most` is 0 */
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
