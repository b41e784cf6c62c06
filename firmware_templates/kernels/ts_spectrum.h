/* ts_spectrum.h - power of every bin of a real FFT; twin of tinystream/stages/spectrum.py */
#ifndef TS_SPECTRUM_H
#define TS_SPECTRUM_H

#include "ts_fixed.h"

struct ts_spectrum {
    int32_t precision;          /* bits of the mantissas: 16 or 32 */
    int32_t length;             /* samples of a channel in x; zeros follow up to `size` */
    int32_t channels;           /* side by side in x */
    int32_t size;
    int32_t log2_size;
    int32_t radix;              /* of the first butterfly: 2 or 4 */
    const uint16_t *order;      /* first pair of samples of each first butterfly, [size / 2 / radix] */
    const int16_t *sine_q14;    /* one period, [size]; precision 16 */
    const int32_t *sine_q30;    /* one period, [size]; precision 32 */
    int16_t *z16;               /* re, im, re, im ..., [size]; precision 16 */
    int32_t *z32;               /* the same for precision 32 */
};

/* x: the first sample of a channel */
static inline int32_t ts_spectrum_sample(const struct ts_spectrum *k, const int16_t *x, int32_t i)
{
    return i < k->length ? x[i * k->channels] : 0;
}

/* The first butterfly of 2 or 4 pairs of samples, exactly: y = re, im, re, im ... */
static inline void ts_spectrum_first(const struct ts_spectrum *k, const int16_t *x, int32_t pair, int32_t *y)
{
    const int32_t apart = k->size / k->radix;
    const int32_t i = 2 * pair;
    const int32_t ar = ts_spectrum_sample(k, x, i), ai = ts_spectrum_sample(k, x, i + 1);
    const int32_t br = ts_spectrum_sample(k, x, i + apart), bi = ts_spectrum_sample(k, x, i + apart + 1);
    if (k->radix == 2) {
        y[0] = ar + br;
        y[1] = ai + bi;
        y[2] = ar - br;
        y[3] = ai - bi;
        return;
    }
    const int32_t cr = ts_spectrum_sample(k, x, i + 2 * apart), ci = ts_spectrum_sample(k, x, i + 2 * apart + 1);
    const int32_t dr = ts_spectrum_sample(k, x, i + 3 * apart), di = ts_spectrum_sample(k, x, i + 3 * apart + 1);
    y[0] = ar + cr + br + dr;
    y[1] = ai + ci + bi + di;
    y[2] = ar - cr + bi - di;
    y[3] = ai - ci - br + dr;
    y[4] = ar + cr - br - dr;
    y[5] = ai + ci - bi - di;
    y[6] = ar - cr - bi + di;
    y[7] = ai - ci + br - dr;
}

/* --- 16 bits, block floating point --------------------------------------------------------------------------- */

/* least s >= lowest with 4 |Z| / 2^s <= 4 * 8190, for the largest |Z|^2 */
static inline int ts_spectrum_shift(uint32_t largest, int lowest)
{
    int shift = 3;
    for (uint32_t limit = 8190u * 8190u * 16u; shift > lowest && largest <= limit; limit >>= 2) {    /* ends: shift falls to lowest */
        shift--;
    }
    return shift;
}

static inline uint32_t ts_spectrum_larger(uint32_t largest, int32_t re, int32_t im)
{
    const uint32_t square = (uint32_t)(re * re) + (uint32_t)(im * im);      /* 2^31 when both are -2^15 */
    return square > largest ? square : largest;
}

/* all butterflies of the first stage, scaled to the frame's loudness; gives the exponent, and *largest |Z|^2 */
static inline int ts_spectrum_start16(const struct ts_spectrum *k, const int16_t *x, uint32_t *largest)
{
    uint32_t loudest = 0;
    for (int32_t i = 0; i < k->length; i += 2) {
        loudest = ts_spectrum_larger(loudest, x[i * k->channels], ts_spectrum_sample(k, x, i + 1));
    }
    const int shift = ts_spectrum_shift(loudest, -12) - (k->radix == 2);
    const int32_t half = (int32_t)(1 << (13 + shift)) >> 1;
    int16_t *z = k->z16;
    *largest = 0;
    for (int32_t i = 0; i < k->size / 2 / k->radix; i++) {
        int32_t y[8];
        ts_spectrum_first(k, x, k->order[i], y);
        for (int32_t j = 0; j < 2 * k->radix; j += 2) {
            z[0] = (int16_t)((y[j] * 8192 + half) >> (13 + shift));         /* 18 + 13 bits */
            z[1] = (int16_t)((y[j + 1] * 8192 + half) >> (13 + shift));
            *largest = ts_spectrum_larger(*largest, z[0], z[1]);
            z += 2;
        }
    }
    return shift;
}

/* joins four DFTs of `quarter` points each, everywhere; gives the largest |Z|^2 */
static inline uint32_t ts_spectrum_stage16(const struct ts_spectrum *k, int32_t quarter, int shift)
{
    const int16_t *sine = k->sine_q14, *cosine = sine + k->size / 4;
    const int32_t step = k->size / (4 * quarter);
    const int down = 13 + shift;
    const int32_t half = (int32_t)1 << (down - 1);
    uint32_t largest = 0;
    for (int32_t j = 0; j < quarter; j++) {
        const int32_t c1 = cosine[j * step], s1 = sine[j * step];
        const int32_t c2 = cosine[2 * j * step], s2 = sine[2 * j * step];
        const int32_t c3 = cosine[3 * j * step], s3 = sine[3 * j * step];
        for (int32_t i = j; i < k->size / 2; i += 4 * quarter) {        /* ends: quarter > 0 */
            int16_t *p = k->z16 + 2 * i, *q = p + 2 * quarter, *r = q + 2 * quarter, *t = r + 2 * quarter;
            const int32_t ar = p[0] * 8192 + half, ai = p[1] * 8192 + half;                        /* half rounds all four */
            const int32_t br = (q[0] * c1 + q[1] * s1) >> 1, bi = (q[1] * c1 - q[0] * s1) >> 1;    /* Q14 to Q13: 29 bits */
            const int32_t cr = (r[0] * c2 + r[1] * s2) >> 1, ci = (r[1] * c2 - r[0] * s2) >> 1;
            const int32_t dr = (t[0] * c3 + t[1] * s3) >> 1, di = (t[1] * c3 - t[0] * s3) >> 1;
            p[0] = (int16_t)((ar + cr + br + dr) >> down);
            p[1] = (int16_t)((ai + ci + bi + di) >> down);
            q[0] = (int16_t)((ar - cr + bi - di) >> down);
            q[1] = (int16_t)((ai - ci - br + dr) >> down);
            r[0] = (int16_t)((ar + cr - br - dr) >> down);
            r[1] = (int16_t)((ai + ci - bi - di) >> down);
            t[0] = (int16_t)((ar - cr - bi + di) >> down);
            t[1] = (int16_t)((ai - ci + br - dr) >> down);
            largest = ts_spectrum_larger(largest, p[0], p[1]);
            largest = ts_spectrum_larger(largest, q[0], q[1]);
            largest = ts_spectrum_larger(largest, r[0], r[1]);
            largest = ts_spectrum_larger(largest, t[0], t[1]);
        }
    }
    return largest;
}

/* (re^2 + im^2) * 2^shift, re and im in Q13, brought to Q2 and to 15 bits first */
static inline int64_t ts_spectrum_power16(int32_t re, int32_t im, int shift)
{
    re = (re + 1024) >> 11;
    im = (im + 1024) >> 11;
    const uint32_t size = (uint32_t)(re < 0 ? -re : re) | (uint32_t)(im < 0 ? -im : im);
    int wide = 0;
    while (size >> wide >= 32768u) {        /* ends: size has 32 bits, so wide stays below 18 */
        wide++;
    }
    const int32_t half = (int32_t)(1 << wide) >> 1;
    re = (re + half) >> wide;
    im = (im + half) >> wide;
    const uint32_t squares = (uint32_t)(re * re) + (uint32_t)(im * im);
    shift += 2 * wide;
    /* NOLINTNEXTLINE(clang-analyzer-core.BitwiseShift): y is at most 2^46; the analyzer thinks of shifts that no frame gets */
    return shift < 0 ? ts_rshift((int64_t)squares, -shift) : (int64_t)((uint64_t)squares << shift);
}

static inline void ts_spectrum_run16(const struct ts_spectrum *k, const int16_t *x, int64_t *y)
{
    uint32_t largest;
    int exponent = ts_spectrum_start16(k, x, &largest);
    for (int32_t quarter = k->radix; quarter < k->size / 2; quarter *= 4) {      /* ends: it begins with 2 or 4 */
        const int shift = ts_spectrum_shift(largest, 0);
        largest = ts_spectrum_stage16(k, quarter, shift);
        exponent += shift;
    }
    const int shift = 2 * exponent + 10 - 2 * (int)k->log2_size;
    const int32_t half = k->size / 2;
    for (int32_t i = 0; i <= half / 2; i++) {
        const int16_t *a = k->z16 + 2 * i, *b = k->z16 + 2 * ((half - i) & (half - 1));
        const int32_t c = k->sine_q14[i + k->size / 4], s = k->sine_q14[i];
        const int32_t er = (a[0] + b[0]) * 8192, ei = (a[1] - b[1]) * 8192;
        const int32_t re = a[1] + b[1], im = b[0] - a[0];
        const int32_t tr = (re * c + im * s) >> 1, ti = (im * c - re * s) >> 1;                     /* 17 + 14 bits */
        y[half - i] = ts_spectrum_power16(er - tr, ei - ti, shift);
        y[i] = ts_spectrum_power16(er + tr, ei + ti, shift);
    }
}

/* --- 32 bits ------------------------------------------------------------------------------------------------- */

/* (a * b + c * d) / 2^32, to nearest */
static inline int32_t ts_spectrum_high(int32_t a, int32_t b, int32_t c, int32_t d)
{
    return (int32_t)(((int64_t)a * b + (int64_t)c * d + ((int64_t)1 << 31)) >> 32);
}

static inline void ts_spectrum_stage32(const struct ts_spectrum *k, int32_t quarter)
{
    const int32_t *sine = k->sine_q30, *cosine = sine + k->size / 4;
    const int32_t step = k->size / (4 * quarter);
    for (int32_t j = 0; j < quarter; j++) {
        const int32_t c1 = cosine[j * step], s1 = sine[j * step];
        const int32_t c2 = cosine[2 * j * step], s2 = sine[2 * j * step];
        const int32_t c3 = cosine[3 * j * step], s3 = sine[3 * j * step];
        for (int32_t i = j; i < k->size / 2; i += 4 * quarter) {        /* ends: quarter > 0 */
            int32_t *p = k->z32 + 2 * i, *q = p + 2 * quarter, *r = q + 2 * quarter, *t = r + 2 * quarter;
            const int32_t ar = (p[0] + 2) >> 2, ai = (p[1] + 2) >> 2;
            const int32_t br = ts_spectrum_high(q[0], c1, q[1], s1), bi = ts_spectrum_high(q[1], c1, -q[0], s1);
            const int32_t cr = ts_spectrum_high(r[0], c2, r[1], s2), ci = ts_spectrum_high(r[1], c2, -r[0], s2);
            const int32_t dr = ts_spectrum_high(t[0], c3, t[1], s3), di = ts_spectrum_high(t[1], c3, -t[0], s3);
            p[0] = ar + cr + br + dr;
            p[1] = ai + ci + bi + di;
            q[0] = ar - cr + bi - di;
            q[1] = ai - ci - br + dr;
            r[0] = ar + cr - br - dr;
            r[1] = ai + ci - bi - di;
            t[0] = ar - cr - bi + di;
            t[1] = ai - ci + br - dr;
        }
    }
}

static inline int64_t ts_spectrum_power32(int32_t re, int32_t im)
{
    return ts_rshift((int64_t)re * re + (int64_t)im * im, 12);
}

static inline void ts_spectrum_run32(const struct ts_spectrum *k, const int16_t *x, int64_t *y)
{
    int32_t *z = k->z32;
    for (int32_t i = 0; i < k->size / 2 / k->radix; i++) {
        ts_spectrum_first(k, x, k->order[i], z);
        for (int32_t j = 0; j < 2 * k->radix; j++) {
            z[j] *= k->radix == 4 ? 4096 : 8192;                                                    /* to Q14, a 4th or half */
        }
        z += 2 * k->radix;
    }
    for (int32_t quarter = k->radix; quarter < k->size / 2; quarter *= 4) {      /* ends: it begins with 2 or 4 */
        ts_spectrum_stage32(k, quarter);
    }
    const int32_t half = k->size / 2;
    for (int32_t i = 0; i <= half / 2; i++) {
        const int32_t *a = k->z32 + 2 * i, *b = k->z32 + 2 * ((half - i) & (half - 1));
        const int32_t c = k->sine_q30[i + k->size / 4], s = k->sine_q30[i];
        const int32_t er = (a[0] + b[0] + 2) >> 2, ei = (a[1] - b[1] + 2) >> 2;
        const int32_t re = a[1] + b[1], im = b[0] - a[0];
        const int32_t tr = ts_spectrum_high(re, c, im, s), ti = ts_spectrum_high(im, c, -re, s);
        y[half - i] = ts_spectrum_power32(er - tr, ei - ti);
        y[i] = ts_spectrum_power32(er + tr, ei + ti);
    }
}

/* x[length][channels] -> y[channels][size / 2 + 1] */
static void ts_spectrum(const struct ts_spectrum *k, const int16_t *x, int64_t *y)
{
    for (int32_t channel = 0; channel < k->channels; channel++) {
        if (k->precision == 16) {
            ts_spectrum_run16(k, x + channel, y);
        } else {
            ts_spectrum_run32(k, x + channel, y);
        }
        y += k->size / 2 + 1;
    }
}

#endif
