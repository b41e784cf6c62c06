/* ts_reciprocal.h - one divided by a fraction above one; what softmax divides by its sum with */
#ifndef TS_RECIPROCAL_H
#define TS_RECIPROCAL_H

#include "ts_fixed.h"

/* 1 / (1 + a), 0 <= a < 1, both in Q31: three steps of Newton's, from 48/17 - 32/17 d in Q29 */
static inline int32_t ts_one_over_one_plus(int32_t a)
{
    const int32_t half = (int32_t)(((int64_t)a + ((int64_t)1 << 31)) >> 1);
    int32_t x = 1515870810 + ts_srdhm(half, -1010580540);
    for (int i = 0; i < 3; i++) {
        x += 4 * ts_srdhm(x, (1 << 29) - ts_srdhm(half, x));
    }
    return ts_sat32(2 * (int64_t)x);
}

#endif
