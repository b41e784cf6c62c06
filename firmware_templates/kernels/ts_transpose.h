/* ts_transpose.h - the axes in another order; twin of tinystream/ops/transpose.py */
#ifndef TS_TRANSPOSE_H
#define TS_TRANSPOSE_H

#include "ts_move.h"

struct ts_transpose {
    int32_t bytes;                          /* of a value */
    int32_t size0, size1, size2, size3;     /* of y, outermost first */
    int32_t step0, step1, step2, step3;     /* from one to the next, in x */
};

/* x -> y[size0][size1][size2][size3] */
static void ts_transpose(const struct ts_transpose *k, const void *x, void *y)
{
    const int32_t bytes = k->bytes;
    uint8_t *to = y;
    for (int32_t a = 0; a < k->size0; a++) {
        for (int32_t b = 0; b < k->size1; b++) {
            for (int32_t c = 0; c < k->size2; c++) {
                const uint8_t *from = (const uint8_t *)x + (a * k->step0 + b * k->step1 + c * k->step2) * bytes;
                to = ts_move_apart(to, from, k->size3, k->step3, bytes);
            }
        }
    }
}

#endif
