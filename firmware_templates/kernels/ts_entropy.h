/* ts_entropy.h - entropy of the values of a window, by a histogram; twin of tinystream/stages/entropy.py */
#ifndef TS_ENTROPY_H
#define TS_ENTROPY_H

#include "ts_load.h"
#include "ts_scaled.h"

struct ts_entropy {
    int32_t type;               /* of x, as ts_load says it: int16_t or int32_t */
    int32_t length;             /* values of a channel, n */
    int32_t channels;
    int32_t bins;
    int32_t all;                /* log2(n), Q16 */
    int32_t multiplier;         /* with shift: counts of y */
    int32_t shift;
    const int32_t *log2;        /* log2(1 + i/64), Q16, [65] */
    int32_t *count;             /* [bins] */
};

/* count[bins] = how many of x[length], every `channels`-th, lie in each bin */
static inline void ts_entropy_count(const struct ts_entropy *k, const void *x, int32_t channel)
{
    int64_t low = ts_load(x, k->type, channel), high = low;
    for (int32_t i = 1; i < k->length; i++) {
        const int64_t v = ts_load(x, k->type, i * k->channels + channel);
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    const int64_t range = high > low ? high - low : 1;
    memset(k->count, 0, (size_t)k->bins * sizeof *k->count);
    for (int32_t i = 0; i < k->length; i++) {
        const int64_t bin = (ts_load(x, k->type, i * k->channels + channel) - low) * k->bins / range;   /* 32 + 10 bits */
        k->count[bin < k->bins ? bin : k->bins - 1]++;
    }
}

/* x[length][channels] -> y[channels] */
static void ts_entropy(const struct ts_entropy *k, const void *x, int32_t *y)
{
    for (int32_t channel = 0; channel < k->channels; channel++) {
        ts_entropy_count(k, x, channel);
        int64_t left = (int64_t)k->length * k->all;                 /* 15 + 20 bits */
        for (int32_t i = 0; i < k->bins; i++) {
            left -= (int64_t)k->count[i] * ts_log2_q16(k->log2, k->count[i]);
        }
        y[channel] = ts_scaled(left, 0, k->multiplier, k->shift);
    }
}

#endif
