/* ts_log.h - logarithm of energies; twin of tinystream/stages/log.py */
#ifndef TS_LOG_H
#define TS_LOG_H

#include "ts_fixed.h"

struct ts_log {
    int32_t type;               /* of x: 0 int64, 1 int32, 2 uint32, 3 int16, 4 uint16 */
    int32_t size;
    int32_t offset;             /* log2 of one count's real value, Q16 */
    int32_t floor;              /* octaves, Q16 */
    int32_t multiplier;
    int32_t shift;
    const int32_t *log2;        /* log2(1 + i/64), Q16, [65] */
};

static inline int64_t ts_log_value(const struct ts_log *k, const void *x, int32_t i)
{
    switch (k->type) {
    case 0:  return ((const int64_t *)x)[i];
    case 1:  return ((const int32_t *)x)[i];
    case 2:  return ((const uint32_t *)x)[i];
    case 3:  return ((const int16_t *)x)[i];
    default: return ((const uint16_t *)x)[i];
    }
}

/* x[size] -> y[size] */
static void ts_log(const struct ts_log *k, const void *x, int16_t *y)
{
    for (int32_t i = 0; i < k->size; i++) {
        const int32_t octaves = ts_log2_q16(k->log2, ts_log_value(k, x, i)) + k->offset;
        const int32_t held = octaves > k->floor ? octaves : k->floor;
        y[i] = (int16_t)ts_rshift((int64_t)held * k->multiplier, k->shift);     /* 23 + 31 bits; the plan chose what fits */
    }
}

#endif
