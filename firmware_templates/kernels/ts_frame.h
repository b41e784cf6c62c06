/* ts_frame.h - cut a stream into overlapping, windowed frames; twin of tinystream/stages/frame.py */
#ifndef TS_FRAME_H
#define TS_FRAME_H

#include "ts_fixed.h"

struct ts_frame {
    int32_t length;             /* samples per frame */
    int32_t block;              /* new samples per call */
    int32_t every;              /* calls per frame */
    const int16_t *window;      /* Q15, [length] */
};

struct ts_frame_state {
    int16_t *past;              /* the last `length` samples, oldest first */
    int32_t seen;               /* samples so far, up to `length` */
    int32_t wait;               /* calls until the next frame is due */
};

/* x[block] -> y[length]; false until a frame is full and due */
static bool ts_frame(const struct ts_frame *k, struct ts_frame_state *s, const int16_t *x, int16_t *y)
{
    memmove(s->past, s->past + k->block, (size_t)(k->length - k->block) * sizeof *s->past);
    memcpy(s->past + k->length - k->block, x, (size_t)k->block * sizeof *x);
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

    for (int32_t i = 0; i < k->length; i++) {
        y[i] = (int16_t)ts_rshift32(s->past[i] * k->window[i], 15);     /* |window| < 1 */
    }
    return true;
}

#endif
