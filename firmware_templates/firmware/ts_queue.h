/* ts_queue.h - bytes on their way from board_write() to the UART's interrupt; one side puts, the other takes */
#ifndef TS_QUEUE_H
#define TS_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define TS_QUEUE_BYTES 256u     /* a power of two: a record in its frame, and some more */

struct ts_queue {
    uint8_t bytes[TS_QUEUE_BYTES];
    volatile uint32_t put, taken;
};

/* False where it is full. */
static inline bool ts_queue_put(struct ts_queue *queue, uint8_t byte)
{
    if (queue->put - queue->taken == TS_QUEUE_BYTES) {
        return false;
    }
    queue->bytes[queue->put % TS_QUEUE_BYTES] = byte;
    queue->put++;
    return true;
}

/* False where it is empty. */
static inline bool ts_queue_take(struct ts_queue *queue, uint8_t *byte)
{
    if (queue->put == queue->taken) {
        return false;
    }
    *byte = queue->bytes[queue->taken % TS_QUEUE_BYTES];
    queue->taken++;
    return true;
}

#endif
