/* board.c - a process in the place of a board: samples come on standard input, records go to standard output
 *
 * A pipe has no clock.  A block is read while the loop sleeps, so that none is ever late.
 */
#define _POSIX_C_SOURCE 200809L         /* NOLINT: asks for read() and clock_gettime() */
#include "ts_board.h"
#include "ts_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#ifdef TS_TELLS_SAMPLES
#include <poll.h>
#endif

static ts_sample (*target)[TS_SAMPLES];
static uint32_t which;

const uint32_t board_ticks_hz = 1000000000u;

enum ts_reset board_init(void)
{
    return TS_RESET_POWER;
}

void board_source_start(ts_sample buffers[2][TS_SAMPLES])
{
    target = buffers;
    which = 0;
}

void board_source_stop(void)
{
    target = NULL;
}

/* So many bytes, or false at the end of the input. */
static bool read_all(void *bytes, size_t count)
{
    for (size_t done = 0; done < count;) {
        const ssize_t n = read(STDIN_FILENO, (char *)bytes + done, count - done);
        if (n <= 0) {
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

void board_sleep(void)
{
    if (read_all(target[which], sizeof target[which])) {
        which ^= 1;
        ts_block_filled();
    } else {
        ts_source_ended();
    }
}

/* Samples of that time are passed over. */
void board_deep_sleep(uint32_t ms)
{
    static ts_sample passed[TS_SAMPLES];
    const uint32_t blocks = ms != 0 ? TS_OFF_BLOCKS : 0;
    for (uint32_t i = 0; i < blocks; i++) {
        if (!read_all(passed, sizeof passed)) {
            ts_source_ended();
            return;
        }
    }
}

void board_write(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t done = 0; done < count;) {
        const ssize_t n = write(STDOUT_FILENO, bytes + done, count - done);
        if (n < 0) {
            exit(1);                    /* nobody listens any more */
        }
        done += (uint32_t)n;
    }
}

#ifdef TS_TELLS_SAMPLES
/* On the file descriptor 3, where somebody has opened it: standard input is the sensor. */
uint32_t board_read(uint8_t *bytes, uint32_t most)
{
    struct pollfd line = { .fd = 3, .events = POLLIN };
    if (poll(&line, 1, 0) != 1 || (line.revents & POLLIN) == 0) {
        return 0;
    }
    const ssize_t count = read(line.fd, bytes, most);
    return count > 0 ? (uint32_t)count : 0;
}
#endif

#ifdef TS_LEARNS
/* A file in the folder in which it runs. */
size_t board_load_learnt(uint8_t *bytes, size_t most)
{
    FILE *file = fopen(TS_APP_NAME ".learnt", "rb");
    if (file == NULL) {
        return 0;
    }
    const size_t count = fread(bytes, 1, most, file);
    (void)fclose(file);
    return count;
}

void board_save_learnt(const uint8_t *bytes, size_t count)
{
    FILE *file = fopen(TS_APP_NAME ".learnt", "wb");
    if (file == NULL) {
        return;
    }
    (void)fwrite(bytes, 1, count, file);
    (void)fclose(file);
}
#endif

void board_watchdog_start(uint32_t ms)
{
    (void)ms;
}

void board_watchdog_feed(void)
{
}

uint32_t ts_cycles(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
}

uint32_t board_ticks(void)
{
    return ts_cycles();
}
