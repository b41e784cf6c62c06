/* ts_preemphasis.h - each sample less most of the one before; twin of tinystream/stages/preemphasis.py */
#ifndef TS_PREEMPHASIS_H
#define TS_PREEMPHASIS_H

#include "ts_fixed.h"

struct ts_preemphasis {
    int32_t length;             /* samples per block */
    int32_t coefficient;        /* Q15, up to 32767 */
};

struct ts_preemphasis_state {
    int32_t last;               /* the last sample of the block before */
};

/* x[length] -> y[length]; y may be x */
static void ts_preemphasis(const struct ts_preemphasis *k, struct ts_preemphasis_state *s, const int16_t *x, int16_t *y)
{
    int32_t last = s->last;
    for (int32_t i = 0; i < k->length; i++) {
        const int32_t now = x[i];
        const int32_t v = (now * 32768 - k->coefficient * last + 16384) >> 15;      /* |.| <= 2^30 + 2^30 - 2^15 + 2^14 */
        y[i] = (int16_t)(v < INT16_MIN ? INT16_MIN : v > INT16_MAX ? INT16_MAX : v);
        last = now;
    }
    s->last = last;
}

#endif
