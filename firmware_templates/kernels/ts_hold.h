/* ts_hold.h - give the newest block of another rate; twin of tinystream/stages/hold.py */
#ifndef TS_HOLD_H
#define TS_HOLD_H

#include "ts_keep.h"

struct ts_hold {
    int32_t bytes;              /* of a block */
};

/* what ts_keep.h remembers -> y; x only says when; false before there is something */
static bool ts_hold(const struct ts_hold *k, struct ts_keep_state *s, const void *x, void *y)
{
    (void)x;
    if (s->full == 0) {
        return false;
    }
    memcpy(y, s->value, (size_t)k->bytes);
    return true;
}

#endif
