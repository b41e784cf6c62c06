/* ts_limits.h - alert when a score leaves its limits and stays there; twin of tinystream/detectors/limits.py */
#ifndef TS_LIMITS_H
#define TS_LIMITS_H

#include "ts_load.h"

struct ts_limits {
    int32_t labels;             /* that may alert */
    int32_t type;               /* of the scores, as ts_load says it */
    int32_t zero;               /* the score that means 0 */
    int32_t hold;               /* decisions in a row beyond a limit, before an alert */
    int32_t clear_hold;         /* decisions in a row that are well, before it is over */
    int32_t quiet;              /* decisions from an alert to the next, at least */
    int32_t repeat;             /* decisions from an alert to its reminder; 0: there is none */
    int32_t report;             /* the label that means that class 0 is well again; 0: nobody asks */
    const int32_t *label;       /* which scores to read, [labels] */
    const int64_t *low;         /* at most this is beyond the limit, [labels]; 42 bits, as what is never met is outside of every type */
    const int64_t *high;        /* at least this is beyond the limit, [labels] */
    const int64_t *clear_low;   /* above this and */
    const int64_t *clear_high;  /* below this is well, [labels] */
};

struct ts_limits_state {
    int32_t *beyond;            /* decisions in a row beyond a limit, up to hold, [labels] */
    int32_t *well;              /* decisions in a row that are well, up to clear_hold, [labels] */
    int32_t *on;                /* 1: has alerted and is not over, [labels] */
    int32_t *since;             /* decisions since its last alert, up to repeat, [labels] */
    int32_t hush;               /* decisions until the next alert may come */
};

/* what a decision could tell: a label for each kind of event, -1 where there is none */
struct ts_limits_found {
    int64_t past;               /* how far the alert is beyond its limit */
    int32_t alert, clear, reminder;
};

/* count the score v of label i, and see what it could tell */
static inline void ts_limits_look(const struct ts_limits *k, struct ts_limits_state *s, int32_t i, int64_t v, struct ts_limits_found *found)
{
    const int64_t above = v - k->high[i], below = k->low[i] - v;        /* 42 bits */
    const int64_t past = above > below ? above : below;
    const bool well = v > k->clear_low[i] && v < k->clear_high[i];

    s->beyond[i] = past < 0 ? 0 : s->beyond[i] < k->hold ? s->beyond[i] + 1 : k->hold;
    s->well[i] = !well ? 0 : s->well[i] < k->clear_hold ? s->well[i] + 1 : k->clear_hold;
    s->since[i] = s->since[i] < k->repeat ? s->since[i] + 1 : k->repeat;
    if (s->on[i] && s->well[i] >= k->clear_hold) {
        if (k->report == 0) {
            s->on[i] = 0;
        } else if (found->clear < 0) {
            found->clear = i;
        }
    }
    if (!s->on[i] && s->beyond[i] >= k->hold && past > found->past) {
        found->alert = i;
        found->past = past;
    }
    if (s->on[i] && s->beyond[i] > 0 && s->since[i] >= k->repeat && found->reminder < 0) {
        found->reminder = i;
    }
}

/* x, all scores of a decision -> y[2], label and score; false without an event */
static bool ts_limits(const struct ts_limits *k, struct ts_limits_state *s, const void *x, int32_t *y)
{
    struct ts_limits_found found = { -1, -1, -1, -1 };

    for (int32_t i = 0; i < k->labels; i++) {
        ts_limits_look(k, s, i, ts_load(x, k->type, k->label[i]), &found);
    }
    s->hush -= s->hush > 0;
    if (s->hush > 0 || found.alert < 0) {
        if (found.clear >= 0) {
            s->on[found.clear] = 0;
            y[0] = k->report + k->label[found.clear];
            y[1] = ts_sat32(ts_load(x, k->type, k->label[found.clear]) - k->zero);
            return true;
        }
        if (s->hush > 0 || k->repeat == 0 || found.reminder < 0) {
            return false;
        }
        found.alert = found.reminder;
    }
    s->on[found.alert] = 1;
    s->since[found.alert] = 0;
    s->hush = k->quiet;
    y[0] = k->label[found.alert];
    y[1] = ts_sat32(ts_load(x, k->type, k->label[found.alert]) - k->zero);
    return true;
}

#endif
