/* board.c - Arm MPS2 with the Cortex-M System Design Kit's peripherals, as QEMU emulates it
 *
 * There is no sensor.  A recording that QEMU has loaded takes its place (README.md): TIMER0 ends a block, and its handler does what a
 * DMA would do.  After the recording the firmware ends, and QEMU with it.
 * Source: Arm DAI 0386, Application Note AN386, 3.3 (memory map); DDI 0479 Cortex-M System Design Kit TRM, 4.2 (timer), 4.3 (UART),
 * 4.5 (watchdog).
 */
#include "ts_board.h"
#include "ts_core.h"
#include "ts_queue.h"

#include <string.h>

struct timer {
    volatile uint32_t ctrl, value, reload, clear;
};

struct uart {
    volatile uint32_t data, state, ctrl, status, divider;
};

struct watchdog {
    volatile uint32_t load, value, ctrl, clear, unused[764], lock;
};

#define TIMER0   ((struct timer *)0x40000000u)
#define TIMER1   ((struct timer *)0x40001000u)
#define UART0    ((struct uart *)0x40004000u)
#define WATCHDOG ((struct watchdog *)0x40008000u)

enum { UART0_TX_IRQ = 1, TIMER0_IRQ = 8 };
enum { TIMER_ON = 1, TIMER_INTERRUPTS = 8 };
enum { UART_TX_ON = 1, UART_TX_INTERRUPTS = 4, UART_TX = 1 };
enum { WATCHDOG_ON = 1, WATCHDOG_RESETS = 2 };

#define WATCHDOG_UNLOCK 0x1acce551u
#define BAUD 115200u

static void on_timer(void);
static void on_uart(void);

__attribute__((section(".vectors.board"), used)) static void (*const vectors[])(void) = {
    [UART0_TX_IRQ] = on_uart, [TIMER0_IRQ] = on_timer, [31] = 0,
};

const uint32_t board_ticks_hz = TS_CLOCK_HZ;

enum ts_reset board_init(void)
{
    UART0->divider = TS_CLOCK_HZ / BAUD;
    UART0->ctrl = UART_TX_ON | UART_TX_INTERRUPTS;
    TIMER1->reload = 0xffffffffu;
    TIMER1->value = 0xffffffffu;
    TIMER1->ctrl = TIMER_ON;
    ts_enable_irq(UART0_TX_IRQ);
    ts_enable_irq(TIMER0_IRQ);
    return TS_RESET_UNKNOWN;            /* the FPGA does not tell */
}

uint32_t board_ticks(void)
{
    return ~TIMER1->value;
}

/* --- the source ---------------------------------------------------------------------------------------------- */

static ts_sample (*target)[TS_SAMPLES];
static uint32_t next;                   /* block of the recording */
static uint32_t which;

static void set_timer(uint32_t cycles)
{
    TIMER0->reload = cycles - 1;        /* the counter passes zero */
    TIMER0->value = cycles - 1;
    TIMER0->ctrl = TIMER_ON | TIMER_INTERRUPTS;
}

void board_source_start(ts_sample buffers[2][TS_SAMPLES])
{
    target = buffers;
    which = 0;
    set_timer((uint32_t)((uint64_t)TS_CLOCK_HZ * TS_BLOCK_US / 1000000));
}

void board_source_stop(void)
{
    TIMER0->ctrl = 0;
    TIMER0->clear = 1;
    target = 0;
}

static void on_timer(void)
{
    TIMER0->clear = 1;
    if (target == 0) {
        return;                         /* the end of a deep sleep */
    }
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

/* --- the UART ------------------------------------------------------------------------------------------------ */

static struct ts_queue queue;
static volatile bool sending;

static void send_next(void)
{
    uint8_t byte = 0;

    sending = ts_queue_take(&queue, &byte);
    if (sending) {
        UART0->data = byte;
    }
}

static void on_uart(void)
{
    UART0->status = UART_TX;
    send_next();
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
    while (ms != 0) {
        const uint32_t part = ms < 1000 ? ms : 1000;
        set_timer(TS_CLOCK_HZ / 1000 * part);
        wait_for_interrupt();
        TIMER0->ctrl = 0;
        board_watchdog_feed();
        ms -= part;
    }
    ts_interrupts(true);
}

void board_watchdog_start(uint32_t ms)
{
    WATCHDOG->lock = WATCHDOG_UNLOCK;
    WATCHDOG->load = TS_CLOCK_HZ / 1000 * ms / 2;       /* at the second time it resets */
    WATCHDOG->ctrl = WATCHDOG_ON | WATCHDOG_RESETS;
    WATCHDOG->lock = 0;
}

void board_watchdog_feed(void)
{
    WATCHDOG->lock = WATCHDOG_UNLOCK;
    WATCHDOG->clear = 1;
    WATCHDOG->lock = 0;
}
