/* ts_batch_matmul_constant.h - products of matrices, of which one is a constant; twin of tinystream/ops/batch_matmul_constant.py */
#ifndef TS_BATCH_MATMUL_CONSTANT_H
#define TS_BATCH_MATMUL_CONSTANT_H

#include "ts_batch_matmul.h"

struct ts_batch_matmul_constant {
    int32_t batches, rows, columns, terms;
    int32_t a_batch, a_row, a_term;         /* as in struct ts_batch_matmul */
    int32_t b_batch, b_term, b_column;
    int32_t a_zero, b_zero, y_zero;
    int32_t multiplier, shift;
    int32_t constant_is_left;               /* c is a, and x is b; else the other way */
    const int8_t *c;
    int16_t *row;
};

/* x -> y[batches][rows][columns] */
static void ts_batch_matmul_constant(const struct ts_batch_matmul_constant *k, const int8_t *x, int8_t *y)
{
    const struct ts_batch_matmul both = {
        .batches = k->batches, .rows = k->rows, .columns = k->columns, .terms = k->terms,
        .a_batch = k->a_batch, .a_row = k->a_row, .a_term = k->a_term,
        .b_batch = k->b_batch, .b_term = k->b_term, .b_column = k->b_column,
        .a_zero = k->a_zero, .b_zero = k->b_zero, .y_zero = k->y_zero,
        .multiplier = k->multiplier, .shift = k->shift, .row = k->row,
    };
    if (k->constant_is_left) {
        ts_batch_matmul(&both, k->c, x, y);
    } else {
        ts_batch_matmul(&both, x, k->c, y);
    }
}

#endif
