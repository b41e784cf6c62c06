/* ts_svdf_int16.h - a dense layer that is remembered in int16 and filtered over time; twin of tinystream/ops/svdf_int16.py */
#ifndef TS_SVDF_INT16_H
#define TS_SVDF_INT16_H

#include "ts_dot.h"

struct ts_svdf_int16 {
    int32_t inputs, filters, memory, units;
    int32_t y_zero;
    int32_t multiplier1, shift1;    /* of features */
    int32_t multiplier2, shift2;    /* of outputs; shift2 <= 0 */
    const int8_t *feature;          /* [filters][inputs] */
    const int16_t *time;            /* [filters][memory] */
    const int32_t *fold;            /* [filters], for x counted from -128 */
    const int32_t *bias;            /* [units] */
    uint8_t *bytes;                 /* x, counted from -128 */
    int32_t *acc;                   /* [filters] */
};

struct ts_svdf_int16_state {
    int16_t *past;                  /* [filters][memory], oldest first */
};

/* takes the new feature into a filter's memory, and gives the filter's sum over time, which wraps as TFLM's does */
static inline uint32_t ts_svdf_int16_filter(const struct ts_svdf_int16 *k, int32_t f, int16_t *past)
{
    const int16_t *time = k->time + f * k->memory;
    uint32_t sum = 0;
    memmove(past, past + 1, (size_t)(k->memory - 1) * sizeof *past);
    past[k->memory - 1] = ts_sat16(ts_requant(k->acc[f], k->multiplier1, k->shift1));
    for (int32_t m = 0; m < k->memory; m++) {
        sum += (uint32_t)(time[m] * past[m]);
    }
    return sum;
}

/* x[inputs] -> y[units] */
static void ts_svdf_int16(const struct ts_svdf_int16 *k, struct ts_svdf_int16_state *s, const int8_t *x, int8_t *y)
{
    const int32_t rank = k->filters / k->units;
    ts_dot_bytes(x, k->inputs, k->bytes);
    memcpy(k->acc, k->fold, (size_t)k->filters * sizeof *k->acc);
    ts_dot_1(k->feature, k->inputs, k->bytes, k->inputs, k->filters, k->acc);
    for (int32_t u = 0; u < k->units; u++) {
        uint32_t sum = (uint32_t)k->bias[u];
        for (int32_t f = u * rank; f < (u + 1) * rank; f++) {
            sum += ts_svdf_int16_filter(k, f, s->past + f * k->memory);
        }
        y[u] = ts_sat8((int64_t)ts_requant((int32_t)sum, k->multiplier2, k->shift2) + k->y_zero);
    }
}

#endif
