/* board.c - Arm's FPGA boards MPS2 and MPS3 with the Cortex-M System Design Kit's peripherals, as QEMU emulates them
 *
 * There is no sensor.  A recording that QEMU has loaded takes its place (README.md): a timer ends a block, and its handler does what a
 * DMA would do.  After the recording the firmware ends, and QEMU with it.
 * Source: Arm DDI 0479, Cortex-M System Design Kit TRM, 4.2 (timer), 4.3 (UART), 4.5 (watchdog); addresses and interrupts, from each board's
 * own document, agree with QEMU's hw/arm/mps2.c, mps2-tz.c and armsse.c.
 */
#include "ts_board.h"
#include "ts_core.h"
#include "ts_queue.h"

#include <string.h>

#ifdef TS_AN505            /* Arm DAI 0505: the IoT Kit, all of it secure */
#define TIMER        ((struct timer *)0x50000000u)
#define TIMER1       ((struct timer *)0x50001000u)
#define UART0        ((struct uart *)0x50200000u)
#define WATCHDOG     ((struct watchdog *)0x50081000u)
enum { TIMER_IRQ = 3, UART_IRQ = 42 };          /* of UART0: transmit, receive and overflow together */
#elif defined TS_AN547          /* Arm DAI 0547 and 101773, SSE-300 TRM: timer and watchdog are those of the slow clock */
#define TIMER        ((struct timer *)0x5802f000u)
#define COUNTER      ((struct counter *)0x58100000u)
#define UART0        ((struct uart *)0x59303000u)
#define WATCHDOG     ((struct watchdog *)0x5802e000u)
#define TIMER_HZ     32000u
#define WATCHDOG_HZ  32000u
#define UART_HZ      25000000u
enum { TIMER_IRQ = 2, UART_IRQ = 43 };
#else                           /* Arm DAI 0385, 0386 and 0500 */
#define TIMER        ((struct timer *)0x40000000u)
#define TIMER1       ((struct timer *)0x40001000u)
#define UART0        ((struct uart *)0x40004000u)
#define WATCHDOG     ((struct watchdog *)0x40008000u)
enum { TIMER_IRQ = 8, UART_IRQ = 1 };
#endif

#ifndef TIMER_HZ
#define TIMER_HZ     TS_CLOCK_HZ
#define WATCHDOG_HZ  TS_CLOCK_HZ
#define UART_HZ      TS_CLOCK_HZ
#endif

struct timer {
    volatile uint32_t ctrl, value, reload, clear;
};

struct counter {                        /* Arm 101773: the system counter */
    volatile uint32_t ctrl, status, value[2];
};

struct uart {
    volatile uint32_t data, state, ctrl, status, divider;
};

struct watchdog {
    volatile uint32_t load, value, ctrl, clear, unused[764], lock;
};

enum { TIMER_ON = 1, TIMER_INTERRUPTS = 8, COUNTER_ON = 1 };
enum { UART_TX_ON = 1, UART_RX_ON = 2, UART_TX_INTERRUPTS = 4, UART_TX = 1, UART_RX_FULL = 2 };
enum { WATCHDOG_ON = 1, WATCHDOG_RESETS = 2 };

#define WATCHDOG_UNLOCK 0x1acce551u
#define BAUD 115200u

static void on_timer(void);
static void on_uart(void);

__attribute__((section(".vectors.board"), used)) static void (*const vectors[])(void) = {
    [TIMER_IRQ] = on_timer, [UART_IRQ] = on_uart, [95] = 0,
};

const uint32_t board_ticks_hz = TS_CLOCK_HZ;

/* --- two timers: one ends blocks, one counts ticks ------------------------------------------------------------- */

#ifdef COUNTER

static void start_ticks(void)
{
    COUNTER->ctrl = COUNTER_ON;
}

uint32_t board_ticks(void)
{
    return COUNTER->value[0];
}

#else

static void start_ticks(void)
{
    TIMER1->reload = 0xffffffffu;
    TIMER1->value = 0xffffffffu;
    TIMER1->ctrl = TIMER_ON;
}

uint32_t board_ticks(void)
{
    return ~TIMER1->value;
}

#endif

static void set_timer(uint64_t us)
{
    const uint32_t ticks = (uint32_t)(TIMER_HZ * us / 1000000);
    TIMER->reload = ticks - 1;          /* the counter passes zero */
    TIMER->value = ticks - 1;
    TIMER->ctrl = TIMER_ON | TIMER_INTERRUPTS;
}

static void stop_timer(void)
{
    TIMER->ctrl = 0;
    TIMER->clear = 1;
}

enum ts_reset board_init(void)
{
    UART0->divider = UART_HZ / BAUD;
#ifdef TS_TELLS_SAMPLES
    UART0->ctrl = UART_TX_ON | UART_TX_INTERRUPTS | UART_RX_ON;
#else
    UART0->ctrl = UART_TX_ON | UART_TX_INTERRUPTS;
#endif
    start_ticks();
    ts_enable_irq(UART_IRQ);
    ts_enable_irq(TIMER_IRQ);
    return TS_RESET_UNKNOWN;            /* the FPGA does not tell */
}

/* --- the source ---------------------------------------------------------------------------------------------- */

static ts_sample (*target)[TS_SAMPLES];
static uint32_t next;                   /* block of the recording */
static uint32_t which;

void board_source_start(ts_sample buffers[2][TS_SAMPLES])
{
    target = buffers;
    which = 0;
    set_timer(TS_BLOCK_US);
}

void board_source_stop(void)
{
    stop_timer();
    target = 0;
}

static void on_timer(void)
{
    TIMER->clear = 1;
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

#ifdef TS_TELLS_SAMPLES
/* The UART holds one byte, and QEMU keeps the next ones back. */
uint32_t board_read(uint8_t *bytes, uint32_t most)
{
    uint32_t count = 0;
    while (count < most && (UART0->state & UART_RX_FULL) != 0) {
        bytes[count++] = (uint8_t)UART0->data;
    }
    return count;
}
#endif

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
        set_timer((uint64_t)part * 1000);
        wait_for_interrupt();
        stop_timer();
        board_watchdog_feed();
        ms -= part;
    }
    ts_interrupts(true);
}

void board_watchdog_start(uint32_t ms)
{
    WATCHDOG->lock = WATCHDOG_UNLOCK;
    WATCHDOG->load = (uint32_t)((uint64_t)WATCHDOG_HZ * ms / 1000);
    WATCHDOG->ctrl = WATCHDOG_ON | WATCHDOG_RESETS;
    WATCHDOG->lock = 0;
}

void board_watchdog_feed(void)
{
    WATCHDOG->lock = WATCHDOG_UNLOCK;
    WATCHDOG->clear = 1;
    WATCHDOG->lock = 0;
}

void ts_nmi(void);
void ts_fault_at(const uint32_t *frame, uint32_t reason);

/* The watchdog's first time-out, before the second resets the board: what hangs is told with its address. */
__attribute__((naked)) void ts_nmi(void)
{
    __asm volatile("mrs r0, msp\n movs r1, %0\n ldr r2, =ts_fault_at\n bx r2\n .ltorg" : : "i"(TS_RESET_WATCHDOG));
}
