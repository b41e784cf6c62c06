/* ts_drift.h - sums of how far a value is above and below what is usual; twin of tinystream/stages/_drift.py */
#ifndef TS_DRIFT_H
#define TS_DRIFT_H

#include "ts_load.h"

#define TS_DRIFT_Q 24
#define TS_DRIFT_MOST ((int64_t)1 << 61)

/* sum + d, held within 0 and 2^61 */
static inline int64_t ts_drift_added(int64_t sum, int64_t d)
{
    const int64_t next = sum + d;       /* 2^61 and 2^59 */
    return next < 0 ? 0 : next > TS_DRIFT_MOST ? TS_DRIFT_MOST : next;
}

/* the two sums of a feature, one d further; gives the larger.  A side that is not asked for stays 0 */
static inline int64_t ts_drift(int64_t *up, int64_t *down, int64_t d, int64_t slack, bool above, bool below)
{
    *up = above ? ts_drift_added(*up, d - slack) : 0;
    *down = below ? ts_drift_added(*down, -d - slack) : 0;
    return *up > *down ? *up : *down;
}

#endif
