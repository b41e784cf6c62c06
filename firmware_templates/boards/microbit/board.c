/* board.c - BBC micro:bit V1: Nordic nRF51822 QFAA, Cortex-M0 at 16 MHz, 256 kB of flash and 16 kB of RAM
 *
 * The chip has no DMA for its ADC, its TWI and its UART: each sample, and each byte, is an interrupt (README.md tells what they take).
 * Sources, of which the build chooses one:
 *   microphone        ADC on pad 0, started by TIMER1 through PPI
 *   imu               the MMA8653 on the board, read over TWI0 when it says that a sample is there
 *   -DSOURCE_SERIAL   either, in frames on the UART (ts_feed.h); with -DSERIAL_WAITS the sender heeds RTS
 * BOARD_QEMU: the build for QEMU 7.2, by serial line; QEMU has UART0, the TIMERs and GPIO, but no RTC, WDT, PPI, ADC, GPIOTE and TWI.
 *
 * Source: Nordic nRF51 Series Reference Manual v3.0, the chapter of each peripheral; nRF51822 Product Specification v3.1.
 */
#include "ts_board.h"
#include "ts_core.h"
#include "ts_queue.h"

#include <stddef.h>

#ifdef BOARD_QEMU
#define SOURCE_SERIAL
#ifndef SERIAL_FREE
#define SERIAL_WAITS
#endif
#endif
#ifdef SOURCE_SERIAL
#include "ts_feed.h"
#endif

/* Pins of port 0.  Source: micro:bit V1 schematic: the interface chip's UART, and its pads and sensors. */
#ifndef TX_PIN
#define TX_PIN 24
#endif
#ifndef RX_PIN
#define RX_PIN 25
#endif
#ifndef RTS_PIN
#define RTS_PIN 2                       /* pad 1; with SERIAL_WAITS */
#endif
#ifndef CTS_PIN
#define CTS_PIN 1                       /* pad 2; likewise, to ground where the adapter has none */
#endif
enum { SCL_PIN = 0, SDA_PIN = 30, ACCELEROMETER_PIN = 28 };
enum { PAD0_AIN = 4 };                  /* pad 0 is P0.03, analogue input 4 */

enum { UART0_IRQ = 2, GPIOTE_IRQ = 6, ADC_IRQ = 7, TIMER2_IRQ = 10, RTC0_IRQ = 11 };

static void on_uart(void);
static void on_wake(void);
#ifndef SOURCE_SERIAL
static void on_sample(void);
#endif

__attribute__((section(".vectors.board"), used)) static void (*const vectors[32])(void) = {
    [UART0_IRQ] = on_uart,
#ifndef SOURCE_SERIAL
    [GPIOTE_IRQ] = on_sample, [ADC_IRQ] = on_sample,
#endif
    [TIMER2_IRQ] = on_wake, [RTC0_IRQ] = on_wake,
};

/* Asleep until an interrupt has been served; interrupts are off before and after. */
static void wait_for_interrupt(void)
{
    ts_sleep();
    ts_interrupts(true);
    ts_interrupts(false);
}

/* --- power and clocks: reference manual, POWER and CLOCK --------------------------------------------------------- */

struct clock {
    volatile uint32_t hfclk_start, hfclk_stop, lfclk_start, lfclk_stop, unused[60];
    volatile uint32_t hfclk_started, lfclk_started, unused2[190];
    volatile uint32_t reset_reason, unused3[69];
    volatile uint32_t lfclk_source;
};
_Static_assert(offsetof(struct clock, lfclk_source) == 0x518, "clock");
#define CLOCK ((struct clock *)0x40000000u)

enum { RESET_PIN = 1, RESET_WATCHDOG = 2, RESET_SOFTWARE = 4, RESET_LOCKUP = 8 };
enum { LFCLK_RC = 0 };                  /* the board has no 32 kHz crystal */

/* The crystal's 16 MHz, which the UART and the sampling want.  Without a crystal, in time, the RC oscillator's: 1 % off, but not silent. */
static void start_crystal(void)
{
    CLOCK->hfclk_started = 0;
    CLOCK->hfclk_start = 1;
    for (uint32_t i = 0; i < 100000 && CLOCK->hfclk_started == 0; i++) {
    }
}

static enum ts_reset why_reset(void)
{
    const uint32_t reason = CLOCK->reset_reason;
    CLOCK->reset_reason = reason;       /* ones clear; else it would add up */
    return reason & RESET_LOCKUP ? TS_RESET_FAULT : reason & RESET_WATCHDOG ? TS_RESET_WATCHDOG :
           reason & RESET_SOFTWARE ? TS_RESET_SOFTWARE : reason & RESET_PIN ? TS_RESET_PIN : TS_RESET_POWER;
}

/* --- GPIO -------------------------------------------------------------------------------------------------------- */

struct gpio {
    volatile uint32_t unused[321], out, out_set, out_clear, in, direction, direction_set, unused2[121], pin[32];
};
_Static_assert(offsetof(struct gpio, pin) == 0x700, "gpio");
#define GPIO ((struct gpio *)0x50000000u)

enum { PIN_INPUT = 0, PIN_OUTPUT = 3, PIN_PULL_UP = 3 << 2, PIN_OPEN_DRAIN = 6 << 8, PIN_SENSE_LOW = 3 << 16 };

static void high(uint32_t pin)
{
    GPIO->out_set = 1u << pin;
    GPIO->pin[pin] = PIN_OUTPUT;
}

/* --- TIMER and RTC ----------------------------------------------------------------------------------------------- */

struct timer {
    volatile uint32_t start, stop, count, clear, shutdown, unused[11], capture[4], unused2[60], compared[4], unused3[44];
    volatile uint32_t shorts, unused4[64], interrupts_on, interrupts_off, unused5[126], mode, bits, unused6, prescaler, unused7[11], cc[4];
};
_Static_assert(offsetof(struct timer, cc) == 0x540, "timer");
struct rtc {
    volatile uint32_t start, stop, clear, unused[77], compared[4], unused2[109], interrupts_on, interrupts_off, unused3[14], events_on;
    volatile uint32_t unused4[111], counter, prescaler, unused5[13], cc[4];
};
_Static_assert(offsetof(struct rtc, cc) == 0x540, "rtc");
#define TIMER0 ((struct timer *)0x40008000u)
#define TIMER1 ((struct timer *)0x40009000u)
#define TIMER2 ((struct timer *)0x4000a000u)
#define RTC0   ((struct rtc *)0x4000b000u)

enum { BITS_16 = 0, BITS_32 = 3, COMPARED0 = 1 << 16, COMPARED0_CLEARS = 1, COMPARED0_STOPS = 1 << 8, PRESCALER_1MHZ = 4 };
#define LFCLK_HZ 32768u

const uint32_t board_ticks_hz = TS_CLOCK_HZ;
static uint32_t slept;                  /* ticks that TIMER0 has not seen */

static void start_ticks(void)
{
    TIMER0->bits = BITS_32;             /* TIMER0 alone has so many */
    TIMER0->prescaler = 0;
    TIMER0->start = 1;
}

uint32_t board_ticks(void)
{
    TIMER0->capture[0] = 1;
    return TIMER0->cc[0] + slept;
}

/* --- UART0: reference manual, UART ------------------------------------------------------------------------------- */

struct uart {
    volatile uint32_t rx_start, rx_stop, tx_start, tx_stop, unused[62], rx_ready, unused2[4], tx_ready, unused3, error, unused4[119];
    volatile uint32_t interrupts_on, interrupts_off, unused6[93], error_source, unused7[31];
    volatile uint32_t enable, unused8, rts_pin, tx_pin, cts_pin, rx_pin, rx, tx, unused9, baud, unused10[17], config;
};
_Static_assert(offsetof(struct uart, config) == 0x56c, "uart");
#define UART0 ((struct uart *)0x40002000u)

enum { UART_ON = 4, UART_OFF = 0, UART_FLOW_CONTROL = 1, RX_READY = 1 << 2, TX_READY = 1 << 7 };
#define BAUD_115200 0x01d7e000u
#define BAUD_1M     0x10000000u
#ifndef BAUD
#if defined(SOURCE_SERIAL) && defined(TS_SOURCE_MICROPHONE)
#define BAUD BAUD_1M                    /* 16 kHz of int16 are 320 kbaud */
#else
#define BAUD BAUD_115200
#endif
#endif

static struct ts_queue queue;
static volatile bool sending;
#ifdef SOURCE_SERIAL
static struct ts_feed feed;
#endif

static void start_uart(void)
{
    high(TX_PIN);
    GPIO->pin[RX_PIN] = PIN_INPUT | PIN_PULL_UP;
    UART0->tx_pin = TX_PIN;
    UART0->rx_pin = RX_PIN;
#ifdef SERIAL_WAITS
    high(RTS_PIN);
    GPIO->pin[CTS_PIN] = PIN_INPUT;
    UART0->rts_pin = RTS_PIN;
    UART0->cts_pin = CTS_PIN;
    UART0->config = UART_FLOW_CONTROL;
#endif
    UART0->baud = BAUD;
    UART0->enable = UART_ON;
    UART0->tx_start = 1;
    UART0->interrupts_on = TX_READY;
}

static void send_next(void)
{
    uint8_t byte = 0;

    sending = ts_queue_take(&queue, &byte);
    if (sending) {
        UART0->tx = byte;
    }
}

#ifdef SOURCE_SERIAL
static void receive(void)
{
    while (ts_feed_has_room(&feed) && UART0->rx_ready != 0) {
        UART0->rx_ready = 0;            /* before the read, which brings up the next byte of six, and its event */
        ts_feed_byte(&feed, (uint8_t)UART0->rx);
    }
    if (!ts_feed_has_room(&feed)) {
        UART0->interrupts_off = RX_READY;
    }
}
#endif

static void on_uart(void)
{
#ifdef SOURCE_SERIAL
    receive();
#endif
    if (UART0->tx_ready != 0) {
        UART0->tx_ready = 0;
        send_next();
    }
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

/* --- the source -------------------------------------------------------------------------------------------------- */

#ifdef SOURCE_SERIAL

void board_source_start(ts_sample buffers[2][TS_SAMPLES])
{
    ts_interrupts(false);
    ts_feed_start(&feed, buffers);
    UART0->rx_start = 1;
    UART0->interrupts_on = RX_READY;
    ts_interrupts(true);
}

void board_source_stop(void)
{
    ts_interrupts(false);
    ts_feed_stop(&feed);
    UART0->interrupts_off = RX_READY;
#ifndef SERIAL_WAITS
    UART0->rx_stop = 1;
#endif
    ts_interrupts(true);
}

#else

static ts_sample (*target)[TS_SAMPLES];
static uint32_t which, at;

static void put_sample(ts_sample sample)
{
    target[which][at] = sample;
    if (++at == TS_SAMPLES) {
        at = 0;
        which ^= 1;
        ts_block_filled();
    }
}

#ifdef TS_SOURCE_MICROPHONE

/* ADC and PPI.  A conversion of 10 bits takes 68 us, one of 9 bits 36 us (product specification, ADC). */
struct adc {
    volatile uint32_t start, stop, unused[62], end, unused2[128], interrupts_on, interrupts_off, unused3[61], busy, unused4[63];
    volatile uint32_t enable, config, result;
};
_Static_assert(offsetof(struct adc, result) == 0x508, "adc");
struct ppi {
    volatile uint32_t unused[321], enable, disable, unused2;
    struct {
        volatile uint32_t event, task;
    } channel[16];
};
_Static_assert(offsetof(struct ppi, channel) == 0x510, "ppi");
#define ADC ((struct adc *)0x40007000u)
#define PPI ((struct ppi *)0x4001f000u)

#define RATE_HZ (TS_SAMPLE_HZ_NUMERATOR / TS_SAMPLE_HZ_DENOMINATOR)
#define ADC_BITS (RATE_HZ <= 14000u ? 10u : 9u)
enum { INPUT_THIRD = 2 << 2, REFERENCE_SUPPLY_THIRD = 3 << 5, ADC_END = 1 };     /* so that 0 to the supply's voltage are full scale */

static void on_sample(void)
{
    ADC->end = 0;
    put_sample((ts_sample)((int32_t)(ADC->result << (16 - ADC_BITS)) - 32768));
}

void board_source_start(ts_sample buffers[2][TS_SAMPLES])
{
    target = buffers;
    which = at = 0;
    ADC->config = (ADC_BITS - 8) | INPUT_THIRD | REFERENCE_SUPPLY_THIRD | 1u << (8 + PAD0_AIN);
    ADC->enable = 1;
    ADC->end = 0;
    ADC->interrupts_on = ADC_END;
    PPI->channel[0].event = (uint32_t)(uintptr_t)&TIMER1->compared[0];
    PPI->channel[0].task = (uint32_t)(uintptr_t)&ADC->start;
    PPI->enable = 1;
    TIMER1->bits = BITS_16;
    TIMER1->prescaler = 0;
    TIMER1->cc[0] = TS_CLOCK_HZ / RATE_HZ;
    TIMER1->shorts = COMPARED0_CLEARS;
    TIMER1->clear = 1;
    TIMER1->start = 1;
    ts_enable_irq(ADC_IRQ);
}

void board_source_stop(void)
{
    TIMER1->stop = 1;
    TIMER1->shutdown = 1;               /* a stopped timer would keep the clock on */
    PPI->disable = 1;
    ADC->interrupts_off = ADC_END;
    ADC->stop = 1;
    ADC->enable = 0;
}

#else

/* TWI0 and GPIOTE; registers of NXP's MMA8653FC: its data sheet. */
struct twi {
    volatile uint32_t rx_start, unused, tx_start, unused2[2], stop, unused3, suspend, resume, unused4[56], stopped, rx_ready;
    volatile uint32_t unused5[4], tx_sent, unused6, error, unused7[54], shorts, unused8[191], enable, unused9;
    volatile uint32_t scl_pin, sda_pin, unused10[2], rx, tx, unused11, frequency, unused12[24], address;
};
_Static_assert(offsetof(struct twi, address) == 0x588, "twi");
struct gpiote {
    volatile uint32_t unused[95], port, unused2[97], interrupts_on, interrupts_off;
};
_Static_assert(offsetof(struct gpiote, interrupts_off) == 0x308, "gpiote");
#define TWI0   ((struct twi *)0x40003000u)
#define GPIOTE ((struct gpiote *)0x40006000u)

enum { TWI_ON = 5, BYTE_SUSPENDS = 1, BYTE_STOPS = 2 };
#define TWI_400K 0x06680000u
#define GPIOTE_PORT 0x80000000u

enum { ACCELEROMETER = 0x1d, OUT_X = 0x01, DATA_CONFIG = 0x0e, CONTROL1 = 0x2a, CONTROL2 = 0x2b, CONTROL4 = 0x2d, CONTROL5 = 0x2e };
enum { ACTIVE = 1, HIGH_RESOLUTION = 2, DATA_READY = 1 };

/* An event, in time; a bus that hangs must not hang the node. */
static bool happened(volatile uint32_t *event)
{
    for (uint32_t i = 0; i < 2000; i++) {
        if (*event != 0) {
            *event = 0;
            return true;
        }
    }
    return false;
}

static void twi_stop(void)
{
    TWI0->stop = 1;
    (void)happened(&TWI0->stopped);
}

static bool twi_begin(uint8_t address)
{
    TWI0->stopped = TWI0->rx_ready = TWI0->tx_sent = TWI0->error = 0;
    TWI0->shorts = 0;
    TWI0->tx_start = 1;
    TWI0->tx = address;
    return happened(&TWI0->tx_sent);
}

static void twi_write(uint8_t address, uint8_t value)
{
    if (twi_begin(address)) {
        TWI0->tx = value;
        (void)happened(&TWI0->tx_sent);
    }
    twi_stop();
}

static bool twi_read(uint8_t address, uint8_t *bytes, uint32_t count)
{
    bool good = twi_begin(address);

    TWI0->shorts = count > 1 ? BYTE_SUSPENDS : BYTE_STOPS;
    TWI0->rx_start = good;
    for (uint32_t i = 0; i < count && good; i++) {
        good = happened(&TWI0->rx_ready);
        bytes[i] = (uint8_t)TWI0->rx;
        TWI0->shorts = i + 2 < count ? BYTE_SUSPENDS : BYTE_STOPS;
        TWI0->resume = i + 1 < count;
    }
    if (!good || !happened(&TWI0->stopped)) {
        twi_stop();
        return false;
    }
    return true;
}

/* A sample that cannot be read is the one before, once more: the time of those that follow stays right. */
static void on_sample(void)
{
    static uint8_t bytes[2 * TS_CHANNELS];

    do {
        GPIOTE->port = 0;
        (void)twi_read(OUT_X, bytes, sizeof bytes);
        for (uint32_t i = 0; i < TS_CHANNELS; i++) {
            put_sample((ts_sample)(bytes[2 * i] << 8 | bytes[2 * i + 1]));
        }
    } while ((GPIO->in & 1u << ACCELEROMETER_PIN) == 0 && GPIOTE->port != 0);
}

static uint8_t rate_bits(void)
{
    const uint32_t tenths = (uint32_t)((uint64_t)10 * TS_SAMPLE_HZ_NUMERATOR / TS_SAMPLE_HZ_DENOMINATOR);
    static const uint16_t rates[] = { 8000, 4000, 2000, 1000, 500, 125 };
    uint8_t i = 0;
    while (i < 5 && rates[i] != tenths) {
        i++;
    }
    return (uint8_t)(i << 3);
}

void board_source_start(ts_sample buffers[2][TS_SAMPLES])
{
    target = buffers;
    which = at = 0;
    GPIO->pin[SCL_PIN] = PIN_OPEN_DRAIN;
    GPIO->pin[SDA_PIN] = PIN_OPEN_DRAIN;
    TWI0->scl_pin = SCL_PIN;
    TWI0->sda_pin = SDA_PIN;
    TWI0->frequency = TWI_400K;
    TWI0->address = ACCELEROMETER;
    TWI0->enable = TWI_ON;
    twi_write(CONTROL1, 0);             /* the rest is written in standby */
    twi_write(CONTROL2, HIGH_RESOLUTION);
    twi_write(CONTROL4, DATA_READY);
    twi_write(CONTROL5, DATA_READY);    /* to INT1 */
    twi_write(DATA_CONFIG, TS_RANGE_MG == 2000 ? 0 : TS_RANGE_MG == 4000 ? 1 : 2);
    GPIO->pin[ACCELEROMETER_PIN] = PIN_INPUT | PIN_PULL_UP | PIN_SENSE_LOW;
    GPIOTE->port = 0;
    GPIOTE->interrupts_on = GPIOTE_PORT;
    ts_enable_irq(GPIOTE_IRQ);
    twi_write(CONTROL1, rate_bits() | ACTIVE);
}

void board_source_stop(void)
{
    GPIOTE->interrupts_off = GPIOTE_PORT;
    GPIO->pin[ACCELEROMETER_PIN] = PIN_INPUT | PIN_PULL_UP;
    twi_write(CONTROL1, 0);
    TWI0->enable = 0;
}

#endif
#endif

/* --- sleep ------------------------------------------------------------------------------------------------------- */

void board_sleep(void)
{
#ifdef SOURCE_SERIAL
    feed.busy = false;
    if (ts_feed_has_room(&feed)) {
        UART0->interrupts_on = RX_READY;
    }
#endif
    ts_sleep();                         /* System ON, idle: timers and UART run on */
}

static volatile bool woken;

#ifdef BOARD_QEMU

static void on_wake(void)
{
    TIMER2->compared[0] = 0;
    woken = true;
}

static void sleep_ms(uint32_t ms)
{
    TIMER2->bits = BITS_32;             /* QEMU's has as many as TIMER0 */
    TIMER2->prescaler = PRESCALER_1MHZ;
    TIMER2->shorts = COMPARED0_STOPS;
    TIMER2->clear = 1;
    TIMER2->cc[0] = 1000 * ms;
    TIMER2->interrupts_on = COMPARED0;
    ts_enable_irq(TIMER2_IRQ);
    woken = false;
    TIMER2->start = 1;
    while (!woken) {
        wait_for_interrupt();
    }
}

#else

static void on_wake(void)
{
    RTC0->compared[0] = 0;
    (void)RTC0->compared[0];            /* the write has arrived before the handler ends */
    woken = true;
}

/* Only the RTC runs, and the 32 kHz RC oscillator: within 2 %, which is not calibrated. */
static void sleep_ms(uint32_t ms)
{
    TIMER0->capture[0] = 1;
    slept += TIMER0->cc[0] + TS_CLOCK_HZ / 1000 * ms;
    TIMER0->stop = 1;
    TIMER0->shutdown = 1;
    TIMER0->clear = 1;
    CLOCK->hfclk_stop = 1;
    RTC0->stop = 1;
    RTC0->clear = 1;
    RTC0->prescaler = 0;
    RTC0->cc[0] = ms * LFCLK_HZ / 1000;
    RTC0->compared[0] = 0;
    RTC0->events_on = COMPARED0;
    RTC0->interrupts_on = COMPARED0;
    ts_enable_irq(RTC0_IRQ);
    woken = false;
    RTC0->start = 1;
    while (!woken) {
        wait_for_interrupt();
    }
    RTC0->stop = 1;
    start_crystal();
    TIMER0->start = 1;
}

#endif

/* The accelerometer, the ADC and the crystal are off; RAM is kept. */
void board_deep_sleep(uint32_t ms)
{
    ts_interrupts(false);
    while (sending) {
        wait_for_interrupt();
    }
    if (ms != 0) {
        UART0->tx_stop = 1;
        UART0->enable = UART_OFF;       /* it would keep the clock on; the pin stays high */
    }
    while (ms != 0) {
        const uint32_t part = ms < 1000 ? ms : 1000;
        sleep_ms(part);
        board_watchdog_feed();
        ms -= part;
    }
    UART0->enable = UART_ON;
    UART0->tx_start = 1;
    ts_interrupts(true);
}

/* --- watchdog: reference manual, WDT ----------------------------------------------------------------------------- */

struct watchdog {
    volatile uint32_t start, unused[320], reload, requests, config, unused2[60], request[8];
};
_Static_assert(offsetof(struct watchdog, request) == 0x600, "watchdog");
#define WATCHDOG ((struct watchdog *)0x40010000u)

enum { RUNS_ASLEEP = 1 };
#define WATCHDOG_FED 0x6e524635u

void board_watchdog_start(uint32_t ms)
{
    WATCHDOG->config = RUNS_ASLEEP;
    WATCHDOG->reload = (uint32_t)((uint64_t)ms * LFCLK_HZ / 1000);
    WATCHDOG->requests = 1;
    WATCHDOG->start = 1;
}

void board_watchdog_feed(void)
{
    WATCHDOG->request[0] = WATCHDOG_FED;
}

/* --- start ------------------------------------------------------------------------------------------------------- */

enum ts_reset board_init(void)
{
    const enum ts_reset reset = why_reset();

    start_crystal();
    CLOCK->lfclk_source = LFCLK_RC;
    CLOCK->lfclk_start = 1;             /* the watchdog and the RTC wait for it by themselves */
    start_ticks();
    start_uart();
    ts_set_priority(UART0_IRQ, 1);      /* below the source's */
    ts_enable_irq(UART0_IRQ);
    return reset;
}
