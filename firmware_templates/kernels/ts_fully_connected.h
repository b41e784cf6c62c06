/* ts_fully_connected.h - a dense layer; twin of tinystream/ops/fully_connected.py */
#ifndef TS_FULLY_CONNECTED_H
#define TS_FULLY_CONNECTED_H

#include "ts_dot.h"
#include "ts_requant.h"

enum { TS_FULLY_CONNECTED_INPUTS = 512, TS_FULLY_CONNECTED_OUTPUTS = 64 };     /* at once: they bound the scratch */

struct ts_fully_connected {
    int32_t rows;               /* how often the layer is applied, to inputs side by side */
    int32_t inputs, outputs;
    int32_t y_zero;
    int32_t low, high;          /* the activation: y stays between */
    const int8_t *weight;       /* [outputs][inputs] */
    const int32_t *bias;        /* for x counted from -128 */
    const int32_t *multiplier;
    const int8_t *shift;
    uint8_t *bytes;             /* some of x, counted from -128 */
    int32_t *acc;
};

/* x[rows][inputs] -> y[rows][outputs] */
static void ts_fully_connected(const struct ts_fully_connected *k, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < k->rows; row++, x += k->inputs) {
        for (int32_t o = 0; o < k->outputs; o += TS_FULLY_CONNECTED_OUTPUTS) {
            const int32_t outputs = k->outputs - o < TS_FULLY_CONNECTED_OUTPUTS ? k->outputs - o : TS_FULLY_CONNECTED_OUTPUTS;
            memcpy(k->acc, k->bias + o, (size_t)outputs * sizeof *k->acc);
            for (int32_t i = 0; i < k->inputs; i += TS_FULLY_CONNECTED_INPUTS) {
                const int32_t inputs = k->inputs - i < TS_FULLY_CONNECTED_INPUTS ? k->inputs - i : TS_FULLY_CONNECTED_INPUTS;
                ts_dot_bytes(x + i, inputs, k->bytes);
                ts_dot_1(k->weight + o * k->inputs + i, k->inputs, k->bytes, inputs, outputs, k->acc);
            }
            ts_requant_row(k->acc, k->multiplier + o, k->shift + o, outputs, k->y_zero, k->low, k->high, y);
            y += outputs;
        }
    }
}

#endif
