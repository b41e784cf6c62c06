/* ts_stats.h - statistics of a window; twin of tinystream/stages/stats.py */
#ifndef TS_STATS_H
#define TS_STATS_H

#include "ts_load.h"
#include "ts_scaled.h"

struct ts_stats {
    int32_t type;               /* of x, as ts_load says it */
    int32_t length;             /* values of a channel, n */
    int32_t channels;
    int32_t apart;              /* from one value of a channel to the next */
    int32_t next;               /* from one channel to the next */
    int32_t features;
    int32_t needs;              /* sums: 1 of squares, 2 of squares of deviations, 4 and of their higher powers, 8 of differences */
    int32_t bits;               /* of what is squared */
    int32_t three;              /* 3 in counts of y */
    const uint8_t *code;        /* which features, [features] */
    const int32_t *rank;        /* of a percentile: of the value below it, [features] */
    const uint8_t *part;        /* and hundredths of the way to the next */
    const int32_t *multiplier;  /* with shift: counts of y of a feature's unit, [features] */
    const int16_t *shift;
};

enum {
    TS_STATS_MEAN, TS_STATS_MIN, TS_STATS_MAX, TS_STATS_RANGE, TS_STATS_RMS, TS_STATS_STD, TS_STATS_MAD, TS_STATS_PEAK, TS_STATS_CREST,
    TS_STATS_SKEWNESS, TS_STATS_KURTOSIS, TS_STATS_ZERO_CROSSINGS, TS_STATS_MEAN_CROSSINGS, TS_STATS_PERCENTILE, TS_STATS_ACTIVITY,
    TS_STATS_MOBILITY, TS_STATS_COMPLEXITY, TS_STATS_ENERGY, TS_STATS_VARIANCE, TS_STATS_ZERO_CROSSING_RATE, TS_STATS_MEAN_CROSSING_RATE,
};

/* a feature: value * 2^exponent */
struct ts_stats_value {
    int64_t value;
    int32_t exponent;
};

/* sums of powers of deviations, which are shifted right by `shift`, and their squares once more by `fold` */
struct ts_stats_moment {
    int64_t second, third, fourth;      /* below 2^62 */
    int64_t root;                       /* sqrt(second) is root / 2^half; 31 bits, the highest set, or 0 */
    int32_t shift, fold, half, exponent;        /* sqrt of the sum of d^2 is root * 2^exponent */
};

/* one channel */
struct ts_stats_channel {
    const void *x;
    int32_t first;              /* index of its first value */
    int32_t early;              /* bits of int64 that never matter; 0 for other types */
    int64_t total, low, high;   /* sum, least and greatest */
    struct ts_stats_moment raw, centred, changes[2];
};

static inline int64_t ts_stats_at(const struct ts_stats *k, const struct ts_stats_channel *c, int32_t i)
{
    return ts_load(c->x, k->type, c->first + i * k->apart) >> c->early;         /* 32 bits */
}

/* the value, its difference to the next, or the difference of two of these; 34 bits */
static inline int64_t ts_stats_difference(const struct ts_stats *k, const struct ts_stats_channel *c, int32_t order, int32_t i)
{
    switch (order) {
    case 0:  return ts_stats_at(k, c, i);
    case 1:  return ts_stats_at(k, c, i + 1) - ts_stats_at(k, c, i);
    default: return ts_stats_at(k, c, i + 2) - 2 * ts_stats_at(k, c, i + 1) + ts_stats_at(k, c, i);
    }
}

/* sum, extremes, and what of an int64 is looked at */
static void ts_stats_look(const struct ts_stats *k, struct ts_stats_channel *c)
{
    c->early = 0;
    if (k->type == -8) {
        uint64_t most = 0;
        for (int32_t i = 0; i < k->length; i++) {
            const int64_t v = ts_stats_at(k, c, i);
            most |= (uint64_t)(v < 0 ? ~v : v);
        }
        c->early = ts_msb(most) > 30 ? ts_msb(most) - 30 : 0;
    }
    c->total = c->low = c->high = ts_stats_at(k, c, 0);
    for (int32_t i = 1; i < k->length; i++) {
        const int64_t v = ts_stats_at(k, c, i);
        c->total += v;
        c->low = v < c->low ? v : c->low;
        c->high = v > c->high ? v : c->high;
    }
}

/* Sums of powers of d = scale * difference - total, |d| < 2^50 */
static void ts_stats_sum(const struct ts_stats *k, const struct ts_stats_channel *c, int32_t order, int32_t scale, int64_t total,
                         struct ts_stats_moment *m)
{
    const int32_t count = k->length - order;
    int64_t most = 0;
    for (int32_t i = 0; i < count; i++) {
        const int64_t size = ts_size(scale * ts_stats_difference(k, c, order, i) - total);
        most = size > most ? size : most;
    }
    m->shift = ts_msb((uint64_t)most) >= k->bits ? ts_msb((uint64_t)most) - (k->bits - 1) : 0;
    const int64_t top = ts_rshift(most, m->shift);
    const int square_msb = ts_msb((uint64_t)(top * top));
    m->fold = square_msb >= k->bits ? square_msb - (k->bits - 1) : 0;

    m->second = m->third = m->fourth = 0;
    for (int32_t i = 0; i < count; i++) {
        const int64_t d = ts_rshift(scale * ts_stats_difference(k, c, order, i) - total, m->shift);
        m->second += d * d;
        if ((k->needs & 4) != 0) {
            const int64_t square = ts_rshift(d * d, m->fold);
            m->third += d * square;
            m->fourth += square * square;
        }
    }
    m->half = (61 - ts_msb((uint64_t)m->second)) >> 1;
    m->root = ts_isqrt(m->second << (2 * m->half));
    m->exponent = m->shift - m->half;
}

/* d from the mean of the differences of an order, times their number */
static void ts_stats_centre(const struct ts_stats *k, const struct ts_stats_channel *c, int32_t order, struct ts_stats_moment *m)
{
    int64_t total = 0;
    for (int32_t i = 0; i < k->length - order; i++) {
        total += ts_stats_difference(k, c, order, i);
    }
    ts_stats_sum(k, c, order, k->length - order, total, m);
}

/* a / b for 0 <= a < 2^62, 0 <= b < 2^32, and 0 where b is 0 */
static struct ts_stats_value ts_stats_divide(int64_t a, int64_t b, int32_t exponent)
{
    const int up = 61 - ts_msb((uint64_t)a);
    const struct ts_stats_value y = {b > 0 ? (a << up) / b : 0, exponent - up};
    return y;
}

static inline int64_t ts_stats_deviation(const struct ts_stats *k, const struct ts_stats_channel *c, int32_t i)
{
    return k->length * ts_stats_at(k, c, i) - c->total;         /* 50 bits */
}

static int64_t ts_stats_mad(const struct ts_stats *k, const struct ts_stats_channel *c)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < k->length; i++) {
        sum += ts_size(ts_stats_deviation(k, c, i));
    }
    return sum;
}

/* how often scale * x > total changes */
static int64_t ts_stats_crossings(const struct ts_stats *k, const struct ts_stats_channel *c, int32_t scale, int64_t total)
{
    int64_t count = 0;
    bool above = scale * ts_stats_at(k, c, 0) > total;
    for (int32_t i = 1; i < k->length; i++) {
        const bool now = scale * ts_stats_at(k, c, i) > total;
        count += now != above;
        above = now;
    }
    return count;
}

/* a hundred times the percentile; the value of that rank is the least that has more than `rank` values up to it */
static int64_t ts_stats_percentile(const struct ts_stats *k, const struct ts_stats_channel *c, int32_t rank, int32_t part)
{
    int64_t low = c->low, high = c->high;
    for (int32_t round = 0; round < 32 && low < high; round++) {
        const int64_t middle = (low + high) >> 1;
        int32_t up_to = 0;
        for (int32_t i = 0; i < k->length; i++) {
            up_to += ts_stats_at(k, c, i) <= middle;
        }
        if (up_to > rank) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    int32_t up_to = 0;
    int64_t next = c->high;
    for (int32_t i = 0; i < k->length; i++) {
        const int64_t v = ts_stats_at(k, c, i);
        up_to += v <= low;
        next = v > low && v < next ? v : next;
    }
    return 100 * low + ((up_to > rank + 1 ? low : next) - low) * part;
}

/* third 2^fold / second^1.5 */
static struct ts_stats_value ts_stats_skewness(const struct ts_stats_moment *m)
{
    const int64_t cube = ts_rshift(ts_rshift(m->root * m->root, 31) * m->root, 31);     /* root^3 / 2^62: 28 bits or more */
    struct ts_stats_value y = ts_stats_divide(ts_size(m->third), cube, m->fold - 62 + 3 * m->half);
    y.value = m->third < 0 ? -y.value : y.value;
    return y;
}

/* fourth 2^(2 fold) / second^2 */
static struct ts_stats_value ts_stats_kurtosis(const struct ts_stats_moment *m)
{
    const int64_t square = ts_rshift(m->root * m->root, 31);
    return ts_stats_divide(m->fourth, ts_rshift(square * square, 31), 2 * m->fold - 93 + 4 * m->half);  /* root^4 / 2^93: 27 bits or more */
}

static struct ts_stats_value ts_stats_complexity(const struct ts_stats_channel *c)
{
    const struct ts_stats_moment *first = &c->changes[0], *second = &c->changes[1];
    return ts_stats_divide(second->root * c->centred.root, ts_rshift(first->root * first->root, 31),
                           second->exponent + c->centred.exponent - 2 * first->exponent - 31);
}

static struct ts_stats_value ts_stats_feature(const struct ts_stats *k, const struct ts_stats_channel *c, int32_t i)
{
    const int64_t peak = ts_size(c->low) > ts_size(c->high) ? ts_size(c->low) : ts_size(c->high);
    struct ts_stats_value y = {0, c->early};
    switch (k->code[i]) {
    case TS_STATS_MEAN:         y.value = c->total; break;
    case TS_STATS_MIN:          y.value = c->low; break;
    case TS_STATS_MAX:          y.value = c->high; break;
    case TS_STATS_RANGE:        y.value = c->high - c->low; break;
    case TS_STATS_RMS:          y.value = c->raw.root; y.exponent += c->raw.exponent; break;
    case TS_STATS_STD:          y.value = c->centred.root; y.exponent += c->centred.exponent; break;
    case TS_STATS_MAD:          y.value = ts_stats_mad(k, c); break;
    case TS_STATS_PEAK:         y.value = peak; break;
    case TS_STATS_CREST:        y = ts_stats_divide(peak, c->raw.root, -c->raw.exponent); break;
    case TS_STATS_SKEWNESS:     y = ts_stats_skewness(&c->centred); break;
    case TS_STATS_KURTOSIS:     y = ts_stats_kurtosis(&c->centred); break;
    case TS_STATS_ZERO_CROSSINGS:
    case TS_STATS_ZERO_CROSSING_RATE: y.value = ts_stats_crossings(k, c, 1, 0); y.exponent = 0; break;
    case TS_STATS_MEAN_CROSSINGS:
    case TS_STATS_MEAN_CROSSING_RATE: y.value = ts_stats_crossings(k, c, k->length, c->total); y.exponent = 0; break;
    case TS_STATS_ACTIVITY:
    case TS_STATS_VARIANCE:     y.value = c->centred.second; y.exponent = 2 * (c->centred.shift + c->early); break;
    case TS_STATS_MOBILITY:
        y = ts_stats_divide(c->changes[0].root, c->centred.root, c->changes[0].exponent - c->centred.exponent);
        break;
    case TS_STATS_COMPLEXITY:   y = ts_stats_complexity(c); break;
    case TS_STATS_ENERGY:       y.value = c->raw.second; y.exponent = 2 * (c->raw.shift + c->early); break;
    default:                    y.value = ts_stats_percentile(k, c, k->rank[i], k->part[i]); break;
    }
    return y;
}

/* x[length][channels] of any type with a sign, or int64[channels][length] -> y[channels][features] */
static void ts_stats(const struct ts_stats *k, const void *x, int32_t *y)
{
    for (int32_t channel = 0; channel < k->channels; channel++) {
        struct ts_stats_channel c;
        memset(&c, 0, sizeof c);        /* sums that no feature needs are 0 */
        c.x = x;
        c.first = channel * k->next;
        ts_stats_look(k, &c);
        if ((k->needs & 1) != 0) {
            ts_stats_sum(k, &c, 0, 1, 0, &c.raw);
        }
        if ((k->needs & 2) != 0) {
            ts_stats_centre(k, &c, 0, &c.centred);
        }
        if ((k->needs & 8) != 0) {
            ts_stats_centre(k, &c, 1, &c.changes[0]);
            ts_stats_centre(k, &c, 2, &c.changes[1]);
        }
        for (int32_t i = 0; i < k->features; i++) {
            const struct ts_stats_value feature = ts_stats_feature(k, &c, i);
            int32_t v = ts_scaled(feature.value, feature.exponent, k->multiplier[i], k->shift[i]);
            if (k->code[i] == TS_STATS_KURTOSIS) {
                v = c.centred.second > 0 ? ts_sat32((int64_t)v - k->three) : 0;
            }
            if (k->code[i] == TS_STATS_COMPLEXITY) {
                const int64_t most = (int64_t)k->three * 1024 / 3;
                v = v < most ? v : (int32_t)most;
            }
            *y++ = v;
        }
    }
}

#endif
