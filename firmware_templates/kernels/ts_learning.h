/* ts_learning.h - what kernels that learn have in common; twin of tinystream/stages/_learning.py */
#ifndef TS_LEARNING_H
#define TS_LEARNING_H

#include "ts_load.h"

/* x / n to nearest, halves away from zero; n > 0 */
static inline int64_t ts_learning_divide(int64_t x, int64_t n)
{
    return (x >= 0 ? x + n / 2 : x - n / 2) / n;
}

#endif
