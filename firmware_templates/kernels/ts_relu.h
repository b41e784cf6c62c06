/* ts_relu.h - max(x, 0) of each value; twin of tinystream/ops/relu.py */
#ifndef TS_RELU_H
#define TS_RELU_H

#include "ts_table.h"

struct ts_relu {
    int32_t length;
    const int8_t *table;        /* y of each x, from -128 on: [256] */
};

/* x[length] -> y[length], which may be x */
static void ts_relu(const struct ts_relu *k, const int8_t *x, int8_t *y)
{
    ts_table_look_up(k->table, k->length, x, y);
}

#endif
