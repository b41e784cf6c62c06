/* board.c - Nordic's nRF52840 DK (PCA10056): PDM microphone or SPI accelerometer through EasyDMA, records to the virtual COM port
 *
 * Whatever the chip does while the core sleeps is asked of it by tasks and told by events, so there is no driver to keep alive: sleep is
 * WFI in System ON, and what is not used draws nothing.  The crystal of 32 MHz runs only while the microphone or the UART needs it.
 * Source: nRF52840 Product Specification v1.7, whose chapters are named where they are used; nRF52840 Revision 3 Errata.  README.md
 * tells how each register was checked, and what was run where.
 */
#include "ts_board.h"
#include "ts_core.h"
#include "ts_queue.h"
#ifdef TS_SOURCE_IMU
#include "lis3dh.h"
#endif

/* Tasks are triggered by 1, events are 1 until they are cleared (chapter Peripheral interface).  Offsets count from the peripheral's base. */
#define REGISTER(base, offset) TS_REGISTER((base) + (offset))

/* CLOCK and POWER: one peripheral with two names */
#define CLOCK_HFCLKSTART        REGISTER(0x40000000u, 0x000)
#define CLOCK_HFCLKSTOP         REGISTER(0x40000000u, 0x004)
#define CLOCK_LFCLKSTART        REGISTER(0x40000000u, 0x008)
#define CLOCK_LFCLKSTOP         REGISTER(0x40000000u, 0x00c)
#define CLOCK_HFCLKSTARTED      REGISTER(0x40000000u, 0x100)
#define CLOCK_LFCLKSTARTED      REGISTER(0x40000000u, 0x104)
#define CLOCK_LFCLKSRC          REGISTER(0x40000000u, 0x518)
#define POWER_RESETREAS         REGISTER(0x40000000u, 0x400)
#define POWER_DCDCEN            REGISTER(0x40000000u, 0x578)
enum { LFCLK_RC = 0, LFCLK_CRYSTAL = 1 };
enum { RESETREAS_PIN = 1, RESETREAS_WATCHDOG = 2, RESETREAS_SOFTWARE = 4, RESETREAS_LOCKUP = 8 };

/* NVMC: the cache of instructions */
#define NVMC_ICACHECNF          REGISTER(0x4001e000u, 0x540)

/* GPIO: port 0 and port 1; a pin is named by 32 * port + number, as in PSEL */
#define GPIO(pin)               (0x50000000u + 0x300u * ((pin) / 32))
#define GPIO_OUTSET(pin)        REGISTER(GPIO(pin), 0x508)
#define GPIO_OUTCLR(pin)        REGISTER(GPIO(pin), 0x50c)
#define GPIO_IN(pin)            REGISTER(GPIO(pin), 0x510)
#define GPIO_PIN_CNF(pin)       REGISTER(GPIO(pin), 0x700 + 4 * ((pin) % 32))
enum { PIN_INPUT = 0, PIN_OUTPUT = 3, PIN_SENSE_HIGH = 2 << 16, PIN_RESET = 2 };    /* an output's input buffer is off, as after reset */

/* UARTE */
#define UARTE_STARTTX           REGISTER(0x40002000u, 0x008)
#define UARTE_STOPTX            REGISTER(0x40002000u, 0x00c)
#define UARTE_ENDTX             REGISTER(0x40002000u, 0x120)
#define UARTE_TXSTOPPED         REGISTER(0x40002000u, 0x158)
#define UARTE_INTENSET          REGISTER(0x40002000u, 0x304)
#define UARTE_ENABLE            REGISTER(0x40002000u, 0x500)
#define UARTE_PSEL_TXD          REGISTER(0x40002000u, 0x50c)
#define UARTE_BAUDRATE          REGISTER(0x40002000u, 0x524)
#define UARTE_TXD_PTR           REGISTER(0x40002000u, 0x544)
#define UARTE_TXD_MAXCNT        REGISTER(0x40002000u, 0x548)
enum { UARTE_ON = 8, UARTE_INT_ENDTX = 1 << 8, UARTE_INT_TXSTOPPED = 1 << 22, UARTE_115200 = 0x01d60000 };

/* RTC1 */
#define RTC_START               REGISTER(0x40011000u, 0x000)
#define RTC_STOP                REGISTER(0x40011000u, 0x004)
#define RTC_CLEAR               REGISTER(0x40011000u, 0x008)
#define RTC_OVRFLW              REGISTER(0x40011000u, 0x104)
#define RTC_COMPARE0            REGISTER(0x40011000u, 0x140)
#define RTC_INTENSET            REGISTER(0x40011000u, 0x304)
#define RTC_INTENCLR            REGISTER(0x40011000u, 0x308)
#define RTC_COUNTER             REGISTER(0x40011000u, 0x504)
#define RTC_PRESCALER           REGISTER(0x40011000u, 0x508)
#define RTC_CC0                 REGISTER(0x40011000u, 0x540)
enum { RTC_INT_OVRFLW = 1 << 1, RTC_INT_COMPARE0 = 1 << 16 };

/* WDT */
#define WDT_START               REGISTER(0x40010000u, 0x000)
#define WDT_CRV                 REGISTER(0x40010000u, 0x504)
#define WDT_RREN                REGISTER(0x40010000u, 0x508)
#define WDT_CONFIG              REGISTER(0x40010000u, 0x50c)
#define WDT_RR0                 REGISTER(0x40010000u, 0x600)
enum { WDT_RUNS_ASLEEP = 1, WDT_RELOAD = 0x6e524635 };

enum { UARTE_IRQ = 2, SPIM_IRQ = 3, GPIOTE_IRQ = 6, RTC_IRQ = 17, PDM_IRQ = 29 };     /* Memory, Instantiation: the ID of a peripheral */

/* Pins of the DK: interface MCU and Arduino header (nRF52840 DK Hardware v3.0, Virtual COM port, Arduino interface) */
enum {
    PIN_TXD = 6,                                    /* P0.06: to the virtual COM port */
    PIN_PDM_DATA = 26, PIN_PDM_CLOCK = 27,          /* P0.26, P0.27: SDA and SCL of the header */
    PIN_SPI_CLOCK = 32 + 15, PIN_SPI_IN = 32 + 14, PIN_SPI_OUT = 32 + 13, PIN_SPI_SELECT = 32 + 12,      /* D13, D12, D11, D10 */
    PIN_SENSOR = 32 + 3,                            /* P1.03, D2: INT1 of the accelerometer */
    PIN_MARKER = 32 + 4,                            /* P1.04, D3: with TS_MARKER high while a block is processed */
};

static void on_uart(void);
static void on_rtc(void);
static void source_init(void);
#ifdef TS_SOURCE_IMU
static void on_pin(void);
static void on_spi(void);
#else
static void on_pdm(void);
#endif

__attribute__((section(".vectors.board"), used)) static void (*const vectors[])(void) = {
    [UARTE_IRQ] = on_uart, [RTC_IRQ] = on_rtc,
#ifdef TS_SOURCE_IMU
    [SPIM_IRQ] = on_spi, [GPIOTE_IRQ] = on_pin,
#else
    [PDM_IRQ] = on_pdm,
#endif
    [47] = 0,
};

/* True when the event has come; a chip without the crystal that it waits for must not hang.  A turn takes more than four cycles. */
static bool wait_for(const volatile uint32_t *event, uint32_t ms)
{
    for (uint32_t turns = TS_CLOCK_HZ / 4000 * ms; turns != 0; turns--) {
        if (*event != 0) {
            return true;
        }
    }
    return false;
}

/* A write may leave the core after the handler has returned, and the handler would run again: reading it back waits. */
static void clear(volatile uint32_t *event)
{
    *event = 0;
    (void)*event;
}

/* The event has come, and is cleared. */
static bool take(volatile uint32_t *event)
{
    if (*event == 0) {
        return false;
    }
    clear(event);
    return true;
}

/* --- clocks ---------------------------------------------------------------------------------------------------- */

/* Who needs the crystal of 32 MHz: without, HFCLK is an RC oscillator, which is too coarse for a UART and for audio. */
enum { CRYSTAL_FOR_SOURCE = 1, CRYSTAL_FOR_UART = 2 };
static uint32_t crystal_for;

static void want_crystal(uint32_t who)
{
    if (crystal_for == 0) {
        clear(&CLOCK_HFCLKSTARTED);
        CLOCK_HFCLKSTART = 1;
        (void)wait_for(&CLOCK_HFCLKSTARTED, 10);        /* typically 0.4 ms; the RC oscillator goes on until then, or for ever */
    }
    crystal_for |= who;
}

static void release_crystal(uint32_t who)
{
    crystal_for &= ~who;
    if (crystal_for == 0) {
        CLOCK_HFCLKSTOP = 1;
    }
}

/* 32768 Hz from its crystal, or from the RC oscillator where that does not start: then time is known to some per cent only. */
static void start_slow_clock(void)
{
    CLOCK_LFCLKSRC = LFCLK_CRYSTAL;
    clear(&CLOCK_LFCLKSTARTED);
    CLOCK_LFCLKSTART = 1;
    if (!wait_for(&CLOCK_LFCLKSTARTED, 1000)) {
        CLOCK_LFCLKSTOP = 1;
        CLOCK_LFCLKSRC = LFCLK_RC;
        CLOCK_LFCLKSTART = 1;
        (void)wait_for(&CLOCK_LFCLKSTARTED, 10);
    }
    RTC_STOP = 0;                       /* erratum 20: the RTC's registers are invalid before LFCLK has run */
}

static enum ts_reset reset_reason(void)
{
    const uint32_t why = POWER_RESETREAS;
    POWER_RESETREAS = why;              /* ones clear; it adds up otherwise */
    return why & RESETREAS_PIN      ? TS_RESET_PIN      /* first: erratum 136, others may be set along with it */
         : why & RESETREAS_WATCHDOG ? TS_RESET_WATCHDOG
         : why & RESETREAS_LOCKUP   ? TS_RESET_FAULT
         : why & RESETREAS_SOFTWARE ? TS_RESET_SOFTWARE
         : why == 0                 ? TS_RESET_POWER    /* on, or after a brown-out */
                                    : TS_RESET_UNKNOWN;
}

enum ts_reset board_init(void)
{
    POWER_DCDCEN = 1;                   /* the DK has the inductor */
    NVMC_ICACHECNF = 1;
    start_slow_clock();
    RTC_PRESCALER = 0;
    RTC_CLEAR = 1;
    RTC_START = 1;
    RTC_INTENSET = RTC_INT_OVRFLW;
    ts_set_priority(RTC_IRQ, 2);
    ts_enable_irq(RTC_IRQ);

    GPIO_OUTSET(PIN_TXD) = 1u << PIN_TXD % 32;      /* idle, also before the UARTE drives it */
    GPIO_PIN_CNF(PIN_TXD) = PIN_OUTPUT;
    UARTE_PSEL_TXD = PIN_TXD;
    UARTE_BAUDRATE = UARTE_115200;
    UARTE_ENABLE = UARTE_ON;
    UARTE_INTENSET = UARTE_INT_ENDTX | UARTE_INT_TXSTOPPED;
    ts_set_priority(UARTE_IRQ, 2);
    ts_enable_irq(UARTE_IRQ);

    source_init();
#ifdef TS_MARKER
    GPIO_PIN_CNF(PIN_MARKER) = PIN_OUTPUT;
#endif
    return reset_reason();
}

#ifdef TS_MARKER
void board_marker(bool high)
{
    if (high) {
        GPIO_OUTSET(PIN_MARKER) = 1u << PIN_MARKER % 32;
    } else {
        GPIO_OUTCLR(PIN_MARKER) = 1u << PIN_MARKER % 32;
    }
}
#endif

/* --- time ------------------------------------------------------------------------------------------------------ */

const uint32_t board_ticks_hz = 32768;

static volatile uint32_t overflows;     /* of the 24 bits that the RTC counts */

static void on_rtc(void)
{
    (void)take(&RTC_COMPARE0);          /* the end of a deep sleep */
    overflows += take(&RTC_OVRFLW);
}

uint32_t board_ticks(void)
{
    uint32_t high, low;
    do {
        high = overflows;
        low = RTC_COUNTER;
        if (RTC_OVRFLW != 0 && low < 1u << 23) {
            high++;                     /* it has passed zero and the handler could not run yet */
        }
    } while (high - overflows > 1);     /* the handler has run in between */
    return high << 24 | low;
}

/* --- the source ---------------------------------------------------------------------------------------------- */

#ifdef TS_SOURCE_MICROPHONE

/* PDM: 32 MHz / 25 = 1.28 MHz, of which each 80 bits make a sample: exactly 16 kHz */
#define PDM_START               REGISTER(0x4001d000u, 0x000)
#define PDM_STOP                REGISTER(0x4001d000u, 0x004)
#define PDM_STARTED             REGISTER(0x4001d000u, 0x100)
#define PDM_STOPPED             REGISTER(0x4001d000u, 0x104)
#define PDM_END                 REGISTER(0x4001d000u, 0x108)
#define PDM_INTENSET            REGISTER(0x4001d000u, 0x304)
#define PDM_INTENCLR            REGISTER(0x4001d000u, 0x308)
#define PDM_ENABLE              REGISTER(0x4001d000u, 0x500)
#define PDM_PDMCLKCTRL          REGISTER(0x4001d000u, 0x504)
#define PDM_MODE                REGISTER(0x4001d000u, 0x508)
#define PDM_GAINL               REGISTER(0x4001d000u, 0x518)
#define PDM_GAINR               REGISTER(0x4001d000u, 0x51c)
#define PDM_RATIO               REGISTER(0x4001d000u, 0x520)
#define PDM_PSEL_CLK            REGISTER(0x4001d000u, 0x540)
#define PDM_PSEL_DIN            REGISTER(0x4001d000u, 0x544)
#define PDM_SAMPLE_PTR          REGISTER(0x4001d000u, 0x560)
#define PDM_SAMPLE_MAXCNT       REGISTER(0x4001d000u, 0x564)
enum { PDM_1280K = 0x0a000000, PDM_RATIO80 = 1, PDM_MONO = 1, PDM_LEFT_RISING = 2, PDM_INT_STARTED = 1, PDM_INT_END = 4 };

#ifndef PDM_GAIN
#define PDM_GAIN 0x28           /* 0 dB; a step is half a dB, up to 0x50 */
#endif

_Static_assert(TS_SAMPLES < 1 << 15, "SAMPLE.MAXCNT has 15 bits");

static ts_sample (*target)[TS_SAMPLES];
static uint32_t next;           /* the buffer that is to be filled after the one that is being filled */

static void source_init(void)
{
    GPIO_PIN_CNF(PIN_PDM_CLOCK) = PIN_OUTPUT;
    GPIO_PIN_CNF(PIN_PDM_DATA) = PIN_INPUT;
    PDM_PSEL_CLK = PIN_PDM_CLOCK;
    PDM_PSEL_DIN = PIN_PDM_DATA;
    PDM_PDMCLKCTRL = PDM_1280K;
    PDM_RATIO = PDM_RATIO80;
    PDM_MODE = PDM_MONO | PDM_LEFT_RISING;
    PDM_GAINL = PDM_GAIN;
    PDM_GAINR = PDM_GAIN;
    ts_set_priority(PDM_IRQ, 1);
    ts_enable_irq(PDM_IRQ);
}

void board_source_start(ts_sample buffers[2][TS_SAMPLES])
{
    ts_interrupts(false);               /* the UART's handler wants and releases the crystal, too */
    want_crystal(CRYSTAL_FOR_SOURCE);
    ts_interrupts(true);
    target = buffers;
    next = 1;
    PDM_SAMPLE_PTR = (uint32_t)(uintptr_t)buffers[0];
    PDM_SAMPLE_MAXCNT = TS_SAMPLES;
    clear(&PDM_STARTED);
    clear(&PDM_END);
    PDM_INTENSET = PDM_INT_STARTED | PDM_INT_END;
    PDM_ENABLE = 1;
    PDM_START = 1;
}

void board_source_stop(void)
{
    PDM_INTENCLR = PDM_INT_STARTED | PDM_INT_END;       /* END also comes for what the stop has cut off */
    clear(&PDM_STOPPED);
    PDM_STOP = 1;
    (void)wait_for(&PDM_STOPPED, 10);
    PDM_ENABLE = 0;
    ts_interrupts(false);
    release_crystal(CRYSTAL_FOR_SOURCE);
    ts_interrupts(true);
}

/* SAMPLE.PTR is double-buffered: at STARTED it has been taken over, and the next one may be written. */
static void on_pdm(void)
{
    if (take(&PDM_END)) {
        ts_block_filled();
    }
    if (take(&PDM_STARTED)) {
        PDM_SAMPLE_PTR = (uint32_t)(uintptr_t)target[next];
        next ^= 1;
    }
}

#endif
#ifdef TS_SOURCE_IMU

/* SPIM, the first one; not SPIM3, which errata 195 and 198 are about */
#define SPIM_START              REGISTER(0x40003000u, 0x010)
#define SPIM_END                REGISTER(0x40003000u, 0x118)
#define SPIM_INTENSET           REGISTER(0x40003000u, 0x304)
#define SPIM_INTENCLR           REGISTER(0x40003000u, 0x308)
#define SPIM_ENABLE             REGISTER(0x40003000u, 0x500)
#define SPIM_PSEL_SCK           REGISTER(0x40003000u, 0x508)
#define SPIM_PSEL_MOSI          REGISTER(0x40003000u, 0x50c)
#define SPIM_PSEL_MISO          REGISTER(0x40003000u, 0x510)
#define SPIM_FREQUENCY          REGISTER(0x40003000u, 0x524)
#define SPIM_RXD_PTR            REGISTER(0x40003000u, 0x534)
#define SPIM_RXD_MAXCNT         REGISTER(0x40003000u, 0x538)
#define SPIM_TXD_PTR            REGISTER(0x40003000u, 0x544)
#define SPIM_TXD_MAXCNT         REGISTER(0x40003000u, 0x548)
#define SPIM_CONFIG             REGISTER(0x40003000u, 0x554)
enum { SPIM_ON = 7, SPIM_INT_END = 1 << 6, SPIM_4M = 0x40000000, SPIM_MODE_3 = 6 };

/* GPIOTE: only PORT, as a channel would keep a clock of 16 MHz running */
#define GPIOTE_PORT             REGISTER(0x40006000u, 0x17c)
#define GPIOTE_INTENSET         REGISTER(0x40006000u, 0x304)
#define GPIOTE_INTENCLR         REGISTER(0x40006000u, 0x308)
#define GPIOTE_INT_PORT         (1u << 31)

static uint8_t command[2];              /* EasyDMA reads RAM only */
static uint8_t burst[LIS3DH_BYTES];
static volatile bool reading;

static void source_init(void)
{
    GPIO_OUTSET(PIN_SPI_SELECT) = 1u << PIN_SPI_SELECT % 32;
    GPIO_OUTSET(PIN_SPI_CLOCK) = 1u << PIN_SPI_CLOCK % 32;      /* idle in mode 3 */
    GPIO_PIN_CNF(PIN_SPI_SELECT) = PIN_OUTPUT;
    GPIO_PIN_CNF(PIN_SPI_CLOCK) = PIN_OUTPUT;
    GPIO_PIN_CNF(PIN_SPI_OUT) = PIN_OUTPUT;
    GPIO_PIN_CNF(PIN_SPI_IN) = PIN_INPUT;
    SPIM_PSEL_SCK = PIN_SPI_CLOCK;
    SPIM_PSEL_MOSI = PIN_SPI_OUT;
    SPIM_PSEL_MISO = PIN_SPI_IN;
    SPIM_FREQUENCY = SPIM_4M;
    SPIM_CONFIG = SPIM_MODE_3;
    ts_set_priority(GPIOTE_IRQ, 1);
    ts_set_priority(SPIM_IRQ, 1);
    ts_enable_irq(GPIOTE_IRQ);
    ts_enable_irq(SPIM_IRQ);
}

static void transfer(uint32_t out, uint32_t in)
{
    SPIM_TXD_PTR = (uint32_t)(uintptr_t)command;
    SPIM_TXD_MAXCNT = out;
    SPIM_RXD_PTR = (uint32_t)(uintptr_t)burst;
    SPIM_RXD_MAXCNT = in;
    GPIO_OUTCLR(PIN_SPI_SELECT) = 1u << PIN_SPI_SELECT % 32;
    ts_barrier();
    SPIM_START = 1;
}

static void write_sensor(const uint8_t setting[2])
{
    command[0] = setting[0];
    command[1] = setting[1];
    transfer(2, 0);
    (void)wait_for(&SPIM_END, 1);
    clear(&SPIM_END);
    GPIO_OUTSET(PIN_SPI_SELECT) = 1u << PIN_SPI_SELECT % 32;
}

static bool sensor_waits(void)
{
    return (GPIO_IN(PIN_SENSOR) >> PIN_SENSOR % 32 & 1) != 0;
}

static void read_sensor(void)
{
    reading = true;
    command[0] = LIS3DH_BURST;
    transfer(1, LIS3DH_BYTES);
}

void board_source_start(ts_sample buffers[2][TS_SAMPLES])
{
    lis3dh_begin(buffers);
    SPIM_ENABLE = SPIM_ON;
    for (uint32_t i = 0; i < sizeof lis3dh_start / sizeof lis3dh_start[0]; i++) {
        write_sensor(lis3dh_start[i]);
    }
    SPIM_INTENSET = SPIM_INT_END;
    GPIO_PIN_CNF(PIN_SENSOR) = PIN_INPUT;
    GPIO_PIN_CNF(PIN_SENSOR) = PIN_INPUT | PIN_SENSE_HIGH;      /* after INPUT: erratum 210 */
    clear(&GPIOTE_PORT);
    GPIOTE_INTENSET = GPIOTE_INT_PORT;
}

void board_source_stop(void)
{
    GPIOTE_INTENCLR = GPIOTE_INT_PORT;
    SPIM_INTENCLR = SPIM_INT_END;
    if (reading) {
        (void)wait_for(&SPIM_END, 10);
    }
    clear(&SPIM_END);
    reading = false;
    GPIO_OUTSET(PIN_SPI_SELECT) = 1u << PIN_SPI_SELECT % 32;
    write_sensor(lis3dh_stop);
    SPIM_ENABLE = 0;
    GPIO_PIN_CNF(PIN_SENSOR) = PIN_RESET;
}

static void on_pin(void)
{
    if (take(&GPIOTE_PORT) && !reading) {
        read_sensor();
    }
}

static void on_spi(void)
{
    if (!take(&SPIM_END) || !reading) {
        return;
    }
    GPIO_OUTSET(PIN_SPI_SELECT) = 1u << PIN_SPI_SELECT % 32;
    reading = false;
    ts_barrier();
    lis3dh_take(burst);
    if (sensor_waits()) {               /* PORT comes when the pin rises, and it has stayed high */
        read_sensor();
    }
}

#endif

/* --- the UART ------------------------------------------------------------------------------------------------ */

static struct ts_queue queue;
static uint8_t leaving[32];             /* what EasyDMA reads */
static volatile bool sending;           /* until the transmitter has stopped: while it waits, it draws current */

/* More bytes, if there are. */
static bool send_more(void)
{
    uint32_t count = 0;
    while (count < sizeof leaving && ts_queue_take(&queue, &leaving[count])) {
        count++;
    }
    if (count != 0) {
        UARTE_TXD_PTR = (uint32_t)(uintptr_t)leaving;
        UARTE_TXD_MAXCNT = count;
        ts_barrier();
        UARTE_STARTTX = 1;
    }
    return count != 0;
}

static void on_uart(void)
{
    if (take(&UARTE_ENDTX) && !send_more()) {
        UARTE_STOPTX = 1;
    }
    if (take(&UARTE_TXSTOPPED)) {
        sending = send_more();          /* board_write() may have put some in the meantime */
        if (!sending) {
            release_crystal(CRYSTAL_FOR_UART);
        }
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
            want_crystal(CRYSTAL_FOR_UART);
            sending = send_more();
        }
    }
    ts_interrupts(true);
}

/* --- sleep and the watchdog ------------------------------------------------------------------------------------ */

void board_sleep(void)
{
    ts_sleep();                         /* System ON, low power: EasyDMA and whatever clock it needs go on */
}

/* The same WFI; but with the source off and the UART stopped, all that runs is LFCLK, the RTC and the watchdog. */
void board_deep_sleep(uint32_t ms)
{
    const uint32_t most = TS_WATCHDOG_MS / 2;

    ts_interrupts(false);
    while (sending) {
        wait_for_interrupt();
    }
    while (ms != 0) {
        const uint32_t part = ms < most ? ms : most;
        const uint32_t ticks = (uint32_t)((uint64_t)part * board_ticks_hz / 1000) + 1;
        const uint32_t before = board_ticks();
        clear(&RTC_COMPARE0);
        RTC_CC0 = (before + ticks) & 0xffffff;      /* at least 33 ahead; a compare of less than 2 would be missed (RTC, Compare) */
        RTC_INTENSET = RTC_INT_COMPARE0;
        while (board_ticks() - before < ticks) {
            wait_for_interrupt();       /* an overflow of the RTC may end it early */
        }
        RTC_INTENCLR = RTC_INT_COMPARE0;
        board_watchdog_feed();
        ms -= part;
    }
    ts_interrupts(true);
}

void board_watchdog_start(uint32_t ms)
{
    WDT_CONFIG = WDT_RUNS_ASLEEP;       /* and stops while a debugger has halted the core */
    WDT_CRV = (uint32_t)((uint64_t)ms * board_ticks_hz / 1000);
    WDT_RREN = 1;
    WDT_START = 1;                      /* from here on it cannot be stopped */
}

void board_watchdog_feed(void)
{
    WDT_RR0 = WDT_RELOAD;
}
