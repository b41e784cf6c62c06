/* ts_guard.h - let blocks through while a score says so; twin of tinystream/stages/guard.py */
#ifndef TS_GUARD_H
#define TS_GUARD_H

#include "ts_load.h"

struct ts_guard {
    int32_t bytes;              /* of a block */
    int32_t type;               /* of the score, as ts_load says it */
    int32_t value;              /* which of the scores counts */
    int64_t limit;              /* at least this opens */
    int32_t hold;               /* blocks to stay open after the last score that opens */
};

struct ts_guard_state {
    int32_t left;               /* blocks to stay open, this one included; 0 is shut */
};

/* x -> y, which may be x; false while shut */
static bool ts_guard(const struct ts_guard *k, struct ts_guard_state *s, const void *x, const void *score, void *y)
{
    if (ts_load(score, k->type, k->value) >= k->limit) {
        s->left = k->hold + 1;
    } else if (s->left > 0) {
        s->left--;
    }
    if (s->left == 0) {
        return false;
    }
    if (y != x) {
        memcpy(y, x, (size_t)k->bytes);
    }
    return true;
}

#endif
