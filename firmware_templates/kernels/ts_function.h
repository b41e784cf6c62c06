/* ts_function.h - a function of each value; twin of tinystream/ops/function.py */
#ifndef TS_FUNCTION_H
#define TS_FUNCTION_H

#include "ts_table.h"

struct ts_function {
    int32_t length;
    const int8_t *table;        /* y of each x, from -128 on: [256] */
};

/* x[length] -> y[length], which may be x */
static void ts_function(const struct ts_function *k, const int8_t *x, int8_t *y)
{
    ts_table_look_up(k->table, k->length, x, y);
}

#endif
