/* ts_rsqrt.h - 1 / sqrt(x) of each value; twin of tinystream/ops/rsqrt.py */
#ifndef TS_RSQRT_H
#define TS_RSQRT_H

#include "ts_table.h"

struct ts_rsqrt {
    int32_t length;
    const int8_t *table;        /* y of each x, from -128 on: [256] */
};

/* x[length] -> y[length], which may be x */
static void ts_rsqrt(const struct ts_rsqrt *k, const int8_t *x, int8_t *y)
{
    ts_table_look_up(k->table, k->length, x, y);
}

#endif
