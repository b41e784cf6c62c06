/* ts_div_constant.h - each value divided by a number, or dividing it; twin of tinystream/ops/div_constant.py */
#ifndef TS_DIV_CONSTANT_H
#define TS_DIV_CONSTANT_H

#include "ts_table.h"

struct ts_div_constant {
    int32_t length;
    const int8_t *table;        /* y of each x, from -128 on: [256] */
};

/* x[length] -> y[length], which may be x */
static void ts_div_constant(const struct ts_div_constant *k, const int8_t *x, int8_t *y)
{
    ts_table_look_up(k->table, k->length, x, y);
}

#endif
