/* ts_concat.h - lay two blocks side by side; twin of tinystream/stages/concat.py */
#ifndef TS_CONCAT_H
#define TS_CONCAT_H

#include "ts_fixed.h"

struct ts_concat {
    int32_t rows;
    int32_t left;               /* bytes of a row of x0 */
    int32_t right;              /* bytes of a row of x1 */
};

/* x0[rows][left], x1[rows][right] -> y[rows][left + right] */
static void ts_concat(const struct ts_concat *k, const void *x0, const void *x1, void *y)
{
    const uint8_t *a = (const uint8_t *)x0, *b = (const uint8_t *)x1;
    uint8_t *out = (uint8_t *)y;

    for (int32_t row = 0; row < k->rows; row++) {
        memcpy(out, a, (size_t)k->left);
        memcpy(out + k->left, b, (size_t)k->right);
        a += k->left;
        b += k->right;
        out += k->left + k->right;
    }
}

#endif
