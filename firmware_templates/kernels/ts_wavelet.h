/* ts_wavelet.h - energy of a window in octaves, by a discrete wavelet transform; twin of tinystream/stages/wavelet.py */
#ifndef TS_WAVELET_H
#define TS_WAVELET_H

#include "ts_fixed.h"

#define TS_WAVELET_RELATIVE 24

struct ts_wavelet {
    int32_t length;             /* samples of a channel */
    int32_t channels;
    int32_t levels;
    int32_t taps;
    int32_t relative;           /* 1: y is int32, parts of the sum; 0: y is int64, energies */
    int32_t guard;              /* bits below a count */
    int32_t fraction;           /* of those, how many are squared */
    const int32_t *h;           /* Q30, [taps] */
    int32_t *a;                 /* [length] */
    int32_t *half;              /* [length / 2] */
    int64_t *energy;            /* [levels + 1] */
};

/* sum of squares of v[n]; the window's energy, 13 + 30 + 2 fraction bits, bounds it below 2^62 */
static inline int64_t ts_wavelet_energy(const struct ts_wavelet *k, const int32_t *v, int32_t n)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < n; i++) {
        const int64_t one = ts_rshift(v[i], (int)(k->guard - k->fraction));
        sum += one * one;
    }
    return sum;
}

/* half[n / 2] = every second value of a[n], periodic, filtered by h, or by g where `high` */
static inline void ts_wavelet_filter(const struct ts_wavelet *k, int32_t n, bool high)
{
    for (int32_t i = 0; i < n / 2; i++) {
        int64_t sum = 0;                                            /* the plan bounds it below 2^62 */
        int32_t at = 2 * i - (k->taps / 2 - 1);
        at += at < 0 ? n : 0;
        for (int32_t j = 0; j < k->taps; j++) {
            const int32_t tap = high ? k->h[k->taps - 1 - j] : k->h[j];
            sum += (int64_t)(high && (j & 1) != 0 ? -tap : tap) * k->a[at];
            at = at + 1 < n ? at + 1 : 0;
        }
        k->half[i] = (int32_t)ts_rshift(sum, 30);
    }
}

/* the energies of one channel: of a_L, d_L, …, d_1 */
static inline void ts_wavelet_transform(const struct ts_wavelet *k, const int16_t *x)
{
    int32_t n = k->length;
    for (int32_t i = 0; i < n; i++) {
        k->a[i] = x[i * k->channels] * ((int32_t)1 << k->guard);
    }
    for (int32_t level = k->levels; level > 0; level--) {
        ts_wavelet_filter(k, n, true);
        k->energy[level] = ts_wavelet_energy(k, k->half, n / 2);
        ts_wavelet_filter(k, n, false);
        n /= 2;
        memcpy(k->a, k->half, (size_t)n * sizeof *k->a);
    }
    k->energy[0] = ts_wavelet_energy(k, k->a, n);
}

/* each energy over their sum */
static inline void ts_wavelet_parts(const struct ts_wavelet *k, int32_t *y)
{
    int64_t total = 0;
    for (int32_t i = 0; i <= k->levels; i++) {
        total += k->energy[i];
    }
    const int top = ts_msb((uint64_t)total), down = top > 37 ? top - 37 : 0;
    const int64_t divisor = total >> down > 1 ? total >> down : 1;
    for (int32_t i = 0; i <= k->levels; i++) {
        y[i] = (int32_t)((((k->energy[i] >> down) * ((int64_t)1 << TS_WAVELET_RELATIVE)) + divisor / 2) / divisor);    /* 38 + 24 bits */
    }
}

/* x[length][channels] -> y[channels][levels + 1], from low to high frequencies */
static void ts_wavelet(const struct ts_wavelet *k, const int16_t *x, void *y)
{
    const int32_t count = k->levels + 1;
    for (int32_t channel = 0; channel < k->channels; channel++) {
        ts_wavelet_transform(k, x + channel);
        if (k->relative != 0) {
            ts_wavelet_parts(k, (int32_t *)y + channel * count);
        } else {
            memcpy((int64_t *)y + channel * count, k->energy, (size_t)count * sizeof *k->energy);
        }
    }
}

#endif
