/* ts_relu6.h - min(max(x, 0), 6) of each value; twin of tinystream/ops/relu6.py */
#ifndef TS_RELU6_H
#define TS_RELU6_H

#include "ts_table.h"

struct ts_relu6 {
    int32_t length;
    const int8_t *table;        /* y of each x, from -128 on: [256] */
};

/* x[length] -> y[length], which may be x */
static void ts_relu6(const struct ts_relu6 *k, const int8_t *x, int8_t *y)
{
    ts_table_look_up(k->table, k->length, x, y);
}

#endif
