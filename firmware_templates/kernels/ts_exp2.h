/* ts_exp2.h - powers of two and of e below 1; twin of tinystream/stages/_exp2.py */
#ifndef TS_EXP2_H
#define TS_EXP2_H

#include "ts_fixed.h"

#define TS_EXP2_FURTHEST 33554432   /* 32 in Q20: 2^-32 is 0 in Q30 */
#define TS_EXP2_LOG2_E 94548        /* log2(e) in Q16 */

/* 2^-x in Q30, x >= 0 in Q20, by exp2[i] = 2^(-i/64) in Q30; a chord lies above the curve by a parabola */
static inline int32_t ts_exp2_q30(const int32_t *exp2, int64_t x)
{
    const int32_t held = (int32_t)(x < TS_EXP2_FURTHEST ? x : TS_EXP2_FURTHEST);
    const int32_t i = (held >> 14) & 63, f = held & 16383;
    const int64_t chord = exp2[i] - ts_rshift((int64_t)(exp2[i] - exp2[i + 1]) * f, 14);        /* 24 + 14 bits */
    const int64_t bend = ts_rshift(chord * ts_rshift32(f * (16384 - f), 8) * 123, 41);          /* 31 + 18 + 7 bits */
    return (int32_t)ts_rshift(chord - bend, held >> 20);
}

/* e^-x in Q30, x >= 0 in Q16 */
static inline int32_t ts_exp_q30(const int32_t *exp2, int64_t x)
{
    const int64_t held = x < TS_EXP2_FURTHEST / 16 ? x : TS_EXP2_FURTHEST / 16;     /* 32 in Q16 */
    return ts_exp2_q30(exp2, ts_rshift(held * TS_EXP2_LOG2_E, 12));     /* 22 + 17 bits */
}

#endif
