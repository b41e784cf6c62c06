/* ts_slice.h - a part of a tensor; twin of tinystream/ops/slice.py */
#ifndef TS_SLICE_H
#define TS_SLICE_H

#include "ts_fixed.h"

struct ts_slice {
    int32_t start;                          /* the first value, in x */
    int32_t size0, size1, size2, size3;     /* of y, outermost first */
    int32_t step0, step1, step2, step3;     /* from one to the next, in x */
};

/* x -> y[size0][size1][size2][size3] */
static void ts_slice(const struct ts_slice *k, const int8_t *x, int8_t *y)
{
    for (int32_t a = 0; a < k->size0; a++) {
        for (int32_t b = 0; b < k->size1; b++) {
            for (int32_t c = 0; c < k->size2; c++) {
                const int8_t *from = x + k->start + a * k->step0 + b * k->step1 + c * k->step2;
                if (k->step3 == 1) {
                    memcpy(y, from, (size_t)k->size3);
                    y += k->size3;
                } else {
                    for (int32_t d = 0; d < k->size3; d++) {
                        *y++ = from[d * k->step3];
                    }
                }
            }
        }
    }
}

#endif
