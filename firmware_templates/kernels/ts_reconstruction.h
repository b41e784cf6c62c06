/* ts_reconstruction.h - how far what a model gave is from what it was given; twin of tinystream/stages/reconstruction.py */
#ifndef TS_RECONSTRUCTION_H
#define TS_RECONSTRUCTION_H

#include "ts_load.h"

struct ts_reconstruction {
    int32_t size;               /* values */
    int32_t error;              /* 0: mean of squares; 1: of sizes; 2: root of the first */
    int32_t given_type;         /* of each, as ts_load says it */
    int32_t given_zero;         /* count that means 0 */
    int32_t given_multiplier;   /* with shift: from its counts to those of d, with 6 more bits */
    int32_t given_shift;
    int32_t gave_type;
    int32_t gave_zero;
    int32_t gave_multiplier;
    int32_t gave_shift;
};

/* given[size], gave[size] -> y[1] */
static void ts_reconstruction(const struct ts_reconstruction *k, const void *given, const void *gave, int32_t *y)
{
    int64_t sum = k->size / 2;

    for (int32_t i = 0; i < k->size; i++) {
        const int64_t a = ts_rshift((ts_load(given, k->given_type, i) - k->given_zero) * k->given_multiplier, k->given_shift);
        const int64_t b = ts_rshift((ts_load(gave, k->gave_type, i) - k->gave_zero) * k->gave_multiplier, k->gave_shift);
        const int64_t d = ts_rshift(a - b, 6);      /* 23 bits, its square 46, and up to 2^15 of them */
        sum += k->error != 1 ? d * d : d < 0 ? -d : d;
    }
    const int64_t mean = sum / k->size;
    y[0] = ts_sat32(k->error == 0 ? ts_rshift(mean, 15) : k->error == 1 ? mean : ts_isqrt(mean));
}

#endif
