/* ts_history.h - what came before, and what is new; twin of tinystream/ops/history.py */
#ifndef TS_HISTORY_H
#define TS_HISTORY_H

#include "ts_fixed.h"

struct ts_history {
    int32_t past, fresh;        /* how many values are remembered, and how many come */
};

struct ts_history_state {
    int8_t *values;             /* [past], oldest first */
};

/* x[fresh] -> y[past + fresh] */
static void ts_history(const struct ts_history *k, struct ts_history_state *s, const int8_t *x, int8_t *y)
{
    memcpy(y, s->values, (size_t)k->past);
    memcpy(y + k->past, x, (size_t)k->fresh);
    memcpy(s->values, y + k->fresh, (size_t)k->past);
}

#endif
