/* ts_prototypes.h - how far features are from examples that are kept; twin of tinystream/stages/prototypes.py */
#ifndef TS_PROTOTYPES_H
#define TS_PROTOTYPES_H

#include "ts_standard.h"

#define TS_PROTOTYPES_HELD 67108863     /* 1024 in Q16, less a count */

struct ts_prototypes {
    int32_t type;               /* of x, as ts_load says it */
    int32_t size;               /* features */
    int32_t prototypes;
    int32_t scores;             /* classes */
    int32_t manhattan;          /* 1: sums of sizes; 0: of squares */
    int32_t give;               /* 0: the distance to the kept-th nearest; 1: to the nearest of each class; 2: votes of the nearest */
    int32_t kept;               /* how many distances are kept: neighbours, or classes */
    const int64_t *mean;        /* counts << lift, [size] */
    const int32_t *multiplier;  /* Q29, [size] */
    const int8_t *lift;         /* [size] */
    const int32_t *prototype;   /* Q16, [prototypes][size] */
    const int16_t *label;       /* class of each, [prototypes] */
    int64_t *near;              /* the least distances, [kept] */
    int16_t *whose;             /* class of each, [kept] */
    int32_t *z;                 /* Q16, [size] */
};

/* from z to a prototype: a sum of squares in Q32, or of sizes in Q16 */
static inline int64_t ts_prototypes_apart(const struct ts_prototypes *k, const int32_t *prototype)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < k->size; i++) {
        const int64_t apart = ts_within((int64_t)k->z[i] - prototype[i], TS_PROTOTYPES_HELD);
        sum += !k->manhattan ? apart * apart : apart < 0 ? -apart : apart;      /* 52 bits each, and up to 1024 */
    }
    return sum;
}

/* put a distance in its place among the least */
static inline void ts_prototypes_keep(const struct ts_prototypes *k, int64_t apart, int16_t label)
{
    int32_t at = k->kept - 1;
    if (apart >= k->near[at]) {
        return;
    }
    for (; at > 0 && k->near[at - 1] > apart; at--) {
        k->near[at] = k->near[at - 1];
        k->whose[at] = k->whose[at - 1];
    }
    k->near[at] = apart;
    k->whose[at] = label;
}

static inline int32_t ts_prototypes_distance(const struct ts_prototypes *k, int64_t apart)
{
    return ts_sat32(ts_rshift(k->manhattan ? apart : ts_isqrt(apart), 4));
}

/* y[scores] in Q15: the share of each class among what is kept */
static inline void ts_prototypes_votes(const struct ts_prototypes *k, int16_t *y)
{
    for (int32_t c = 0; c < k->scores; c++) {
        int32_t votes = 0;
        for (int32_t i = 0; i < k->kept; i++) {
            votes += k->whose[i] == c;
        }
        y[c] = ts_sat16((votes * 32768 + k->kept / 2) / k->kept);      /* 7 + 15 bits */
    }
}

/* x[size] -> y[1] or y[scores] in Q12, or votes[scores] in Q15 */
static void ts_prototypes(const struct ts_prototypes *k, const void *x, void *y)
{
    for (int32_t i = 0; i < k->size; i++) {
        k->z[i] = ts_rshift32(ts_standard(ts_load(x, k->type, i), k->mean[i], k->multiplier[i], k->lift[i]), 4);
    }
    for (int32_t i = 0; i < k->kept; i++) {
        k->near[i] = INT64_MAX;
        k->whose[i] = -1;
    }
    for (int32_t p = 0; p < k->prototypes; p++) {
        const int64_t apart = ts_prototypes_apart(k, k->prototype + p * k->size);
        const int16_t label = k->label[p];
        if (k->give == 1) {
            k->near[label] = apart < k->near[label] ? apart : k->near[label];
        } else {
            ts_prototypes_keep(k, apart, label);
        }
    }
    if (k->give == 2) {
        ts_prototypes_votes(k, (int16_t *)y);
    } else if (k->give == 1) {
        for (int32_t c = 0; c < k->scores; c++) {
            ((int32_t *)y)[c] = ts_prototypes_distance(k, k->near[c]);
        }
    } else {
        *(int32_t *)y = ts_prototypes_distance(k, k->near[k->kept - 1]);
    }
}

#endif
