/* ts_hard_swish.h - x * min(max(x + 3, 0), 6) / 6 of each value; twin of tinystream/ops/hard_swish.py */
#ifndef TS_HARD_SWISH_H
#define TS_HARD_SWISH_H

#include "ts_table.h"

struct ts_hard_swish {
    int32_t length;
    const int8_t *table;        /* y of each x, from -128 on: [256] */
};

/* x[length] -> y[length], which may be x */
static void ts_hard_swish(const struct ts_hard_swish *k, const int8_t *x, int8_t *y)
{
    ts_table_look_up(k->table, k->length, x, y);
}

#endif
