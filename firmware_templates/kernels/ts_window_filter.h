/* ts_window_filter.h - filter each window by itself, from a fresh start; twin of tinystream/stages/window_filter.py */
#ifndef TS_WINDOW_FILTER_H
#define TS_WINDOW_FILTER_H

#include "ts_load.h"

#define TS_WINDOW_FILTER_Q 29

struct ts_window_filter {
    int32_t type;               /* of x, as ts_load says it */
    int32_t length;             /* samples of a channel */
    int32_t channels;
    int32_t sections;
    int32_t lift;               /* bits below a count of x; negative where x has more than are kept */
    int32_t every;              /* samples of which one is kept */
    const int32_t *taps;        /* [sections][b0 b2 a2 sum_b sum_a shift], as in ts_biquad */
    const int32_t *gain;        /* of each section at rest, Q20, [sections] */
    const uint8_t *settled;     /* [1]: as if the first sample had always been there; else after silence */
    int32_t *work;              /* [length] */
};

/* v[length] -> v[length], as ts_biquad_section does it, from a start */
static void ts_window_filter_section(const struct ts_window_filter *k, int32_t section, int32_t *v)
{
    const int32_t *taps = k->taps + 6 * section;
    const int32_t b0 = taps[0], b2 = taps[1], a2 = taps[2], sum_b = taps[3], sum_a = taps[4], shift = taps[5];
    int32_t x1 = k->settled[0] ? v[0] : 0;
    int32_t x2 = x1;
    int32_t y1 = (int32_t)ts_rshift((int64_t)x1 * k->gain[section], 20);
    int32_t y2 = y1, r1 = 0, r2 = 0;

    for (int32_t i = 0; i < k->length; i++) {
        const int32_t x0 = v[i];
        const int64_t late = ((int64_t)sum_b * x1 - (int64_t)sum_a * y1) >> shift;
        const int64_t acc = (int64_t)b0 * (x0 - x1) + (int64_t)b2 * (x2 - x1) + (int64_t)a2 * (y1 - y2) + late + (2 * r1 - r2);
        const int32_t y0 = y1 + (int32_t)(acc >> TS_WINDOW_FILTER_Q);
        x2 = x1;
        x1 = x0;
        y2 = y1;
        y1 = y0;
        r2 = r1;
        r1 = (int32_t)(acc & (((int64_t)1 << TS_WINDOW_FILTER_Q) - 1));
        v[i] = y0;
    }
}

/* x[length][channels] -> y[length / every][channels] */
static void ts_window_filter(const struct ts_window_filter *k, const void *x, int32_t *y)
{
    for (int32_t channel = 0; channel < k->channels; channel++) {
        for (int32_t i = 0; i < k->length; i++) {
            const int64_t v = ts_load(x, k->type, i * k->channels + channel);
            k->work[i] = (int32_t)(k->lift >= 0 ? v * ((int64_t)1 << k->lift) : ts_rshift(v, (int)-k->lift));
        }
        for (int32_t n = 0; n < k->sections; n++) {
            ts_window_filter_section(k, n, k->work);
        }
        int32_t at = channel;
        for (int32_t i = 0; i < k->length; i += k->every) {     /* ends: every > 0 */
            y[at] = k->work[i];
            at += k->channels;
        }
    }
}

#endif
