/* ts_unidirectional_sequence_lstm.h - a recurrent layer; twin of tinystream/ops/unidirectional_sequence_lstm.py
 *
 * The four gates of a unit are computed together, so that each input that is loaded is used four times; then the unit is done with, and
 * no gate is kept.  The hidden state of a row is the output of the row before.
 */
#ifndef TS_UNIDIRECTIONAL_SEQUENCE_LSTM_H
#define TS_UNIDIRECTIONAL_SEQUENCE_LSTM_H

#include "ts_sigmoid.h"

struct ts_unidirectional_sequence_lstm {
    int32_t batches, steps, inputs, units;
    int32_t next_step, next_batch;                      /* rows of x and y from one to the next */
    int32_t forget_multiplier, forget_shift;            /* of the forget gate times the cell state */
    int32_t keep_multiplier, keep_shift;                /* of the input gate times the cell gate */
    int32_t hidden_multiplier, hidden_shift;            /* of the output gate times tanh of the cell state */
    int32_t tanh_multiplier, tanh_shift;                /* of the cell state, to steps of 1 / (24 * 256) of 2 x */
    int32_t clip;                                       /* the cell state stays between -clip and clip */
    int32_t y_zero;
    const int8_t *weight;       /* [units][inputs][4]: the gates input, forget, cell, output */
    const int8_t *recurrent;    /* [units][units][4] */
    const int32_t *bias;        /* [units][4], for x as it is */
    const int32_t *fold;        /* [units][4], the same for the hidden state */
    const int32_t *multiplier;  /* [8]: of each gate's sum over x, then over the hidden state */
    const int8_t *shift;        /* [8] */
    const uint16_t *sigmoid;    /* sigmoid(i / 24): [256] */
};

struct ts_unidirectional_sequence_lstm_state {
    int8_t *hidden;             /* [batches][units] */
    int16_t *cell;              /* [batches][units] */
};

/* acc[4] += the sums of weight[count][4] times x[count] */
static inline void ts_lstm_sums(const int8_t *weight, const int8_t *x, int32_t count, int32_t *acc)
{
    int32_t a = acc[0], b = acc[1], c = acc[2], d = acc[3];
    for (int32_t i = 0; i < count; i++, weight += 4) {
        const int32_t v = x[i];
        a += v * weight[0];
        b += v * weight[1];
        c += v * weight[2];
        d += v * weight[3];
    }
    acc[0] = a;
    acc[1] = b;
    acc[2] = c;
    acc[3] = d;
}

/* sigmoid(z) in Q15 for z in Q12 */
static inline int32_t ts_lstm_sigmoid(const uint16_t *table, int32_t z)
{
    const int32_t q = 3 * z;                            /* below 192 of the table's 255 steps, so never behind its end */
    const int32_t v = ts_sigmoid_at(table, q < 0 ? -q : q, 9, 0);
    return (q < 0 ? (1 << 25) - v + (1 << 9) - 1 : v + (1 << 9)) >> 10;
}

/* tanh in Q15 */
static inline int32_t ts_lstm_tanh(const uint16_t *table, int32_t q)
{
    const int32_t v = ts_sigmoid_at(table, q < 0 ? -q : q, 8, 0xFFFF << 8) - (1 << 23);
    return (q < 0 ? -v + (1 << 7) - 1 : v + (1 << 7)) >> 8;
}

/* one unit of one row: x[inputs], hidden[units] -> its output */
static inline int8_t ts_lstm_unit(const struct ts_unidirectional_sequence_lstm *k, int32_t u, const int8_t *x, const int8_t *hidden,
                                  int16_t *cell)
{
    int32_t of_x[4], of_h[4];
    int16_t z[4];
    memcpy(of_x, k->bias + 4 * u, sizeof of_x);
    memcpy(of_h, k->fold + 4 * u, sizeof of_h);
    ts_lstm_sums(k->weight + 4 * u * k->inputs, x, k->inputs, of_x);
    ts_lstm_sums(k->recurrent + 4 * u * k->units, hidden, k->units, of_h);
    for (int32_t g = 0; g < 4; g++) {
        z[g] = ts_sat16(ts_sat16(ts_requant(of_x[g], k->multiplier[g], k->shift[g]))
                        + ts_sat16(ts_requant(of_h[g], k->multiplier[4 + g], k->shift[4 + g])));
    }
    const int32_t kept = ts_requant(ts_lstm_sigmoid(k->sigmoid, z[1]) * *cell, k->forget_multiplier, k->forget_shift);     /* 16 bits */
    const int32_t taken = ts_sat16(ts_requant(ts_lstm_sigmoid(k->sigmoid, z[0]) * ts_lstm_tanh(k->sigmoid, 3 * z[2]),
                                              k->keep_multiplier, k->keep_shift));
    const int32_t sum = ts_sat16(kept + taken);
    *cell = (int16_t)(sum < -k->clip ? -k->clip : sum > k->clip ? k->clip : sum);
    const int32_t steps = ts_sigmoid_steps(*cell, k->tanh_multiplier, k->tanh_shift);
    const int32_t product = ts_lstm_tanh(k->sigmoid, steps) * ts_lstm_sigmoid(k->sigmoid, z[3]);
    return ts_sat8((int64_t)ts_requant(product, k->hidden_multiplier, k->hidden_shift) + k->y_zero);
}

/* x[rows][inputs] -> y[rows][units], rows = batches * steps */
static void ts_unidirectional_sequence_lstm(const struct ts_unidirectional_sequence_lstm *k,
                                            struct ts_unidirectional_sequence_lstm_state *s, const int8_t *x, int8_t *y)
{
    for (int32_t b = 0; b < k->batches; b++) {
        const int8_t *hidden = s->hidden + b * k->units;
        for (int32_t t = 0; t < k->steps; t++) {
            const int32_t row = t * k->next_step + b * k->next_batch;
            for (int32_t u = 0; u < k->units; u++) {
                y[row * k->units + u] = ts_lstm_unit(k, u, x + row * k->inputs, hidden, s->cell + b * k->units + u);
            }
            hidden = y + row * k->units;
        }
        memcpy(s->hidden + b * k->units, hidden, (size_t)k->units);
    }
}

#endif
