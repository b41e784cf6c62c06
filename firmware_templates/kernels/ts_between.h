/* ts_between.h - energy of a spectrum between two places; twin of between() and position() of tinystream/stages/bands.py */
#ifndef TS_BETWEEN_H
#define TS_BETWEEN_H

#include "ts_fixed.h"

/* energy of a spectrum from u = low to u = high; unsigned within, so that any input is defined */
static inline int64_t ts_between(const int64_t *x, int32_t low, int32_t high)
{
    const int32_t a = low >> 15, b = high >> 15;
    const uint32_t part_a = (uint32_t)low & 0x7FFFu, part_b = (uint32_t)high & 0x7FFFu;
    uint64_t whole = 0, cut = 1u << 14;             /* 46 + 12 bits; 46 + 15 bits */

    for (int32_t i = a; i < b; i++) {
        whole += (uint64_t)x[i];
    }
    if (part_b != 0) {                              /* no bin is behind the last edge */
        cut += (uint64_t)x[b] * part_b;
    }
    if (part_a != 0) {
        cut -= (uint64_t)x[a] * part_a;
    }
    return (int64_t)(whole + (uint64_t)((int64_t)cut >> 15));
}

/* u of a frequency that lies p / 2^15 bins above 0, 0 <= p <= 2^15 (bins - 1) */
static inline int32_t ts_between_position(int32_t p, int32_t bins)
{
    const int32_t half = 1 << 14, last = (bins - 1) * 32768;

    if (p < half) {
        return 2 * p;
    }
    return p > last - half ? bins * 32768 - 2 * (last - p) : p + half;
}

#endif
