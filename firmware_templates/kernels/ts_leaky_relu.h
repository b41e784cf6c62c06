/* ts_leaky_relu.h - x, or alpha * x where it is negative; twin of tinystream/ops/leaky_relu.py */
#ifndef TS_LEAKY_RELU_H
#define TS_LEAKY_RELU_H

#include "ts_table.h"

struct ts_leaky_relu {
    int32_t length;
    const int8_t *table;        /* y of each x, from -128 on: [256] */
};

/* x[length] -> y[length], which may be x */
static void ts_leaky_relu(const struct ts_leaky_relu *k, const int8_t *x, int8_t *y)
{
    ts_table_look_up(k->table, k->length, x, y);
}

#endif
