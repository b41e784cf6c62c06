/* ts_clusters.h - learn a few kinds of normal, then tell how far a vector is from the nearest; twin of tinystream/stages/clusters.py */
#ifndef TS_CLUSTERS_H
#define TS_CLUSTERS_H

#include "ts_learning.h"

#define TS_CLUSTERS_FARTHEST ((int64_t)1 << 27)     /* counts of a centre, in one feature */

struct ts_clusters {
    int32_t size;               /* features */
    int32_t type;               /* of x, as ts_load says it */
    int32_t bytes;              /* of x */
    int32_t centres;
    int32_t first;              /* vectors among which the first centres are chosen */
    int32_t learn;              /* vectors that are learnt from */
    int32_t up;                 /* bits of a centre below a count */
    int32_t *chosen;            /* [centres] */
};

/* all of it is learnt */
struct ts_clusters_state {
    int32_t count;              /* vectors that were learnt from */
    int32_t floored;            /* 1: all were where a centre is, and the typical distance is a count instead of 0 */
    void *past;                 /* the first vectors, [first][size] */
    int32_t *members;           /* of each centre, [centres] */
    int64_t *sum;               /* of its members, [centres][size] */
    int32_t *centre;            /* their mean, [centres][size] */
    int64_t *total;             /* of the distances while it learnt, [1] */
    int64_t *typical;           /* their mean, Q8, [1] */
};

/* Squared distance of x and a centre; 54 bits a feature, and 6 for 64 of them. */
static inline int64_t ts_clusters_square(const struct ts_clusters *k, const void *x, const int32_t *centre)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < k->size; i++) {
        const int64_t far = ts_load(x, k->type, i) * ((int64_t)1 << k->up) - centre[i];
        const int64_t held = far > TS_CLUSTERS_FARTHEST ? TS_CLUSTERS_FARTHEST : far < -TS_CLUSTERS_FARTHEST ? -TS_CLUSTERS_FARTHEST : far;
        sum += held * held;
    }
    return sum;
}

/* The nearest of the first `centres`, of equals the first; gives its squared distance. */
static inline int64_t ts_clusters_nearest(
    const struct ts_clusters *k, const struct ts_clusters_state *s, const void *x, int32_t centres, int32_t *nearest)
{
    int64_t least = INT64_MAX;
    for (int32_t c = 0; c < centres; c++) {
        const int64_t square = ts_clusters_square(k, x, s->centre + c * k->size);
        if (square < least) {
            least = square;
            *nearest = c;
        }
    }
    return least;
}

/* One member more of a centre, which moves to their mean. */
static inline void ts_clusters_join(const struct ts_clusters *k, struct ts_clusters_state *s, const void *x, int32_t c)
{
    int64_t *sum = s->sum + c * k->size;
    s->members[c]++;
    for (int32_t i = 0; i < k->size; i++) {
        sum[i] += ts_load(x, k->type, i);                       /* 32 + 20 bits */
        s->centre[c * k->size + i] = (int32_t)ts_learning_divide(sum[i] * ((int64_t)1 << k->up), s->members[c]);
    }
}

static inline const uint8_t *ts_clusters_past(const struct ts_clusters *k, const struct ts_clusters_state *s, int32_t i)
{
    return (const uint8_t *)s->past + (size_t)i * (size_t)k->bytes;
}

/* Whether one of the first `centres` was chosen at vector i. */
static inline bool ts_clusters_is_chosen(const struct ts_clusters *k, int32_t centres, int32_t i)
{
    for (int32_t c = 0; c < centres; c++) {
        if (k->chosen[c] == i) {
            return true;
        }
    }
    return false;
}

/* The first vector, then, as often as needed, the one that is farthest from all chosen; then every other one joins the nearest. */
static inline void ts_clusters_choose(const struct ts_clusters *k, struct ts_clusters_state *s)
{
    int32_t nearest = 0;
    for (int32_t c = 0; c < k->centres; c++) {
        int64_t most = -1;
        for (int32_t i = 0; i < k->first; i++) {
            const int64_t square = c == 0 ? 0 : ts_clusters_nearest(k, s, ts_clusters_past(k, s, i), c, &nearest);
            if (square > most && !ts_clusters_is_chosen(k, c, i)) {
                most = square;
                k->chosen[c] = i;
            }
        }
        ts_clusters_join(k, s, ts_clusters_past(k, s, k->chosen[c]), c);
    }
    for (int32_t i = 0; i < k->first; i++) {
        if (!ts_clusters_is_chosen(k, k->centres, i)) {
            (void)ts_clusters_nearest(k, s, ts_clusters_past(k, s, i), k->centres, &nearest);
            ts_clusters_join(k, s, ts_clusters_past(k, s, i), nearest);
        }
    }
}

static inline void ts_clusters_settle(const struct ts_clusters *k, struct ts_clusters_state *s)
{
    const int64_t least = (int64_t)1 << (8 + k->up);
    const int64_t typical = ts_learning_divide(s->total[0] * ((int64_t)1 << 8), k->learn - k->first);
    s->floored = typical < least;
    s->typical[0] = typical < least ? least : typical;
}

static inline void ts_clusters_learn(const struct ts_clusters *k, struct ts_clusters_state *s, const void *x)
{
    if (s->count < k->first) {
        memcpy((uint8_t *)s->past + (size_t)s->count * (size_t)k->bytes, x, (size_t)k->bytes);
    } else {
        int32_t nearest = 0;
        s->total[0] += ts_isqrt(ts_clusters_nearest(k, s, x, k->centres, &nearest));     /* 31 + 20 bits */
        ts_clusters_join(k, s, x, nearest);
    }
    s->count++;
    if (s->count == k->first) {
        ts_clusters_choose(k, s);
    }
    if (s->count == k->learn) {
        ts_clusters_settle(k, s);
    }
}

/* x[size] -> y[1], how far it is from the nearest centre; false while it learns */
static bool ts_clusters(const struct ts_clusters *k, struct ts_clusters_state *s, const void *x, int32_t *y)
{
    int32_t nearest = 0;
    if (s->count < k->learn) {
        ts_clusters_learn(k, s, x);
        return false;
    }
    const int64_t distance = ts_isqrt(ts_clusters_nearest(k, s, x, k->centres, &nearest));
    y[0] = ts_sat32(ts_learning_divide(distance * ((int64_t)1 << 24), s->typical[0]));        /* 31 + 24 bits */
    return true;
}

#endif
