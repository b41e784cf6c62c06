/* ts_dwt.h - one level of a discrete wavelet transform, its lower or its upper half; twin of tinystream/stages/dwt.py */
#ifndef TS_DWT_H
#define TS_DWT_H

#include "ts_load.h"

struct ts_dwt {
    int32_t type;               /* of x, as ts_load says it: int16_t or int32_t */
    int32_t length;             /* values of a channel, `taps` or more */
    int32_t channels;
    int32_t count;              /* of y, (length + taps - 1) / 2 */
    int32_t taps;               /* even */
    int32_t shift;
    const int32_t *filter;      /* Q31, whose sizes add up to 1, [taps] */
};

/* x[length][channels] -> y[count][channels] */
static void ts_dwt(const struct ts_dwt *k, const void *x, int32_t *y)
{
    for (int32_t channel = 0; channel < k->channels; channel++) {
        for (int32_t i = 0; i < k->count; i++) {
            int64_t sum = 0;                                        /* 31 + 31 bits */
            for (int32_t j = 0; j < k->taps; j++) {
                const int32_t at = 2 * i + 2 - k->taps + j;
                const int32_t left = at < 0 ? -1 - at : at;         /* the mirrors of both ends */
                const int32_t in = left < k->length ? left : 2 * k->length - 1 - left;
                sum += k->filter[j] * ts_load(x, k->type, in * k->channels + channel);
            }
            y[i * k->channels + channel] = ts_sat32(ts_rshift(sum, k->shift));
        }
    }
}

#endif
