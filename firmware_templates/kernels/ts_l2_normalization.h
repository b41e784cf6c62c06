/* ts_l2_normalization.h - rows divided by their length; twin of tinystream/ops/l2_normalization.py */
#ifndef TS_L2_NORMALIZATION_H
#define TS_L2_NORMALIZATION_H

#include "ts_fixed.h"

struct ts_l2_normalization {
    int32_t rows, length;
    int32_t x_zero;
};

/* 1 / sqrt(x) ~ *root * 2^(result - 31) for 0 <= x < 2^29: five of Newton's steps from 1, in Q28; 0 is taken for 1 */
static inline int ts_inverse_root(int32_t x, int32_t *root)
{
    if (x <= 1) {
        *root = INT32_MAX;
        return 0;
    }
    const int pairs = (30 - ts_msb((uint32_t)x)) / 2 - 1, right = 11 - pairs;
    const int32_t half = ts_rounding_divide((x << 2 * pairs) >> 1, 1), one_and_half = (1 << 28) + (1 << 27);
    int32_t r = 1 << 28;
    for (int i = 0; i < 5; i++) {
        const int32_t cube = ts_srdhm(ts_srdhm(r, r), r) * 64;
        r = (ts_srdhm(one_and_half, r) - ts_srdhm(half, cube)) * 8;
    }
    r = ts_srdhm(r, 1518500250);        /* sqrt(2) / 2 in Q31 */
    *root = right < 0 ? r << -right : r;
    return right < 0 ? 0 : -right;
}

/* x[rows][length] -> y[rows][length], which may be x */
static void ts_l2_normalization(const struct ts_l2_normalization *k, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < k->rows; row++, x += k->length, y += k->length) {
        int32_t sum = 0, root;
        for (int32_t i = 0; i < k->length; i++) {
            const int32_t value = x[i] - k->x_zero;
            sum += value * value;
        }
        const int shift = ts_inverse_root(sum, &root);
        for (int32_t i = 0; i < k->length; i++) {
            y[i] = ts_sat8(ts_requant(x[i] - k->x_zero, root, shift + 7));
        }
    }
}

#endif
