/* ts_groups.h - sums of int8 weights times int8 inputs, for cores that have no vector instructions
 *
 * Weights come in groups of four channels, in the order in which they are read: [count][4]; a group's last channels, where there are
 * fewer than four, one after the other.  Everything that a loop keeps is a variable of its own, so that it stays in a register.
 *
 * Two inputs share a word: pair = first + 2^23 * second.  Then one multiplication of 32 by 32 bits, added up in 64 (SMLAL on a
 * Cortex-M3 and larger), is two products, and a load of a word is two inputs.  The sums are told apart at the end: the plan
 * has proved that the first stays below 2^22.
 */
#ifndef TS_GROUPS_H
#define TS_GROUPS_H

#include "ts_requant.h"

#ifndef TS_PAIRS                /* whether the core multiplies 32 by 32 bits and adds to 64 in an instruction or two */
#if defined(__LP64__) || (defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB >= 2)
#define TS_PAIRS 1
#else
#define TS_PAIRS 0
#endif
#endif

enum { TS_PAIR_SHIFT = 23 };

/* the sums of the first and of the second input of a pair */
static inline void ts_pair_split(int64_t pair, int32_t *first, int32_t *second)
{
    const int64_t up = pair + ((int64_t)1 << (TS_PAIR_SHIFT - 1));
    *first = (int32_t)((uint32_t)up & ((1u << TS_PAIR_SHIFT) - 1)) - (1 << (TS_PAIR_SHIFT - 1));
    *second = (int32_t)(up >> TS_PAIR_SHIFT);
}

/* x[count] of int8 -> the first or the second input of pair[count] */
static inline void ts_pair_first(const int8_t *x, int32_t count, int32_t *pair)
{
    for (int32_t i = 0; i < count; i++) {
        pair[i] = x[i];
    }
}

static inline void ts_pair_second(const int8_t *x, int32_t count, int32_t *pair)
{
    for (int32_t i = 0; i < count; i++) {
        pair[i] += x[i] * (1 << TS_PAIR_SHIFT);
    }
}

static inline void ts_pair_both(const int8_t *x0, const int8_t *x1, int32_t count, int32_t *pair)
{
    for (const int32_t *end = pair + (count & ~3); pair != end; x0 += 4, x1 += 4, pair += 4) {
        pair[0] = x0[0] + x1[0] * (1 << TS_PAIR_SHIFT);
        pair[1] = x0[1] + x1[1] * (1 << TS_PAIR_SHIFT);
        pair[2] = x0[2] + x1[2] * (1 << TS_PAIR_SHIFT);
        pair[3] = x0[3] + x1[3] * (1 << TS_PAIR_SHIFT);
    }
    for (int32_t i = 0; i < (count & 3); i++) {
        pair[i] = x0[i] + x1[i] * (1 << TS_PAIR_SHIFT);
    }
}

#define TS_PAIR_2(i) v = x[i], a += (int64_t)v * weight[4 * (i)], b += (int64_t)v * weight[4 * (i) + 1]

/* two channels of a group over a pair of inputs: sum = channel 0 and 1 of the first, channel 0 and 1 of the second */
static inline void ts_sum_pair_2(const int8_t *weight, const int32_t *x, int32_t count, int32_t *sum)
{
    int64_t a = 0, b = 0;
    int32_t v;
    for (const int32_t *end = x + (count & ~7); x != end; x += 8, weight += 32) {
        TS_PAIR_2(0); TS_PAIR_2(1); TS_PAIR_2(2); TS_PAIR_2(3); TS_PAIR_2(4); TS_PAIR_2(5); TS_PAIR_2(6); TS_PAIR_2(7);
    }
    for (count &= 7; count > 0; count--, x++, weight += 4) {
        TS_PAIR_2(0);
    }
    ts_pair_split(a, &sum[0], &sum[2]);
    ts_pair_split(b, &sum[1], &sum[3]);
}

/* a channel that stands alone: sum = that of the first input, that of the second */
static inline void ts_sum_pair_1(const int8_t *weight, const int32_t *x, int32_t count, int32_t *sum)
{
    int64_t a = 0;
    for (const int32_t *end = x + count; x != end; x++, weight++) {
        a += (int64_t)*x * *weight;
    }
    ts_pair_split(a, &sum[0], &sum[1]);
}

#define TS_SUM_4(i) v = x[i], a += v * weight[4 * (i)], b += v * weight[4 * (i) + 1], c += v * weight[4 * (i) + 2], d += v * weight[4 * (i) + 3]

/* the four channels of a group over one input */
static inline void ts_sum_4(const int8_t *weight, const int8_t *x, int32_t count, int32_t *sum)
{
    int32_t a = 0, b = 0, c = 0, d = 0, v;
    for (const int8_t *end = x + (count & ~7); x != end; x += 8, weight += 32) {
        TS_SUM_4(0); TS_SUM_4(1); TS_SUM_4(2); TS_SUM_4(3); TS_SUM_4(4); TS_SUM_4(5); TS_SUM_4(6); TS_SUM_4(7);
    }
    for (count &= 7; count > 0; count--, x++, weight += 4) {
        TS_SUM_4(0);
    }
    sum[0] = a;
    sum[1] = b;
    sum[2] = c;
    sum[3] = d;
}

/* a channel that stands alone */
static inline int32_t ts_sum_1(const int8_t *weight, const int8_t *x, int32_t count)
{
    int32_t a = 0;
    for (const int8_t *end = x + count; x != end; x++, weight++) {
        a += *x * *weight;
    }
    return a;
}

#undef TS_PAIR_2
#undef TS_SUM_4

/* y[outputs] of one input */
static inline void ts_sum_groups(const int8_t *weight, const int8_t *x, int32_t count, int32_t outputs,
                                 const struct ts_requant_channels *r, int8_t *y)
{
    int32_t o = 0;
    for (; o + 4 <= outputs; o += 4, weight += 4 * count) {
        int32_t sum[4];
        ts_sum_4(weight, x, count, sum);
        y[o] = ts_requant_channel(r, o, sum[0]);
        y[o + 1] = ts_requant_channel(r, o + 1, sum[1]);
        y[o + 2] = ts_requant_channel(r, o + 2, sum[2]);
        y[o + 3] = ts_requant_channel(r, o + 3, sum[3]);
    }
    for (; o < outputs; o++, weight += count) {
        y[o] = ts_requant_channel(r, o, ts_sum_1(weight, x, count));
    }
}

/* y0[outputs] and y1[outputs] of the first and the second input of a pair */
static inline void ts_sum_pair_groups(const int8_t *weight, const int32_t *x, int32_t count, int32_t outputs,
                                      const struct ts_requant_channels *r, int8_t *y0, int8_t *y1)
{
    int32_t o = 0;
    for (; o < (outputs & ~3); o += 2, weight += o & 2 ? 2 : 4 * count - 2) {   /* two channels of a group, then the other two */
        int32_t sum[4];
        ts_sum_pair_2(weight, x, count, sum);
        y0[o] = ts_requant_channel(r, o, sum[0]);
        y1[o] = ts_requant_channel(r, o, sum[2]);
        y0[o + 1] = ts_requant_channel(r, o + 1, sum[1]);
        y1[o + 1] = ts_requant_channel(r, o + 1, sum[3]);
    }
    for (; o < outputs; o++, weight += count) {
        int32_t sum[2];
        ts_sum_pair_1(weight, x, count, sum);
        y0[o] = ts_requant_channel(r, o, sum[0]);
        y1[o] = ts_requant_channel(r, o, sum[1]);
    }
}

#endif
