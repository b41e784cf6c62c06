/* ts_smooth.h - smooth each channel over time; twin of tinystream/stages/smooth.py */
#ifndef TS_SMOOTH_H
#define TS_SMOOTH_H

#include "ts_divide.h"
#include "ts_load.h"

struct ts_smooth {
    int32_t type;               /* of x and y: -2 int16, -4 int32 */
    int32_t length;             /* moments per block */
    int32_t channels;
    int32_t samples;            /* in a mean; 0 for an exponential one */
    int32_t multiplier;         /* of an exponential one: the weight of what is new is multiplier / 2^shift */
    int32_t shift;
};

struct ts_smooth_state {
    void *past;                 /* ring, [samples][channels] */
    int64_t *sum;               /* of what is in the ring; or the level, Q16 */
    int32_t at;                 /* where the next moment goes: the oldest */
    int32_t begun;              /* 0 until there was a first moment */
};

/* a value that lies between the least and the greatest x that came */
static inline void ts_smooth_store(void *y, int32_t type, int32_t i, int64_t value)
{
    if (type == -2) {
        ((int16_t *)y)[i] = (int16_t)value;
    } else {
        ((int32_t *)y)[i] = (int32_t)value;
    }
}

/* the past begins as the first moment */
static inline void ts_smooth_begin(const struct ts_smooth *k, struct ts_smooth_state *s, const void *x)
{
    for (int32_t channel = 0; channel < k->channels; channel++) {
        const int64_t first = ts_load(x, k->type, channel);
        for (int32_t i = 0; i < k->samples; i++) {
            ts_smooth_store(s->past, k->type, i * k->channels + channel, first);
        }
        s->sum[channel] = first * (k->samples > 0 ? k->samples : 65536);
    }
    s->begun = 1;
}

static inline int64_t ts_smooth_mean(const struct ts_smooth *k, struct ts_smooth_state *s, int32_t channel, int64_t v)
{
    const int32_t at = s->at * k->channels + channel;

    s->sum[channel] += v - ts_load(s->past, k->type, at);       /* 44 bits, or 28 */
    ts_smooth_store(s->past, k->type, at, v);
    return k->type == -2 ? ts_divide32((int32_t)s->sum[channel], k->samples) : ts_divide(s->sum[channel], k->samples);
}

static inline int64_t ts_smooth_level(const struct ts_smooth *k, struct ts_smooth_state *s, int32_t channel, int64_t v)
{
    const int64_t d = v * 65536 - s->sum[channel];              /* 49 bits */
    const int64_t step = (d >> 16) * k->multiplier + (((d & 0xFFFF) * k->multiplier) >> 16);        /* 63 bits */

    s->sum[channel] += ts_rshift(step, (int)k->shift - 16);
    return ts_rshift(s->sum[channel], 16);
}

/* x[length][channels] -> y[length][channels], which may be x */
static void ts_smooth(const struct ts_smooth *k, struct ts_smooth_state *s, const void *x, void *y)
{
    if (s->begun == 0) {
        ts_smooth_begin(k, s, x);
    }
    for (int32_t i = 0; i < k->length; i++) {
        for (int32_t channel = 0; channel < k->channels; channel++) {
            const int64_t v = ts_load(x, k->type, i * k->channels + channel);
            const int64_t value = k->samples > 0 ? ts_smooth_mean(k, s, channel, v) : ts_smooth_level(k, s, channel, v);
            ts_smooth_store(y, k->type, i * k->channels + channel, value);
        }
        s->at = s->at + 1 < k->samples ? s->at + 1 : 0;
    }
}

#endif
