/* ts_plain.h - the requantisation that most layers need, in eleven instructions
 *
 * For a shift to the right of 1 .. 21, sums and biases that stay below 2^29, and outputs that may be any int8.
 */
#ifndef TS_PLAIN_H
#define TS_PLAIN_H

#include "ts_fixed.h"

struct ts_plain {
    int32_t multiplier;
    int32_t bias;               /* twice that of the channel */
    int32_t round, down;        /* what the shift rounds by, with the zero in it; the shift */
};

static inline struct ts_plain ts_plain(int32_t multiplier, int32_t shift, int32_t bias, int32_t zero)
{
    return (struct ts_plain){ multiplier, 2 * bias, (2 * zero + 257) * (1 << (-shift - 1)), -shift };
}

/* clamp(ts_requant(sum + bias, multiplier, shift) + zero).  Both roundings and the zero are in what the high word of the product begins
 * with.  The second rounds halves away from zero, so a negative product is one less; that of a negative sum which is rounded to 0 may
 * be, too, as it is far from a half. */
static inline int8_t ts_plain8(struct ts_plain p, int32_t sum)
{
    const int32_t twice = 2 * sum + p.bias;
    const int64_t begin = (int64_t)(p.round + (twice >> 31)) * ((int64_t)1 << 32) + ((int64_t)1 << 31);
    int32_t v = (int32_t)((begin + (int64_t)twice * p.multiplier) >> 32) >> p.down;
    v = v < 0 ? 0 : v > 255 ? 255 : v;          /* an instruction, where -128 .. 127 is not */
    return (int8_t)(v - 128);
}

#endif
