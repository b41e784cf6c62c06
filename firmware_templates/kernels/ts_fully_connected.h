/* ts_fully_connected.h - a dense layer; twin of tinystream/ops/fully_connected.py */
#ifndef TS_FULLY_CONNECTED_H
#define TS_FULLY_CONNECTED_H

#include "ts_requant.h"
#if TS_GROUPS
#include "ts_groups.h"
#else
#include "ts_dot.h"
#endif

struct ts_fully_connected {
    int32_t rows;               /* how often the layer is applied, to inputs side by side */
    int32_t inputs, outputs;
    int32_t y_zero;
    int32_t low, high;          /* the activation: y stays between */
    const int8_t *weight;       /* [outputs][inputs]; with TS_GROUPS in groups, see ts_groups.h */
    const int32_t *requant;     /* with TS_GROUPS, mostly: [outputs][2], see ts_requant.h; then the other three are not there */
    const int32_t *bias;        /* for x counted from -128; with TS_GROUPS for x as it is */
    const int32_t *multiplier;
    const int8_t *shift;
};

#if TS_GROUPS

/* x[rows][inputs] -> y[rows][outputs] */
static void ts_fully_connected(const struct ts_fully_connected *k, const int8_t *x, int8_t *y)
{
    const struct ts_requant requant = { k->requant, k->bias, k->multiplier, k->shift, 2 * k->y_zero + 257, k->low, k->high };
    for (int32_t row = 0; row < k->rows; row++, x += k->inputs, y += k->outputs) {
        ts_channels_one(k->weight, &requant, k->outputs, x, k->inputs, y);
    }
}

#else

enum { TS_FULLY_CONNECTED_INPUTS = 512, TS_FULLY_CONNECTED_OUTPUTS = 64 };     /* at once: they bound the stack */

/* x[rows][inputs] -> y[rows][outputs] */
static void ts_fully_connected(const struct ts_fully_connected *k, const int8_t *x, int8_t *y)
{
    uint8_t bytes[TS_FULLY_CONNECTED_INPUTS];
    int32_t acc[TS_FULLY_CONNECTED_OUTPUTS];
    for (int32_t row = 0; row < k->rows; row++, x += k->inputs) {
        for (int32_t o = 0; o < k->outputs; o += TS_FULLY_CONNECTED_OUTPUTS) {
            const int32_t outputs = k->outputs - o < TS_FULLY_CONNECTED_OUTPUTS ? k->outputs - o : TS_FULLY_CONNECTED_OUTPUTS;
            memcpy(acc, k->bias + o, (size_t)outputs * sizeof *acc);
            for (int32_t i = 0; i < k->inputs; i += TS_FULLY_CONNECTED_INPUTS) {
                const int32_t inputs = k->inputs - i < TS_FULLY_CONNECTED_INPUTS ? k->inputs - i : TS_FULLY_CONNECTED_INPUTS;
                ts_dot_bytes(x + i, inputs, bytes);
                ts_dot_1(k->weight + o * k->inputs + i, k->inputs, bytes, inputs, outputs, acc);
            }
            ts_requant_row(acc, k->multiplier + o, k->shift + o, outputs, k->y_zero, k->low, k->high, y);
            y += outputs;
        }
    }
}

#endif

#endif
