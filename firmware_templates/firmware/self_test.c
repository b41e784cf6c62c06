/* self_test.c - the app, with a look at what its steps give
 *
 * A digest of a step is the CRC-32 of all its outputs, each after the number of its block in four bytes, little-endian.
 */
#include "ts_self_test.h"

#include "ts_board.h"
#include "ts_core.h"
#include "ts_golden.h"
#include "ts_record.h"

#include <stddef.h>

static bool testing;
static uint32_t block_number;
static uint32_t digests[TS_STEPS];

/* CRC-32/ISO-HDLC of the CRC RevEng catalogue, four bits at a time. */
static uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t count)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    crc = ~crc;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

#ifdef TS_BENCH
static struct {
    uint32_t fired, most;
    uint64_t cycles;
} spent[TS_STEPS];
static uint32_t before;
static int32_t reached;         /* the step whose turn it is */

static void spend(int32_t step, bool fired)
{
    const uint32_t cycles = ts_cycles_since(before);
    spent[step].fired += fired;
    spent[step].cycles += cycles;
    spent[step].most = cycles > spent[step].most ? cycles : spent[step].most;
}

/* A step whose turn it is, though the one above it has waited. */
#define TS_BEFORE(step) do { if (testing) { spend(reached, false); reached = (step); before = ts_cycles(); } } while (0)
#endif

static void ts_after(int32_t step, const void *y, size_t bytes)
{
    if (!testing) {
        return;
    }
#ifdef TS_BENCH
    spend(step, true);
    reached = step + 1;
#endif
    const uint8_t number[4] = {
        (uint8_t)block_number, (uint8_t)(block_number >> 8), (uint8_t)(block_number >> 16), (uint8_t)(block_number >> 24),
    };
    digests[step] = crc32(crc32(digests[step], number, sizeof number), y, bytes);
#ifdef TS_BENCH
    before = ts_cycles();
#endif
}

#define TS_AFTER(step, y) ts_after(step, y, sizeof (y))
#include TS_APP_SOURCE

int32_t ts_self_test(void)
{
    struct ts_event event[TS_EVENTS];

    testing = true;
#ifdef TS_LEARNS
    ts_app_forget();
#endif
    ts_app_reset();
    ts_cycles_start();
    for (block_number = 0; block_number < TS_GOLDEN_BLOCKS; block_number++) {
#ifdef TS_BENCH
        before = ts_cycles();
        reached = 0;
#endif
        (void)ts_app_push(&ts_golden_x[(size_t)(block_number % TS_GOLDEN_STORED) * TS_SAMPLES], event);
#ifdef TS_BENCH
        if (reached < TS_STEPS) {
            spend(reached, false);      /* it has answered "nothing yet" */
        }
#endif
        board_watchdog_feed();
    }
    testing = false;
#ifdef TS_LEARNS
    ts_app_forget();                    /* noise is not what is normal */
#endif
    for (int32_t step = 0; step < TS_STEPS; step++) {
        if (digests[step] != ts_golden_digests[step]) {
            return step;
        }
    }
    return -1;
}

const char *ts_step_name(int32_t step)
{
    return ts_step_names[step];
}

#ifdef TS_BENCH
void ts_put_cycles(struct ts_record *record, int32_t step)
{
    ts_put(record, (uint32_t)step, 2);
    ts_put(record, spent[step].fired, 4);
    ts_put(record, TS_GOLDEN_BLOCKS, 4);
    ts_put(record, spent[step].cycles, 8);
    ts_put(record, spent[step].most, 4);
    ts_put_text(record, ts_step_names[step]);
}
#endif
