/* ts_history.h - what came before, and what is new; twin of tinystream/ops/history.py */
#ifndef TS_HISTORY_H
#define TS_HISTORY_H

#include "ts_fixed.h"

struct ts_history {
    int32_t bytes;              /* of a value */
    int32_t past, fresh;        /* how many values are remembered, and how many come */
};

struct ts_history_state {
    void *values;               /* [past], oldest first */
};

/* x[fresh] -> y[past + fresh] */
static void ts_history(const struct ts_history *k, struct ts_history_state *s, const void *x, void *y)
{
    const int32_t past = k->past * k->bytes, fresh = k->fresh * k->bytes;
    memcpy(y, s->values, (size_t)past);
    memcpy((uint8_t *)y + past, x, (size_t)fresh);
    memcpy(s->values, (const uint8_t *)y + fresh, (size_t)past);
}

#endif
