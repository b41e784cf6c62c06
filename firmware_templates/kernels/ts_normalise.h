/* ts_normalise.h - each feature in standard deviations from its mean; twin of tinystream/stages/normalise.py */
#ifndef TS_NORMALISE_H
#define TS_NORMALISE_H

#include "ts_standard.h"

struct ts_normalise {
    int32_t type;               /* of x, as ts_load.h has it */
    int32_t rows;
    int32_t size;               /* features of a row */
    int32_t shift;              /* from Q20 to y */
    const int64_t *mean;        /* [size], and so all */
    const int32_t *multiplier;
    const int8_t *lift;
};

/* x[rows][size] -> y[rows][size] */
static void ts_normalise(const struct ts_normalise *k, const void *x, int16_t *y)
{
    int32_t at = 0;

    for (int32_t row = 0; row < k->rows; row++) {
        for (int32_t i = 0; i < k->size; i++) {
            const int32_t z = ts_standard(ts_load(x, k->type, at), k->mean[i], k->multiplier[i], k->lift[i]);
            y[at] = ts_sat16(ts_rshift(z, (int)k->shift));
            at++;
        }
    }
}

#endif
