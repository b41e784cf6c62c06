/* ts_concatenation_constant.h - a tensor and a constant side by side; twin of tinystream/ops/concatenation_constant.py */
#ifndef TS_CONCATENATION_CONSTANT_H
#define TS_CONCATENATION_CONSTANT_H

#include "ts_fixed.h"

struct ts_concatenation_constant {
    int32_t rows;
    int32_t x_bytes, c_bytes;   /* of a row */
    int32_t left;               /* the constant stands left */
    const uint8_t *c;
};

/* x[rows][x_bytes] -> y[rows][x_bytes + c_bytes] */
static void ts_concatenation_constant(const struct ts_concatenation_constant *k, const void *x, void *y)
{
    const uint8_t *from = x, *c = k->c;
    uint8_t *to = y;
    for (int32_t row = 0; row < k->rows; row++) {
        memcpy(to + (k->left ? k->c_bytes : 0), from, (size_t)k->x_bytes);
        memcpy(to + (k->left ? 0 : k->x_bytes), c, (size_t)k->c_bytes);
        from += k->x_bytes;
        c += k->c_bytes;
        to += k->x_bytes + k->c_bytes;
    }
}

#endif
