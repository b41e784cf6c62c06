/* ts_rectify.h - magnitude or square of samples; twin of tinystream/stages/rectify.py */
#ifndef TS_RECTIFY_H
#define TS_RECTIFY_H

#include "ts_fixed.h"

struct ts_rectify {
    int32_t size;
    int32_t power;              /* 1: y is int32, x squared; 0: y is int16, |x| */
};

/* x[size] -> y[size], which may be x where it is int16 */
static void ts_rectify(const struct ts_rectify *k, const int16_t *x, void *y)
{
    for (int32_t i = 0; i < k->size; i++) {
        const int32_t v = x[i];
        if (k->power != 0) {
            ((int32_t *)y)[i] = v * v;                              /* 2^30 at most */
        } else {
            ((int16_t *)y)[i] = ts_sat16(v < 0 ? -v : v);
        }
    }
}

#endif
