/* ts_record.h - what a node tells: records in frames that a reader can find again after any noise
 *
 * A frame is COBS(record, CRC) and a zero byte, after another zero byte that ends whatever noise came before.  Numbers are little-endian.
 *   record  kind (1), sequence (4): counts the records since the start, so that a reader sees what it has lost; then what the kind tells
 *   CRC     CRC-16 of the record: polynomial 0x1021, start 0xffff, not reflected
 * Source: S. Cheshire, M. Baker, Consistent Overhead Byte Stuffing, IEEE/ACM Transactions on Networking 7 (2), 1999;
 * CRC-16/IBM-3740 of the CRC RevEng catalogue.
 */
#ifndef TS_RECORD_H
#define TS_RECORD_H

#include <stdint.h>

#define TS_RECORD_VERSION 1     /* of this file's records; the hello tells it */
#define TS_RECORD_BYTES 240     /* the longest record; one COBS group holds it, with its CRC */

enum ts_record_kind {
    TS_RECORD_HELLO     = 1,
    TS_RECORD_SELF_TEST = 2,
    TS_RECORD_ALERT     = 3,
    TS_RECORD_OVERRUN   = 4,
    TS_RECORD_STATUS    = 5,
    TS_RECORD_CYCLES    = 6,
    TS_RECORD_LEARNT    = 7,
    TS_RECORD_RECORDING = 8,
    TS_RECORD_SAMPLES   = 9,
};

struct ts_record {
    uint8_t bytes[TS_RECORD_BYTES + 2];
    uint32_t count;
};

static inline void ts_put(struct ts_record *record, uint64_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes && record->count < TS_RECORD_BYTES; i++) {
        record->bytes[record->count++] = (uint8_t)(value >> 8 * i);
    }
}

/* Characters of a text, and a zero byte unless the record ends there. */
static inline void ts_put_text(struct ts_record *record, const char *text)
{
    while (*text != '\0' && record->count < TS_RECORD_BYTES) {
        record->bytes[record->count++] = (uint8_t)*text++;
    }
    ts_put(record, 0, 1);
}

static inline struct ts_record ts_record(enum ts_record_kind kind, uint32_t sequence)
{
    struct ts_record record;
    record.count = 0;
    ts_put(&record, (uint64_t)kind, 1);
    ts_put(&record, sequence, 4);
    return record;
}

static inline uint16_t ts_crc16(const uint8_t *bytes, uint32_t count)
{
    uint16_t crc = 0xffff;
    for (uint32_t i = 0; i < count; i++) {
        crc = (uint16_t)(crc ^ bytes[i] << 8);
        for (uint32_t bit = 0; bit < 8; bit++) {
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
        }
    }
    return crc;
}

/* The record as a frame; gives its length. */
static inline uint32_t ts_frame_record(const struct ts_record *record, uint8_t frame[TS_RECORD_BYTES + 5])
{
    const uint16_t crc = ts_crc16(record->bytes, record->count);
    uint32_t length = 2, code = 1;              /* frame[code] will tell how far away the next zero of the record is */

    frame[0] = 0;
    for (uint32_t i = 0; i < record->count + 2; i++) {
        const uint8_t byte = (uint8_t)(i < record->count ? record->bytes[i] : crc >> 8 * (i - record->count));
        if (byte != 0) {
            frame[length++] = byte;
        } else {
            frame[code] = (uint8_t)(length - code);
            code = length++;
        }
    }
    frame[code] = (uint8_t)(length - code);     /* at most 243, so no group is ever full */
    frame[length++] = 0;
    return length;
}

#endif
