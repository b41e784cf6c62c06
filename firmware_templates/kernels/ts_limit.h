/* ts_limit.h - a clamp of each value; twin of tinystream/ops/limit.py */
#ifndef TS_LIMIT_H
#define TS_LIMIT_H

#include "ts_table.h"

struct ts_limit {
    int32_t length;
    const int8_t *table;        /* y of each x, from -128 on: [256] */
};

/* x[length] -> y[length], which may be x */
static void ts_limit(const struct ts_limit *k, const int8_t *x, int8_t *y)
{
    ts_table_look_up(k->table, k->length, x, y);
}

#endif
