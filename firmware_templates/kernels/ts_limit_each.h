/* ts_limit_each.h - the larger or the smaller of each value and a constant; twin of tinystream/ops/limit_each.py */
#ifndef TS_LIMIT_EACH_H
#define TS_LIMIT_EACH_H

#include "ts_fixed.h"

struct ts_limit_each {
    int32_t outer, repeat, inner;   /* c[outer][inner] is met by x[outer][repeat][inner] */
    int32_t above;                  /* the larger of the two; else the smaller */
    const int8_t *c;
};

/* x -> y[outer][repeat][inner], which may be x */
static void ts_limit_each(const struct ts_limit_each *k, const int8_t *x, int8_t *y)
{
    const int8_t *c = k->c;
    for (int32_t o = 0; o < k->outer; o++, c += k->inner) {
        for (int32_t r = 0; r < k->repeat; r++, x += k->inner, y += k->inner) {
            for (int32_t i = 0; i < k->inner; i++) {
                y[i] = (x[i] > c[i]) == (k->above != 0) ? x[i] : c[i];
            }
        }
    }
}

#endif
