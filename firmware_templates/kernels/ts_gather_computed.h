/* ts_gather_computed.h - rows of a tensor by computed numbers; twin of tinystream/ops/gather_computed.py */
#ifndef TS_GATHER_COMPUTED_H
#define TS_GATHER_COMPUTED_H

#include "ts_rows.h"

struct ts_gather_computed {
    int32_t outer, n, count;    /* x[outer][n], of which `count` are taken */
    int32_t bytes;              /* of a row */
    int32_t place_bytes;        /* of its number: 4 or 8 */
};

/* x[outer][n], places[count] -> y[outer][count], `bytes` each */
static void ts_gather_computed(const struct ts_gather_computed *k, const void *x, const void *places, void *y)
{
    for (int32_t o = 0; o < k->outer; o++) {
        ts_rows((const uint8_t *)x + o * k->n * k->bytes, k->n, k->bytes, places, k->place_bytes, k->count,
                (uint8_t *)y + o * k->count * k->bytes);
    }
}

#endif
