/* ts_delta.h - how fast vectors change; twin of tinystream/stages/delta.py */
#ifndef TS_DELTA_H
#define TS_DELTA_H

#include "ts_divide.h"
#include "ts_load.h"

struct ts_delta {
    int32_t type;               /* of x and y: -2 int16, -4 int32 */
    int32_t size;               /* values of a vector */
    int32_t window;             /* vectors that are kept */
    int32_t width;              /* vectors on each side of a regression; 0 for a difference */
    int32_t divisor;            /* 2 (1 + 4 + … + width^2); 1 for a difference */
};

struct ts_delta_state {
    void *past;                 /* ring, [window][size] */
    int32_t at;                 /* where the next vector goes: the oldest */
    int32_t wait;               /* vectors until the ring is full */
};

/* value i of a vector of the ring, n vectors after the oldest */
static inline int64_t ts_delta_past(const struct ts_delta *k, const struct ts_delta_state *s, int32_t n, int32_t i)
{
    const int32_t place = s->at + n < k->window ? s->at + n : s->at + n - k->window;

    return ts_load(s->past, k->type, place * k->size + i);
}

static inline int64_t ts_delta_sum(const struct ts_delta *k, const struct ts_delta_state *s, int32_t i)
{
    if (k->width == 0) {
        return ts_delta_past(k, s, k->window - 1, i) - ts_delta_past(k, s, 0, i);
    }
    int64_t sum = 0;
    for (int32_t n = 1; n <= k->width; n++) {
        sum += n * (ts_delta_past(k, s, k->width + n, i) - ts_delta_past(k, s, k->width - n, i));      /* 33 + 8 bits */
    }
    return sum;
}

/* x[size] -> y[size]; false until the ring is full */
static bool ts_delta(const struct ts_delta *k, struct ts_delta_state *s, const void *x, void *y)
{
    const size_t bytes = (size_t)k->size * (k->type == -2 ? sizeof(int16_t) : sizeof(int32_t));

    memcpy((uint8_t *)s->past + (size_t)s->at * bytes, x, bytes);
    s->at = s->at + 1 < k->window ? s->at + 1 : 0;
    s->wait -= s->wait > 0;
    if (s->wait > 0) {
        return false;
    }
    for (int32_t i = 0; i < k->size; i++) {
        const int64_t sum = ts_delta_sum(k, s, i);
        if (k->type == -2) {
            ((int16_t *)y)[i] = ts_sat16(ts_divide32((int32_t)sum, k->divisor));        /* 17 + 8 bits */
        } else {
            ((int32_t *)y)[i] = ts_sat32(ts_divide(sum, k->divisor));
        }
    }
    return true;
}

#endif
