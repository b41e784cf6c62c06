/* lis3dh.h - the accelerometer LIS3DH on a SPI: what it is told, and its samples into the two buffers
 *
 * Samples gather in its FIFO, and pin INT1 rises when there are LIS3DH_BATCH.  One burst reads them: the address runs from OUT_X_L to
 * OUT_Z_H and begins again.  Values are left-justified, so 32768 is the full scale of 2, 4 and 8 g (16 g has another sensitivity).
 * SPI mode 3, up to 10 MHz, most significant bit first.
 * Source: ST DocID17530 Rev 2, LIS3DH, 2.1 (sensitivity), 5.1 (FIFO), 6.2 (SPI), 8 (registers).
 */
#ifndef LIS3DH_H
#define LIS3DH_H

#include "ts_board.h"

#if TS_CHANNELS != 3
#error This sensor gives three axes.
#endif
#if TS_SAMPLE_HZ_DENOMINATOR != 1
#error This sensor has whole sample rates.
#endif

/* At most one block ends in a batch, so that the loop sees each. */
#define LIS3DH_BATCH (TS_MOMENTS < 16 ? TS_MOMENTS : 16)
#define LIS3DH_BYTES (1 + 6 * LIS3DH_BATCH)     /* of a burst; the first comes in while the address goes out */
#define LIS3DH_BURST 0xe8u                      /* read (0x80), the address runs (0x40), from OUT_X_L (0x28) on */

enum { LIS3DH_CTRL_REG1 = 0x20, LIS3DH_CTRL_REG3 = 0x22, LIS3DH_CTRL_REG4 = 0x23, LIS3DH_CTRL_REG5 = 0x24, LIS3DH_FIFO_CTRL = 0x2e };

/* ODR of CTRL_REG1; 1344 Hz is what older sheets call 1.25 kHz */
#define LIS3DH_RATE                     \
    (TS_SAMPLE_HZ_NUMERATOR == 10  ? 2u \
   : TS_SAMPLE_HZ_NUMERATOR == 25  ? 3u \
   : TS_SAMPLE_HZ_NUMERATOR == 50  ? 4u \
   : TS_SAMPLE_HZ_NUMERATOR == 100 ? 5u \
   : TS_SAMPLE_HZ_NUMERATOR == 200 ? 6u \
   : TS_SAMPLE_HZ_NUMERATOR == 400 ? 7u \
                                   : 9u)
#define LIS3DH_SCALE (TS_RANGE_MG == 2000 ? 0u : TS_RANGE_MG == 4000 ? 1u : 2u)

/* Registers and what they are to hold, in this order. */
static const uint8_t lis3dh_start[][2] = {
    { LIS3DH_CTRL_REG5, 0x40 },                             /* FIFO_EN */
    { LIS3DH_CTRL_REG4, 0x88 | LIS3DH_SCALE << 4 },         /* BDU, FS, HR: 12 bits */
    { LIS3DH_CTRL_REG3, 0x04 },                             /* I1_WTM: the watermark on INT1 */
    { LIS3DH_FIFO_CTRL, 0x00 },                             /* bypass: empties the FIFO */
    { LIS3DH_FIFO_CTRL, 0x80 | LIS3DH_BATCH },              /* stream, with this watermark */
    { LIS3DH_CTRL_REG1, LIS3DH_RATE << 4 | 0x07 },          /* on, all three axes */
};
static const uint8_t lis3dh_stop[2] = { LIS3DH_CTRL_REG1, 0 };      /* power-down */

static struct {
    ts_sample (*target)[TS_SAMPLES];
    uint32_t which, at;                 /* the buffer that is being filled, and how far it is */
} lis3dh;

static inline void lis3dh_begin(ts_sample buffers[2][TS_SAMPLES])
{
    lis3dh.target = buffers;
    lis3dh.which = 0;
    lis3dh.at = 0;
}

/* A burst, into the blocks; the loop hears of each that is full. */
static inline void lis3dh_take(const uint8_t burst[LIS3DH_BYTES])
{
    for (uint32_t i = 1; i < LIS3DH_BYTES; i += 2) {
        lis3dh.target[lis3dh.which][lis3dh.at++] = (ts_sample)(uint16_t)(burst[i] | burst[i + 1] << 8);
        if (lis3dh.at == TS_SAMPLES) {
            lis3dh.at = 0;
            lis3dh.which ^= 1;
            ts_block_filled();
        }
    }
}

#endif
