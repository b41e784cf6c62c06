/* ts_baseline.h - learn what is normal, then tell how far a vector is from it; twin of tinystream/stages/baseline.py */
#ifndef TS_BASELINE_H
#define TS_BASELINE_H

#include "ts_learning.h"
#include "ts_wide.h"

#define TS_BASELINE_MEAN_Q 24           /* of a mean, a standard deviation and a distance from the mean */
#define TS_BASELINE_SCORE_Q 20          /* of a score; what is given has 16 */
#define TS_BASELINE_ONE ((int64_t)1 << 30)      /* of a correlation and its factor */

struct ts_baseline {
    int32_t size;               /* features */
    int32_t type;               /* of x, as ts_load says it */
    int32_t learn;              /* vectors that are learnt from */
    int32_t covariance;         /* 1: features vary together; 0: each by itself */
    int32_t scores;             /* 1: y is the score of each feature; 0: y is the distance */
    int32_t least, least_exponent;      /* the smallest standard deviation: least * 2^least_exponent, Q24 */
    int32_t ridge;              /* Q30 */
    int32_t follow;             /* vectors that the mean takes to follow; 0: it does not */
    int32_t follow_below;       /* a distance, Q16 */
    int32_t follow_limit;       /* standard deviations, Q8 */
    int32_t *u;                 /* [size] */
};

/* all of it is learnt */
struct ts_baseline_state {
    int32_t count;              /* vectors that were learnt from */
    int32_t floored;            /* features that varied less than the smallest standard deviation, and count as if they had it */
    int32_t dependent;          /* features that are nearly a sum of those before them */
    int64_t *sum;               /* [size] */
    int64_t *high;              /* sums of products x[i] x[j], j <= i, without their low 32 bits */
    uint32_t *low;
    int64_t *mean;              /* Q24, [size] */
    int32_t *std;               /* mantissa, 2^30 <= std < 2^31, [size] */
    int32_t *exponent;          /* the standard deviation is std * 2^exponent, Q24, [size] */
    int32_t *factor;            /* of the correlations, by Cholesky: row i holds i + 1 numbers, Q30 */
};

/* --- while it learns ------------------------------------------------------------------------------------------ */

static inline void ts_baseline_add(const struct ts_baseline *k, struct ts_baseline_state *s, const void *x)
{
    int32_t at = 0;
    for (int32_t i = 0; i < k->size; i++) {
        const int64_t left = ts_load(x, k->type, i);
        s->sum[i] += left;                                              /* 32 + 20 bits */
        for (int32_t j = k->covariance ? 0 : i; j <= i; j++) {
            const int64_t product = left * ts_load(x, k->type, j);      /* 63 bits */
            const uint64_t low = (uint64_t)s->low[at] + (uint32_t)product;
            s->low[at] = (uint32_t)low;
            s->high[at] += (product >> 32) + (int64_t)(low >> 32);      /* 31 + 20 bits */
            at++;
        }
    }
}

/* count^2 times the covariance of features i and j, whose products are summed at `at`; 102 bits */
static inline struct ts_wide ts_baseline_covariance(const struct ts_baseline_state *s, int32_t at, int32_t i, int32_t j)
{
    const struct ts_wide products = ts_wide_above(ts_wide_product(s->high[at], s->count), (uint64_t)s->low[at] * (uint32_t)s->count);
    return ts_wide_minus(products, ts_wide_product(s->sum[i], s->sum[j]));
}

/* The learnt mean, Q24. */
static inline int64_t ts_baseline_home(const struct ts_baseline_state *s, int32_t i)
{
    const int64_t whole = s->sum[i] / s->count, rest = s->sum[i] - whole * s->count;
    return whole * ((int64_t)1 << TS_BASELINE_MEAN_Q) + ts_learning_divide(rest * ((int64_t)1 << TS_BASELINE_MEAN_Q), s->count);
}

/* count times the standard deviation of feature i, Q24, at least count times the smallest */
static inline void ts_baseline_spread(const struct ts_baseline *k, struct ts_baseline_state *s, int32_t i, int32_t at)
{
    const struct ts_wide square = ts_baseline_covariance(s, at, i, i);
    const struct ts_wide_cut least = ts_wide_cut((int64_t)k->least * s->count, 31);
    const int32_t least_exponent = least.exponent + k->least_exponent;
    const int shift = (ts_wide_msb(square) - 60) & ~1;                  /* even, so that 2^60 <= mantissa < 2^62 */
    const int32_t root = (int32_t)ts_isqrt(ts_wide_shifted(square, shift));
    const int32_t exponent = shift / 2 + TS_BASELINE_MEAN_Q;

    if (root == 0 || exponent < least_exponent || (exponent == least_exponent && root < least.mantissa)) {
        s->std[i] = (int32_t)least.mantissa;
        s->exponent[i] = least_exponent;
        s->floored++;
    } else {
        s->std[i] = root;
        s->exponent[i] = exponent;
    }
}

/* The correlation of two features, Q30, -1 to 1. */
static inline int64_t ts_baseline_correlation(const struct ts_baseline_state *s, int32_t at, int32_t i, int32_t j)
{
    const struct ts_wide zero = { 0, 0 };
    struct ts_wide covariance = ts_baseline_covariance(s, at, i, j);
    const bool negative = covariance.high < 0;
    if (negative) {
        covariance = ts_wide_minus(zero, covariance);
    }
    if (covariance.high == 0 && covariance.low == 0) {
        return 0;
    }
    const int shift = ts_wide_msb(covariance) - 61;
    const int64_t once = ts_wide_shifted(covariance, shift) / s->std[i];                /* 62 - 31 bits */
    const int64_t twice = once * TS_BASELINE_ONE / s->std[j];                           /* 32 + 30 - 31 bits */
    const int32_t up = shift + 2 * TS_BASELINE_MEAN_Q - s->exponent[i] - s->exponent[j];    /* at most 1 */
    const int64_t size = up > 0 ? twice * 2 : up > -62 ? ts_rshift(twice, -up) : 0;
    const int64_t most = size < TS_BASELINE_ONE ? size : TS_BASELINE_ONE;
    return negative ? -most : most;
}

/* One number of the factor from those before it, and a correlation. */
static inline void ts_baseline_eliminate(const struct ts_baseline *k, struct ts_baseline_state *s, int32_t i, int32_t j, int64_t correlation)
{
    int32_t *left = s->factor + i * (i + 1) / 2;
    const int32_t *right = s->factor + j * (j + 1) / 2;
    int64_t rest = correlation * TS_BASELINE_ONE;               /* Q60; a row's squares are at most 1 + ridge */
    for (int32_t n = 0; n < j; n++) {
        rest -= (int64_t)left[n] * right[n];
    }
    if (i > j) {
        left[j] = ts_sat32(ts_learning_divide(rest, right[j]));
        return;
    }
    const int64_t ridge = k->ridge * TS_BASELINE_ONE, pivot = rest + ridge;
    s->dependent += rest < ridge;
    left[i] = (int32_t)ts_isqrt(pivot > ridge / 2 ? pivot : ridge / 2);
}

/* From sums to mean, standard deviation and factor, once. */
static inline void ts_baseline_settle(const struct ts_baseline *k, struct ts_baseline_state *s)
{
    for (int32_t i = 0; i < k->size; i++) {
        s->mean[i] = ts_baseline_home(s, i);
        ts_baseline_spread(k, s, i, k->covariance ? i * (i + 3) / 2 : i);
    }
    for (int32_t i = 0; i < k->size && k->covariance; i++) {
        for (int32_t j = 0; j <= i; j++) {
            ts_baseline_eliminate(k, s, i, j, i == j ? TS_BASELINE_ONE : ts_baseline_correlation(s, i * (i + 1) / 2 + j, i, j));
        }
    }
    for (int32_t i = 0; i < k->size; i++) {
        const struct ts_wide_cut std = ts_wide_cut(((int64_t)s->std[i] << 31) / s->count, 31);
        s->std[i] = (int32_t)std.mantissa;
        s->exponent[i] += std.exponent - 31;
    }
}

/* --- once it has learnt --------------------------------------------------------------------------------------- */

/* x from the mean, Q24; 57 bits */
static inline int64_t ts_baseline_difference(const struct ts_baseline *k, const struct ts_baseline_state *s, const void *x, int32_t i)
{
    return ts_load(x, k->type, i) * ((int64_t)1 << TS_BASELINE_MEAN_Q) - s->mean[i];
}

/* The same in standard deviations, Q20; 2048 of them at the most */
static inline int32_t ts_baseline_score(const struct ts_baseline_state *s, int64_t difference, int32_t i)
{
    const int64_t most = ((int64_t)1 << 62) - 1;
    const int32_t up = TS_BASELINE_SCORE_Q - s->exponent[i];
    int64_t shifted;
    if (up <= 0) {
        shifted = ts_rshift(difference, -up);
    } else if (difference > (most >> up) || difference < -(most >> up)) {
        shifted = difference < 0 ? -most : most;
    } else {
        shifted = difference * ((int64_t)1 << up);
    }
    const int32_t score = ts_sat32(ts_learning_divide(shifted, s->std[i]));
    return score < -INT32_MAX ? -INT32_MAX : score;
}

/* The root of the mean of the squared scores, Q16. */
static inline int32_t ts_baseline_diagonal(const struct ts_baseline *k, const struct ts_baseline_state *s, const void *x)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < k->size; i++) {
        const int64_t score = ts_rshift(ts_baseline_score(s, ts_baseline_difference(k, s, x, i), i), TS_BASELINE_SCORE_Q - 16);
        sum += score * score;                                   /* 54 bits, and 6 for 64 features */
    }
    return (int32_t)ts_isqrt(sum / k->size);
}

/* The length of u in factor * u = scores, Q16; once it is beyond int32, the rest of u is not looked for. */
static inline int32_t ts_baseline_mahalanobis(const struct ts_baseline *k, const struct ts_baseline_state *s, const void *x)
{
    int32_t *u = k->u;
    const int32_t *row = s->factor;
    int64_t sum = 0;
    for (int32_t i = 0; i < k->size; i++) {
        int64_t rest = ts_baseline_score(s, ts_baseline_difference(k, s, x, i), i) * ((int64_t)1 << 26);    /* Q46, 57 bits */
        for (int32_t j = 0; j < i; j++) {
            rest -= (int64_t)row[j] * u[j];                     /* the row is at most 1.5 long, u 2^31: 62 bits */
        }
        u[i] = ts_sat32(ts_learning_divide(rest, row[i]));
        row += i + 1;
        sum += (int64_t)u[i] * u[i];
        if (sum >= (int64_t)1 << 62) {
            return INT32_MAX;
        }
    }
    return (int32_t)ts_isqrt(sum);
}

/* The mean goes a step towards x, not further from where it was learnt than it may. */
static inline void ts_baseline_follow(const struct ts_baseline *k, struct ts_baseline_state *s, const void *x)
{
    for (int32_t i = 0; i < k->size; i++) {
        const int64_t home = ts_baseline_home(s, i);
        const int64_t limit = (int64_t)s->std[i] * k->follow_limit;             /* 31 + 15 bits */
        const int32_t up = s->exponent[i] - 8;                                  /* at most 16 */
        const int64_t reach = up > 0 ? limit * ((int64_t)1 << up) : ts_rshift(limit, -up);
        const int64_t mean = s->mean[i] + ts_learning_divide(ts_baseline_difference(k, s, x, i), k->follow);
        s->mean[i] = mean > home + reach ? home + reach : mean < home - reach ? home - reach : mean;
    }
}

/* x[size] -> y[1], its distance, or y[size], the scores; false while it learns */
static bool ts_baseline(const struct ts_baseline *k, struct ts_baseline_state *s, const void *x, int32_t *y)
{
    if (s->count < k->learn) {
        ts_baseline_add(k, s, x);
        s->count++;
        if (s->count == k->learn) {
            ts_baseline_settle(k, s);
        }
        return false;
    }
    const int32_t distance = k->covariance ? ts_baseline_mahalanobis(k, s, x) : ts_baseline_diagonal(k, s, x);
    if (!k->scores) {
        y[0] = distance;
    }
    for (int32_t i = 0; i < k->size && k->scores; i++) {
        y[i] = (int32_t)ts_rshift(ts_baseline_score(s, ts_baseline_difference(k, s, x, i), i), TS_BASELINE_SCORE_Q - 16);
    }
    if (k->follow > 0 && distance < k->follow_below) {
        ts_baseline_follow(k, s, x);
    }
    return true;
}

#endif
