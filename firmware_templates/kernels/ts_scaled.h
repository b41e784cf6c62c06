/* ts_scaled.h - a wide number times a constant, as an int32; twin of tinystream/stages/_scaled.py */
#ifndef TS_SCALED_H
#define TS_SCALED_H

#include "ts_fixed.h"

/* |x|; not of INT64_MIN */
static inline int64_t ts_size(int64_t x)
{
    return x < 0 ? -x : x;
}

/* value * multiplier * 2^(exponent - shift), to nearest, saturated; 2^30 <= multiplier */
static inline int32_t ts_scaled(int64_t value, int32_t exponent, int32_t multiplier, int32_t shift)
{
    const int msb = ts_msb((uint64_t)ts_size(value));
    const int down = msb > 30 ? msb - 30 : 0;
    const int64_t product = ts_rshift(value, down) * multiplier;        /* 31 + 31 bits */
    const int32_t right = shift - exponent - down;
    if (right > 62) {
        return 0;
    }
    if (right >= 0) {
        return ts_sat32(ts_rshift(product, right));
    }
    return ts_sat32((int64_t)ts_sat32(product) * ((int64_t)1 << (right < -31 ? 31 : -right)));
}

#endif
