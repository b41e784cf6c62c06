/* ts_forest.h - scores of decision trees; twin of tinystream/stages/forest.py */
#ifndef TS_FOREST_H
#define TS_FOREST_H

#include "ts_exp2.h"
#include "ts_load.h"

struct ts_forest {
    int32_t type;               /* of x and the thresholds, as ts_load says it */
    int32_t leaf_type;          /* of the leaves' values */
    int32_t trees;
    int32_t depth;              /* decisions of the deepest tree */
    int32_t scores;
    int32_t output;             /* 0: mean, int16 Q15; 1: sum, int32; 2: 2^-mean, int16 Q15 */
    int64_t multiplier;         /* up to 2^45 */
    int32_t shift;
    const int32_t *root;        /* node at which each tree begins, [trees] */
    const int16_t *feature;     /* of each node; below 0 is a leaf */
    const void *threshold;      /* left is what is not above it */
    const uint16_t *skip;       /* nodes from one to its right child; the left one is the next; of a leaf: its row */
    const void *leaf;           /* rows of values, [][scores] */
    const int64_t *base;        /* of a sum, [scores] */
    const int32_t *exp2;        /* 2^(-i/64) in Q30, [65], for output 2 */
    int64_t *sum;               /* [scores] */
};

/* the row of the leaf to which x leads */
static inline int32_t ts_forest_row(const struct ts_forest *k, int32_t node, const void *x)
{
    for (int32_t level = 0; level < k->depth && k->feature[node] >= 0; level++) {
        const bool left = ts_load(x, k->type, k->feature[node]) <= ts_load(k->threshold, k->type, node);
        node += left ? 1 : k->skip[node];
    }
    return k->skip[node];
}

/* x -> y[scores], int16 or int32 */
static void ts_forest(const struct ts_forest *k, const void *x, void *y)
{
    for (int32_t i = 0; i < k->scores; i++) {
        k->sum[i] = k->output == 1 ? k->base[i] : 0;
    }
    for (int32_t tree = 0; tree < k->trees; tree++) {
        const int32_t row = ts_forest_row(k, k->root[tree], x);
        for (int32_t i = 0; i < k->scores; i++) {
            k->sum[i] += ts_load(k->leaf, k->leaf_type, row * k->scores + i);
        }
    }
    for (int32_t i = 0; i < k->scores; i++) {
        const int64_t v = ts_rshift(k->sum[i] * k->multiplier, k->shift);   /* the plan chose what fits */
        if (k->output == 1) {
            ((int32_t *)y)[i] = (int32_t)v;
        } else {
            ((int16_t *)y)[i] = ts_sat16(k->output == 0 ? v : ts_rshift(ts_exp2_q30(k->exp2, v), 15));
        }
    }
}

#endif
