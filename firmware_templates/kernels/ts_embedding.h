/* ts_embedding.h - rows of a constant by computed numbers; twin of tinystream/ops/embedding.py */
#ifndef TS_EMBEDDING_H
#define TS_EMBEDDING_H

#include "ts_rows.h"

struct ts_embedding {
    int32_t outer, n, count;    /* table[outer][n], of which `count` are taken */
    int32_t bytes;              /* of a row */
    int32_t place_bytes;        /* of its number: 4 or 8 */
    const int8_t *table;
};

/* places[count] -> y[outer][count], `bytes` each */
static void ts_embedding(const struct ts_embedding *k, const void *places, int8_t *y)
{
    for (int32_t o = 0; o < k->outer; o++) {
        ts_rows((const uint8_t *)(k->table + o * k->n * k->bytes), k->n, k->bytes, places, k->place_bytes, k->count,
                (uint8_t *)(y + o * k->count * k->bytes));
    }
}

#endif
