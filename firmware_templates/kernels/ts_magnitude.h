/* ts_magnitude.h - length of the vector that the channels of each sample are; twin of tinystream/stages/magnitude.py */
#ifndef TS_MAGNITUDE_H
#define TS_MAGNITUDE_H

#include "ts_fixed.h"

#define TS_MAGNITUDE_Q 8

struct ts_magnitude {
    int32_t length;             /* samples */
    int32_t channels;
    int32_t one;                /* what is taken off, Q8 */
    int32_t shift;
};

/* x[length][channels] -> y[length] */
static void ts_magnitude(const struct ts_magnitude *k, const int16_t *x, int16_t *y)
{
    for (int32_t i = 0; i < k->length; i++) {
        int64_t sum = 0;
        for (int32_t channel = 0; channel < k->channels; channel++) {
            const int32_t square = *x * *x;             /* 30 bits; up to 2^14 of them */
            sum += square;
            x++;
        }
        const int64_t root = ts_isqrt(sum * ((int64_t)1 << (2 * TS_MAGNITUDE_Q)));      /* 60 bits */
        y[i] = (int16_t)ts_rshift(root - k->one, (int)k->shift);        /* the plan chose what fits */
    }
}

#endif
