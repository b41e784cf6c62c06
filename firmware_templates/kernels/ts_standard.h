/* ts_standard.h - a feature in standard deviations from its mean; twin of tinystream/stages/_standard.py */
#ifndef TS_STANDARD_H
#define TS_STANDARD_H

#include "ts_load.h"

#define TS_STANDARD_MOST 1073741823     /* 1024 standard deviations in Q20 */

/* x held within +-most */
static inline int64_t ts_within(int64_t x, int64_t most)
{
    return x < -most ? -most : x > most ? most : x;
}

/* z in Q20: |z| < 2^30.  x << lift has 62 bits, as mean has; d and the multiplier have 31, with their signs 32 */
static inline int32_t ts_standard(int64_t x, int64_t mean, int32_t multiplier, int lift)
{
    const int64_t raised = (lift > 0 ? x * ((int64_t)1 << lift) : x) - mean;
    const int64_t d = ts_within(lift < 0 ? ts_rshift(raised, -lift) : raised, TS_STANDARD_MOST + 1);
    return (int32_t)ts_within(ts_rshift(d * multiplier, 29), TS_STANDARD_MOST);
}

#endif
