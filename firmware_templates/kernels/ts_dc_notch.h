/* ts_dc_notch.h - samples without their constant part; twin of tinystream/stages/dc_notch.py */
#ifndef TS_DC_NOTCH_H
#define TS_DC_NOTCH_H

#include "ts_fixed.h"

struct ts_dc_notch {
    int32_t length;             /* samples per block */
    int32_t coefficient;        /* Q15, 0 to 32767 */
};

struct ts_dc_notch_state {
    int32_t x;                  /* the last sample of the block before */
    int32_t y;                  /* and what came out for it */
};

/* x[length] -> y[length]; y may be x */
static void ts_dc_notch(const struct ts_dc_notch *k, struct ts_dc_notch_state *s, const int16_t *x, int16_t *y)
{
    int32_t before = s->x, last = s->y;
    for (int32_t i = 0; i < k->length; i++) {
        const int32_t now = x[i];
        last = (int16_t)((int16_t)(now - before) + ((k->coefficient * last + 16384) >> 15));    /* wraps, as the original does */
        before = now;
        y[i] = (int16_t)last;
    }
    s->x = before;
    s->y = last;
}

#endif
