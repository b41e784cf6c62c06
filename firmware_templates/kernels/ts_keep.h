/* ts_keep.h - remember the newest block; twin of tinystream/stages/keep.py */
#ifndef TS_KEEP_H
#define TS_KEEP_H

#include "ts_fixed.h"

struct ts_keep {
    int32_t bytes;              /* of a block */
};

struct ts_keep_state {
    void *value;                /* ts_hold.h reads it */
    int32_t full;               /* 1: there is one */
};

/* x -> what is remembered, and y, which may be x */
static void ts_keep(const struct ts_keep *k, struct ts_keep_state *s, const void *x, void *y)
{
    memcpy(s->value, x, (size_t)k->bytes);
    s->full = 1;
    if (y != x) {
        memcpy(y, x, (size_t)k->bytes);
    }
}

#endif
