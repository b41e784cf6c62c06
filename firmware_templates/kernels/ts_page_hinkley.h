/* ts_page_hinkley.h - sums of drift from the mean so far; twin of tinystream/stages/page_hinkley.py */
#ifndef TS_PAGE_HINKLEY_H
#define TS_PAGE_HINKLEY_H

#include "ts_drift.h"

struct ts_page_hinkley {
    int32_t type;               /* of x, as ts_load says it */
    int32_t size;               /* features */
    int32_t each;               /* 1: a score for each; 0: the greatest */
    int32_t above;              /* 1: drift upwards counts */
    int32_t below;              /* 1: drift downwards counts */
    int32_t narrow;             /* bits of a sum below a count of y */
    int32_t memory;             /* blocks in a mean, at most */
    int32_t learn;              /* blocks that only the mean learns from */
    int64_t restart;            /* a sum at which a feature begins again, Q24 */
    const int64_t *slack;       /* Q24, [size] */
};

struct ts_page_hinkley_state {
    int64_t *up;                /* Q24, [size] */
    int64_t *down;              /* Q24, [size] */
    int64_t *mean;              /* Q24, [size] */
    int32_t *heard;             /* blocks in the mean, [size] */
};

/* x / n, rounded down; n > 0 */
static inline int64_t ts_page_hinkley_divided(int64_t x, int64_t n)
{
    return x / n - (x % n < 0);
}

/* the larger sum of feature i, whose value is v in Q24 */
static inline int64_t ts_page_hinkley_sum(const struct ts_page_hinkley *k, struct ts_page_hinkley_state *s, int32_t i, int64_t v)
{
    s->heard[i] = s->heard[i] < k->memory ? s->heard[i] + 1 : k->memory;
    s->mean[i] += ts_page_hinkley_divided(v - s->mean[i] + s->heard[i] / 2, s->heard[i]);     /* 57 bits */
    if (s->heard[i] <= k->learn) {
        s->up[i] = 0;
        s->down[i] = 0;
        return 0;
    }
    const int64_t sum = ts_drift(s->up + i, s->down + i, v - s->mean[i], k->slack[i], k->above != 0, k->below != 0);
    if (sum >= k->restart) {
        s->up[i] = 0;
        s->down[i] = 0;
        s->mean[i] = 0;
        s->heard[i] = 0;
    }
    return sum;
}

/* x[size] -> y[size] or y[1] */
static void ts_page_hinkley(const struct ts_page_hinkley *k, struct ts_page_hinkley_state *s, const void *x, int32_t *y)
{
    int32_t most = 0;

    for (int32_t i = 0; i < k->size; i++) {
        const int64_t sum = ts_page_hinkley_sum(k, s, i, ts_load(x, k->type, i) * ((int64_t)1 << TS_DRIFT_Q));
        const int32_t score = ts_sat32(ts_rshift(sum, k->narrow));
        if (k->each) {
            y[i] = score;
        }
        most = score > most ? score : most;
    }
    if (!k->each) {
        y[0] = most;
    }
}

#endif
