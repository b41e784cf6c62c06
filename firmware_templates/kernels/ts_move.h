/* ts_move.h - move values whose width the plan knows: 1, 2 or 4 bytes */
#ifndef TS_MOVE_H
#define TS_MOVE_H

#include "ts_fixed.h"

/* count values that lie `step` values apart, side by side; gives where the next one goes */
static inline uint8_t *ts_move_apart(uint8_t *restrict y, const uint8_t *restrict x, int32_t count, int32_t step, int32_t bytes)
{
    for (int32_t i = 0; i < count; i++, y += bytes) {
        const uint8_t *from = x + i * step * bytes;
        switch (bytes) {
        case 1:  *y = *from; break;
        case 2:  memcpy(y, from, 2); break;
        default: memcpy(y, from, 4);
        }
    }
    return y;
}

/* y[count] = value */
static inline void ts_move_fill(void *y, int32_t value, int32_t count, int32_t bytes)
{
    if (bytes == 1) {
        memset(y, value, (size_t)count);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        if (bytes == 2) {
            ((int16_t *)y)[i] = (int16_t)value;
        } else {
            ((int32_t *)y)[i] = value;
        }
    }
}

#endif
