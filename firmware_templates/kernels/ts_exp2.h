/* ts_exp2.h - powers of two and of e below 1; twin of tinystream/stages/_exp2.py */
#ifndef TS_EXP2_H
#define TS_EXP2_H

#include "ts_fixed.h"

#define TS_EXP2_FURTHEST 2097152    /* 32 in Q16: 2^-32 is 0 in Q30 */
#define TS_EXP2_LOG2_E 94548        /* log2(e) in Q16 */

/* 2^-x in Q30, x >= 0 in Q16, by exp2[i] = 2^(-i/64) in Q30 */
static inline int32_t ts_exp2_q30(const int32_t *exp2, int64_t x)
{
    const int32_t held = (int32_t)(x < TS_EXP2_FURTHEST ? x : TS_EXP2_FURTHEST);
    const int32_t i = (held >> 10) & 63, frac = held & 1023;
    const int32_t v = exp2[i] - (int32_t)ts_rshift((int64_t)(exp2[i] - exp2[i + 1]) * frac, 10);
    return (int32_t)ts_rshift(v, held >> 16);
}

/* e^-x in Q30, x >= 0 in Q16 */
static inline int32_t ts_exp_q30(const int32_t *exp2, int64_t x)
{
    const int64_t held = x < TS_EXP2_FURTHEST ? x : TS_EXP2_FURTHEST;
    return ts_exp2_q30(exp2, ts_rshift(held * TS_EXP2_LOG2_E, 16));     /* 22 + 17 bits */
}

#endif
