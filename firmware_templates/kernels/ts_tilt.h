/* ts_tilt.h - angles to gravity of each sample of three axes; twin of tinystream/stages/tilt.py */
#ifndef TS_TILT_H
#define TS_TILT_H

#include "ts_fixed.h"

#define TS_TILT_Q 14
#define TS_TILT_BITS 28
#define TS_TILT_TURNS 20

struct ts_tilt {
    int32_t length;             /* samples */
    int32_t count;              /* angles of each */
    int32_t up;                 /* the axis that points up at rest: 0 x, 1 y, 2 z */
    const uint8_t *angles;      /* [count]: 0 inclination, 1 roll, 2 pitch */
    const int32_t *turns;       /* atan(2^-i) in 2^-20 degrees, [20] */
};

/* the same value with `left` more bits, or fewer */
static inline int32_t ts_tilt_shifted(int32_t v, int left)
{
    return left >= 0 ? (int32_t)(v * ((int64_t)1 << left)) : v >> -left;
}

/* the angle of (a, b) in 2^-20 degrees; |a|, |b| < 2^30 */
static inline int32_t ts_tilt_atan2(const int32_t *turns, int32_t b, int32_t a)
{
    const int32_t tall = b < 0 ? -b : b, wide = a < 0 ? -a : a;
    const int left = TS_TILT_BITS - 1 - ts_msb((uint64_t)(tall > wide ? tall : wide));
    int32_t angle = 0;

    if (a == 0 && b == 0) {
        return 0;
    }
    a = ts_tilt_shifted(a, left);
    b = ts_tilt_shifted(b, left);
    if (a < 0) {
        angle = (b < 0 ? -180 : 180) * 1048576;
        a = -a;
        b = -b;
    }
    for (int i = 0; i < TS_TILT_TURNS; i++) {               /* |a|, |b| grow to 1.65 sqrt(2) 2^28 */
        const int32_t da = b >> i, db = a >> i;
        if (b > 0) {
            a += da;
            b -= db;
            angle += turns[i];
        } else {
            a -= da;
            b += db;
            angle -= turns[i];
        }
    }
    return angle;
}

/* sqrt(a^2 + b^2), Q14: 16.5 + 14 bits */
static inline int32_t ts_tilt_root(int32_t a, int32_t b)
{
    const int64_t sum = (int64_t)a * a + (int64_t)b * b;

    return (int32_t)ts_isqrt(sum * ((int64_t)1 << (2 * TS_TILT_Q)));
}

static inline int32_t ts_tilt_angle(const struct ts_tilt *k, int32_t angle, int32_t v, int32_t h1, int32_t h2)
{
    const int32_t one = (int32_t)1 << TS_TILT_Q;

    switch (angle) {
    case 0:  return ts_tilt_atan2(k->turns, ts_tilt_root(h1, h2), v * one);
    case 1:  return ts_tilt_atan2(k->turns, h2 * one, v * one);
    default: return ts_tilt_atan2(k->turns, -h1 * one, ts_tilt_root(h2, v));
    }
}

/* x[length][3] -> y[length][count] */
static void ts_tilt(const struct ts_tilt *k, const int16_t *x, int16_t *y)
{
    for (int32_t i = 0; i < k->length; i++) {
        const int32_t v = x[k->up], h1 = x[(k->up + 1) % 3], h2 = x[(k->up + 2) % 3];
        for (int32_t n = 0; n < k->count; n++) {
            *y++ = (int16_t)ts_rshift32(ts_tilt_angle(k, k->angles[n], v, h1, h2), 13);     /* 180 * 2^7 at most */
        }
        x += 3;
    }
}

#endif
