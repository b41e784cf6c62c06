/* ts_arg_max.h - the place of the largest or smallest value along an axis; twin of tinystream/ops/arg_max.py */
#ifndef TS_ARG_MAX_H
#define TS_ARG_MAX_H

#include "ts_fixed.h"

struct ts_arg_max {
    int32_t outer, n, inner;
    int32_t smallest;           /* look for the smallest value */
    int32_t bytes;              /* of a place: 4 or 8 */
};

/* x[outer][n][inner] -> y[outer][inner], int32 or int64 */
static void ts_arg_max(const struct ts_arg_max *k, const int8_t *x, void *y)
{
    const int32_t sign = k->smallest ? -1 : 1;
    for (int32_t o = 0; o < k->outer; o++, x += k->n * k->inner) {
        for (int32_t i = 0; i < k->inner; i++) {
            int32_t at = 0;
            for (int32_t n = 1; n < k->n; n++) {
                at = sign * x[n * k->inner + i] > sign * x[at * k->inner + i] ? n : at;
            }
            if (k->bytes == 8) {
                ((int64_t *)y)[o * k->inner + i] = at;
            } else {
                ((int32_t *)y)[o * k->inner + i] = at;
            }
        }
    }
}

#endif
