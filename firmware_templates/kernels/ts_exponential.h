/* ts_exponential.h - a row of int8 as exponentials over their sum, by gemmlowp's reciprocal; twin of quotients() in tinystream/ops/softmax.py */
#ifndef TS_EXPONENTIAL_H
#define TS_EXPONENTIAL_H

#include "ts_reciprocal.h"

/* what the quotients of a row have in common */
struct ts_exponential {
    int32_t largest, scale;     /* of x; of the exponentials, in Q31 without its leading zeros */
    int over;                   /* bits that the sum lies above 1 */
};

/* of x[count]; exp[d] in Q31, of a difference d to the largest */
static inline struct ts_exponential ts_exponential_of(const int32_t *exp, const int8_t *x, int32_t count)
{
    int32_t largest = x[0], sum = 0;
    for (int32_t i = 1; i < count; i++) {
        largest = x[i] > largest ? x[i] : largest;
    }
    for (int32_t i = 0; i < count; i++) {
        sum += ts_rounding_divide(exp[largest - x[i]], 12);
    }
    const int zeros = 31 - ts_msb((uint32_t)sum);
    const int32_t scale = ts_one_over_one_plus((int32_t)(((uint32_t)sum << zeros) & 0x7FFFFFFFu));
    return (struct ts_exponential){ largest, scale, 12 - zeros };
}

/* the quotient of a value, in so many bits */
static inline int32_t ts_exponential_quotient(const struct ts_exponential *row, const int32_t *exp, int8_t x, int bits)
{
    return ts_rounding_divide(ts_srdhm(row->scale, exp[row->largest - x]), row->over + 31 - bits);
}

#endif
