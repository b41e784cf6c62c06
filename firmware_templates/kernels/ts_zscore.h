/* ts_zscore.h - features in standard deviations from their mean; twin of tinystream/stages/zscore.py */
#ifndef TS_ZSCORE_H
#define TS_ZSCORE_H

#include "ts_standard.h"

struct ts_zscore {
    int32_t type;               /* of x, as ts_load says it */
    int32_t size;               /* features */
    int32_t each;               /* 1: a score for each; 0: the greatest */
    const int64_t *mean;        /* counts << lift, [size] */
    const int32_t *multiplier;  /* Q29, [size] */
    const int8_t *lift;         /* [size] */
};

/* x[size] -> y[size] or y[1], Q12 */
static void ts_zscore(const struct ts_zscore *k, const void *x, int32_t *y)
{
    int32_t most = 0;
    for (int32_t i = 0; i < k->size; i++) {
        const int32_t z = ts_standard(ts_load(x, k->type, i), k->mean[i], k->multiplier[i], k->lift[i]);
        const int32_t score = ts_rshift32(z < 0 ? -z : z, 8);
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
