/* ts_maximum.h - the larger of two values; twin of tinystream/ops/maximum.py */
#ifndef TS_MAXIMUM_H
#define TS_MAXIMUM_H

#include "ts_fixed.h"

struct ts_maximum {
    int32_t outer, repeat, inner;   /* b[outer][inner] is met by a[outer][repeat][inner] */
};

/* a, b -> y[outer][repeat][inner], which may be a */
static void ts_maximum(const struct ts_maximum *k, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t o = 0; o < k->outer; o++, b += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, a += k->inner, y += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                y[i] = a[i] > b[i] ? a[i] : b[i];
            }
        }
    }
}

#endif
