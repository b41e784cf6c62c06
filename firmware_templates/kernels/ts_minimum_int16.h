/* ts_minimum_int16.h - the smaller of two values of int16; twin of tinystream/ops/minimum_int16.py */
#ifndef TS_MINIMUM_INT16_H
#define TS_MINIMUM_INT16_H

#include "ts_fixed.h"

struct ts_minimum_int16 {
    int32_t outer, repeat, inner;   /* b[outer][inner] is met by a[outer][repeat][inner] */
};

/* a, b -> y[outer][repeat][inner], which may be a */
static void ts_minimum_int16(const struct ts_minimum_int16 *k, const int16_t *a, const int16_t *b, int16_t *y)
{
    for (int32_t o = 0; o < k->outer; o++, b += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, a += k->inner, y += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                y[i] = a[i] < b[i] ? a[i] : b[i];
            }
        }
    }
}

#endif
