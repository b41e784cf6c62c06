/* ts_stack.h - join the last feature vectors to one block; twin of tinystream/stages/stack.py */
#ifndef TS_STACK_H
#define TS_STACK_H

#include "ts_fixed.h"

struct ts_stack {
    int32_t frames;             /* vectors in an output */
    int32_t bytes;              /* of one vector */
    int32_t every;              /* vectors from one output to the next */
};

struct ts_stack_state {
    void *past;                 /* ring of `frames` vectors */
    int32_t at;                 /* where the next one goes: the oldest */
    int32_t wait;               /* vectors until the next output */
};

/* x, one vector -> y, [frames] vectors, oldest first; false until they are there and due */
static bool ts_stack(const struct ts_stack *k, struct ts_stack_state *s, const void *x, void *y)
{
    const size_t bytes = (size_t)k->bytes;
    uint8_t *past = (uint8_t *)s->past, *out = (uint8_t *)y;

    memcpy(past + (size_t)s->at * bytes, x, bytes);
    s->at = s->at + 1 < k->frames ? s->at + 1 : 0;
    s->wait--;
    if (s->wait > 0) {
        return false;
    }
    s->wait = k->every;

    const size_t old = (size_t)(k->frames - s->at) * bytes;
    memcpy(out, past + (size_t)s->at * bytes, old);
    memcpy(out + old, past, (size_t)s->at * bytes);
    return true;
}

#endif
