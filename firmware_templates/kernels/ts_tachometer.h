/* ts_tachometer.h - speed of a shaft from pulses; twin of tinystream/stages/tachometer.py */
#ifndef TS_TACHOMETER_H
#define TS_TACHOMETER_H

#include "ts_fixed.h"

struct ts_tachometer {
    int32_t length;             /* samples per block and channel */
    int32_t channels;
    int32_t channel;            /* the one with the pulses */
    int32_t high;               /* a pulse begins here */
    int32_t low;                /* and is over here */
    int32_t blocks;             /* that are looked back on */
    int32_t turns;              /* samples per second / pulses per turn / scale of y */
};

struct ts_tachometer_state {
    int32_t *count;             /* pulses that began in each block, ring of `blocks` */
    int32_t *first;             /* where the first one began */
    int32_t *last;
    int32_t at;                 /* where the next block goes: the oldest */
    int32_t up;                 /* 1: no pulse begins before a sample was low */
};

/* the edges of one block */
static inline void ts_tachometer_take(const struct ts_tachometer *k, struct ts_tachometer_state *s, const int16_t *x)
{
    int32_t count = 0;

    for (int32_t i = 0; i < k->length; i++) {
        const int32_t v = x[i * k->channels + k->channel];
        if (v >= k->high) {
            if (s->up == 0) {
                s->first[s->at] = count == 0 ? i : s->first[s->at];
                s->last[s->at] = i;
                count++;
            }
            s->up = 1;
        } else if (v <= k->low) {
            s->up = 0;
        }
    }
    s->count[s->at] = count;
    s->at = s->at + 1 < k->blocks ? s->at + 1 : 0;
}

/* x[length][channels] -> y[1], turns per second */
static void ts_tachometer(const struct ts_tachometer *k, struct ts_tachometer_state *s, const int16_t *x, int32_t *y)
{
    int32_t pulses = 0, begin = 0, end = 0, slot;

    ts_tachometer_take(k, s, x);
    slot = s->at;                                   /* the oldest */
    for (int32_t i = 0; i < k->blocks; i++) {
        if (s->count[slot] > 0) {
            begin = pulses == 0 ? i * k->length + s->first[slot] : begin;
            end = i * k->length + s->last[slot];
            pulses += s->count[slot];
        }
        slot = slot + 1 < k->blocks ? slot + 1 : 0;
    }
    y[0] = 0;
    if (pulses > 1) {                               /* two pulses are two samples apart at least: y is below 2^31 */
        const int32_t interval = end - begin;
        y[0] = (int32_t)(((int64_t)(pulses - 1) * k->turns + interval / 2) / interval);
    }
}

#endif
