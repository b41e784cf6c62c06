/* ts_abs.h - |x| of each value; twin of tinystream/ops/abs.py */
#ifndef TS_ABS_H
#define TS_ABS_H

#include "ts_table.h"

struct ts_abs {
    int32_t length;
    const int8_t *table;        /* y of each x, from -128 on: [256] */
};

/* x[length] -> y[length], which may be x */
static void ts_abs(const struct ts_abs *k, const int8_t *x, int8_t *y)
{
    ts_table_look_up(k->table, k->length, x, y);
}

#endif
