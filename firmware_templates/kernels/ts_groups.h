/* ts_groups.h - sums of int8 weights times int8 inputs, for cores that have no vector instructions
 *
 * Weights come in groups of eight channels, in the order in which they are read: [channels / 8][count][8]; then, where four or more
 * are left, [count][4]; the last ones one after the other.  Everything that a loop keeps is a variable of its own, so that it stays in
 * a register, and each of these loops is a function of its own, so that it has all of them.
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

/* the same of a sum that begins at TS_PAIR_START: each of the two from TS_SUM_START */
#define TS_PAIR_START (TS_SUM_START * (((int64_t)1 << TS_PAIR_SHIFT) + 1))

static inline void ts_pair_requant(int64_t pair, const int32_t *words, int32_t half, int8_t *y0, int8_t *y1)
{
    ts_requant_two((int32_t)((uint32_t)pair & ((1u << TS_PAIR_SHIFT) - 1)), (int32_t)(pair >> TS_PAIR_SHIFT), words, half, y0, y1);
}

static inline void ts_pair_requant_any(int64_t pair, const struct ts_requant *k, int32_t channel, int8_t *y0, int8_t *y1)
{
    *y0 = (int8_t)ts_requant_any(k, channel, (int32_t)((uint32_t)pair & ((1u << TS_PAIR_SHIFT) - 1)));
    *y1 = (int8_t)ts_requant_any(k, channel, (int32_t)(pair >> TS_PAIR_SHIFT));
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

/* one input's products with two channels of a group, and all that follow each other in a loop's turn */
#define TS_PRODUCT(sum, i, channel) ((sum) += (wide)v * weight[step * (i) + (channel)])
#define TS_LOW(i) (TS_PRODUCT(a, i, 0), TS_PRODUCT(b, i, 1), TS_PRODUCT(c, i, 2), TS_PRODUCT(d, i, 3))
#define TS_HIGH(i) (TS_PRODUCT(e, i, 4), TS_PRODUCT(f, i, 5), TS_PRODUCT(g, i, 6), TS_PRODUCT(h, i, 7))
#define TS_4(i) (v = x[i], TS_LOW(i))
#define TS_8(i) (v = x[i], TS_LOW(i), TS_HIGH(i))
#define TS_TURN(term) (term(0), term(1), term(2), term(3), term(4), term(5), term(6), term(7))

/* four channels, from channel o on, over a pair of inputs; their weights are `step` apart */
TS_WITHIN void ts_four_two(const int8_t *weight, int32_t step, const struct ts_requant *k, int32_t o, const int32_t *x, int32_t count,
                           int8_t *y0, int8_t *y1)
{
    typedef int64_t wide;
    int64_t a = TS_PAIR_START, b = a, c = a, d = a;
    int32_t v;
    for (const int32_t *end = x + (count & ~7); x != end; x += 8, weight += 8 * step) {
        TS_TURN(TS_4);
    }
    for (const int32_t *end = x + (count & 7); x != end; x++, weight += step) {
        TS_4(0);
    }
    if (k->words != NULL) {
        const int32_t *words = k->words + 2 * o, half = k->half;
        ts_pair_requant(a, words, half, y0 + o, y1 + o);
        ts_pair_requant(b, words + 2, half, y0 + o + 1, y1 + o + 1);
        ts_pair_requant(c, words + 4, half, y0 + o + 2, y1 + o + 2);
        ts_pair_requant(d, words + 6, half, y0 + o + 3, y1 + o + 3);
    } else {
        ts_pair_requant_any(a, k, o, y0 + o, y1 + o);
        ts_pair_requant_any(b, k, o + 1, y0 + o + 1, y1 + o + 1);
        ts_pair_requant_any(c, k, o + 2, y0 + o + 2, y1 + o + 2);
        ts_pair_requant_any(d, k, o + 3, y0 + o + 3, y1 + o + 3);
    }
}

/* the channels 0 .. end - 1, eight at a time, over a pair of inputs */
TS_APART static void ts_eights_two(const int8_t *weight, const struct ts_requant *k, int32_t end, const int32_t *x, int32_t count,
                                   int8_t *y0, int8_t *y1)
{
    const int32_t next = 8 * count - 4;
    for (int32_t o = 0; o < end; o += 4) {
        ts_four_two(weight, 8, k, o, x, count, y0, y1);
        weight += o & 4 ? next : 4;
    }
}

/* what is left of the channels, from o on: four, and each of the last by itself */
TS_APART static void ts_rest_two(const int8_t *weight, const struct ts_requant *k, int32_t o, int32_t outputs, const int32_t *x, int32_t count,
                                 int8_t *y0, int8_t *y1)
{
    if (o + 4 <= outputs) {
        ts_four_two(weight, 4, k, o, x, count, y0, y1);
        o += 4;
        weight += 4 * count;
    }
    for (int32_t rest = outputs & 3; rest > 0; rest--, o++, weight += count) {
        int64_t sum = TS_PAIR_START;
        for (int32_t i = 0; i < count; i++) {
            sum += (int64_t)x[i] * weight[i];
        }
        if (k->words != NULL) {
            ts_pair_requant(sum, k->words + 2 * o, k->half, y0 + o, y1 + o);
        } else {
            ts_pair_requant_any(sum, k, o, y0 + o, y1 + o);
        }
    }
}

/* y0[outputs], y1[outputs]: all channels over a pair of inputs */
static inline void ts_channels_two(const int8_t *weight, const struct ts_requant *k, int32_t outputs, const int32_t *x, int32_t count,
                                   int8_t *y0, int8_t *y1)
{
    const int32_t eights = outputs & ~7;
    ts_eights_two(weight, k, eights, x, count, y0, y1);
    if (eights < outputs) {
        ts_rest_two(weight + eights * count, k, eights, outputs, x, count, y0, y1);
    }
}

static inline int8_t ts_sum_requant(int32_t sum, const struct ts_requant *k, int32_t channel)
{
    return (int8_t)(k->words != NULL ? ts_requant_one(sum, k->words + 2 * channel, k->half) : ts_requant_any(k, channel, sum));
}

/* eight channels, from channel o on, over one input */
TS_APART static void ts_eight_one(const int8_t *weight, const struct ts_requant *k, int32_t o, const int8_t *x, int32_t count, int8_t *y)
{
    typedef int32_t wide;
    enum { step = 8 };
    int32_t a = TS_SUM_START, b = a, c = a, d = a, e = a, f = a, g = a, h = a, v;
    for (const int8_t *end = x + (count & ~7); x != end; x += 8, weight += 8 * step) {
        TS_TURN(TS_8);
    }
    for (const int8_t *end = x + (count & 7); x != end; x++, weight += step) {
        TS_8(0);
    }
    if (k->words != NULL) {
        const int32_t *words = k->words + 2 * o, half = k->half;
        y += o;
        y[0] = ts_requant_one(a, words, half);
        y[1] = ts_requant_one(b, words + 2, half);
        y[2] = ts_requant_one(c, words + 4, half);
        y[3] = ts_requant_one(d, words + 6, half);
        y[4] = ts_requant_one(e, words + 8, half);
        y[5] = ts_requant_one(f, words + 10, half);
        y[6] = ts_requant_one(g, words + 12, half);
        y[7] = ts_requant_one(h, words + 14, half);
    } else {
        const int32_t sums[] = { a, b, c, d, e, f, g, h };
        for (int32_t i = 0; i < 8; i++) {
            y[o + i] = (int8_t)ts_requant_any(k, o + i, sums[i]);
        }
    }
}

/* the same of four */
TS_APART static void ts_four_one(const int8_t *weight, const struct ts_requant *k, int32_t o, const int8_t *x, int32_t count, int8_t *y)
{
    typedef int32_t wide;
    enum { step = 4 };
    int32_t a = TS_SUM_START, b = a, c = a, d = a, v;
    for (const int8_t *end = x + (count & ~7); x != end; x += 8, weight += 8 * step) {
        TS_TURN(TS_4);
    }
    for (const int8_t *end = x + (count & 7); x != end; x++, weight += step) {
        TS_4(0);
    }
    y[o] = ts_sum_requant(a, k, o);
    y[o + 1] = ts_sum_requant(b, k, o + 1);
    y[o + 2] = ts_sum_requant(c, k, o + 2);
    y[o + 3] = ts_sum_requant(d, k, o + 3);
}

#undef TS_PRODUCT
#undef TS_LOW
#undef TS_HIGH
#undef TS_4
#undef TS_8
#undef TS_TURN

/* y[outputs]: all channels over one input */
static inline void ts_channels_one(const int8_t *weight, const struct ts_requant *k, int32_t outputs, const int8_t *x, int32_t count,
                                   int8_t *y)
{
    int32_t o = 0;
    for (; o + 8 <= outputs; o += 8, weight += 8 * count) {
        ts_eight_one(weight, k, o, x, count, y);
    }
    if (o + 4 <= outputs) {
        ts_four_one(weight, k, o, x, count, y);
        o += 4;
        weight += 4 * count;
    }
    for (int32_t rest = outputs & 3; rest > 0; rest--, o++, weight += count) {
        int32_t sum = TS_SUM_START;
        for (int32_t i = 0; i < count; i++) {
            sum += x[i] * weight[i];
        }
        y[o] = ts_sum_requant(sum, k, o);
    }
}

#endif
