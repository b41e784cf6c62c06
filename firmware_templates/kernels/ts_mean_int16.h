/* ts_mean_int16.h - the mean or the sum over axes; twin of tinystream/ops/mean_int16.py */
#ifndef TS_MEAN_INT16_H
#define TS_MEAN_INT16_H

#include "ts_fixed.h"

struct ts_mean_int16 {
    int32_t outer, pixels, channels;
    int32_t multiplier, shift;      /* with the number of pixels in it, for a mean; a sum, shifted left, fits 32 bits */
    int32_t *acc;                   /* [channels] */
};

/* x[outer][pixels][channels] -> y[outer][channels] */
static void ts_mean_int16(const struct ts_mean_int16 *k, const int16_t *x, int16_t *y)
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
            y[c] = ts_sat16(ts_requant(acc[c], k->multiplier, k->shift));
        }
    }
}

#endif
