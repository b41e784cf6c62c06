/* ts_order_bands.h - energy around multiples of a shaft's speed; twin of tinystream/stages/order_bands.py */
#ifndef TS_ORDER_BANDS_H
#define TS_ORDER_BANDS_H

#include "ts_between.h"

struct ts_order_bands {
    int32_t channels;
    int32_t bins;
    int32_t orders;
    int32_t tolerance;          /* bins in Q15 a count of speed, times 2^shift */
    int32_t shift;
    const int32_t *order;       /* the same, [orders] */
};

/* x[channels][bins], speed[1] -> y[channels][orders] */
static void ts_order_bands(const struct ts_order_bands *k, const int64_t *x, const int32_t *speed, int64_t *y)
{
    const int64_t turns = speed[0], half = 1 << 14, last = (int64_t)(k->bins - 1) * 32768;
    const int64_t told = ts_rshift(turns * k->tolerance, (int)k->shift);                /* 31 + 31 bits */
    const int64_t width = told > half ? told : half;

    for (int32_t o = 0; o < k->orders; o++) {
        const int64_t centre = ts_rshift(turns * k->order[o], (int)k->shift);
        const bool there = turns > 0 && centre + width <= last;
        const int32_t low = there && centre > width ? ts_between_position((int32_t)(centre - width), k->bins) : 0;
        const int32_t high = there ? ts_between_position((int32_t)(centre + width), k->bins) : 0;
        for (int32_t channel = 0; channel < k->channels; channel++) {
            y[channel * k->orders + o] = ts_between(x + channel * k->bins, low, high);    /* nothing where low is high */
        }
    }
}

#endif
