/* ts_svm.h - a support vector machine with a Gaussian kernel; twin of tinystream/stages/svm.py */
#ifndef TS_SVM_H
#define TS_SVM_H

#include "ts_exp2.h"
#include "ts_standard.h"

#define TS_SVM_HELD 67108863    /* 256 in Q18, less a count */

struct ts_svm {
    int32_t type;               /* of x, as ts_load says it */
    int32_t size;               /* features */
    int32_t vectors;
    int64_t furthest;           /* squares >> early beyond which the kernel is 0; 32 bits */
    int32_t early;              /* bits of a sum of squares that do not matter */
    int32_t octaves;            /* with shift: from squares >> early to octaves in Q20 */
    int32_t shift;
    int64_t bias;               /* 2^40 is a count of y */
    const int64_t *mean;        /* counts << lift, [size] */
    const int32_t *multiplier;  /* Q29, [size] */
    const int8_t *lift;         /* [size] */
    const int32_t *vector;      /* Q18, [vectors][size] */
    const int32_t *coefficient; /* [vectors] */
    const int32_t *exp2;        /* 2^(-i/64) in Q30, [65] */
    int32_t *z;                 /* Q18, [size] */
};

/* the kernel of z and a vector, Q30 */
static inline int32_t ts_svm_kernel(const struct ts_svm *k, const int32_t *vector)
{
    int64_t squares = 0;
    for (int32_t i = 0; i < k->size; i++) {
        const int64_t apart = ts_within((int64_t)k->z[i] - vector[i], TS_SVM_HELD);
        squares += apart * apart;       /* 52 bits each, and up to 1024 */
    }
    const int64_t near = squares >> k->early;
    return ts_exp2_q30(k->exp2, ts_rshift((near < k->furthest ? near : k->furthest) * k->octaves, k->shift));    /* 31 + 30 bits */
}

/* x[size] -> y[1] */
static void ts_svm(const struct ts_svm *k, const void *x, int32_t *y)
{
    int64_t sum = k->bias;

    for (int32_t i = 0; i < k->size; i++) {
        k->z[i] = ts_rshift32(ts_standard(ts_load(x, k->type, i), k->mean[i], k->multiplier[i], k->lift[i]), 2);
    }
    for (int32_t v = 0; v < k->vectors; v++) {
        sum += (int64_t)k->coefficient[v] * ts_svm_kernel(k, k->vector + v * k->size);    /* 60 bits, all together */
    }
    y[0] = ts_sat32(ts_rshift(sum, 40));
}

#endif
