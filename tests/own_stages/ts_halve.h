/* ts_halve.h - half of every sample; twin of halve.py */
#ifndef TS_HALVE_H
#define TS_HALVE_H

#include "ts_fixed.h"

struct ts_halve {
    int32_t length;
    int32_t shift;
};

static void ts_halve(const struct ts_halve *k, const int16_t *x, int16_t *y)
{
    for (int32_t i = 0; i < k->length; i++) {
        /* arithmetic, as numpy does it, without shifting a negative number */
        y[i] = (int16_t)(x[i] < 0 ? -1 - ((-1 - x[i]) >> k->shift) : x[i] >> k->shift);
    }
}

#endif
