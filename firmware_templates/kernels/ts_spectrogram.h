/* ts_spectrogram.h - logarithms of powers of the frames of a window; twin of tinystream/stages/spectrogram.py */
#ifndef TS_SPECTROGRAM_H
#define TS_SPECTROGRAM_H

#include "ts_spectrum.h"

struct ts_spectrogram {
    int32_t window;             /* samples */
    int32_t frames;
    int32_t hop;                /* samples from one frame to the next */
    int32_t length;             /* samples of a frame */
    int32_t coefficient;        /* of the pre-emphasis, Q15 */
    int32_t back;               /* samples that it looks back, around the window */
    int32_t energy;             /* 1: that of all bins comes first */
    int32_t banked;             /* 1: bands are sums of weighted bins; 0: they are the bins */
    int32_t bands;
    int32_t apart;              /* points of the FFT from one bin to the next */
    int32_t bins;
    int32_t offset;             /* log2 of the real power of one, Q16 */
    int32_t empty;              /* octaves of a power of 0, Q16 */
    int32_t multiplier;         /* with shift: counts of y an octave */
    int32_t shift;
    int32_t low, high;          /* of y */
    int32_t precision, size, log2_size, radix;  /* these and two tables are those of ts_spectrum */
    const int32_t *log2;        /* log2(1 + i/64), Q16, [65] */
    const uint16_t *first;      /* first bin of each band, [bands]; these three where `banked` */
    const uint16_t *count;      /* bins of each band, [bands] */
    const uint16_t *weight;     /* Q15, one band after the other */
    const uint16_t *order;
    const int32_t *sine_q30;
    int16_t *frame;             /* [length] */
    int64_t *power;             /* [size / 2 + 1] */
    int32_t *z32;               /* [size] */
};

/* a sample after pre-emphasis, Q15: 32 bits */
static inline int64_t ts_spectrogram_sample(const struct ts_spectrogram *k, const int16_t *x, int32_t i)
{
    const int32_t before = i >= k->back ? i - k->back : i - k->back + k->window;
    return x[i] * (int64_t)32768 - (int64_t)k->coefficient * x[before];
}

/* The frame in 15 bits; returns its exponent */
static int ts_spectrogram_fill(const struct ts_spectrogram *k, const int16_t *x, int32_t start)
{
    int64_t most = 0;
    for (int32_t i = 0; i < k->length; i++) {
        const int64_t v = ts_spectrogram_sample(k, x, start + i), size = v < 0 ? -v : v;
        most = size > most ? size : most;
    }
    const int exponent = most > 0 ? ts_msb((uint64_t)most) - 14 : 0;
    const int down = exponent > 0 ? exponent : 0, up = exponent < 0 ? -exponent : 0;
    for (int32_t i = 0; i < k->length; i++) {
        k->frame[i] = ts_sat16(ts_rshift(ts_spectrogram_sample(k, x, start + i), down) * ((int64_t)1 << up));
    }
    return exponent;
}

/* energy: Q15 of a power, up to 2^61 */
static int16_t ts_spectrogram_level(const struct ts_spectrogram *k, int64_t energy, int exponent)
{
    const int32_t octaves = energy > 0 ? ts_log2_q16(k->log2, energy) + k->offset + 131072 * exponent : k->empty;
    const int64_t v = ts_rshift((int64_t)octaves * k->multiplier, (int)k->shift);       /* 24 + 31 bits */
    return (int16_t)(v < k->low ? k->low : v > k->high ? k->high : v);
}

static void ts_spectrogram_frame(const struct ts_spectrogram *k, int exponent, int16_t *y)
{
    const uint16_t *weight = k->weight;
    int64_t all = 0;
    for (int32_t i = 0; i < k->bins; i++) {
        k->power[i] = k->power[i * k->apart];
        all += k->power[i];
    }
    if (k->energy != 0) {
        *y++ = ts_spectrogram_level(k, all * 32768, exponent);
    }
    for (int32_t b = 0; b < k->bands; b++) {
        int64_t sum = 0;
        if (k->banked != 0) {
            for (int32_t i = 0; i < k->count[b]; i++) {
                sum += k->power[k->first[b] + i] * *weight++;           /* 46 + 15 bits */
            }
        } else {
            sum = k->power[b] * 32768;
        }
        y[b] = ts_spectrogram_level(k, sum, exponent);
    }
}

/* x[window] -> y[frames][energy + bands] */
static void ts_spectrogram(const struct ts_spectrogram *k, const int16_t *x, int16_t *y)
{
    struct ts_spectrum fft;
    fft.precision = k->precision;
    fft.length = k->length;
    fft.channels = 1;
    fft.size = k->size;
    fft.log2_size = k->log2_size;
    fft.radix = k->radix;
    fft.order = k->order;
    fft.sine_q14 = NULL;
    fft.sine_q30 = k->sine_q30;
    fft.z16 = NULL;
    fft.z32 = k->z32;
    for (int32_t i = 0; i < k->frames; i++) {
        const int exponent = ts_spectrogram_fill(k, x, i * k->hop);
        ts_spectrum(&fft, k->frame, k->power);
        ts_spectrogram_frame(k, exponent, y);
        y += k->energy + k->bands;
    }
}

#endif
