/* ts_wide.h - numbers of 128 bits, where 64 do not hold a sum of products times a count; Python's own integers are their twin */
#ifndef TS_WIDE_H
#define TS_WIDE_H

#include "ts_fixed.h"

struct ts_wide {
    int64_t high;
    uint64_t low;
};

/* mantissa * 2^exponent; 2^(bits - 1) <= mantissa < 2^bits, or 0 */
struct ts_wide_cut {
    int64_t mantissa;
    int32_t exponent;
};

static inline struct ts_wide ts_wide_product(int64_t a, int64_t b)
{
    const uint64_t a_low = (uint32_t)a, b_low = (uint32_t)b, low = a_low * b_low;
    const int64_t a_high = a >> 32, b_high = b >> 32;
    const int64_t left = a_high * (int64_t)b_low + (int64_t)(low >> 32);            /* 31 + 32 bits, and less than a bit more */
    const int64_t right = (int64_t)a_low * b_high + (int64_t)(uint32_t)left;
    const struct ts_wide y = { a_high * b_high + (left >> 32) + (right >> 32), (uint64_t)right << 32 | (uint32_t)low };
    return y;
}

static inline struct ts_wide ts_wide_minus(struct ts_wide a, struct ts_wide b)
{
    const struct ts_wide y = { a.high - b.high - (a.low < b.low), a.low - b.low };
    return y;
}

/* x * 2^32 + more, where that fits */
static inline struct ts_wide ts_wide_above(struct ts_wide x, uint64_t more)
{
    const uint64_t low = (x.low << 32) + more;
    const struct ts_wide y = { (int64_t)((uint64_t)x.high << 32 | x.low >> 32) + (low < more), low };
    return y;
}

static inline int ts_wide_msb(struct ts_wide x)
{
    return x.high != 0 ? 64 + ts_msb((uint64_t)x.high) : ts_msb(x.low);
}

/* x / 2^shift, cut; shift may be negative; x is not, and what comes out fits */
static inline int64_t ts_wide_shifted(struct ts_wide x, int shift)
{
    if (shift <= 0) return (int64_t)(x.low << -shift);
    if (shift >= 64) return x.high >> (shift - 64);
    return (int64_t)((uint64_t)x.high << (64 - shift) | x.low >> shift);
}

/* x > 0 with a mantissa of so many bits, the rest cut */
static inline struct ts_wide_cut ts_wide_cut(int64_t x, int bits)
{
    const int shift = ts_msb((uint64_t)x) - (bits - 1);
    const struct ts_wide_cut y = { shift > 0 ? x >> shift : (int64_t)((uint64_t)x << -shift), shift };
    return y;
}

#endif
