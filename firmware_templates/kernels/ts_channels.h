/* ts_channels.h - take some of the channels; twin of tinystream/stages/channels.py */
#ifndef TS_CHANNELS_H
#define TS_CHANNELS_H

#include "ts_fixed.h"

struct ts_channels {
    int32_t length;
    int32_t channels;
    int32_t count;
    int32_t width;              /* bytes of a value */
    const int16_t *take;        /* [count] */
};

/* x[length][channels] -> y[length][count] */
static void ts_channels(const struct ts_channels *k, const void *x, void *y)
{
    const uint8_t *row = (const uint8_t *)x;
    uint8_t *out = (uint8_t *)y;

    for (int32_t i = 0; i < k->length; i++) {
        for (int32_t j = 0; j < k->count; j++) {
            memcpy(out, row + k->take[j] * k->width, (size_t)k->width);
            out += k->width;
        }
        row += k->channels * k->width;
    }
}

#endif
