/* ts_decimate.h - keep every so-manieth sample of a filtered stream; twin of tinystream/stages/decimate.py */
#ifndef TS_DECIMATE_H
#define TS_DECIMATE_H

#include "ts_fixed.h"

struct ts_decimate {
    int32_t length;             /* samples of x per block and channel */
    int32_t channels;
    int32_t factor;             /* divides length */
    int32_t count;              /* of taps, odd */
    int32_t shift;
    const int16_t *taps;        /* [count], the same from both ends */
    int16_t *work;              /* [count - 1 + length][channels] */
};

struct ts_decimate_state {
    int16_t *past;              /* [count - 1][channels], oldest first */
};

/* x[length][channels] -> y[length / factor][channels] */
static void ts_decimate(const struct ts_decimate *k, struct ts_decimate_state *s, const int16_t *x, int16_t *y)
{
    const int32_t kept = (k->count - 1) * k->channels, fresh = k->length * k->channels;

    memcpy(k->work, s->past, (size_t)kept * sizeof *s->past);
    memcpy(k->work + kept, x, (size_t)fresh * sizeof *x);
    memcpy(s->past, k->work + fresh, (size_t)kept * sizeof *s->past);

    const int16_t *first = k->work;
    for (int32_t i = 0; i < k->length / k->factor; i++) {
        for (int32_t channel = 0; channel < k->channels; channel++) {
            int64_t acc = 0;                                    /* 16 bits more, for their number */
            for (int32_t t = 0; t < k->count; t++) {
                const int32_t product = k->taps[t] * first[t * k->channels + channel]; /* 31 bits */
                acc += product;
            }
            *y++ = ts_sat16(ts_rshift(acc, (int)k->shift));
        }
        first += k->factor * k->channels;
    }
}

#endif
