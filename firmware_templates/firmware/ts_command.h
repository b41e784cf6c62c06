/* ts_command.h - what a node is asked for over its line, where its firmware was built with TS_TELLS_SAMPLES; other firmware hears nothing
 *
 * A frame as in ts_record.h, the other way.  Of fixed length, so that whatever else comes in is passed over.
 *   record  kind (1): 129; a number of the asker's (4), for nobody else; blocks of samples to tell (4), 0 for no more
 */
#ifndef TS_COMMAND_H
#define TS_COMMAND_H

#include "ts_record.h"

#include <stdbool.h>
#include <stdint.h>

enum { TS_COMMAND_SAMPLES = 129, TS_COMMAND_BYTES = 11 };       /* with its CRC; a byte of COBS more on the line */

struct ts_command {
    uint8_t bytes[TS_COMMAND_BYTES + 1];
    uint32_t count;                     /* one more than there is room for where a frame is too long */
};

/* A byte that came in; true where it ends a command that is whole. */
static inline bool ts_command(struct ts_command *command, uint8_t byte, uint32_t *blocks)
{
    uint8_t y[TS_COMMAND_BYTES];
    uint32_t n = 0;

    if (byte != 0) {
        if (command->count < sizeof command->bytes) {
            command->bytes[command->count] = byte;
        }
        command->count += command->count <= sizeof command->bytes;
        return false;
    }
    const bool fits = command->count == sizeof command->bytes;
    command->count = 0;
    for (uint32_t i = 0; fits && i < sizeof command->bytes;) {
        const uint32_t next = i + command->bytes[i];            /* no byte here is zero, so this goes on */
        if (next > sizeof command->bytes) {
            return false;
        }
        while (++i < next) {
            y[n++] = command->bytes[i];
        }
        if (i < sizeof command->bytes) {
            y[n++] = 0;                 /* 12 bytes in groups are 11 without their lengths, so y is full at the end, and never more */
        }
    }
    if (!fits || y[0] != TS_COMMAND_SAMPLES || ts_crc16(y, 9) != (uint16_t)(y[9] | y[10] << 8)) {
        return false;
    }
    *blocks = (uint32_t)y[5] | (uint32_t)y[6] << 8 | (uint32_t)y[7] << 16 | (uint32_t)y[8] << 24;
    return true;
}

#endif
