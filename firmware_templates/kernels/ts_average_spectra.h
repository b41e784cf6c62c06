/* ts_average_spectra.h - mean, or greatest, of successive spectra; twin of tinystream/stages/average_spectra.py */
#ifndef TS_AVERAGE_SPECTRA_H
#define TS_AVERAGE_SPECTRA_H

#include "ts_fixed.h"

struct ts_average_spectra {
    int32_t size;               /* bins, of all channels */
    int32_t how;                /* 0 mean, 1 max, 2 exponential */
    int32_t frames;             /* spectra in an average */
    int32_t every;              /* spectra from one output to the next */
    int32_t parts;              /* sums that are kept, each of `every` spectra */
    int32_t shift;
};

struct ts_average_spectra_state {
    int64_t *part;              /* ring of `parts` sums */
    int32_t at;                 /* the sum that grows */
    int32_t count;              /* spectra in it */
    int32_t wait;               /* spectra until the next output */
};

/* sums are unsigned, 46 + 13 bits, so that any other input is defined, too */
static inline int64_t ts_average_spectra_sum(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int64_t ts_average_spectra_down(int64_t sum, int32_t shift)
{
    return ts_average_spectra_sum(sum, ((int64_t)1 << shift) >> 1) >> shift;
}

static inline void ts_average_spectra_take(const struct ts_average_spectra *k, struct ts_average_spectra_state *s, const int64_t *x)
{
    int64_t *part = s->part + (size_t)s->at * (size_t)k->size;

    for (int32_t i = 0; i < k->size; i++) {
        if (k->how == 2) {
            const int64_t faded = s->count < k->frames ? 0 : ts_average_spectra_down(part[i], k->shift);
            part[i] = ts_average_spectra_sum(part[i], (int64_t)((uint64_t)x[i] - (uint64_t)faded));
        } else if (s->count == 0) {
            part[i] = x[i];
        } else if (k->how == 1) {
            part[i] = part[i] > x[i] ? part[i] : x[i];
        } else {
            part[i] = ts_average_spectra_sum(part[i], x[i]);
        }
    }
    if (k->how == 2) {
        s->count += s->count < k->frames;
        return;
    }
    s->count++;
    if (s->count == k->every) {
        s->count = 0;
        s->at = s->at + 1 < k->parts ? s->at + 1 : 0;
    }
}

/* x[size] -> y[size]; false until an average is full and due */
static bool ts_average_spectra(const struct ts_average_spectra *k, struct ts_average_spectra_state *s, const int64_t *x, int64_t *y)
{
    ts_average_spectra_take(k, s, x);
    s->wait--;
    if (s->wait > 0) {
        return false;
    }
    s->wait = k->every;

    for (int32_t i = 0; i < k->size; i++) {
        int64_t all = s->part[i];
        for (int32_t part = 1; part < k->parts; part++) {
            const int64_t one = s->part[(size_t)part * (size_t)k->size + (size_t)i];
            if (k->how == 1) {
                all = all > one ? all : one;
            } else {
                all = ts_average_spectra_sum(all, one);
            }
        }
        y[i] = ts_average_spectra_down(all, k->shift);
    }
    return true;
}

#endif
