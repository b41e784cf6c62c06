/* ts_analytic.h - magnitude of the analytic signal; twin of tinystream/stages/analytic.py */
#ifndef TS_ANALYTIC_H
#define TS_ANALYTIC_H

#include "ts_fixed.h"

#define TS_ANALYTIC_GUARD 4     /* bits below a count */

struct ts_analytic {
    int32_t length;             /* samples per block and channel */
    int32_t channels;
    int32_t taps;               /* 4 n + 3 */
    const int32_t *half;        /* Q30, from the middle outwards, every second one, [(taps + 1) / 4] */
    int16_t *work;              /* [taps - 1 + length] */
};

struct ts_analytic_state {
    int16_t *past;              /* [channels][taps - 1] */
};

/* at: the sample in the middle of the filter */
static inline int16_t ts_analytic_magnitude(const struct ts_analytic *k, const int16_t *at)
{
    int64_t sum = 0;                                                /* 17 + 30 bits, and 2 for all taps */
    int32_t apart = 1;
    for (int32_t i = 0; i < (k->taps + 1) / 4; i++) {
        sum += (int64_t)k->half[i] * (at[apart] - at[-apart]);
        apart += 2;
    }
    const int64_t h = ts_rshift(sum, 30 - TS_ANALYTIC_GUARD);       /* 22 bits */
    const int64_t d = (int64_t)*at * (1 << TS_ANALYTIC_GUARD);
    return ts_sat16(ts_rshift(ts_isqrt(d * d + h * h), TS_ANALYTIC_GUARD));
}

/* x[length][channels] -> y[length][channels], which may be x */
static void ts_analytic(const struct ts_analytic *k, struct ts_analytic_state *s, const int16_t *x, int16_t *y)
{
    const size_t kept = (size_t)(k->taps - 1);
    int16_t *past = s->past;

    for (int32_t channel = 0; channel < k->channels; channel++) {
        int16_t *now = k->work + kept;
        memcpy(k->work, past, kept * sizeof *past);
        for (int32_t i = 0; i < k->length; i++) {
            now[i] = x[i * k->channels + channel];
        }
        memcpy(past, k->work + k->length, kept * sizeof *past);
        for (int32_t i = 0; i < k->length; i++) {
            y[i * k->channels + channel] = ts_analytic_magnitude(k, k->work + k->taps / 2 + i);
        }
        past += kept;
    }
}

#endif
