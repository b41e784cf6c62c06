/* ts_quantize.h - count in the steps of a model's input; twin of tinystream/stages/quantize.py */
#ifndef TS_QUANTIZE_H
#define TS_QUANTIZE_H

#include "ts_load.h"

struct ts_quantize {
    int32_t length;
    int32_t type, y_type;       /* of x and y, as ts_load says it: y is int8_t or int16_t */
    int32_t early;              /* bits of x that never matter */
    int32_t x_zero;             /* count of x >> early that means 0 */
    int32_t multiplier;         /* with shift: counts of y per count of x >> early */
    int32_t shift;
    int32_t zero;               /* count of y that means 0 */
};

/* x[length] of any type -> y[length] */
static void ts_quantize(const struct ts_quantize *k, const void *x, void *y)
{
    for (int32_t i = 0; i < k->length; i++) {
        const int64_t distance = (int64_t)ts_sat32(ts_load(x, k->type, i) >> k->early) - k->x_zero;   /* 33 bits */
        const int64_t v = ts_rshift(distance * k->multiplier, k->shift) + k->zero;
        if (k->y_type == -1) {
            ((int8_t *)y)[i] = ts_sat8(v);
        } else {
            ((int16_t *)y)[i] = ts_sat16(v);
        }
    }
}

#endif
