/* ts_mahalanobis.h - how far features are from their mean, by their covariance; twin of tinystream/stages/mahalanobis.py */
#ifndef TS_MAHALANOBIS_H
#define TS_MAHALANOBIS_H

#include "ts_whiten.h"

struct ts_mahalanobis {
    int32_t type;               /* of x, as ts_load says it */
    int32_t size;               /* features */
    const int64_t *mean;        /* counts << lift, [size] */
    const int32_t *multiplier;  /* Q29, [size] */
    const int8_t *lift;         /* [size] */
    const int32_t *whiten;      /* rows up to their diagonals, [size (size + 1) / 2] */
    const int8_t *shift;        /* of each row, [size] */
    int32_t *z;                 /* Q20, [size] */
};

/* x[size] -> y[1], Q12 */
static void ts_mahalanobis(const struct ts_mahalanobis *k, const void *x, int32_t *y)
{
    for (int32_t i = 0; i < k->size; i++) {
        k->z[i] = ts_standard(ts_load(x, k->type, i), k->mean[i], k->multiplier[i], k->lift[i]);
    }
    y[0] = (int32_t)ts_rshift(ts_isqrt(ts_whiten(k->whiten, k->shift, k->z, k->size)), 4);      /* 31 bits before, 27 then */
}

#endif
