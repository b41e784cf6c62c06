/* ts_svdf.h - a dense layer that is remembered and filtered over time; twin of tinystream/ops/svdf.py */
#ifndef TS_SVDF_H
#define TS_SVDF_H

#include "ts_dot.h"
#include "ts_requant.h"

struct ts_svdf {
    int32_t inputs, filters, memory, units;
    int32_t state_zero, y_zero;
    int32_t multiplier1, shift1;    /* of features */
    int32_t multiplier2, shift2;    /* of outputs */
    const int8_t *feature;          /* [filters][inputs] */
    const int8_t *time;             /* [filters][memory] */
    const int32_t *fold;            /* [filters], for x counted from -128 */
    const int32_t *bias;            /* [units] */
    uint8_t *bytes;                 /* x, counted from -128 */
    int32_t *acc;                   /* [filters] */
};

struct ts_svdf_state {
    int8_t *past;                   /* [filters][memory], oldest first */
};

/* takes the new feature into a filter's memory, and gives the filter's sum over time */
static inline int32_t ts_svdf_filter(const struct ts_svdf *k, int32_t f, int8_t *past)
{
    const int8_t *time = k->time + f * k->memory;
    const int32_t feature = ts_sat8(ts_requant(k->acc[f], k->multiplier1, k->shift1)) + k->state_zero;
    int32_t sum = 0;
    memmove(past, past + 1, (size_t)(k->memory - 1));
    past[k->memory - 1] = (int8_t)(uint8_t)feature;         /* wraps, as TFLM's does */
    for (int32_t m = 0; m < k->memory; m++) {
        sum += time[m] * (past[m] - k->state_zero);
    }
    return sum;
}

/* x[inputs] -> y[units] */
static void ts_svdf(const struct ts_svdf *k, struct ts_svdf_state *s, const int8_t *x, int8_t *y)
{
    const int32_t rank = k->filters / k->units;
    ts_dot_bytes(x, k->inputs, k->bytes);
    memcpy(k->acc, k->fold, (size_t)k->filters * sizeof *k->acc);
    ts_dot_1(k->feature, k->inputs, k->bytes, k->inputs, k->filters, k->acc);
    for (int32_t u = 0; u < k->units; u++) {
        int32_t sum = k->bias[u];
        for (int32_t f = u * rank; f < (u + 1) * rank; f++) {
            sum += ts_svdf_filter(k, f, s->past + f * k->memory);
        }
        y[u] = ts_sat8((int64_t)ts_requant(sum, k->multiplier2, k->shift2) + k->y_zero);
    }
}

#endif
