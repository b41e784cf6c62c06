/* ts_requant.h - a row of accumulators to int8; what convolutions and dense layers end with */
#ifndef TS_REQUANT_H
#define TS_REQUANT_H

#include "ts_fixed.h"

/* ts_requant(x, multiplier, shift) for shift < 0 and |x| < 2^31, in fewer instructions.
 *
 * A right shift by n > 0 rounds halves away from zero: ((h - (h < 0)) >> (n - 1)) + 1) >> 1, and n - 1 is ~shift.
 */
static inline int32_t ts_requant_down(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t h = (int32_t)(((int64_t)x * multiplier + (1 << 30)) >> 31);
    return (((h + (h >> 31)) >> (~shift & 31)) + 1) >> 1;
}

static inline int8_t ts_clamp8(int64_t x, int32_t low, int32_t high)
{
    return (int8_t)(x < low ? low : x > high ? high : x);
}

/* A product of 16 bits, requantised; shift <= 15. */
static inline int8_t ts_product8(int32_t product, int32_t multiplier, int32_t shift, int32_t zero, int32_t low, int32_t high)
{
    return ts_clamp8((shift < 0 ? ts_requant_down(product, multiplier, shift) : ts_requant(product, multiplier, shift)) + (int64_t)zero,
                     low, high);
}

/* A sum, requantised.  The sum fits 32 bits, and so does what is shifted left where a layer magnifies: the rest is clamped. */
static inline int8_t ts_requant8(int32_t acc, int32_t multiplier, int32_t shift, int32_t zero, int32_t low, int32_t high)
{
    if (shift < 0) {
        const int32_t v = ts_requant_down(acc, multiplier, shift) + zero;
        return (int8_t)(v < low ? low : v > high ? high : v);
    }
    return ts_clamp8((((int64_t)acc * multiplier + ((int64_t)1 << (30 - shift))) >> (31 - shift)) + zero, low, high);
}

/* How the sums of a layer's channels become its outputs.  A copy of one's own: a store of an int8_t may change anything that a pointer
 * leads to, so members behind a pointer are loaded again after each. */
struct ts_requant_channels {
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    int32_t zero, low, high;
};

/* a channel's output for its sum */
static inline int8_t ts_requant_channel(const struct ts_requant_channels *r, int32_t channel, int32_t sum)
{
    return ts_requant8(sum + r->bias[channel], r->multiplier[channel], r->shift[channel], r->zero, r->low, r->high);
}

/* Every channel's requant, the zero and the activation.  Only a layer that magnifies has a shift >= 0. */
static inline void ts_requant_row(const int32_t *restrict acc, const int32_t *restrict multiplier, const int8_t *restrict shift,
                                  int32_t count, int32_t zero, int32_t low, int32_t high, int8_t *restrict y)
{
    int32_t magnifies = 0;
    for (int32_t i = 0; i < count; i++) {
        const int32_t v = ts_requant_down(acc[i], multiplier[i], shift[i]) + zero;
        y[i] = (int8_t)(v < low ? low : v > high ? high : v);
        magnifies |= shift[i] >= 0;
    }
    if (!magnifies) {
        return;
    }
    for (int32_t i = 0; i < count; i++) {       /* acc << shift may need more than 32 bits: shift less after the product */
        if (shift[i] >= 0) {
            y[i] = ts_clamp8((((int64_t)acc[i] * multiplier[i] + ((int64_t)1 << (30 - shift[i]))) >> (31 - shift[i])) + zero, low, high);
        }
    }
}

#endif
