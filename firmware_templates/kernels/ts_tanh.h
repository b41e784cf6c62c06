/* ts_tanh.h - tanh of each value; twin of tinystream/ops/tanh.py */
#ifndef TS_TANH_H
#define TS_TANH_H

#include "ts_table.h"

struct ts_tanh {
    int32_t length;
    const int8_t *table;        /* y of each x, from -128 on: [256] */
};

/* x[length] -> y[length], which may be x */
static void ts_tanh(const struct ts_tanh *k, const int8_t *x, int8_t *y)
{
    ts_table_look_up(k->table, k->length, x, y);
}

#endif
