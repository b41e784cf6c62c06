/* ts_dynamic_range.h - values in 255 steps from the loudest down; twin of tinystream/stages/dynamic_range.py */
#ifndef TS_DYNAMIC_RANGE_H
#define TS_DYNAMIC_RANGE_H

#include "ts_fixed.h"

struct ts_dynamic_range {
    int32_t length;
    int32_t range;              /* counts of x from the loudest to -128, 1 to 65535 */
};

/* x[length] -> y[length] */
static void ts_dynamic_range(const struct ts_dynamic_range *k, const uint16_t *x, int8_t *y)
{
    int32_t high = 1;               /* a silent window has a span, too */
    for (int32_t i = 0; i < k->length; i++) {
        if (x[i] > high) {
            high = x[i];
        }
    }
    const int32_t low = high > k->range ? high - k->range : 0;
    for (int32_t i = 0; i < k->length; i++) {
        const int32_t above = x[i] > low ? x[i] - low : 0;
        y[i] = (int8_t)(INT8_MIN + 255 * above / (high - low));     /* above <= high - low < 2^16 */
    }
}

#endif
