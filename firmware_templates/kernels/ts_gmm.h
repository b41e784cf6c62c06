/* ts_gmm.h - negative log likelihood by a mixture of Gaussians; twin of tinystream/stages/gmm.py */
#ifndef TS_GMM_H
#define TS_GMM_H

#include "ts_exp2.h"
#include "ts_whiten.h"

struct ts_gmm {
    int32_t type;               /* of x, as ts_load says it */
    int32_t size;               /* features */
    int32_t parts;              /* Gaussians */
    int32_t full;               /* 1: with covariances; 0: features are independent */
    int32_t ln2;                /* Q16 */
    const int64_t *mean;        /* counts << lift, [parts][size] */
    const int32_t *multiplier;  /* Q29, [parts][size] */
    const int8_t *lift;         /* [parts][size] */
    const int32_t *whiten;      /* rows up to their diagonals, [parts][size (size + 1) / 2] */
    const int8_t *shift;        /* of each row, [parts][size] */
    const int64_t *constant;    /* ln of the density at the mean, Q16, [parts] */
    const int32_t *exp2;        /* 2^(-i/64) in Q30, [65] */
    const int32_t *log2;        /* log2(1 + i/64) in Q16, [65] */
    int32_t *z;                 /* Q20, [size] */
    int64_t *u;                 /* Q16, [parts] */
};

/* squared distance to a Gaussian, Q32 */
static inline int64_t ts_gmm_squared(const struct ts_gmm *k, int32_t part, const void *x)
{
    const int32_t at = part * k->size;
    int64_t squares = 0;

    for (int32_t i = 0; i < k->size; i++) {
        k->z[i] = ts_standard(ts_load(x, k->type, i), k->mean[at + i], k->multiplier[at + i], k->lift[at + i]);
    }
    if (k->full) {
        return ts_whiten(k->whiten + part * (k->size * (k->size + 1) / 2), k->shift + at, k->z, k->size);
    }
    for (int32_t i = 0; i < k->size; i++) {
        const int64_t v = ts_within(ts_rshift32(k->z[i], 4), TS_WHITEN_HELD);
        squares += v * v;
    }
    return squares;
}

/* x[size] -> y[1], Q8 */
static void ts_gmm(const struct ts_gmm *k, const void *x, int32_t *y)
{
    int64_t most = INT64_MIN, total = 0;

    for (int32_t part = 0; part < k->parts; part++) {
        k->u[part] = k->constant[part] - ts_rshift(ts_gmm_squared(k, part, x), 17);     /* 46 bits */
        most = k->u[part] > most ? k->u[part] : most;
    }
    for (int32_t part = 0; part < k->parts; part++) {
        total += ts_exp_q30(k->exp2, most - k->u[part]);
    }
    const int64_t log = ts_rshift((int64_t)(ts_log2_q16(k->log2, total) - 30 * 65536) * k->ln2, 16);
    y[0] = ts_sat32(ts_rshift(-(most + log), 8));
}

#endif
