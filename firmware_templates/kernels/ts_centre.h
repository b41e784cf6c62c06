/* ts_centre.h - take the mean out of each window and keep what is below a count; twin of tinystream/stages/centre.py */
#ifndef TS_CENTRE_H
#define TS_CENTRE_H

#include "ts_load.h"

struct ts_centre {
    int32_t type;               /* of x, as ts_load says it: int16_t or int32_t */
    int32_t length;             /* samples of a window, n */
    int32_t channels;
    int32_t down;               /* what n x - sum x is shifted right by; left, where it is negative */
};

/* x[length][channels] -> y[length][channels], which may be x */
static void ts_centre(const struct ts_centre *k, const void *x, int32_t *y)
{
    for (int32_t channel = 0; channel < k->channels; channel++) {
        int64_t sum = 0;                                            /* 32 + 15 bits */
        for (int32_t i = 0; i < k->length; i++) {
            sum += ts_load(x, k->type, i * k->channels + channel);
        }
        for (int32_t i = 0; i < k->length; i++) {
            const int32_t at = i * k->channels + channel;
            const int64_t d = k->length * ts_load(x, k->type, at) - sum;
            y[at] = ts_sat32(k->down >= 0 ? ts_rshift(d, k->down) : d * ((int64_t)1 << -k->down));
        }
    }
}

#endif
