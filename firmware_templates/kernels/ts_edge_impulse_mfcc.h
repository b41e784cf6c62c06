/* ts_edge_impulse_mfcc.h - cepstral coefficients, normalised over frames; twin of tinystream/stages/edge_impulse_mfcc.py */
#ifndef TS_EDGE_IMPULSE_MFCC_H
#define TS_EDGE_IMPULSE_MFCC_H

#include "ts_scaled.h"

#define TS_EDGE_IMPULSE_MFCC_Q 12

struct ts_edge_impulse_mfcc {
    int32_t frames;
    int32_t bands;
    int32_t coefficients;
    int32_t lift;               /* from bits of x to Q12 */
    int32_t shift;              /* from x times the basis to Q12 */
    int32_t window;             /* frames that are normalised over; 0 for none */
    int32_t multiplier, divide; /* 1 / window */
    const int16_t *basis;       /* [coefficients][bands] */
    int32_t *centred;           /* [frames][coefficients] */
};

/* the frame that stands at an index beyond the ends, mirrored, the outermost twice */
static inline int32_t ts_edge_impulse_mfcc_mirrored(const struct ts_edge_impulse_mfcc *k, int32_t at)
{
    const int32_t period = 2 * k->frames;
    const int32_t rest = at % period, i = rest < 0 ? rest + period : rest;
    return i < k->frames ? i : period - 1 - i;
}

/* x[1 + bands] -> y[coefficients]; the first of both is the energy of all bins */
static void ts_edge_impulse_mfcc_cepstra(const struct ts_edge_impulse_mfcc *k, const int16_t *x, int32_t *y)
{
    const int16_t *basis = k->basis + k->bands;
    y[0] = x[0] * ((int32_t)1 << k->lift);
    for (int32_t i = 1; i < k->coefficients; i++) {
        int64_t sum = 0;
        for (int32_t b = 0; b < k->bands; b++) {
            sum += (int64_t)x[1 + b] * *basis++;                     /* 16 + 16 bits and those of the bands */
        }
        y[i] = (int32_t)ts_rshift(sum, (int)k->shift);      /* 24 bits */
    }
}

/* c of all frames -> its distance from the mean around */
static int32_t ts_edge_impulse_mfcc_centre(const struct ts_edge_impulse_mfcc *k, const int32_t *c, int32_t frame, int32_t i)
{
    int64_t sum = 0;
    for (int32_t w = 0; w < k->window; w++) {
        const int32_t at = ts_edge_impulse_mfcc_mirrored(k, frame + w - (k->window - 1) / 2);
        sum += c[at * k->coefficients + i];
    }
    return ts_scaled((int64_t)k->window * c[frame * k->coefficients + i] - sum, 0, k->multiplier, k->divide);
}

/* over the standard deviation around; 0 where that is 0 */
static int32_t ts_edge_impulse_mfcc_normalise(const struct ts_edge_impulse_mfcc *k, int32_t frame, int32_t i)
{
    int64_t total = 0, squares = 0;
    for (int32_t w = 0; w < k->window; w++) {
        const int32_t at = ts_edge_impulse_mfcc_mirrored(k, frame + w - (k->window - 1) / 2);
        const int64_t m = k->centred[at * k->coefficients + i];
        total += m;
        squares += m * m;
    }
    const int64_t spread = k->window * squares - total * total;        /* 2 * (9 + 22) bits: of the window, of |m| */
    const int half = (61 - ts_msb((uint64_t)spread)) >> 1;
    const int64_t root = ts_isqrt(spread << (2 * half));                /* 31 bits */
    if (root == 0) {
        return 0;
    }
    const int32_t m = k->centred[frame * k->coefficients + i];
    const int64_t size = ts_size(m) * k->window;
    const int up = 61 - ts_msb((uint64_t)size);
    const int32_t y = ts_scaled((size << up) / root, half - up, (int32_t)1 << 30, 30 - TS_EDGE_IMPULSE_MFCC_Q);
    return m < 0 ? -y : y;
}

/* x[frames][1 + bands] -> y[frames][coefficients] */
static void ts_edge_impulse_mfcc(const struct ts_edge_impulse_mfcc *k, const int16_t *x, int32_t *y)
{
    for (int32_t frame = 0; frame < k->frames; frame++) {
        ts_edge_impulse_mfcc_cepstra(k, x + frame * (1 + k->bands), y + frame * k->coefficients);
    }
    if (k->window == 0) {
        return;
    }
    for (int32_t frame = 0; frame < k->frames; frame++) {
        for (int32_t i = 0; i < k->coefficients; i++) {
            k->centred[frame * k->coefficients + i] = ts_edge_impulse_mfcc_centre(k, y, frame, i);
        }
    }
    for (int32_t frame = 0; frame < k->frames; frame++) {
        for (int32_t i = 0; i < k->coefficients; i++) {
            y[frame * k->coefficients + i] = ts_edge_impulse_mfcc_normalise(k, frame, i);
        }
    }
}

#endif
