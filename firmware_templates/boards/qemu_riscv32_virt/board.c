/* board.c - QEMU's machine "virt" with a 32-bit RISC-V core
 *
 * There is no sensor.  A recording that QEMU has loaded takes its place (README.md): the core's timer ends a block, and its handler does
 * what a DMA would do.  After the recording the firmware ends, and QEMU with it.  There is no watchdog either: the timer's handler
 * looks whether the loop still feeds one.
 * Source: QEMU 7.2, docs/system/riscv/virt.rst, hw/riscv/virt.c (addresses, interrupts) and hw/misc/sifive_test.c; RISC-V Privileged
 * Architecture 1.12, 3.2.1 (mtime), 3.7 (PMP); RISC-V PLIC 1.0.0, 3 to 9; TI PC16550D, 8.
 */
#include "ts_board.h"
#include "ts_core.h"
#include "ts_queue.h"

#include <string.h>

struct plic {
    volatile uint32_t priority[1024], pending[1024], enabled[0x1fe000 / 4], threshold, claim;
};

struct uart {
    volatile uint8_t data, interrupts, fifo, line, modem, line_status;
};

#define MTIMECMP ((volatile uint32_t *)0x02004000u)
#define MTIME    ((volatile uint32_t *)0x0200bff8u)
#define PLIC     ((struct plic *)0x0c000000u)
#define UART     ((struct uart *)0x10000000u)

enum { TIMER_INTERRUPT = 7, EXTERNAL_INTERRUPT = 11 };
enum { UART_IRQ = 10 };
enum { LINE_8N1 = 3, LINE_DIVIDER = 0x80, FIFO_ON = 1, SENT = 2 };
enum { PMP_READ_EXECUTE = 5, PMP_NAPOT = 0x18, PMP_LOCKED = 0x80 };

#define FLASH 0x80000000u
#define FLASH_BYTES 0x400000u
#define MTIME_HZ 10000000u
#define NEVER UINT64_MAX
#define UART_HZ 3686400u
#define BAUD 115200u
#define FINISHER_RESET 0x7777u

static uint64_t alarm = NEVER;          /* the end of a block, or of a deep sleep */
static uint64_t hang = NEVER;           /* the watchdog's; the timer interrupts at the earlier of the two */
static uint64_t period;                 /* of blocks */
static uint32_t watchdog_ms;

const uint32_t board_ticks_hz = MTIME_HZ;

enum ts_reset board_init(void)
{
    /* flash that is RAM is written by nobody, so that a stack which overflows is a fault */
    __asm volatile(TS_CSR("csrw pmpaddr0, %0\n csrw pmpcfg0, %1")
                   : : "r"(FLASH >> 2 | (FLASH_BYTES / 8 - 1)), "r"(PMP_LOCKED | PMP_NAPOT | PMP_READ_EXECUTE));
    UART->line = LINE_DIVIDER;
    UART->data = (uint8_t)(UART_HZ / 16 / BAUD);
    UART->interrupts = 0;
    UART->line = LINE_8N1;
    UART->fifo = FIFO_ON;
    UART->interrupts = SENT;
    PLIC->priority[UART_IRQ] = 1;
    PLIC->threshold = 0;
    PLIC->enabled[0] = 1u << UART_IRQ;
    MTIMECMP[1] = 0xffffffffu;
    __asm volatile(TS_CSR("csrw mie, %0") : : "r"(1u << TIMER_INTERRUPT | 1u << EXTERNAL_INTERRUPT));
    return TS_RESET_UNKNOWN;            /* the machine does not tell */
}

__attribute__((noreturn)) void board_reset(void)
{
    TS_REGISTER(TS_FINISHER) = FINISHER_RESET;
    for (;;) {
    }
}

/* --- time ------------------------------------------------------------------------------------------------------ */

static uint64_t now(void)
{
    uint32_t high, low;
    do {
        high = MTIME[1];
        low = MTIME[0];
    } while (high != MTIME[1]);
    return (uint64_t)high << 32 | low;
}

uint32_t board_ticks(void)
{
    return MTIME[0];
}

static void set_timer(void)
{
    const uint64_t at = alarm < hang ? alarm : hang;
    MTIMECMP[0] = 0xffffffffu;          /* no smaller value in between */
    MTIMECMP[1] = (uint32_t)(at >> 32);
    MTIMECMP[0] = (uint32_t)at;
}

/* --- the source ---------------------------------------------------------------------------------------------- */

static ts_sample (*target)[TS_SAMPLES];
static uint32_t next;                   /* block of the recording */
static uint32_t which;

void board_source_start(ts_sample buffers[2][TS_SAMPLES])
{
    ts_interrupts(false);
    target = buffers;
    which = 0;
    period = (uint64_t)MTIME_HZ * TS_BLOCK_US / 1000000;
    alarm = now() + period;
    set_timer();
    ts_interrupts(true);
}

void board_source_stop(void)
{
    ts_interrupts(false);
    target = 0;
    alarm = NEVER;
    set_timer();
    ts_interrupts(true);
}

static void on_alarm(void)
{
    if (target == 0) {
        alarm = NEVER;                  /* the end of a deep sleep */
        return;
    }
    alarm += period;
    const uint8_t *recording = (const uint8_t *)TS_RECORDING;       /* the number of blocks in four bytes, then their samples */
    if (next >= *(const volatile uint32_t *)recording) {
        ts_source_ended();
        return;
    }
    memcpy(target[which], recording + 4 + next * sizeof *target, sizeof *target);
    next++;
    which ^= 1;
    ts_block_filled();
}

static void on_timer(void)
{
    const uint64_t at = now();
    if (at >= hang) {
        ts_fault(TS_RESET_WATCHDOG);
    }
    if (at >= alarm) {
        on_alarm();
    }
    set_timer();
}

/* --- the UART ------------------------------------------------------------------------------------------------ */

static struct ts_queue queue;
static volatile bool sending;

static void send_next(void)
{
    uint8_t byte = 0;

    sending = ts_queue_take(&queue, &byte);
    if (sending) {
        UART->data = byte;
    }
}

static void on_external(void)
{
    const uint32_t irq = PLIC->claim;
    if (irq == UART_IRQ && (UART->fifo & 15) == SENT) {     /* reading what interrupts, in the place of the FIFO's register, clears it */
        send_next();
    }
    PLIC->claim = irq;
}

void board_interrupt(uint32_t number)
{
    if (number == TIMER_INTERRUPT) {
        on_timer();
    } else if (number == EXTERNAL_INTERRUPT) {
        on_external();
    }
}

/* Asleep until an interrupt has been served; interrupts are off before and after. */
static void wait_for_interrupt(void)
{
    ts_sleep();
    ts_interrupts(true);
    ts_interrupts(false);
}

void board_write(const uint8_t *bytes, uint32_t count)
{
    ts_interrupts(false);
    for (uint32_t i = 0; i < count; i++) {
        while (!ts_queue_put(&queue, bytes[i])) {
            wait_for_interrupt();
        }
        if (!sending) {
            send_next();
        }
    }
    ts_interrupts(true);
}

/* --- sleep and the watchdog ------------------------------------------------------------------------------------ */

void board_sleep(void)
{
    ts_sleep();
}

void board_deep_sleep(uint32_t ms)
{
    ts_interrupts(false);
    while (sending) {
        wait_for_interrupt();
    }
    next += ms != 0 ? TS_OFF_BLOCKS : 0;        /* what a sensor would not have heard either */
    hang = NEVER;
    alarm = now() + (uint64_t)MTIME_HZ / 1000 * ms;
    set_timer();
    while (alarm != NEVER) {
        wait_for_interrupt();
    }
    board_watchdog_feed();              /* interrupts are on again */
}

void board_watchdog_start(uint32_t ms)
{
    watchdog_ms = ms;
    board_watchdog_feed();
}

void board_watchdog_feed(void)
{
    ts_interrupts(false);
    hang = watchdog_ms == 0 ? NEVER : now() + (uint64_t)MTIME_HZ / 1000 * watchdog_ms;
    set_timer();
    ts_interrupts(true);
}
