/* ts_reduce_min.h - the smallest value over axes; twin of tinystream/ops/reduce_min.py */
#ifndef TS_REDUCE_MIN_H
#define TS_REDUCE_MIN_H

#include "ts_fixed.h"

struct ts_reduce_min {
    int32_t outer, n, inner;
};

/* x[outer][n][inner] -> y[outer][inner] */
static void ts_reduce_min(const struct ts_reduce_min *k, const int8_t *x, int8_t *y)
{
    for (int32_t o = 0; o < k->outer; o++, y += k->inner) {
        memcpy(y, x, (size_t)k->inner);
        x += k->inner;
        for (int32_t n = 1; n < k->n; n++, x += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                y[i] = x[i] < y[i] ? x[i] : y[i];
            }
        }
    }
}

#endif
