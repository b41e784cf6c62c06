/* ts_concatenation.h - two tensors side by side; twin of tinystream/ops/concatenation.py */
#ifndef TS_CONCATENATION_H
#define TS_CONCATENATION_H

#include "ts_fixed.h"

struct ts_concatenation {
    int32_t rows;
    int32_t left, right;        /* values of a row of a, of b */
};

/* a[rows][left], b[rows][right] -> y[rows][left + right] */
static void ts_concatenation(const struct ts_concatenation *k, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t row = 0; row < k->rows; row++) {
        memcpy(y, a, (size_t)k->left);
        memcpy(y + k->left, b, (size_t)k->right);
        a += k->left;
        b += k->right;
        y += k->left + k->right;
    }
}

#endif
