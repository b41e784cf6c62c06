/* ts_table.h - each value by itself, from a table of all 256 answers; twin of look_up in tinystream/ops/_table.py */
#ifndef TS_TABLE_H
#define TS_TABLE_H

#include "ts_fixed.h"

/* x[length] -> y[length], which may be x */
static inline void ts_table_look_up(const int8_t *table, int32_t length, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < length; i++) {
        y[i] = table[x[i] + 128];
    }
}

#endif
