/* ts_smoothed.h - alert when smoothed scores stay above a threshold; twin of tinystream/detectors/smoothed.py */
#ifndef TS_SMOOTHED_H
#define TS_SMOOTHED_H

#include "ts_load.h"

struct ts_smoothed {
    int32_t labels;             /* that may alert */
    int32_t type;               /* of the scores, as ts_load says it */
    int32_t over;               /* scores that are smoothed */
    int32_t maximum;            /* 1: by their maximum; 0: by their sum */
    int32_t offset;             /* the sum, or maximum, that means 0 */
    int32_t min_scores;         /* decisions in a row */
    int32_t rearm;              /* a label below this may alert again */
    int32_t quiet;              /* decisions from an alert to the next, at least */
    const int32_t *label;       /* which scores to read, [labels] */
    const int32_t *limit;       /* at least this is above the threshold, [labels] */
};

struct ts_smoothed_state {
    int16_t *past;              /* ring, [over][labels] */
    int32_t *sum;               /* of the ring, [labels] */
    int32_t *above;             /* decisions in a row above the limit, up to min_scores, [labels] */
    int32_t *armed;             /* 1: may alert, [labels] */
    int32_t at;                 /* where in the ring the next scores go: the oldest */
    int32_t wait;               /* scores until the ring is full */
    int32_t hush;               /* decisions until the next alert may come */
};

static inline int32_t ts_smoothed_maximum(const struct ts_smoothed *k, const struct ts_smoothed_state *s, int32_t label)
{
    int32_t maximum = INT16_MIN;
    for (int32_t i = label; i < k->over * k->labels; i += k->labels) {      /* ends: labels > 0 */
        maximum = s->past[i] > maximum ? s->past[i] : maximum;
    }
    return maximum;
}

/* x, all scores of a decision -> y[2], label and score; false without an event */
static bool ts_smoothed(const struct ts_smoothed *k, struct ts_smoothed_state *s, const void *x, int32_t *y)
{
    int16_t *oldest = s->past + s->at * k->labels;
    int32_t best = -1, most = INT32_MIN;

    for (int32_t i = 0; i < k->labels; i++) {
        const int16_t score = (int16_t)ts_load(x, k->type, k->label[i]);
        s->sum[i] += score - oldest[i];
        oldest[i] = score;
    }
    s->at = s->at + 1 < k->over ? s->at + 1 : 0;
    s->hush -= s->hush > 0;
    s->wait -= s->wait > 0;
    if (s->wait > 0) {
        return false;
    }
    for (int32_t i = 0; i < k->labels; i++) {
        const int32_t v = k->maximum ? ts_smoothed_maximum(k, s, i) : s->sum[i];
        s->above[i] = v < k->limit[i] ? 0 : s->above[i] < k->min_scores ? s->above[i] + 1 : k->min_scores;
        s->armed[i] = v < k->rearm ? 1 : s->armed[i];
        if (s->armed[i] && s->above[i] >= k->min_scores && v > most) {
            best = i;
            most = v;
        }
    }
    if (s->hush > 0 || best < 0) {
        return false;
    }
    s->armed[best] = 0;
    s->hush = k->quiet;
    y[0] = k->label[best];
    y[1] = most - k->offset;
    return true;
}

#endif
