/* ts_leaky_relu_int16.h - x, or alpha * x where it is negative; twin of tinystream/ops/leaky_relu_int16.py */
#ifndef TS_LEAKY_RELU_INT16_H
#define TS_LEAKY_RELU_INT16_H

#include "ts_fixed.h"

struct ts_leaky_relu_int16 {
    int32_t length;
    int32_t multiplier, shift;                  /* shifts <= 15 */
    int32_t below_multiplier, below_shift;      /* by |alpha| */
    int32_t sign;                               /* of alpha */
};

/* x[length] -> y[length], which may be x */
static void ts_leaky_relu_int16(const struct ts_leaky_relu_int16 *k, const int16_t *x, int16_t *y)
{
    for (int32_t i = 0; i < k->length; i++) {
        y[i] = ts_sat16(x[i] >= 0 ? ts_requant(x[i], k->multiplier, k->shift)
                                  : k->sign * (int64_t)ts_requant(x[i], k->below_multiplier, k->below_shift));
    }
}

#endif
