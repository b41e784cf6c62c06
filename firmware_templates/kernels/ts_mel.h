/* ts_mel.h - energy in triangular bands of a spectrum; twin of tinystream/stages/mel.py */
#ifndef TS_MEL_H
#define TS_MEL_H

#include "ts_fixed.h"

struct ts_mel {
    int32_t bands;
    const uint16_t *first;      /* first bin of each band, [bands] */
    const uint16_t *count;      /* bins of each band, [bands] */
    const uint16_t *weight;     /* Q15, one band after the other */
};

/* x[bins] -> y[bands] */
static void ts_mel(const struct ts_mel *k, const int64_t *x, int64_t *y)
{
    const uint16_t *weight = k->weight;
    for (int32_t b = 0; b < k->bands; b++) {
        uint64_t sum = 1u << 14;                    /* 46 + 15 bits; unsigned, so that any other input is defined too */
        const int64_t *bin = x + k->first[b];
        for (int32_t i = 0; i < k->count[b]; i++) {
            sum += (uint64_t)bin[i] * *weight++;
        }
        y[b] = (int64_t)sum >> 15;
    }
}

#endif
