/* ts_dct.h - discrete cosine transform of a row of bands; twin of tinystream/stages/dct.py */
#ifndef TS_DCT_H
#define TS_DCT_H

#include "ts_fixed.h"

struct ts_dct {
    int32_t size;               /* bands */
    int32_t coefficients;
    int32_t zero;               /* the count of x that means 0 */
    int32_t shift;
    const int16_t *basis;       /* [coefficients][size] */
};

/* x[size] -> y[coefficients] */
static void ts_dct(const struct ts_dct *k, const int16_t *x, int16_t *y)
{
    const int16_t *basis = k->basis;
    for (int32_t i = 0; i < k->coefficients; i++) {
        int64_t sum = (int64_t)1 << (k->shift - 1);     /* 17 + 15 bits and those of the number of bands: one SMLAL each */
        for (int32_t b = 0; b < k->size; b++) {
            sum += (int64_t)(x[b] - k->zero) * *basis++;
        }
        y[i] = (int16_t)(sum >> k->shift);              /* the plan chose a shift with which it fits */
    }
}

#endif
