/* ts_gate.h - let blocks through while they are loud; twin of tinystream/stages/gate.py */
#ifndef TS_GATE_H
#define TS_GATE_H

#include "ts_fixed.h"

struct ts_gate {
    int32_t length;             /* samples per block */
    int32_t peak;               /* 1: a level is max |x|; 0: it is the sum of x^2 */
    int32_t hold;               /* blocks to stay open after the last loud one */
    int64_t open;               /* level that opens */
    int64_t close;              /* level that keeps open */
};

struct ts_gate_state {
    int32_t left;               /* blocks to stay open, this one included; 0 is closed */
};

static inline int64_t ts_gate_level(const struct ts_gate *k, const int16_t *x)
{
    if (k->peak) {
        int32_t peak = 0;
        for (int32_t i = 0; i < k->length; i++) {
            const int32_t level = x[i] < 0 ? -x[i] : x[i];
            peak = level > peak ? level : peak;
        }
        return peak;
    }
    int64_t sum = 0;
    for (int32_t i = 0; i < k->length; i++) {
        const int32_t square = x[i] * x[i];         /* 30 bits; the sum of 2^32 of them fits */
        sum += square;
    }
    return sum;
}

/* x[length] -> y[length], which may be x; false while closed */
static bool ts_gate(const struct ts_gate *k, struct ts_gate_state *s, const int16_t *x, int16_t *y)
{
    if (ts_gate_level(k, x) >= (s->left > 0 ? k->close : k->open)) {
        s->left = k->hold + 1;
    } else if (s->left > 0) {
        s->left--;
    }
    if (s->left == 0) {
        return false;
    }
    if (y != x) {
        memcpy(y, x, (size_t)k->length * sizeof *y);
    }
    return true;
}

#endif
