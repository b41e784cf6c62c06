/* ts_fixed.h - the integer vocabulary; twin of tinystream/plan/fixed.py */
#ifndef TS_FIXED_H
#define TS_FIXED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __STDC_HOSTED__
#include <string.h>
#else                           /* without a C library there is no such header; every image has these, as compilers call them too */
void *memcpy(void *restrict y, const void *restrict x, size_t bytes);
void *memmove(void *y, const void *x, size_t bytes);
void *memset(void *y, int value, size_t bytes);
#endif

#define TS_KERNELS_VERSION 1

/* What C leaves to the compiler, and all of these count on: int has 32 bits, >> of a negative number keeps its sign, and a number that does
 * not fit a narrower type keeps its low bits. */
_Static_assert(sizeof(int) == 4, "tinystream needs an int of 32 bits");
_Static_assert((-3 >> 1) == -2, "tinystream needs >> to keep the sign");
_Static_assert((int16_t)65533 == -3 && (int32_t)(1u << 31) == INT32_MIN, "tinystream needs two's complement, cut and not saturated");

#ifdef __GNUC__
#define TS_APART __attribute__((noinline, unused))      /* a loop whose variables would otherwise compete with its caller's for registers */
#else
#define TS_APART
#endif

/* x / 2^n, rounded to nearest, halves towards +infinity; 0 <= n <= 62 */
static inline int64_t ts_rshift(int64_t x, int n)
{
    return (x + (((int64_t)1 << n) >> 1)) >> n;
}

/* the same in 32 bits, where x + 2^(n-1) fits; 0 <= n <= 30 */
static inline int32_t ts_rshift32(int32_t x, int n)
{
    return (x + ((1 << n) >> 1)) >> n;
}

static inline int8_t ts_sat8(int64_t x)
{
    return (int8_t)(x < INT8_MIN ? INT8_MIN : x > INT8_MAX ? INT8_MAX : x);
}

static inline int16_t ts_sat16(int64_t x)
{
    return (int16_t)(x < INT16_MIN ? INT16_MIN : x > INT16_MAX ? INT16_MAX : x);
}

static inline int32_t ts_sat32(int64_t x)
{
    return (int32_t)(x < INT32_MIN ? INT32_MIN : x > INT32_MAX ? INT32_MAX : x);
}

/* index of the highest set bit; 0 for x = 0 */
static inline int ts_msb(uint64_t x)
{
#ifdef __GNUC__
    return 63 - __builtin_clzll(x | 1);     /* one or two instructions where the core has one for it */
#else
    int n = 0;
    for (int half = 32; half > 0; half /= 2) {
        if (x >> half) {
            x >>= half;
            n += half;
        }
    }
    return n;
#endif
}

/* log2(x) in Q16 for 1 <= x < 2^63, by log2[i] = log2(1 + i/64) in Q16; 0 maps to 0 */
static inline int32_t ts_log2_q16(const int32_t *log2, int64_t x)
{
    const uint64_t v = x < 1 ? 1 : (uint64_t)x;
    const int msb = ts_msb(v);
    const uint32_t mantissa = (uint32_t)(msb > 31 ? v >> (msb - 31) : v << (31 - msb)) & 0x7FFFFFFFu;   /* Q31, below the leading one */
    const uint32_t i = mantissa >> 25;
    const int32_t frac = (int32_t)((mantissa >> 9) & 0xFFFFu);
    return msb * 65536 + log2[i] + (int32_t)ts_rshift((int64_t)(log2[i + 1] - log2[i]) * frac, 16);
}

/* floor(sqrt(x)), 0 <= x < 2^62 */
static inline int64_t ts_isqrt(int64_t x)
{
    uint64_t rest = (uint64_t)x, root = 0;
    for (uint64_t bit = (uint64_t)1 << 60; bit > 0; bit >>= 2) {
        if (rest >= root + bit) {
            rest -= root + bit;
            root += 2 * bit;
        }
        root >>= 1;
    }
    return (int64_t)root;
}

/* a * b / 2^31 to nearest, halves towards +infinity; not both INT32_MIN */
static inline int32_t ts_srdhm(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^n to nearest, halves away from zero; 0 <= n <= 31 */
static inline int32_t ts_rounding_divide(int32_t x, int n)
{
    const int32_t mask = (int32_t)(((int64_t)1 << n) - 1);
    return (x >> n) + ((x & mask) > (mask >> 1) + (x < 0));
}

/* x * multiplier * 2^(shift - 31), rounded twice, as TFLM's reference kernels do; x << shift fits int32 */
static inline int32_t ts_requant(int32_t x, int32_t multiplier, int shift)
{
    const int left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
    return ts_rounding_divide(ts_srdhm((int32_t)((int64_t)x * ((int64_t)1 << left)), multiplier), right);
}

#endif
