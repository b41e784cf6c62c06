/* ts_micro_wake_word.h - alert on a wake word by ESPHome's rules; twin of tinystream/detectors/micro_wake_word.py */
#ifndef TS_MICRO_WAKE_WORD_H
#define TS_MICRO_WAKE_WORD_H

#include "ts_load.h"

#define TS_MICRO_WAKE_WORD_IGNORED 74   /* slices without an event, after an event */

struct ts_micro_wake_word {
    int32_t type;               /* of the score, as ts_load says it */
    int32_t zero;               /* score that means 0 */
    int32_t window;             /* scores in the sum */
    int32_t slices;             /* feature frames per score */
    int32_t limit;              /* a sum of at least this is an event */
    int32_t cool;               /* only below this does a slice end the ignoring */
};

struct ts_micro_wake_word_state {
    uint8_t *past;              /* ring of the last probabilities, [window] */
    int32_t at;                 /* where the next one goes: the oldest */
    int32_t sum;                /* of the ring */
    int32_t latest;             /* the newest, 0 after an event */
    int32_t ignore;             /* slices still to ignore, negative */
};

/* one slice; the sum where it is an event, else 0 (limit > 0) */
static inline int32_t ts_micro_wake_word_tick(const struct ts_micro_wake_word *k, struct ts_micro_wake_word_state *s)
{
    if (s->latest < k->cool && s->ignore < 0) {
        s->ignore++;
    }
    if (s->ignore < 0 || s->sum < k->limit) {
        return 0;
    }
    const int32_t sum = s->sum;
    memset(s->past, 0, (size_t)k->window);
    s->sum = 0;
    s->latest = 0;
    s->ignore = -TS_MICRO_WAKE_WORD_IGNORED;
    return sum;
}

/* x, one score -> y[2], label and sum; false without an event */
static bool ts_micro_wake_word(const struct ts_micro_wake_word *k, struct ts_micro_wake_word_state *s, const void *x, int32_t *y)
{
    int32_t sum = 0;

    for (int32_t i = 1; i < k->slices; i++) {
        sum += ts_micro_wake_word_tick(k, s);       /* one event at most: slices <= 74 */
    }
    s->latest = (int32_t)ts_load(x, k->type, 0) - k->zero;
    s->sum += s->latest - s->past[s->at];
    s->past[s->at] = (uint8_t)s->latest;
    s->at = s->at + 1 < k->window ? s->at + 1 : 0;
    sum += ts_micro_wake_word_tick(k, s);

    y[0] = 0;
    y[1] = sum;
    return sum > 0;
}

#endif
