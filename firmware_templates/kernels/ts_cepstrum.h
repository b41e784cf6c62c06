/* ts_cepstrum.h - greatest peak of the real cepstrum of a log spectrum; twin of tinystream/stages/cepstrum.py */
#ifndef TS_CEPSTRUM_H
#define TS_CEPSTRUM_H

#include "ts_fixed.h"

struct ts_cepstrum {
    int32_t channels;
    int32_t size;               /* points of the FFT, a power of two; there are size / 2 + 1 bins */
    int32_t first;              /* quefrencies that are looked at, samples */
    int32_t last;
    int32_t multiplier;         /* of the sum, to counts of y: 20 bits */
    int32_t shift;
    int32_t ms;                 /* one quefrency, to counts of y */
    int32_t ms_shift;
    const int32_t *sine_q30;    /* one period, [size] */
};

/* size times c[q], Q15 */
static inline int64_t ts_cepstrum_sum(const struct ts_cepstrum *k, const int16_t *x, int32_t q)
{
    const int32_t half = k->size / 2, mask = k->size - 1;
    int64_t sum = 0;                                                /* 16 + 30 bits, and 11 for all bins */
    int32_t at = k->size / 4 + q;

    for (int32_t i = 1; i < half; i++) {
        sum += (int64_t)x[i] * k->sine_q30[at & mask];
        at = (at + q) & mask;
    }
    return (2 * sum + (int64_t)x[0] * k->sine_q30[k->size / 4] + (int64_t)x[half] * k->sine_q30[at & mask]) >> 15;
}

/* x[channels][bins] -> y[channels][peak, quefrency] */
static void ts_cepstrum(const struct ts_cepstrum *k, const int16_t *x, int32_t *y)
{
    for (int32_t channel = 0; channel < k->channels; channel++) {
        int32_t best = k->first;
        int64_t peak = ts_cepstrum_sum(k, x, best);
        for (int32_t q = k->first + 1; q <= k->last; q++) {
            const int64_t sum = ts_cepstrum_sum(k, x, q);
            if (sum > peak) {
                peak = sum;
                best = q;
            }
        }
        y[0] = (int32_t)ts_rshift(peak * k->multiplier, (int)k->shift);             /* 42 + 20 bits */
        y[1] = (int32_t)ts_rshift((int64_t)best * k->ms, (int)k->ms_shift);
        x += k->size / 2 + 1;
        y += 2;
    }
}

#endif
