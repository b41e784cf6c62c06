/* ts_bands.h - energy of a spectrum in bands of frequency; twin of tinystream/stages/bands.py */
#ifndef TS_BANDS_H
#define TS_BANDS_H

#include "ts_fixed.h"

struct ts_bands {
    int32_t channels;
    int32_t bins;
    int32_t bands;
    const uint16_t *ranges;     /* of each band, [bands] */
    const int32_t *low;         /* where each range begins, Q15 of a bin */
    const int32_t *high;        /* and ends */
};

/* energy of a spectrum from u = low to u = high; unsigned within, so that any input is defined */
static inline int64_t ts_bands_between(const int64_t *x, int32_t low, int32_t high)
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

/* x[channels][bins] -> y[channels][bands] */
static void ts_bands(const struct ts_bands *k, const int64_t *x, int64_t *y)
{
    for (int32_t channel = 0; channel < k->channels; channel++) {
        const int32_t *low = k->low, *high = k->high;
        for (int32_t band = 0; band < k->bands; band++) {
            uint64_t sum = 0;
            for (int32_t i = 0; i < k->ranges[band]; i++) {
                sum += (uint64_t)ts_bands_between(x, *low++, *high++);
            }
            *y++ = (int64_t)sum;
        }
        x += k->bins;
    }
}

#endif
