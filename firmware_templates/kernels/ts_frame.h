/* ts_frame.h - cut a stream into overlapping, windowed frames; twin of tinystream/stages/frame.py */
#ifndef TS_FRAME_H
#define TS_FRAME_H

#include "ts_fixed.h"

struct ts_frame {
    int32_t length;             /* samples per frame and channel */
    int32_t channels;
    int32_t block;              /* new samples per call and channel */
    int32_t every;              /* calls per frame */
    const int16_t *window;      /* Q15, [length] */
};

struct ts_frame_state {
    int16_t *past;              /* [length][channels], the last samples, oldest first */
    int32_t seen;               /* samples so far of each channel, up to `length` */
    int32_t wait;               /* calls until the next frame is due */
};

/* x[block][channels] -> y[length][channels]; false until a frame is full and due */
static bool ts_frame(const struct ts_frame *k, struct ts_frame_state *s, const int16_t *x, int16_t *y)
{
    const int32_t kept = (k->length - k->block) * k->channels, fresh = k->block * k->channels;

    memmove(s->past, s->past + fresh, (size_t)kept * sizeof *s->past);
    memcpy(s->past + kept, x, (size_t)fresh * sizeof *x);
    s->seen += k->block;
    if (s->seen < k->length) {
        return false;
    }
    s->seen = k->length;
    s->wait--;
    if (s->wait > 0) {
        return false;
    }
    s->wait = k->every;

    const int16_t *past = s->past;
    for (int32_t i = 0; i < k->length; i++) {
        for (int32_t channel = 0; channel < k->channels; channel++) {
            *y++ = (int16_t)ts_rshift32(*past++ * k->window[i], 15);        /* |window| < 1 */
        }
    }
    return true;
}

#endif
