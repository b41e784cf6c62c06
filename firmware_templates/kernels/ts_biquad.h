/* ts_biquad.h - filter samples by recursive sections of second order; twin of tinystream/stages/biquad.py */
#ifndef TS_BIQUAD_H
#define TS_BIQUAD_H

#include "ts_fixed.h"

#define TS_BIQUAD_Q 29

struct ts_biquad {
    int32_t length;             /* samples per block and channel */
    int32_t channels;
    int32_t sections;
    int32_t guard;              /* bits below a count */
    const int32_t *taps;        /* [sections][b0 b2 a2 sum_b sum_a shift] */
    int32_t *work;              /* [length] */
};

struct ts_biquad_state {
    int32_t *past;              /* [channels][sections][x1 x2 y1 y2 r1 r2] */
};

/* v[length] -> v[length]; the plan has proved every sum below 2^63 and every sample below 2^30 */
static inline void ts_biquad_section(const int32_t *taps, int32_t *past, int32_t *v, int32_t length)
{
    const int32_t b0 = taps[0], b2 = taps[1], a2 = taps[2], sum_b = taps[3], sum_a = taps[4], shift = taps[5];
    int32_t x1 = past[0], x2 = past[1], y1 = past[2], y2 = past[3], r1 = past[4], r2 = past[5];

    for (int32_t i = 0; i < length; i++) {
        const int32_t x0 = v[i];
        const int64_t late = ((int64_t)sum_b * x1 - (int64_t)sum_a * y1) >> shift;
        const int64_t acc = (int64_t)b0 * (x0 - x1) + (int64_t)b2 * (x2 - x1) + (int64_t)a2 * (y1 - y2) + late + (2 * r1 - r2);
        const int32_t y0 = y1 + (int32_t)(acc >> TS_BIQUAD_Q);
        x2 = x1;
        x1 = x0;
        y2 = y1;
        y1 = y0;
        r2 = r1;
        r1 = (int32_t)(acc & (((int64_t)1 << TS_BIQUAD_Q) - 1));
        v[i] = y0;
    }
    past[0] = x1;
    past[1] = x2;
    past[2] = y1;
    past[3] = y2;
    past[4] = r1;
    past[5] = r2;
}

/* x[length][channels] -> y[length][channels], which may be x */
static void ts_biquad(const struct ts_biquad *k, struct ts_biquad_state *s, const int16_t *x, int16_t *y)
{
    int32_t *past = s->past;

    for (int32_t channel = 0; channel < k->channels; channel++) {
        for (int32_t i = 0; i < k->length; i++) {
            k->work[i] = x[i * k->channels + channel] * ((int32_t)1 << k->guard);
        }
        for (int32_t n = 0; n < k->sections; n++) {
            ts_biquad_section(k->taps + 6 * n, past, k->work, k->length);
            past += 6;
        }
        for (int32_t i = 0; i < k->length; i++) {
            y[i * k->channels + channel] = ts_sat16(ts_rshift(k->work[i], (int)k->guard));
        }
    }
}

#endif
