/* ts_rows.h - rows of a table by number; what embeddings and gathers with computed places do */
#ifndef TS_ROWS_H
#define TS_ROWS_H

#include "ts_load.h"

/* x[n] by places[count] -> y[count], `bytes` each; a place below 0 is counted from the end, and one outside is the nearest end */
static inline void ts_rows(const uint8_t *x, int32_t n, int32_t bytes, const void *places, int32_t place_bytes, int32_t count, uint8_t *y)
{
    for (int32_t i = 0; i < count; i++, y += bytes) {
        const int64_t told = ts_load(places, -place_bytes, i), place = told < 0 ? told + n : told;
        const int32_t at = place < 0 ? 0 : place >= n ? n - 1 : (int32_t)place;
        memcpy(y, x + at * bytes, (size_t)bytes);
    }
}

#endif
