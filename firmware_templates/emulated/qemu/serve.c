/* serve.c - firmware in QEMU as the host's servant: it takes and gives memory and calls functions as it is told
 *
 * Requests come on QEMU's standard input, answers go to its standard output, by semihosting:
 *     1, address, bytes; then so many bytes       what to write there
 *     2, address, bytes                           answered by what lies there
 *     3, address, 8 arguments                     a function to call; answered by what it returns
 * Source of the operations' numbers: Arm, Semihosting for AArch32 and AArch64; RISC-V has taken them over.
 */
#include <stddef.h>
#include <stdint.h>

typedef uint32_t ts_function(uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t);

enum { TS_OPEN = 0x01, TS_WRITE = 0x05, TS_READ = 0x06, TS_EXIT = 0x18 };
enum { TS_READABLE = 1, TS_WRITABLE = 5, TS_AS_ASKED = 0x20026 };

uint32_t ts_host(uint32_t operation, uintptr_t arguments);
void ts_run(void);

extern uint32_t ts_data_start[], ts_data_end[], ts_bss_start[], ts_bss_end[];
extern const uint32_t ts_data_load[];

static uintptr_t ts_input, ts_output;

static uintptr_t ts_open(const char *name, size_t length, uintptr_t mode)
{
    const uintptr_t told[3] = { (uintptr_t)name, mode, length };
    return ts_host(TS_OPEN, (uintptr_t)told);
}

static void ts_take(void *y, uint32_t bytes)
{
    uint32_t left = bytes;
    while (left > 0) {
        const uintptr_t told[3] = { ts_input, (uintptr_t)y + (bytes - left), left };
        const uint32_t before = left;
        left = ts_host(TS_READ, (uintptr_t)told);
        if (left == before) {           /* the host has closed its end */
            (void)ts_host(TS_EXIT, TS_AS_ASKED);
        }
    }
}

static void ts_give(const void *x, uint32_t bytes)
{
    const uintptr_t told[3] = { ts_output, (uintptr_t)x, bytes };
    (void)ts_host(TS_WRITE, (uintptr_t)told);
}

static void ts_call(const uint32_t a[9])
{
    ts_function *function = (ts_function *)(uintptr_t)a[0];     /* it looks only at the arguments that it has */
    const uint32_t y = function(a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]);
    ts_give(&y, sizeof y);
}

static void ts_serve(void)
{
    uint32_t request, a[9];
    for (;;) {
        ts_take(&request, sizeof request);
        ts_take(a, request == 3 ? sizeof a : 2 * sizeof a[0]);
        switch (request) {
        case 1:  ts_take((void *)(uintptr_t)a[0], a[1]); break;
        case 2:  ts_give((const void *)(uintptr_t)a[0], a[1]); break;
        default: ts_call(a); break;
        }
    }
}

void ts_run(void)
{
    const uint32_t *load = ts_data_load;
    for (uint32_t *word = ts_data_start; word < ts_data_end; word++) {
        *word = *load++;
    }
    for (uint32_t *word = ts_bss_start; word < ts_bss_end; word++) {
        *word = 0;
    }
    ts_input = ts_open("/dev/stdin", 10, TS_READABLE);
    ts_output = ts_open("/dev/stdout", 11, TS_WRITABLE);
    ts_serve();
}
