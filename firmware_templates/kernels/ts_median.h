/* ts_median.h - the median of each channel's last samples; twin of tinystream/stages/median.py */
#ifndef TS_MEDIAN_H
#define TS_MEDIAN_H

#include "ts_load.h"

struct ts_median {
    int32_t type;               /* of x and y: -2 int16, -4 int32 */
    int32_t length;             /* moments per block */
    int32_t channels;
    int32_t samples;            /* odd */
};

struct ts_median_state {
    int32_t *past;              /* rings, [channels][samples] */
    int32_t *sorted;            /* the same in order of size */
    int32_t at;                 /* where the next moment goes: the oldest */
    int32_t begun;              /* 0 until there was a first moment */
};

/* `before` leaves sorted[samples], which it is in, and `now` comes in */
static inline void ts_median_swap(int32_t *sorted, int32_t samples, int32_t before, int32_t now)
{
    int32_t i = 0;

    for (; i + 1 < samples && sorted[i] != before; i++) {
    }
    for (; i > 0 && sorted[i - 1] > now; i--) {
        sorted[i] = sorted[i - 1];
    }
    for (; i + 1 < samples && sorted[i + 1] < now; i++) {
        sorted[i] = sorted[i + 1];
    }
    sorted[i] = now;
}

/* the past begins as the first moment */
static inline void ts_median_begin(const struct ts_median *k, struct ts_median_state *s, const void *x)
{
    for (int32_t channel = 0; channel < k->channels; channel++) {
        const int32_t first = (int32_t)ts_load(x, k->type, channel);
        for (int32_t i = 0; i < k->samples; i++) {
            s->past[channel * k->samples + i] = first;
            s->sorted[channel * k->samples + i] = first;
        }
    }
    s->begun = 1;
}

/* x[length][channels] -> y[length][channels], which may be x */
static void ts_median(const struct ts_median *k, struct ts_median_state *s, const void *x, void *y)
{
    if (s->begun == 0) {
        ts_median_begin(k, s, x);
    }
    for (int32_t i = 0; i < k->length; i++) {
        for (int32_t channel = 0; channel < k->channels; channel++) {
            const int32_t at = i * k->channels + channel, now = (int32_t)ts_load(x, k->type, at);
            int32_t *past = s->past + channel * k->samples + s->at, *sorted = s->sorted + channel * k->samples;
            ts_median_swap(sorted, k->samples, *past, now);
            *past = now;
            if (k->type == -2) {
                ((int16_t *)y)[at] = (int16_t)sorted[k->samples / 2];
            } else {
                ((int32_t *)y)[at] = sorted[k->samples / 2];
            }
        }
        s->at = s->at + 1 < k->samples ? s->at + 1 : 0;
    }
}

#endif
