/* ts_pad.h - a tensor in a larger one; twin of tinystream/ops/pad.py */
#ifndef TS_PAD_H
#define TS_PAD_H

#include "ts_move.h"

struct ts_pad {
    int32_t bytes;                          /* of a value */
    int32_t length;                         /* of y */
    int32_t value;                          /* what it is filled with */
    int32_t start;                          /* where the first value of x goes */
    int32_t size0, size1, size2, size3;     /* of x, outermost first */
    int32_t step0, step1, step2;            /* from one to the next, in y */
};

/* x[size0][size1][size2][size3] -> y[length] */
static void ts_pad(const struct ts_pad *k, const void *x, void *y)
{
    const int32_t bytes = k->bytes, row = k->size3 * bytes;
    const uint8_t *from = x;
    uint8_t *first = (uint8_t *)y + k->start * bytes;
    ts_move_fill(y, k->value, k->length, bytes);
    for (int32_t a = 0; a < k->size0; a++) {
        for (int32_t b = 0; b < k->size1; b++) {
            for (int32_t c = 0; c < k->size2; c++) {
                memcpy(first + (a * k->step0 + b * k->step1 + c * k->step2) * bytes, from, (size_t)row);
                from += row;
            }
        }
    }
}

#endif
