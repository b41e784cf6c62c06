/* ts_kmeans.h - how far features are from the nearest of some centres; twin of tinystream/stages/kmeans.py */
#ifndef TS_KMEANS_H
#define TS_KMEANS_H

#include "ts_standard.h"

#define TS_KMEANS_HELD 67108863     /* 1024 in Q16, less a count */

struct ts_kmeans {
    int32_t type;               /* of x, as ts_load says it */
    int32_t size;               /* features */
    int32_t centres;
    int32_t each;               /* 1: a score for each centre; 0: the least */
    const int64_t *mean;        /* counts << lift, [size] */
    const int32_t *multiplier;  /* Q29, [size] */
    const int8_t *lift;         /* [size] */
    const int32_t *centre;      /* Q16, [centres][size] */
    const int32_t *max_error;   /* what is taken off each distance, Q12, [centres] */
    int32_t *z;                 /* Q16, [size] */
};

/* x[size] -> y[centres] or y[1], Q12 */
static void ts_kmeans(const struct ts_kmeans *k, const void *x, int32_t *y)
{
    const int32_t *centre = k->centre;
    int32_t least = INT32_MAX;

    for (int32_t i = 0; i < k->size; i++) {
        k->z[i] = ts_rshift32(ts_standard(ts_load(x, k->type, i), k->mean[i], k->multiplier[i], k->lift[i]), 4);
    }
    for (int32_t c = 0; c < k->centres; c++) {
        int64_t squares = 0;
        for (int32_t i = 0; i < k->size; i++) {
            const int64_t apart = ts_within((int64_t)k->z[i] - *centre++, TS_KMEANS_HELD);
            squares += apart * apart;       /* 52 bits each, and up to 1024 */
        }
        const int32_t score = (int32_t)ts_rshift(ts_isqrt(squares), 4) - k->max_error[c];   /* 27 bits, less 30 */
        if (k->each) {
            y[c] = score;
        }
        least = score < least ? score : least;
    }
    if (!k->each) {
        y[0] = least;
    }
}

#endif
