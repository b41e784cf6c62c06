/* ts_fault_bands.h - energies at fault frequencies over what is around; twin of tinystream/stages/fault_bands.py */
#ifndef TS_FAULT_BANDS_H
#define TS_FAULT_BANDS_H

#include "ts_fixed.h"

struct ts_fault_bands {
    int32_t channels;
    int32_t faults;
    int32_t multiplier;         /* of octaves in Q16, to counts of y, Q20 */
    const int32_t *pad;         /* what silence has within, and around, [2][faults] */
    const int32_t *offset;      /* log2 of their ratio, Q16, [faults] */
    const int32_t *log2;        /* log2(1 + i/64), Q16, [65] */
};

/* log2(16 x + pad) in Q16; 58 + 4 bits, unsigned, so that any other input is defined, too */
static inline int32_t ts_fault_bands_octaves(const int32_t *log2, uint64_t x, int32_t pad)
{
    return ts_log2_q16(log2, (int64_t)(x * 16u + (uint32_t)pad));
}

/* x[channels][faults within, faults with what is around] -> y[channels][faults] */
static void ts_fault_bands(const struct ts_fault_bands *k, const int64_t *x, int16_t *y)
{
    for (int32_t channel = 0; channel < k->channels; channel++) {
        for (int32_t fault = 0; fault < k->faults; fault++) {
            const uint64_t inner = (uint64_t)x[fault], outer = (uint64_t)x[k->faults + fault];
            const int32_t octaves = ts_fault_bands_octaves(k->log2, inner, k->pad[fault])
                                    - ts_fault_bands_octaves(k->log2, outer - inner, k->pad[k->faults + fault]) + k->offset[fault];
            y[fault] = (int16_t)ts_rshift((int64_t)octaves * k->multiplier, 20);        /* 215 dB at most, 28 k counts */
        }
        x += 2 * k->faults;
        y += k->faults;
    }
}

#endif
