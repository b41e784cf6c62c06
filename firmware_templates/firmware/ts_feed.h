/* ts_feed.h - blocks of samples that come on a serial line, from a sensor's node or from a PC that plays a recording
 *
 * A frame is COBS(number, samples, CRC) and a zero byte.  Its twin, which writes frames, is tinystream/io/feed.py.
 *   number   2 bytes, little-endian: counts the blocks, so that those that were lost on the way are known
 *   samples  one block, little-endian; none in the frame that ends a recording
 *   CRC      CRC-16/IBM-3740 of both, the high byte first, so that the CRC of all of it is 0
 * A frame that came damaged is dropped; the number of the next good one tells how many blocks of time have gone by.
 *
 * With SERIAL_WAITS the sender heeds RTS: after a block nothing is taken until the loop has nothing to do, so that no block is ever late,
 * and what would have come while the node was off duty is passed over by number.  Without, the sender keeps its own time as a sensor does.
 */
#ifndef TS_FEED_H
#define TS_FEED_H

#include "ts_board.h"

#include <string.h>

struct ts_feed {
    ts_sample (*target)[TS_SAMPLES];    /* NULL: off */
    uint32_t filled;                    /* blocks since the start */
    bool busy;                          /* the loop is, as far as it is known: board_sleep() clears it */
    uint16_t next;                      /* the number that should come */
    bool any;                           /* is taken as that number, whatever comes */
    /* of the frame that is coming */
    bool zero;                          /* the group ends with one, if another group follows */
    uint8_t left;                       /* bytes of the group that are still to come */
    uint16_t number, crc;
    uint32_t count;
};

static inline void ts_feed_new_frame(struct ts_feed *feed)
{
    feed->zero = false;
    feed->left = 0;
    feed->number = 0;
    feed->count = 0;
    feed->crc = 0xffff;
}

/* From now on blocks go to the buffers; what is left of a frame that has begun is too short to be one. */
static inline void ts_feed_start(struct ts_feed *feed, ts_sample buffers[2][TS_SAMPLES])
{
#ifndef SERIAL_WAITS
    feed->any = true;
#endif
    feed->filled = 0;
    feed->busy = false;
    feed->target = buffers;
    ts_feed_new_frame(feed);
}

static inline void ts_feed_stop(struct ts_feed *feed)
{
    /* the next window's first block; all before it is dropped by its number */
    feed->next = (uint16_t)(feed->next - feed->filled + TS_ON_BLOCKS + TS_OFF_BLOCKS);
    feed->target = NULL;
}

/* Whether bytes are to be taken from the line. */
static inline bool ts_feed_has_room(const struct ts_feed *feed)
{
#ifdef SERIAL_WAITS
    return feed->target != NULL && !feed->busy;
#else
    return feed->target != NULL;
#endif
}

static inline void ts_feed_take(struct ts_feed *feed, uint8_t byte)
{
    const uint32_t at = feed->count++, sample_bytes = sizeof feed->target[0];
    uint16_t crc = (uint16_t)(feed->crc << 8 | feed->crc >> 8);

    /* CRC of a byte at once: x^16 = x^12 + x^5 + 1 */
    crc = (uint16_t)(crc ^ byte);
    crc = (uint16_t)(crc ^ (crc & 0xff) >> 4);
    crc = (uint16_t)(crc ^ crc << 12);
    feed->crc = (uint16_t)(crc ^ (crc & 0xff) << 5);
    if (at < 2) {
        feed->number = (uint16_t)(feed->number | byte << 8 * at);
    } else if (at < 2 + sample_bytes) {
        ((uint8_t *)feed->target[feed->filled & 1])[at - 2] = byte;
    }
}

/* A whole block lies in the buffer of the next one. */
static inline void ts_feed_fill(struct ts_feed *feed)
{
    uint16_t missing = feed->any ? 0 : (uint16_t)(feed->number - feed->next);

    if (missing >= 0x8000) {            /* an earlier one */
#ifdef SERIAL_WAITS
        return;                         /* of the time off duty */
#else
        missing = 0;                    /* the sender has started again */
#endif
    }
    if (missing & 1) {
        memcpy(feed->target[~feed->filled & 1], feed->target[feed->filled & 1], sizeof feed->target[0]);
    }
    feed->any = false;
    feed->next = (uint16_t)(feed->number + 1);
    feed->filled += missing + 1u;
    feed->busy = true;
    for (uint32_t i = 0; i <= missing; i++) {
        ts_block_filled();
    }
}

/* One byte of the line; to be called while ts_feed_has_room(). */
static inline void ts_feed_byte(struct ts_feed *feed, uint8_t byte)
{
    if (byte != 0 && feed->left != 0) {
        feed->left--;
        ts_feed_take(feed, byte);
        return;
    }
    if (byte != 0) {                    /* a group begins: so far away is the next zero */
        if (feed->zero) {
            ts_feed_take(feed, 0);
        }
        feed->left = (uint8_t)(byte - 1);
        feed->zero = byte != 0xff;
        return;
    }
    if (feed->left == 0 && feed->crc == 0) {
        if (feed->count == 4 + sizeof feed->target[0]) {
            ts_feed_fill(feed);
        } else if (feed->count == 4) {
            ts_source_ended();
        }
    }
    ts_feed_new_frame(feed);
}

#endif
