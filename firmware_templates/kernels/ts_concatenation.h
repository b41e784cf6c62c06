/* ts_concatenation.h - two tensors side by side; twin of tinystream/ops/concatenation.py */
#ifndef TS_CONCATENATION_H
#define TS_CONCATENATION_H

#include "ts_fixed.h"

struct ts_concatenation {
    int32_t bytes;              /* of a value */
    int32_t rows;
    int32_t left, right;        /* values of a row of a, of b */
};

/* a[rows][left], b[rows][right] -> y[rows][left + right] */
static void ts_concatenation(const struct ts_concatenation *k, const void *a, const void *b, void *y)
{
    const int32_t left = k->left * k->bytes, right = k->right * k->bytes;
    const uint8_t *from_a = a, *from_b = b;
    uint8_t *to = y;
    for (int32_t row = 0; row < k->rows; row++) {
        memcpy(to, from_a, (size_t)left);
        memcpy(to + left, from_b, (size_t)right);
        from_a += left;
        from_b += right;
        to += left + right;
    }
}

#endif
