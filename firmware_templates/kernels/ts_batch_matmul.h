/* ts_batch_matmul.h - products of matrices; twin of tinystream/ops/batch_matmul.py */
#ifndef TS_BATCH_MATMUL_H
#define TS_BATCH_MATMUL_H

#include "ts_requant.h"

struct ts_batch_matmul {
    int32_t batches, rows, columns, terms;
    int32_t a_batch, a_row, a_term;         /* from one to the next, in values; a_batch is 0 where a meets every b */
    int32_t b_batch, b_term, b_column;
    int32_t a_zero, b_zero, y_zero;
    int32_t multiplier, shift;              /* shift <= 0 */
    int16_t *row;                           /* of a, from its zero: [terms] */
};

/* one row of a, from its zero, times b -> y[columns] */
static inline void ts_batch_matmul_row(const struct ts_batch_matmul *k, int32_t start, const int8_t *b, int8_t *y)
{
    const int32_t terms = k->terms, step = k->b_term;
    const int16_t *row = k->row;
    for (int32_t j = 0; j < k->columns; j++, b += k->b_column) {
        const int8_t *from = b;
        int32_t acc = start;
        for (int32_t t = 0; t < terms; t++, from += step) {
            acc += row[t] * *from;
        }
        y[j] = ts_requant8(acc, k->multiplier, k->shift, k->y_zero, INT8_MIN, INT8_MAX);
    }
}

/* a[batches][rows][terms], b[batches][terms][columns] -> y[batches][rows][columns] */
static inline void ts_batch_matmul(const struct ts_batch_matmul *k, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t n = 0; n < k->batches; n++, a += k->a_batch, b += k->b_batch) {
        for (int32_t i = 0; i < k->rows; i++, y += k->columns) {
            const int8_t *from = a + i * k->a_row;
            int32_t sum = 0;
            for (int32_t t = 0; t < k->terms; t++) {
                k->row[t] = (int16_t)(from[t * k->a_term] - k->a_zero);
                sum += k->row[t];
            }
            ts_batch_matmul_row(k, -k->b_zero * sum, b, y);
        }
    }
}

#endif
