/* ts_sum_int16.h - how sums of int16 are computed at a common scale; twin of tinystream/ops/add_int16.py */
#ifndef TS_SUM_INT16_H
#define TS_SUM_INT16_H

#include "ts_requant_int16.h"

/* a count at the common scale, times 2^15; it has 30 bits at most, as the multiplier is a half at most */
static inline int32_t ts_sum_int16_raise(int16_t x, int32_t multiplier, int32_t shift)
{
    return ts_requant(x * 32768, multiplier, shift);
}

static inline int16_t ts_sum_int16_lower(int32_t sum, int32_t multiplier, int32_t shift, int32_t low, int32_t high)
{
    return ts_clamp16(ts_requant(sum, multiplier, shift), low, high);
}

#endif
