/* ts_fully_connected_int16.h - a dense layer on int16; twin of tinystream/ops/fully_connected_int16.py */
#ifndef TS_FULLY_CONNECTED_INT16_H
#define TS_FULLY_CONNECTED_INT16_H

#include "ts_requant_int16.h"

struct ts_fully_connected_int16 {
    int32_t rows, inputs, outputs;
    int32_t wide;               /* whether sums have 64 bits */
    int32_t low, high;          /* the activation: y stays between */
    const int8_t *weight;       /* [outputs][inputs] */
    const int64_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int64_t *acc;               /* [outputs] */
};

/* x[rows][inputs] -> y[rows][outputs] */
static void ts_fully_connected_int16(const struct ts_fully_connected_int16 *k, const int16_t *x, int16_t *y)
{
    for (int32_t row = 0; row < k->rows; row++, x += k->inputs, y += k->outputs) {
        memcpy(k->acc, k->bias, (size_t)k->outputs * sizeof *k->acc);
        ts_dot_int16(k->weight, k->inputs, x, k->inputs, k->outputs, k->acc);
        ts_requant_row_int16(k->acc, k->multiplier, k->shift, k->outputs, k->wide, k->low, k->high, y);
    }
}

#endif
