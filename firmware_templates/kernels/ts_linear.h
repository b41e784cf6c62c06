/* ts_linear.h - weighted sums of features; twin of tinystream/stages/linear.py */
#ifndef TS_LINEAR_H
#define TS_LINEAR_H

#include "ts_exp2.h"
#include "ts_load.h"
#include "ts_sigmoid.h"

struct ts_linear {
    int32_t type;               /* of x, as ts_load says it */
    int32_t size;               /* features */
    int32_t outputs;
    int32_t activation;         /* 0: none, y is int32; 1: sigmoid, 2: softmax, y is int16 in Q15 */
    int32_t narrow;             /* from a sum to y, or to Q16 */
    const int64_t *bias;        /* [outputs] */
    const int32_t *weight;      /* [outputs][size] */
    const uint8_t *shift;       /* of each product, [outputs][size] */
    const uint16_t *table;      /* sigmoid(i/24) in 16 bits, [256] */
    const int32_t *exp2;        /* 2^(-i/64) in Q30, [65] */
    int64_t *v;                 /* [outputs] */
};

/* Q15 of v in Q16 */
static inline int16_t ts_linear_sigmoid(const uint16_t *table, int64_t v)
{
    const int64_t size = v < 0 ? -v : v;
    const int32_t steps = ts_rshift32(3 * (int32_t)(size < 1 << 20 ? size : 1 << 20), 4);  /* of 1 / (24 * 512); 16 is beyond the table */
    const int32_t upper = ts_rshift32(ts_sigmoid_at(table, steps, 9, 1 << 25), 10);
    return ts_sat16(v < 0 ? 32768 - upper : upper);
}

/* v[outputs] in Q16 -> y[outputs] in Q15 */
static inline void ts_linear_softmax(const struct ts_linear *k, int16_t *y)
{
    int64_t most = k->v[0], sum = 0;

    for (int32_t i = 1; i < k->outputs; i++) {
        most = k->v[i] > most ? k->v[i] : most;
    }
    for (int32_t i = 0; i < k->outputs; i++) {
        k->v[i] = ts_exp_q30(k->exp2, most - k->v[i]);
        sum += k->v[i];
    }
    for (int32_t i = 0; i < k->outputs; i++) {
        y[i] = ts_sat16((k->v[i] * 32768 + (sum >> 1)) / sum);     /* sum >= 2^30: that of the greatest */
    }
}

/* x[size] -> y[outputs], int32 or int16 */
static void ts_linear(const struct ts_linear *k, const void *x, void *y)
{
    const int32_t *weight = k->weight;
    const uint8_t *shift = k->shift;

    for (int32_t i = 0; i < k->outputs; i++) {
        int64_t sum = k->bias[i];
        for (int32_t j = 0; j < k->size; j++) {
            sum += ts_rshift(ts_load(x, k->type, j) * *weight++, *shift++);    /* 62 bits each; the plan has bounded their sum */
        }
        k->v[i] = ts_rshift(sum, k->narrow);
    }
    if (k->activation == 0) {
        for (int32_t i = 0; i < k->outputs; i++) {
            ((int32_t *)y)[i] = ts_sat32(k->v[i]);
        }
    } else if (k->activation == 1) {
        for (int32_t i = 0; i < k->outputs; i++) {
            ((int16_t *)y)[i] = ts_linear_sigmoid(k->table, k->v[i]);
        }
    } else {
        ts_linear_softmax(k, (int16_t *)y);
    }
}

#endif
