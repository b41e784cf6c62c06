/* ts_detrend.h - take the mean, or the straight line that fits best, out of each window; twin of tinystream/stages/detrend.py */
#ifndef TS_DETREND_H
#define TS_DETREND_H

#include "ts_divide.h"

#define TS_DETREND_Q 20

struct ts_detrend {
    int32_t length;             /* samples per window and channel, up to 2^14 */
    int32_t channels;
    int32_t linear;             /* 1: the line; 0: the mean */
};

/* x[length][channels] -> y[length][channels], which may be x */
static void ts_detrend(const struct ts_detrend *k, const int16_t *x, int16_t *y)
{
    const int64_t n = k->length, one = (int64_t)1 << TS_DETREND_Q;

    for (int32_t channel = 0; channel < k->channels; channel++) {
        int64_t sum = 0, moment = 0;                            /* 29 and 43 bits */
        int32_t c = 1 - k->length;                              /* twice the distance from the middle */
        for (int32_t i = 0; i < k->length; i++) {
            const int32_t v = x[i * k->channels + channel];
            sum += v;
            moment += (int64_t)v * c;
            c += 2;
        }
        const int64_t base = ts_divide(sum * one, n);
        const int64_t slope = k->linear ? ts_divide(moment * one, n * (n * n - 1) / 3) : 0;
        c = 1 - k->length;
        for (int32_t i = 0; i < k->length; i++) {
            const int32_t at = i * k->channels + channel;
            y[at] = ts_sat16(x[at] - ts_rshift(base + slope * c, TS_DETREND_Q));
            c += 2;
        }
    }
}

#endif
