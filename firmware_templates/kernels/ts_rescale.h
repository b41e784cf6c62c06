/* ts_rescale.h - count in other steps, around 0; twin of tinystream/stages/rescale.py */
#ifndef TS_RESCALE_H
#define TS_RESCALE_H

#include "ts_load.h"
#include "ts_scaled.h"

#define TS_RESCALE_MOST ((int64_t)0x7FFFFFFE00000000)     /* leaves room for a zero, and for rounding to 31 bits */

struct ts_rescale {
    int32_t length;
    int32_t type, y_type;       /* of x and y, as ts_load says it: y is int32_t or int16_t */
    int32_t zero;               /* count of x that means 0 */
    int32_t multiplier;         /* with shift: counts of y per count of x */
    int32_t shift;
};

/* x[length] of any type -> y[length] */
static void ts_rescale(const struct ts_rescale *k, const void *x, void *y)
{
    for (int32_t i = 0; i < k->length; i++) {
        const int64_t v = ts_load(x, k->type, i);
        const int64_t above = v < -TS_RESCALE_MOST ? -TS_RESCALE_MOST : v;
        const int64_t held = above > TS_RESCALE_MOST ? TS_RESCALE_MOST : above;
        const int32_t out = ts_scaled(held - k->zero, 0, k->multiplier, k->shift);
        if (k->y_type == -2) {
            ((int16_t *)y)[i] = ts_sat16(out);
        } else {
            ((int32_t *)y)[i] = out;
        }
    }
}

#endif
