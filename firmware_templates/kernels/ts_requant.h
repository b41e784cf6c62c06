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

#ifdef __GNUC__
#define TS_WITHIN static inline __attribute__((always_inline))          /* made for the constants that it is given */
#else
#define TS_WITHIN static inline
#endif

/* How the channels of a layer are requantised, on cores without vector instructions.
 *
 * words has two of each channel: (bias - TS_SUM_START) * 32 + n, and the multiplier; n is the shift to the right, 1 <= n <= 15.  Then
 * the sum is in one long multiplication (twice * multiplier + 2^31) / 2^32, which is the first rounding, and a shift: the second
 * rounding, halves away from zero, and the zero are part of what the high word begins with.  The plan has proved that no sum reaches
 * 2^30, and every int8 may come out.  Where it could not, words is NULL and the other tables tell.
 *
 * Sums begin at TS_SUM_START, which the bias takes back: then two that share 64 bits, see ts_groups.h, are both positive.
 */
struct ts_requant {
    const int32_t *words;       /* [channels][2], or NULL */
    const int32_t *bias;        /* these three where words is NULL: [channels] */
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t half;               /* 2 * (zero + 128) + 1 */
    int32_t low, high;
};

enum { TS_SUM_START = 1 << 22 };

/* any channel of any layer */
TS_APART static int32_t ts_requant_any(const struct ts_requant *k, int32_t channel, int32_t sum)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a bias is there where words is not, and writing y changes neither */
    const int32_t acc = (int32_t)((int64_t)sum - TS_SUM_START + k->bias[channel]);
    return ts_requant8(acc, k->multiplier[channel], k->shift[channel], (k->half >> 1) - 128, k->low, k->high);
}

/* twice * multiplier / 2^32 to nearest, and what the shift to the right rounds by */
static inline int32_t ts_requant_high(int32_t twice, int32_t multiplier, int32_t round)
{
    const int64_t begin = (int64_t)(round + (twice >> 31)) * ((int64_t)1 << 32) + ((int64_t)1 << 31);
    return (int32_t)((begin + (int64_t)twice * multiplier) >> 32);
}

/* x counted from -128, clamped; between 0 and 255 compilers find the instruction for it wherever it stands */
static inline int8_t ts_clamp_byte(int32_t x)
{
    x = x < 0 ? 0 : x;
    x = x > 255 ? 255 : x;
    return (int8_t)(uint8_t)(x ^ 128);
}

/* a sum by the words of its channel */
static inline int8_t ts_requant_one(int32_t sum, const int32_t *words, int32_t half)
{
    const int32_t n = words[0] & 15, round = (int32_t)((uint32_t)half << (n - 1));
    return ts_clamp_byte(ts_requant_high((words[0] >> 4) + 2 * sum, words[1], round) >> n);
}

/* two sums of one channel */
static inline void ts_requant_two(int32_t sum0, int32_t sum1, const int32_t *words, int32_t half, int8_t *y0, int8_t *y1)
{
    const int32_t bias = words[0] >> 4, multiplier = words[1], n = words[0] & 15, round = (int32_t)((uint32_t)half << (n - 1));
    const int8_t v0 = ts_clamp_byte(ts_requant_high(bias + 2 * sum0, multiplier, round) >> n);
    const int8_t v1 = ts_clamp_byte(ts_requant_high(bias + 2 * sum1, multiplier, round) >> n);
    *y0 = v0;                   /* not before both are made: it might be a word of the channel */
    *y1 = v1;
}

#endif
