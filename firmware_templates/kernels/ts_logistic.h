/* ts_logistic.h - 1 / (1 + exp(-x)) of each value; twin of tinystream/ops/logistic.py */
#ifndef TS_LOGISTIC_H
#define TS_LOGISTIC_H

#include "ts_table.h"

struct ts_logistic {
    int32_t length;
    const int8_t *table;        /* y of each x, from -128 on: [256] */
};

/* x[length] -> y[length], which may be x */
static void ts_logistic(const struct ts_logistic *k, const int8_t *x, int8_t *y)
{
    ts_table_look_up(k->table, k->length, x, y);
}

#endif
