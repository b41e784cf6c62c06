/* ts_bands.h - energy of a spectrum in bands of frequency; twin of tinystream/stages/bands.py */
#ifndef TS_BANDS_H
#define TS_BANDS_H

#include "ts_between.h"

struct ts_bands {
    int32_t channels;
    int32_t bins;
    int32_t bands;
    const uint16_t *ranges;     /* of each band, [bands] */
    const int32_t *low;         /* where each range begins, Q15 of a bin */
    const int32_t *high;        /* and ends */
};

/* x[channels][bins] -> y[channels][bands] */
static void ts_bands(const struct ts_bands *k, const int64_t *x, int64_t *y)
{
    for (int32_t channel = 0; channel < k->channels; channel++) {
        const int32_t *low = k->low, *high = k->high;
        for (int32_t band = 0; band < k->bands; band++) {
            uint64_t sum = 0;
            for (int32_t i = 0; i < k->ranges[band]; i++) {
                sum += (uint64_t)ts_between(x, *low++, *high++);
            }
            *y++ = (int64_t)sum;
        }
        x += k->bins;
    }
}

#endif
