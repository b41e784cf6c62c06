/* ts_cusum.h - cumulative sums of drift from a target; twin of tinystream/stages/cusum.py */
#ifndef TS_CUSUM_H
#define TS_CUSUM_H

#include "ts_drift.h"

struct ts_cusum {
    int32_t type;               /* of x, as ts_load says it */
    int32_t size;               /* features */
    int32_t each;               /* 1: a score for each; 0: the greatest */
    int32_t above;              /* 1: drift upwards counts */
    int32_t below;              /* 1: drift downwards counts */
    int32_t narrow;             /* bits of a sum below a count of y */
    int64_t restart;            /* a sum that begins again, Q24 */
    const int64_t *target;      /* Q24, [size] */
    const int64_t *slack;       /* Q24, [size] */
};

struct ts_cusum_state {
    int64_t *up;                /* Q24, [size] */
    int64_t *down;              /* Q24, [size] */
};

/* x[size] -> y[size] or y[1] */
static void ts_cusum(const struct ts_cusum *k, struct ts_cusum_state *s, const void *x, int32_t *y)
{
    int32_t most = 0;

    for (int32_t i = 0; i < k->size; i++) {
        const int64_t d = ts_load(x, k->type, i) * ((int64_t)1 << TS_DRIFT_Q) - k->target[i];     /* 58 bits */
        const int64_t sum = ts_drift(s->up + i, s->down + i, d, k->slack[i], k->above != 0, k->below != 0);
        const int32_t score = ts_sat32(ts_rshift(sum, k->narrow));
        if (sum >= k->restart) {
            s->up[i] = 0;
            s->down[i] = 0;
        }
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
