/* ts_gather.h - of each axis some places, in an order; twin of tinystream/ops/gather.py */
#ifndef TS_GATHER_H
#define TS_GATHER_H

#include "ts_fixed.h"

struct ts_gather {
    int32_t bytes;                          /* that lie together */
    int32_t size0, size1, size2;            /* of y, outermost first */
    const int32_t *at0, *at1, *at2;         /* where the values of each place begin, in bytes of x */
};

/* x -> y[size0][size1][size2], `bytes` each */
static void ts_gather(const struct ts_gather *k, const void *x, void *y)
{
    uint8_t *to = y;
    for (int32_t a = 0; a < k->size0; a++) {
        for (int32_t b = 0; b < k->size1; b++) {
            const uint8_t *from = (const uint8_t *)x + k->at0[a] + k->at1[b];
            for (int32_t c = 0; c < k->size2; c++) {
                memcpy(to, from + k->at2[c], (size_t)k->bytes);
                to += k->bytes;
            }
        }
    }
}

#endif
