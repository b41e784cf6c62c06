/* ts_requantize.h - the same values at another scale; twin of tinystream/ops/requantize.py */
#ifndef TS_REQUANTIZE_H
#define TS_REQUANTIZE_H

#include "ts_table.h"

struct ts_requantize {
    int32_t length;
    const int8_t *table;        /* y of each x, from -128 on: [256] */
};

/* x[length] -> y[length], which may be x */
static void ts_requantize(const struct ts_requantize *k, const int8_t *x, int8_t *y)
{
    ts_table_look_up(k->table, k->length, x, y);
}

#endif
