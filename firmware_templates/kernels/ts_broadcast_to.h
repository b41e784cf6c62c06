/* ts_broadcast_to.h - a tensor repeated along axes; twin of tinystream/ops/broadcast_to.py */
#ifndef TS_BROADCAST_TO_H
#define TS_BROADCAST_TO_H

#include "ts_fixed.h"

struct ts_broadcast_to {
    int32_t bytes;                          /* of a value */
    int32_t size0, size1, size2, size3;     /* of y, outermost first */
    int32_t step0, step1, step2, step3;     /* from one to the next, in x; 0 repeats, and step3 is 0 or 1 */
};

/* x -> y[size0][size1][size2][size3] */
static void ts_broadcast_to(const struct ts_broadcast_to *k, const void *x, void *y)
{
    const size_t bytes = (size_t)k->bytes;
    uint8_t *to = y;
    for (int32_t a = 0; a < k->size0; a++) {
        for (int32_t b = 0; b < k->size1; b++) {
            for (int32_t c = 0; c < k->size2; c++) {
                const uint8_t *from = (const uint8_t *)x + (a * k->step0 + b * k->step1 + c * k->step2) * k->bytes;
                for (int32_t d = 0; d < k->size3; d++) {
                    memcpy(to, from, bytes);
                    to += bytes;
                    from += k->step3 * k->bytes;
                }
            }
        }
    }
}

#endif
