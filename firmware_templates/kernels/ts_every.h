/* ts_every.h - let every n-th block through; twin of tinystream/stages/every.py */
#ifndef TS_EVERY_H
#define TS_EVERY_H

#include "ts_fixed.h"

struct ts_every {
    int32_t bytes;              /* of a block */
    int32_t n;
};

struct ts_every_state {
    int32_t wait;               /* blocks until the next one passes */
};

/* x -> y, which may be x; false but for every n-th block */
static bool ts_every(const struct ts_every *k, struct ts_every_state *s, const void *x, void *y)
{
    s->wait--;
    if (s->wait > 0) {
        return false;
    }
    s->wait = k->n;
    if (y != x) {
        memcpy(y, x, (size_t)k->bytes);
    }
    return true;
}

#endif
