/* board.c - Raspberry Pi Pico (RP2040): analogue microphone or SPI accelerometer through DMA, records on UART0
 *
 * One PLL makes 96 MHz for the core and, halved, 48 MHz for the ADC.  The second core stays where the boot ROM leaves it, asleep.
 * Source: RP2040 Datasheet, build-version 2022-06-17 and later, whose sections are named where they are used; its appendix B (errata).
 * README.md tells how each register was checked, and what was run where.
 */
#include "ts_board.h"
#include "ts_core.h"
#include "ts_queue.h"
#ifdef TS_SOURCE_IMU
#include "lis3dh.h"
#endif

#define REGISTER(base, offset) TS_REGISTER((base) + (offset))

/* 2.1.2: the same register, where ones that are written set bits, or clear them */
#define SET(r)   TS_REGISTER((uintptr_t)&(r) + 0x2000)
#define CLEAR(r) TS_REGISTER((uintptr_t)&(r) + 0x3000)

/* 2.14 subsystem resets */
#define RESETS_RESET            REGISTER(0x4000c000u, 0x0)
#define RESETS_RESET_DONE       REGISTER(0x4000c000u, 0x8)
enum {
    RESET_ADC = 1 << 0, RESET_DMA = 1 << 2, RESET_IO_BANK0 = 1 << 5, RESET_PADS_BANK0 = 1 << 8, RESET_PLL_SYS = 1 << 12,
    RESET_SPI0 = 1 << 16, RESET_TIMER = 1 << 21, RESET_UART0 = 1 << 22,
    RESET_ALL = RESET_ADC | RESET_DMA | RESET_IO_BANK0 | RESET_PADS_BANK0 | RESET_PLL_SYS | RESET_SPI0 | RESET_TIMER | RESET_UART0,
};

/* 2.16 XOSC, 2.18 PLL, 2.15 clocks */
#define XOSC_CTRL               REGISTER(0x40024000u, 0x00)
#define XOSC_STATUS             REGISTER(0x40024000u, 0x04)
#define XOSC_STARTUP            REGISTER(0x40024000u, 0x0c)
#define PLL_CS                  REGISTER(0x40028000u, 0x0)
#define PLL_PWR                 REGISTER(0x40028000u, 0x4)
#define PLL_FBDIV_INT           REGISTER(0x40028000u, 0x8)
#define PLL_PRIM                REGISTER(0x40028000u, 0xc)
#define CLOCKS_CLK_REF_CTRL     REGISTER(0x40008000u, 0x30)
#define CLOCKS_CLK_REF_SELECTED REGISTER(0x40008000u, 0x38)
#define CLOCKS_CLK_SYS_CTRL     REGISTER(0x40008000u, 0x3c)
#define CLOCKS_CLK_SYS_SELECTED REGISTER(0x40008000u, 0x44)
#define CLOCKS_CLK_PERI_CTRL    REGISTER(0x40008000u, 0x48)
#define CLOCKS_CLK_ADC_CTRL     REGISTER(0x40008000u, 0x60)
#define CLOCKS_CLK_ADC_DIV      REGISTER(0x40008000u, 0x64)
#define CLOCKS_SLEEP_EN0        REGISTER(0x40008000u, 0xa8)
#define CLOCKS_SLEEP_EN1        REGISTER(0x40008000u, 0xac)
#define XOSC_ON                 (0xfabu << 12 | 0xaa0u)     /* 1 to 15 MHz */
#define XOSC_STABLE             (1u << 31)
#define PLL_LOCK                (1u << 31)
enum { PLL_PD = 1 << 0, PLL_POSTDIVPD = 1 << 3, PLL_VCOPD = 1 << 5, PLL_OFF = PLL_PD | 1 << 2 | PLL_POSTDIVPD | PLL_VCOPD };
enum { CLOCK_ON = 1 << 11, CLK_REF_XOSC = 2, CLK_SYS_REF = 0, CLK_SYS_AUX = 1, CLK_PERI_SYS = 0 << 5, CLK_ADC_PLL_SYS = 1 << 5 };
enum { SLEEP_WATCHDOG = 1 << 12, SLEEP_TIMER = 1 << 5 };    /* of SLEEP_EN1 */

/* 4.7 watchdog, 2.13 power-on state machine, 2.12 chip-level reset */
#define WATCHDOG_CTRL           REGISTER(0x40058000u, 0x00)
#define WATCHDOG_LOAD           REGISTER(0x40058000u, 0x04)
#define WATCHDOG_REASON         REGISTER(0x40058000u, 0x08)
#define WATCHDOG_SCRATCH0       REGISTER(0x40058000u, 0x0c)
#define WATCHDOG_TICK           REGISTER(0x40058000u, 0x2c)
#define PSM_WDSEL               REGISTER(0x40010000u, 0x8)
#define VREG_CHIP_RESET         REGISTER(0x40064000u, 0x8)
#define WATCHDOG_ON             (1u << 30)
enum { WATCHDOG_TICKS = 1 << 9, WATCHDOG_TIMER = 1, HAD_POR = 1 << 8, HAD_RUN = 1 << 16 };
enum { WDSEL_ALL_BUT_OSCILLATORS = 0x1fffc };

/* 4.6 timer */
#define TIMER_ALARM0            REGISTER(0x40054000u, 0x10)
#define TIMER_TIMERAWL          REGISTER(0x40054000u, 0x28)
#define TIMER_INTR              REGISTER(0x40054000u, 0x34)
#define TIMER_INTE              REGISTER(0x40054000u, 0x38)

/* 4.2 UART */
#define UART_UARTDR             REGISTER(0x40034000u, 0x00)
#define UART_UARTFR             REGISTER(0x40034000u, 0x18)
#define UART_UARTIBRD           REGISTER(0x40034000u, 0x24)
#define UART_UARTFBRD           REGISTER(0x40034000u, 0x28)
#define UART_UARTLCR_H          REGISTER(0x40034000u, 0x2c)
#define UART_UARTCR             REGISTER(0x40034000u, 0x30)
#define UART_UARTIFLS           REGISTER(0x40034000u, 0x34)
#define UART_UARTIMSC           REGISTER(0x40034000u, 0x38)
#define UART_UARTICR            REGISTER(0x40034000u, 0x44)
enum { UART_BUSY = 1 << 3, UART_TXFF = 1 << 5, UART_TX = 1 << 5, UART_8N1 = 3 << 5, UART_FIFOS = 1 << 4, UART_ON = 1 << 8 | 1 << 0 };

/* 2.5 DMA: channels of 0x40 bytes */
#define DMA_READ_ADDR(channel)  TS_REGISTER(0x50000000u + 0x40u * (channel) + 0x00)
#define DMA_WRITE_ADDR(channel) TS_REGISTER(0x50000000u + 0x40u * (channel) + 0x04)
#define DMA_COUNT(channel)      TS_REGISTER(0x50000000u + 0x40u * (channel) + 0x08)
#define DMA_CTRL(channel)       TS_REGISTER(0x50000000u + 0x40u * (channel) + 0x10)     /* AL1_CTRL: starts nothing */
#define DMA_WRITE_ADDR_TRIG(channel) TS_REGISTER(0x50000000u + 0x40u * (channel) + 0x2c)     /* and that starts it */
#define DMA_INTR                REGISTER(0x50000000u, 0x400)
#define DMA_INTE0               REGISTER(0x50000000u, 0x404)
#define DMA_INTS0               REGISTER(0x50000000u, 0x40c)
#define DMA_MULTI_CHAN_TRIGGER  REGISTER(0x50000000u, 0x430)
#define DMA_CHAN_ABORT          REGISTER(0x50000000u, 0x444)
enum {
    DMA_EN = 1 << 0, DMA_HALFWORDS = 1 << 2, DMA_WORDS = 2 << 2, DMA_INCR_READ = 1 << 4, DMA_INCR_WRITE = 1 << 5,
    DMA_READ_RING_8 = 3 << 6, DMA_QUIET = 1 << 21, DMA_BUSY = 1 << 24,
    DREQ_SPI0_TX = 16, DREQ_SPI0_RX = 17, DREQ_ADC = 36, DREQ_ALWAYS = 63,
};
#define DMA_CHAIN_TO(channel)   ((uint32_t)(channel) << 11)
#define DMA_TREQ(dreq)          ((uint32_t)(dreq) << 15)

/* 2.19 GPIO, 2.3.1.7 SIO */
#define IO_CTRL(pin)            TS_REGISTER(0x40014000u + 8u * (pin) + 4)
#define PADS(pin)               TS_REGISTER(0x4001c000u + 4u * (pin) + 4)
#define SIO_GPIO_IN             REGISTER(0xd0000000u, 0x04)
#define SIO_GPIO_OUT_SET        REGISTER(0xd0000000u, 0x14)
#define SIO_GPIO_OUT_CLR        REGISTER(0xd0000000u, 0x18)
#define SIO_GPIO_OE_SET         REGISTER(0xd0000000u, 0x24)
enum { PIN_SPI = 1, PIN_UART = 2, PIN_SIO = 5, PIN_NULL = 31 };
enum { PAD_OUTPUT_OFF = 1 << 7 };

#define SCR                     TS_REGISTER(0xe000ed10u)    /* 2.4.8 */
enum { SLEEPDEEP = 4 };

enum { TIMER_IRQ = 0, DMA_IRQ = 11, IO_IRQ = 13, UART_IRQ = 20 };       /* 2.3.2; TIMER_IRQ_0, DMA_IRQ_0, IO_IRQ_BANK0, UART0_IRQ */

enum {
    GP_TX = 0,
    GP_SPI_IN = 16, GP_SPI_SELECT = 17, GP_SPI_CLOCK = 18, GP_SPI_OUT = 19,
    GP_SENSOR = 20,                     /* INT1 of the accelerometer */
    GP_LED = 25,
    GP_MICROPHONE = 26,                 /* ADC0 */
};

#define CRYSTAL_HZ 12000000u
#define BAUD 115200u
#define WATCHDOG_MS (TS_WATCHDOG_MS < 8000 ? TS_WATCHDOG_MS : 8000u)

_Static_assert(TS_CLOCK_HZ == CRYSTAL_HZ * 64 / 4 / 2, "start_pll() and board.toml must agree");
_Static_assert(TS_BLOCK_US <= 4000000, "the watchdog counts 8.3 s at the most, and is fed once a block");

static void on_timer(void);
static void on_dma(void);
static void on_uart(void);
static void source_init(void);
#ifdef TS_SOURCE_IMU
static void on_pin(void);
#endif

__attribute__((section(".vectors.board"), used)) static void (*const vectors[])(void) = {
    [TIMER_IRQ] = on_timer, [DMA_IRQ] = on_dma, [UART_IRQ] = on_uart,
#ifdef TS_SOURCE_IMU
    [IO_IRQ] = on_pin,
#endif
    [31] = 0,
};

/* --- clocks ---------------------------------------------------------------------------------------------------- */

/* Nothing works without the crystal; the LED says that the board is alive. */
static void fail(void)
{
    CLEAR(RESETS_RESET) = RESET_IO_BANK0 | RESET_PADS_BANK0;
    while (!(RESETS_RESET_DONE & RESET_IO_BANK0)) {
    }
    IO_CTRL(GP_LED) = PIN_SIO;
    SIO_GPIO_OE_SET = 1u << GP_LED;
    SIO_GPIO_OUT_SET = 1u << GP_LED;
    for (;;) {
        ts_sleep();
    }
}

/* Until these bits are set; a turn takes more than eight cycles, so that is 25 ms at the least. */
static void wait_for(const volatile uint32_t *status, uint32_t bits)
{
    for (uint32_t turns = CRYSTAL_HZ / 40; (*status & bits) == 0; turns--) {
        if (turns == 0) {
            fail();
        }
    }
}

/* clk_ref and clk_sys from the crystal, 12 MHz. */
static void slow_clock(void)
{
    XOSC_STARTUP = (CRYSTAL_HZ / 1000 + 128) / 256;     /* 1 ms; 2.16.3 */
    XOSC_CTRL = XOSC_ON;
    wait_for(&XOSC_STATUS, XOSC_STABLE);
    CLOCKS_CLK_REF_CTRL = CLK_REF_XOSC;
    wait_for(&CLOCKS_CLK_REF_SELECTED, 1u << CLK_REF_XOSC);
    CLEAR(CLOCKS_CLK_SYS_CTRL) = CLK_SYS_AUX;           /* before anything of the PLL is changed */
    wait_for(&CLOCKS_CLK_SYS_SELECTED, 1u << CLK_SYS_REF);
}

/* 12 MHz * 64 = 768 MHz, / 4 / 2 = 96 MHz: the slowest VCO (750 MHz and up) takes the least power. */
static void start_pll(void)
{
    PLL_CS = 1;                         /* REFDIV */
    PLL_FBDIV_INT = 64;
    CLEAR(PLL_PWR) = PLL_PD | PLL_VCOPD;
    wait_for(&PLL_CS, PLL_LOCK);
    PLL_PRIM = 4u << 16 | 2u << 12;
    CLEAR(PLL_PWR) = PLL_POSTDIVPD;
    CLOCKS_CLK_SYS_CTRL = CLK_SYS_REF;  /* AUXSRC: the PLL, while it is not selected */
    SET(CLOCKS_CLK_SYS_CTRL) = CLK_SYS_AUX;
    wait_for(&CLOCKS_CLK_SYS_SELECTED, 1u << CLK_SYS_AUX);
}

static void stop_pll(void)
{
    CLEAR(CLOCKS_CLK_SYS_CTRL) = CLK_SYS_AUX;
    wait_for(&CLOCKS_CLK_SYS_SELECTED, 1u << CLK_SYS_REF);
    PLL_PWR = PLL_OFF;
}

/* SCRATCH0 is kept by all resets but power-on and RUN. */
#define STARTED_BEFORE 0x7a5f0a17u

static enum ts_reset reset_reason(void)
{
    const uint32_t chip = VREG_CHIP_RESET;
    const bool again = WATCHDOG_SCRATCH0 == STARTED_BEFORE;
    WATCHDOG_SCRATCH0 = STARTED_BEFORE;
    return again ? (WATCHDOG_REASON & WATCHDOG_TIMER ? TS_RESET_WATCHDOG : TS_RESET_SOFTWARE)
         : chip & HAD_RUN ? TS_RESET_PIN
         : chip & HAD_POR ? TS_RESET_POWER
                          : TS_RESET_UNKNOWN;
}

enum ts_reset board_init(void)
{
    slow_clock();
    SET(RESETS_RESET) = RESET_ALL;      /* a reset of the core alone leaves them running */
    CLEAR(RESETS_RESET) = RESET_IO_BANK0 | RESET_PADS_BANK0;
    wait_for(&RESETS_RESET_DONE, RESET_IO_BANK0);
    wait_for(&RESETS_RESET_DONE, RESET_PADS_BANK0);
    CLEAR(RESETS_RESET) = RESET_ALL;
    wait_for(&RESETS_RESET_DONE, RESET_PLL_SYS);
    start_pll();
    CLOCKS_CLK_PERI_CTRL = CLOCK_ON | CLK_PERI_SYS;
    wait_for(&RESETS_RESET_DONE, RESET_UART0);          /* needs clk_peri */
    WATCHDOG_TICK = WATCHDOG_TICKS | CRYSTAL_HZ / 1000000;      /* a tick a microsecond, for the timer, too */

    IO_CTRL(GP_TX) = PIN_UART;
    UART_UARTIBRD = TS_CLOCK_HZ / (16 * BAUD);
    UART_UARTFBRD = (TS_CLOCK_HZ % (16 * BAUD) * 64 + 8 * BAUD) / (16 * BAUD);
    UART_UARTLCR_H = UART_8N1 | UART_FIFOS;             /* also takes the divisors over: 4.2.7.1 */
    UART_UARTIFLS = 0;                  /* an interrupt when 4 of 32 bytes are left */
    UART_UARTCR = UART_ON;
    ts_set_priority(UART_IRQ, 2);
    ts_set_priority(TIMER_IRQ, 2);
    ts_set_priority(DMA_IRQ, 1);
    ts_enable_irq(UART_IRQ);
    ts_enable_irq(TIMER_IRQ);
    ts_enable_irq(DMA_IRQ);

    CLOCKS_SLEEP_EN0 = 0;               /* what runs in SLEEP, which only a deep sleep enters */
    CLOCKS_SLEEP_EN1 = SLEEP_TIMER | SLEEP_WATCHDOG;
    source_init();
    return reset_reason();
}

/* --- time ------------------------------------------------------------------------------------------------------ */

const uint32_t board_ticks_hz = 1000000;

uint32_t board_ticks(void)
{
    return TIMER_TIMERAWL;
}

static void on_timer(void)
{
    TIMER_INTR = 1;                     /* the end of a deep sleep */
}

/* --- the source ---------------------------------------------------------------------------------------------- */

#ifdef TS_SOURCE_MICROPHONE

/* 4.9 ADC */
#define ADC_CS                  REGISTER(0x4004c000u, 0x00)
#define ADC_FCS                 REGISTER(0x4004c000u, 0x08)
#define ADC_FIFO                REGISTER(0x4004c000u, 0x0c)
#define ADC_DIV                 REGISTER(0x4004c000u, 0x10)
enum { ADC_EN = 1 << 0, ADC_START_MANY = 1 << 3, ADC_READY = 1 << 8 };
enum { ADC_FIFO_EN = 1 << 0, ADC_DREQ_EN = 1 << 3, ADC_EMPTY = 1 << 8, ADC_OVER = 1 << 11, ADC_UNDER = 1 << 10, ADC_THRESH_1 = 1 << 24 };

#define ADC_HZ 48000000u
_Static_assert(ADC_HZ % TS_SAMPLE_HZ_NUMERATOR == 0 && TS_SAMPLE_HZ_DENOMINATOR == 1, "the ADC divides 48 MHz");

/* One channel fills a buffer; then the other tells it the next one, from a table that its read address runs around in, and starts it
 * again.  So no buffer is left however late the handler comes. */
enum { FILLS = 0, TELLS = 1 };
static uint32_t places[2] __attribute__((aligned(8)));
static ts_sample (*target)[TS_SAMPLES];
static uint32_t which;                  /* the buffer that is full next */

static void source_init(void)
{
    PADS(GP_MICROPHONE) = PAD_OUTPUT_OFF;               /* no input, no pulls: 4.9.1 */
    IO_CTRL(GP_MICROPHONE) = PIN_NULL;
    CLOCKS_CLK_ADC_DIV = 2u << 8;
    CLOCKS_CLK_ADC_CTRL = CLOCK_ON | CLK_ADC_PLL_SYS;
    wait_for(&RESETS_RESET_DONE, RESET_ADC);
}

void board_source_start(ts_sample buffers[2][TS_SAMPLES])
{
    target = buffers;
    which = 0;
    ADC_CS = ADC_EN;                    /* AINSEL 0 */
    wait_for(&ADC_CS, ADC_READY);
    ADC_DIV = (ADC_HZ / TS_SAMPLE_HZ_NUMERATOR - 1) << 8;
    ADC_FCS = ADC_FIFO_EN | ADC_DREQ_EN | ADC_OVER | ADC_UNDER | ADC_THRESH_1;
    places[0] = (uint32_t)(uintptr_t)buffers[0];
    places[1] = (uint32_t)(uintptr_t)buffers[1];
    DMA_READ_ADDR(FILLS) = (uint32_t)(uintptr_t)&ADC_FIFO;
    DMA_COUNT(FILLS) = TS_SAMPLES;      /* for every time that the channel is started */
    DMA_CTRL(FILLS) = DMA_EN | DMA_HALFWORDS | DMA_INCR_WRITE | DMA_CHAIN_TO(TELLS) | DMA_TREQ(DREQ_ADC);
    DMA_READ_ADDR(TELLS) = (uint32_t)(uintptr_t)places;
    DMA_WRITE_ADDR(TELLS) = (uint32_t)(uintptr_t)&DMA_WRITE_ADDR_TRIG(FILLS);
    DMA_COUNT(TELLS) = 1;
    DMA_CTRL(TELLS) = DMA_EN | DMA_WORDS | DMA_INCR_READ | DMA_READ_RING_8 | DMA_QUIET | DMA_CHAIN_TO(TELLS) | DMA_TREQ(DREQ_ALWAYS);
    DMA_INTE0 = 1u << FILLS;
    ts_barrier();
    DMA_MULTI_CHAN_TRIGGER = 1u << TELLS;
    SET(ADC_CS) = ADC_START_MANY;
}

void board_source_stop(void)
{
    CLEAR(ADC_CS) = ADC_START_MANY;     /* first, so that no channel makes progress when it is aborted: erratum E13 */
    DMA_INTE0 = 0;
    DMA_CTRL(FILLS) = 0;                /* and does not start the other */
    DMA_CHAN_ABORT = 1u << FILLS;
    while (DMA_CTRL(FILLS) & DMA_BUSY) {
    }
    DMA_INTR = 1u << FILLS;
    while (!(ADC_CS & ADC_READY)) {     /* the last conversion, 2 us */
    }
    while (!(ADC_FCS & ADC_EMPTY)) {    /* it would be the first sample of the next start */
        (void)ADC_FIFO;
    }
    ADC_FCS = 0;
    ADC_CS = 0;                         /* off: it draws current while it is on */
}

/* The ADC counts from 0 to 4095: its middle becomes 0, and full scale full scale. */
static void on_dma(void)
{
    DMA_INTS0 = 1u << FILLS;
    const uint32_t full = (DMA_READ_ADDR(TELLS) - (uint32_t)(uintptr_t)places) / 4 & 1;     /* the other one is being filled */
    if (full != which) {
        which ^= 1;                     /* the handler came a block too late; so did the loop */
        ts_block_filled();
    }
    ts_barrier();
    for (uint32_t i = 0; i < TS_SAMPLES; i++) {
        target[which][i] = (ts_sample)((target[which][i] - 2048) * 16);
    }
    which ^= 1;
    ts_block_filled();
}

#endif
#ifdef TS_SOURCE_IMU

/* 4.4 SPI */
#define SPI_SSPCR0              REGISTER(0x4003c000u, 0x00)
#define SPI_SSPCR1              REGISTER(0x4003c000u, 0x04)
#define SPI_SSPDR               REGISTER(0x4003c000u, 0x08)
#define SPI_SSPSR               REGISTER(0x4003c000u, 0x0c)
#define SPI_SSPCPSR             REGISTER(0x4003c000u, 0x10)
#define SPI_SSPDMACR            REGISTER(0x4003c000u, 0x24)
enum { SPI_MODE_3 = 1 << 7 | 1 << 6, SPI_8_BITS = 7, SPI_ON = 1 << 1, SPI_BUSY = 1 << 4, SPI_RECEIVED = 1 << 2, SPI_DMA = 3 };

/* 2.19: four bits a pin; GPIO16 to 23 are in the third register */
#define IO_INTR2                REGISTER(0x40014000u, 0x0f8)
#define IO_PROC0_INTE2          REGISTER(0x40014000u, 0x108)
#define IO_EDGE_HIGH            (8u << GP_SENSOR % 8 * 4)

enum { TX = 2, RX = 3 };                /* channels */

static const uint8_t asking[LIS3DH_BYTES] = { LIS3DH_BURST };
static uint8_t burst[LIS3DH_BYTES];
static volatile bool reading;

static void source_init(void)
{
    IO_CTRL(GP_SPI_IN) = PIN_SPI;
    IO_CTRL(GP_SPI_CLOCK) = PIN_SPI;
    IO_CTRL(GP_SPI_OUT) = PIN_SPI;
    SIO_GPIO_OUT_SET = 1u << GP_SPI_SELECT;
    SIO_GPIO_OE_SET = 1u << GP_SPI_SELECT;
    IO_CTRL(GP_SPI_SELECT) = PIN_SIO;
    IO_CTRL(GP_SENSOR) = PIN_SIO;
    wait_for(&RESETS_RESET_DONE, RESET_SPI0);
    SPI_SSPCPSR = 24;                   /* 96 MHz / 24 = 4 MHz */
    SPI_SSPCR0 = SPI_MODE_3 | SPI_8_BITS;
    SPI_SSPCR1 = SPI_ON;
    ts_set_priority(IO_IRQ, 1);
    ts_enable_irq(IO_IRQ);
}

static void write_sensor(const uint8_t setting[2])
{
    SIO_GPIO_OUT_CLR = 1u << GP_SPI_SELECT;
    SPI_SSPDR = setting[0];
    SPI_SSPDR = setting[1];
    while (SPI_SSPSR & SPI_BUSY) {
    }
    while (SPI_SSPSR & SPI_RECEIVED) {
        (void)SPI_SSPDR;
    }
    SIO_GPIO_OUT_SET = 1u << GP_SPI_SELECT;
}

static void read_sensor(void)
{
    reading = true;
    SIO_GPIO_OUT_CLR = 1u << GP_SPI_SELECT;
    DMA_READ_ADDR(RX) = (uint32_t)(uintptr_t)&SPI_SSPDR;
    DMA_WRITE_ADDR(RX) = (uint32_t)(uintptr_t)burst;
    DMA_COUNT(RX) = LIS3DH_BYTES;
    DMA_CTRL(RX) = DMA_EN | DMA_INCR_WRITE | DMA_CHAIN_TO(RX) | DMA_TREQ(DREQ_SPI0_RX);     /* to itself: to none */
    DMA_READ_ADDR(TX) = (uint32_t)(uintptr_t)asking;
    DMA_WRITE_ADDR(TX) = (uint32_t)(uintptr_t)&SPI_SSPDR;
    DMA_COUNT(TX) = LIS3DH_BYTES;
    DMA_CTRL(TX) = DMA_EN | DMA_INCR_READ | DMA_CHAIN_TO(TX) | DMA_TREQ(DREQ_SPI0_TX) | DMA_QUIET;
    ts_barrier();
    DMA_MULTI_CHAN_TRIGGER = 1u << TX | 1u << RX;
}

void board_source_start(ts_sample buffers[2][TS_SAMPLES])
{
    lis3dh_begin(buffers);
    for (uint32_t i = 0; i < sizeof lis3dh_start / sizeof lis3dh_start[0]; i++) {
        write_sensor(lis3dh_start[i]);
    }
    SPI_SSPDMACR = SPI_DMA;
    DMA_INTE0 = 1u << RX;
    IO_INTR2 = IO_EDGE_HIGH;
    IO_PROC0_INTE2 = IO_EDGE_HIGH;
}

void board_source_stop(void)
{
    IO_PROC0_INTE2 = 0;
    while (reading) {                   /* 0.2 ms; its handler runs here */
    }
    DMA_INTE0 = 0;
    SPI_SSPDMACR = 0;
    write_sensor(lis3dh_stop);
}

static void on_pin(void)
{
    IO_INTR2 = IO_EDGE_HIGH;
    if (!reading) {
        read_sensor();
    }
}

static void on_dma(void)
{
    DMA_INTS0 = 1u << RX;
    SIO_GPIO_OUT_SET = 1u << GP_SPI_SELECT;
    reading = false;
    ts_barrier();
    lis3dh_take(burst);
    if ((SIO_GPIO_IN & 1u << GP_SENSOR) && (IO_PROC0_INTE2 & IO_EDGE_HIGH)) {
        read_sensor();                  /* the pin has stayed high, so that there is no edge */
    }
}

#endif

/* --- the UART ------------------------------------------------------------------------------------------------ */

static struct ts_queue queue;

/* Bytes into the FIFO while there is room.  An interrupt comes when it has run down through its mark; so it is full, or all has gone in. */
static void send(void)
{
    uint8_t byte;
    while (!(UART_UARTFR & UART_TXFF)) {
        if (!ts_queue_take(&queue, &byte)) {
            UART_UARTIMSC = 0;
            return;
        }
        UART_UARTDR = byte;
    }
    UART_UARTIMSC = UART_TX;
}

static void on_uart(void)
{
    UART_UARTICR = UART_TX;
    send();
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
        send();
    }
    ts_interrupts(true);
}

/* --- sleep and the watchdog ------------------------------------------------------------------------------------ */

void board_sleep(void)
{
    ts_sleep();                         /* the core's clock stops; a DMA that is busy keeps the chip out of SLEEP (2.11.5.1) */
}

/* SLEEP: both cores in their deep sleep, the PLL off, and of all clocks only the timer's and the watchdog's go on, from the crystal.  RAM
 * is kept.  DORMANT would stop the crystal, too, and with it any timer of the chip: only a pin could end it. */
void board_deep_sleep(uint32_t ms)
{
    const uint32_t most = WATCHDOG_MS / 2;

    ts_interrupts(false);
    while (UART_UARTIMSC != 0) {
        wait_for_interrupt();
    }
    while (UART_UARTFR & UART_BUSY) {   /* 32 bytes take 3 ms */
    }
    if (ms != 0) {
        stop_pll();
        TIMER_INTE = 1;
        SCR = SLEEPDEEP;
    }
    while (ms != 0) {
        const uint32_t part = ms < most ? ms : most, before = board_ticks();
        TIMER_ALARM0 = before + 1000 * part;
        while (board_ticks() - before < 1000 * part) {
            wait_for_interrupt();
        }
        board_watchdog_feed();
        ms -= part;
        if (ms == 0) {
            SCR = 0;
            TIMER_INTE = 0;
            start_pll();
        }
    }
    ts_interrupts(true);
}

static uint32_t watchdog_load;

void board_watchdog_start(uint32_t ms)
{
    watchdog_load = (ms < WATCHDOG_MS ? ms : WATCHDOG_MS) * 2000;       /* erratum E1: it counts down by two a tick */
    PSM_WDSEL = WDSEL_ALL_BUT_OSCILLATORS;
    WATCHDOG_LOAD = watchdog_load;
    SET(WATCHDOG_CTRL) = WATCHDOG_ON;   /* and stands still while a debugger halts a core */
}

void board_watchdog_feed(void)
{
    WATCHDOG_LOAD = watchdog_load;
}
