/* ts_sigmoid.h - a table of the sigmoid, for int16; twin of tinystream/ops/_sigmoid.py */
#ifndef TS_SIGMOID_H
#define TS_SIGMOID_H

#include "ts_fixed.h"

/* the table at q / 2^bits, linear in between, times 2^bits; `most` behind its end */
static inline int32_t ts_sigmoid_at(const uint16_t *table, int32_t q, int32_t bits, int32_t most)
{
    const int32_t at = q >> bits;
    if (at >= 255) {
        return most;
    }
    return table[at] * (1 << bits) + (q & ((1 << bits) - 1)) * (table[at + 1] - table[at]);
}

/* x in the table's steps, to nearest: 31 bits, as |x * multiplier| has 30 */
static inline int32_t ts_sigmoid_steps(int16_t x, int32_t multiplier, int32_t shift)
{
    return (x * multiplier + (int32_t)(((uint32_t)1 << shift) >> 1)) >> shift;
}

#endif
