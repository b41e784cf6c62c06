/* ts_learnt_bytes.h - what was learnt as bytes: their form stands in tinystream/plan/learnt.py, its twin */
#ifndef TS_LEARNT_BYTES_H
#define TS_LEARNT_BYTES_H

#include "ts_fixed.h"
#include "ts_learnt.h"

#define TS_LEARNT_VERSION 1
#define TS_LEARNT_CRC_32 1              /* how it ends; a signature would be another number */
#define TS_LEARNT_HEAD_BYTES 44
#define TS_LEARNT_DEFINITION_BYTES 32
#define TS_LEARNT_END_BYTES 4

/* CRC-32/ISO-HDLC of the CRC RevEng catalogue, four bits at a time */
static inline uint32_t ts_learnt_crc(const uint8_t *x, size_t bytes)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= x[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

/* `width` bytes, the lowest first */
static inline uint8_t *ts_learnt_put_number(uint8_t *y, uint64_t value, int32_t width)
{
    for (int32_t i = 0; i < width; i++) {
        y[i] = (uint8_t)(value >> 8 * i);
    }
    return y + width;
}

static inline uint64_t ts_learnt_number(const uint8_t *x, int32_t width)
{
    uint64_t value = 0;
    for (int32_t i = 0; i < width; i++) {
        value |= (uint64_t)x[i] << 8 * i;
    }
    return value;
}

/* x[count] of `width` bytes each; gives the place behind them */
static inline uint8_t *ts_learnt_put(uint8_t *y, const void *x, int32_t width, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        switch (width) {
        case 1:  y = ts_learnt_put_number(y, ((const uint8_t *)x)[i], 1); break;
        case 2:  y = ts_learnt_put_number(y, ((const uint16_t *)x)[i], 2); break;
        case 4:  y = ts_learnt_put_number(y, ((const uint32_t *)x)[i], 4); break;
        default: y = ts_learnt_put_number(y, ((const uint64_t *)x)[i], 8); break;
        }
    }
    return y;
}

/* y[count] of `width` bytes each; gives the place behind what was read */
static inline const uint8_t *ts_learnt_get(const uint8_t *x, void *y, int32_t width, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        const uint64_t value = ts_learnt_number(x, width);
        switch (width) {
        case 1:  ((uint8_t *)y)[i] = (uint8_t)value; break;
        case 2:  ((uint16_t *)y)[i] = (uint16_t)value; break;
        case 4:  ((uint32_t *)y)[i] = (uint32_t)value; break;
        default: ((uint64_t *)y)[i] = value; break;
        }
        x += width;
    }
    return x;
}

/* The head; gives the place behind it. */
static inline uint8_t *ts_learnt_begin(uint8_t *y, const uint8_t definition[TS_LEARNT_DEFINITION_BYTES], uint32_t bytes)
{
    memcpy(y, "TSLT", 4);
    y[4] = TS_LEARNT_VERSION;
    y[5] = TS_LEARNT_CRC_32;
    y[6] = y[7] = 0;
    (void)ts_learnt_put_number(y + 8, bytes - TS_LEARNT_HEAD_BYTES - TS_LEARNT_END_BYTES, 4);
    memcpy(y + 12, definition, TS_LEARNT_DEFINITION_BYTES);
    return y + TS_LEARNT_HEAD_BYTES;
}

/* The CRC of all from y on, at `to`; gives how many bytes there are. */
static inline size_t ts_learnt_end(const uint8_t *y, uint8_t *to)
{
    const size_t bytes = (size_t)(to - y);
    (void)ts_learnt_put_number(to, ts_learnt_crc(y, bytes), TS_LEARNT_END_BYTES);
    return bytes + TS_LEARNT_END_BYTES;
}

static inline bool ts_learnt_equal(const uint8_t *a, const uint8_t *b, int32_t bytes)
{
    int32_t apart = 0;
    for (int32_t i = 0; i < bytes; i++) {
        apart |= a[i] ^ b[i];
    }
    return apart == 0;
}

/* The first thing that is wrong with x; `wanted` bytes are right. */
static inline enum ts_learnt ts_learnt_check(
    const uint8_t *x, size_t bytes, const uint8_t definition[TS_LEARNT_DEFINITION_BYTES], size_t wanted)
{
    if (bytes < TS_LEARNT_HEAD_BYTES + TS_LEARNT_END_BYTES) return TS_LEARNT_SHORT;
    if (!ts_learnt_equal(x, (const uint8_t *)"TSLT", 4)) return TS_LEARNT_NOT_LEARNT;
    if (x[4] != TS_LEARNT_VERSION) return TS_LEARNT_OTHER_VERSION;
    if (x[5] != TS_LEARNT_CRC_32 || x[6] != 0 || x[7] != 0) return TS_LEARNT_OTHER_ENDING;
    if (bytes != ts_learnt_number(x + 8, 4) + TS_LEARNT_HEAD_BYTES + TS_LEARNT_END_BYTES) return TS_LEARNT_OTHER_SIZE;
    const size_t end = bytes - TS_LEARNT_END_BYTES;
    if (ts_learnt_crc(x, end) != ts_learnt_number(x + end, TS_LEARNT_END_BYTES)) return TS_LEARNT_DAMAGED;
    if (!ts_learnt_equal(x + 12, definition, TS_LEARNT_DEFINITION_BYTES)) return TS_LEARNT_OTHER_DEFINITION;
    return bytes == wanted ? TS_LEARNT_RESTORED : TS_LEARNT_OTHER_SIZE;
}

#endif
