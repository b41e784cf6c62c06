/* ts_whiten.h - a squared Mahalanobis distance; twin of tinystream/stages/_whiten.py */
#ifndef TS_WHITEN_H
#define TS_WHITEN_H

#include "ts_standard.h"

#define TS_WHITEN_HELD 67108863     /* 1024 in Q16, less a count */

/* z[size] in Q20, by rows of `whiten` up to their diagonals -> the sum of squares in Q32; the plan has proved every sum below 2^62 */
static inline int64_t ts_whiten(const int32_t *whiten, const int8_t *shift, const int32_t *z, int32_t size)
{
    int64_t squares = 0;
    for (int32_t i = 0; i < size; i++) {
        int64_t sum = 0;
        for (int32_t j = 0; j <= i; j++) {
            sum += (int64_t)*whiten++ * z[j];
        }
        const int64_t v = ts_within(ts_rshift(sum, shift[i] + 4), TS_WHITEN_HELD);
        squares += v * v;       /* 52 bits each, and up to 1024 */
    }
    return squares;
}

#endif
