/* ts_mean.h - the mean or the sum over axes; twin of tinystream/ops/mean.py */
#ifndef TS_MEAN_H
#define TS_MEAN_H

#include "ts_fixed.h"

struct ts_mean {
    int32_t outer, pixels, channels;
    int32_t x_zero, y_zero;
    int32_t multiplier, shift;      /* with the number of pixels in it, for a mean */
    int32_t *acc;                   /* [channels] */
};

/* x[outer][pixels][channels] -> y[outer][channels] */
static void ts_mean(const struct ts_mean *k, const int8_t *x, int8_t *y)
{
    int32_t *restrict acc = k->acc;
    for (int32_t o = 0; o < k->outer; o++, y += k->channels) {
        memset(acc, 0, (size_t)k->channels * sizeof *acc);
        for (int32_t p = 0; p < k->pixels; p++, x += k->channels) {
            for (int32_t c = 0; c < k->channels; c++) {
                acc[c] += x[c];
            }
        }
        for (int32_t c = 0; c < k->channels; c++) {
            const int32_t sum = acc[c] - k->pixels * k->x_zero;
            if (k->shift > 0) {          /* sum << shift may need more than 32 bits: shift less after the product */
                y[c] = ts_sat8((((int64_t)sum * k->multiplier + ((int64_t)1 << (30 - k->shift))) >> (31 - k->shift)) + k->y_zero);
            } else {
                y[c] = ts_sat8((int64_t)ts_requant(sum, k->multiplier, k->shift) + k->y_zero);
            }
        }
    }
}

#endif
