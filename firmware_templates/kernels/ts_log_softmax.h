/* ts_log_softmax.h - logarithm of exp(x) over their sum; twin of tinystream/ops/log_softmax.py */
#ifndef TS_LOG_SOFTMAX_H
#define TS_LOG_SOFTMAX_H

#include "ts_reciprocal.h"

struct ts_log_softmax {
    int32_t rows, classes;
    int32_t limit;                      /* the smallest difference that exp is not computed of */
    int32_t reverse, reverse_shift;     /* Q26 to counts of x */
    const int32_t *exp;                 /* Q31, of the difference to the largest: [256] */
    const int32_t *difference;          /* itself, in Q26 */
};

/* log(x) in Q26 for 1 <= x < 2^12 in Q19: a rational approximation around 2^-1/4, times log 2 of the power of two */
static inline int32_t ts_log_above_one(int32_t x)
{
    const int32_t sqrt_half = 1518500250, fourth_root_half = 1805811301;        /* Q31 */
    const int32_t quarter = (int32_t)1 << 23;                                   /* Q25 */
    const int zeros = 31 - ts_msb((uint32_t)x);
    const int32_t scaled = ts_sat32(2 * (int64_t)ts_srdhm((int32_t)((uint32_t)x << (zeros - 1)), sqrt_half));
    const int32_t power = (12 - zeros) * (1 << 25) + quarter;
    const int room = 30 - ts_msb((uint32_t)ts_srdhm(x, sqrt_half));
    const int32_t other = ts_sat32((int64_t)x << room), other_power = (12 - room) * (1 << 25) - quarter;
    const int32_t r = scaled < other ? scaled : other;
    const int32_t p = (int32_t)ts_rshift((int64_t)r + fourth_root_half, 1), q = 2 * (r - fourth_root_half);
    const int32_t square = ts_srdhm(q, q);
    const int32_t num = ts_srdhm(q, r) + ts_srdhm(ts_srdhm(q, square), 117049297);
    const int32_t denominator = ts_srdhm(p, 1057819769 + q + ts_srdhm(127690142, square)) + ts_srdhm(638450708, q);
    const int32_t part = ts_srdhm(ts_rounding_divide(num, 6), ts_one_over_one_plus(denominator));
    return 2 * (ts_srdhm(power > other_power ? power : other_power, 1488522236) + part);
}

/* x[rows][classes] -> y[rows][classes], which may be x */
static void ts_log_softmax(const struct ts_log_softmax *k, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < k->rows; row++, x += k->classes, y += k->classes) {
        int32_t largest = x[0], sum = 0;
        for (int32_t i = 1; i < k->classes; i++) {
            largest = x[i] > largest ? x[i] : largest;
        }
        for (int32_t i = 0; i < k->classes; i++) {
            sum += ts_rounding_divide(k->exp[largest - x[i]], 12);
        }
        const int32_t log_sum = ts_log_above_one(sum);
        const int32_t reach = -ts_requant(log_sum + INT32_MIN, k->reverse, k->reverse_shift);
        const int32_t far = reach < k->limit ? reach : k->limit;
        for (int32_t i = 0; i < k->classes; i++) {
            const int32_t d = largest - x[i];
            y[i] = d < far ? ts_sat8(ts_rounding_divide(k->difference[d] - log_sum, 22) + 127) : INT8_MIN;
        }
    }
}

#endif
