/* board.c - Netduino Plus 2: ST STM32F405RG, Cortex-M4F at 168 MHz, 1 MB of flash and 128 kB of RAM for the linker
 *
 * Sources, of which the build chooses one:
 *   microphone, imu   analogue sensors on A0 (and A1, A2): TIM3 starts ADC1, DMA2 fills two buffers in turn
 *   -DSOURCE_SERIAL   either, in frames on USART2 (ts_feed.h); with -DSERIAL_WAITS the sender heeds RTS
 * BOARD_QEMU: the build for QEMU 7.2, by serial line; QEMU has the USARTs and the counters of TIM2 to TIM5, but no RCC, PWR, DMA, RTC
 * and IWDG, and no interrupt of an empty transmitter.
 *
 * Source: ST RM0090 (STM32F405/415, F407/417, F42x, F43x reference manual), the chapter of each peripheral.
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

enum { RTC_WAKE_IRQ = 3, USART2_IRQ = 38, DMA2_STREAM0_IRQ = 56 };

static void on_usart(void);
#ifndef SOURCE_SERIAL
static void on_dma(void);
#endif
#ifndef BOARD_QEMU
static void on_wake(void);
#endif

__attribute__((section(".vectors.board"), used)) static void (*const vectors[82])(void) = {
#ifndef BOARD_QEMU
    [RTC_WAKE_IRQ] = on_wake,
#endif
    [USART2_IRQ] = on_usart,
#ifndef SOURCE_SERIAL
    [DMA2_STREAM0_IRQ] = on_dma,
#endif
};

/* Whether the bits are as they should be, in time: what is not there must not hang the node silently.  At 16 MHz about 50 ms. */
static bool happened(const volatile uint32_t *word, uint32_t mask, uint32_t bits)
{
    for (uint32_t i = 0; i < 100000; i++) {
        if ((*word & mask) == bits) {
            return true;
        }
    }
    return false;
}

/* Asleep until an interrupt has been served; interrupts are off before and after. */
static void wait_for_interrupt(void)
{
    ts_sleep();
    ts_interrupts(true);
    ts_interrupts(false);
}

/* --- clocks: RM0090, 3 (flash), 5 (PWR), 7 (RCC) ----------------------------------------------------------------- */

struct rcc {
    volatile uint32_t cr, pll, cfg, cir, reset[6], unused[2], ahb1_on, ahb2_on, ahb3_on, unused2, apb1_on, apb2_on;
    volatile uint32_t unused3[10], backup, status;
};
_Static_assert(offsetof(struct rcc, status) == 0x74, "rcc");
#define RCC       ((struct rcc *)0x40023800u)
#define FLASH_ACR TS_REGISTER(0x40023c00u)
#define PWR_CR    TS_REGISTER(0x40007000u)
#define DEVICE_ID TS_REGISTER(0xe0042000u)

enum { HSI_ON = 1, HSI_READY = 2, HSE_ON = 1 << 16, HSE_READY = 1 << 17, PLL_ON = 1 << 24, PLL_READY = 1 << 25 };
enum { PLL_N = 336 << 6, PLL_P2 = 0 << 16, PLL_FROM_HSE = 1 << 22, PLL_Q = 7 << 24 };
enum { SYSTEM_FROM_PLL = 2, SYSTEM_MASK = 3, SYSTEM_IS_PLL = 2 << 2, APB1_BY_4 = 5 << 10, APB2_BY_2 = 4 << 13 };
enum { WAIT_STATES = 5, PREFETCH = 1 << 8, CODE_CACHE = 1 << 9, DATA_CACHE = 1 << 10 };
enum { GPIOA_ON = 1, GPIOB_ON = 2, GPIOC_ON = 4, DMA2_ON = 1 << 22 };
enum { TIM3_ON = 1 << 1, TIM5_ON = 1 << 3, USART2_ON = 1 << 17, PWR_ON = 1 << 28, ADC1_ON = 1 << 8 };

#define CRYSTAL_MHZ 25u
#define HSI_MHZ     16u

static uint32_t apb1_hz, timer_hz;      /* as the clocks have come up; timers of APB1 run at twice its clock where it is divided */

/* 168 MHz from the crystal; without one, from the RC oscillator, within 1 %; and if even the PLL does not lock, 16 MHz. */
static void start_clocks(void)
{
    RCC->cr |= HSE_ON;
    const bool crystal = happened(&RCC->cr, HSE_READY, HSE_READY);
    RCC->pll = (crystal ? CRYSTAL_MHZ | PLL_FROM_HSE : HSI_MHZ) | PLL_N | PLL_P2 | PLL_Q;
    RCC->cr |= PLL_ON;
    apb1_hz = timer_hz = HSI_MHZ * 1000000;
    if (happened(&RCC->cr, PLL_READY, PLL_READY)) {
        /* silicon of revision A must not prefetch; reference: errata ES0182 */
        FLASH_ACR = WAIT_STATES | CODE_CACHE | DATA_CACHE | (DEVICE_ID >> 16 == 0x1000 ? 0 : PREFETCH);
        RCC->cfg = APB1_BY_4 | APB2_BY_2;
        RCC->cfg = APB1_BY_4 | APB2_BY_2 | SYSTEM_FROM_PLL;
        (void)happened(&RCC->cfg, SYSTEM_MASK << 2, SYSTEM_IS_PLL);
        apb1_hz = TS_CLOCK_HZ / 4;
        timer_hz = TS_CLOCK_HZ / 2;
    }
#ifdef BOARD_QEMU
    timer_hz = 1000000000;              /* whatever the clocks are */
#endif
}

enum { RESET_CLEAR = 1 << 24, RESET_BROWN_OUT = 1 << 25, RESET_PIN = 1 << 26, RESET_POWER = 1 << 27, RESET_SOFTWARE = 1 << 28 };
enum { RESET_WATCHDOG = 1 << 29, LSI_ON = 1, LSI_READY = 2 };

static enum ts_reset why_reset(void)
{
    const uint32_t status = RCC->status;
    RCC->status |= RESET_CLEAR;
    return (status & RESET_WATCHDOG) ? TS_RESET_WATCHDOG : (status & RESET_SOFTWARE) ? TS_RESET_SOFTWARE :
           (status & (RESET_POWER | RESET_BROWN_OUT)) ? TS_RESET_POWER : (status & RESET_PIN) ? TS_RESET_PIN : TS_RESET_UNKNOWN;
}

/* --- pins: RM0090, 8 --------------------------------------------------------------------------------------------- */

struct gpio {
    volatile uint32_t mode, type, speed, pull, in, out, set, lock, function[2];
};
_Static_assert(offsetof(struct gpio, function) == 0x20, "gpio");
#define GPIOA ((struct gpio *)0x40020000u)
#define GPIOB ((struct gpio *)0x40020400u)
#define GPIOC ((struct gpio *)0x40020800u)

enum { OUTPUT = 1, ALTERNATE = 2, ANALOGUE = 3, PULL_UP = 1, USART_FUNCTION = 7 };
enum { RTS_PIN = 1, TX_PIN = 2, RX_PIN = 3, HEADER_POWER_PIN = 2, MARKER_PIN = 12 };

static void set_pin(struct gpio *port, uint32_t pin, uint32_t mode, uint32_t pull, uint32_t function)
{
    port->function[pin / 8] |= function << 4 * (pin % 8);
    port->pull |= pull << 2 * pin;
    port->mode |= mode << 2 * pin;
}

/* --- timers: RM0090, 18 (TIM2 to TIM5) --------------------------------------------------------------------------- */

struct timer {
    volatile uint32_t cr1, cr2, smcr, dier, sr, egr, ccmr1, ccmr2, ccer, cnt, psc, arr, unused, ccr1, ccr2, ccr3, ccr4, unused2[3], option;
};
_Static_assert(offsetof(struct timer, option) == 0x50, "timer");
#define TIM3 ((struct timer *)0x40000400u)
#define TIM5 ((struct timer *)0x40000c00u)

enum { TIMER_ON = 1, UPDATE_EVENT = 1, UPDATE_TRIGGERS = 2 << 4 };

#define TICKS_HZ 1000000u
const uint32_t board_ticks_hz = TICKS_HZ;
static uint32_t slept;                  /* ticks that TIM5 has not seen */

static void start_ticks(void)
{
    TIM5->psc = timer_hz / TICKS_HZ - 1;
    TIM5->arr = 0xffffffffu;
    TIM5->egr = UPDATE_EVENT;
    TIM5->cr1 = TIMER_ON;
}

uint32_t board_ticks(void)
{
    return TIM5->cnt + slept;
}

/* --- USART2: RM0090, 30 ------------------------------------------------------------------------------------------ */

struct usart {
    volatile uint32_t sr, dr, brr, cr1, cr2, cr3;
};
_Static_assert(offsetof(struct usart, cr3) == 0x14, "usart");
#define USART2 ((struct usart *)0x40004400u)

enum { RX_FULL = 1 << 5, SENT = 1 << 6, TX_EMPTY = 1 << 7 };            /* SR */
enum { RX_ON = 1 << 2, TX_ON = 1 << 3, RX_INTERRUPTS = 1 << 5, TX_INTERRUPTS = 1 << 7, USART_ON = 1 << 13 };    /* CR1 */
enum { RTS_ON = 1 << 8 };                                               /* CR3 */

#ifndef BAUD
#if defined(SOURCE_SERIAL) && defined(TS_SOURCE_MICROPHONE)
#define BAUD 1000000u                   /* 16 kHz of int16 are 320 kbaud */
#else
#define BAUD 115200u
#endif
#endif

static struct ts_queue queue;
#ifdef SOURCE_SERIAL
static struct ts_feed feed;
#endif

static void start_usart(void)
{
    set_pin(GPIOA, TX_PIN, ALTERNATE, PULL_UP, USART_FUNCTION);
    set_pin(GPIOA, RX_PIN, ALTERNATE, PULL_UP, USART_FUNCTION);
#ifdef SERIAL_WAITS
    set_pin(GPIOA, RTS_PIN, ALTERNATE, 0, USART_FUNCTION);
    USART2->cr3 = RTS_ON;
#endif
    USART2->brr = (apb1_hz + BAUD / 2) / BAUD;
#ifdef SERIAL_WAITS
    USART2->cr1 = USART_ON | TX_ON | RX_ON;
#else
    USART2->cr1 = USART_ON | TX_ON;
#endif
}

static void on_usart(void)
{
    uint8_t byte = 0;

#ifdef SOURCE_SERIAL
    if ((USART2->cr1 & RX_INTERRUPTS) != 0 && (USART2->sr & RX_FULL) != 0) {
        USART2->cr1 &= ~(uint32_t)RX_INTERRUPTS;        /* before the read: the next byte may be there at once, and must wait */
        ts_feed_byte(&feed, (uint8_t)USART2->dr);
        if (ts_feed_has_room(&feed)) {
            USART2->cr1 |= RX_INTERRUPTS;
        }
    }
#endif
    while ((USART2->sr & TX_EMPTY) != 0) {
        if (!ts_queue_take(&queue, &byte)) {
            USART2->cr1 &= ~(uint32_t)TX_INTERRUPTS;
            break;
        }
        USART2->dr = byte;
    }
}

void board_write(const uint8_t *bytes, uint32_t count)
{
    ts_interrupts(false);
    for (uint32_t i = 0; i < count; i++) {
        while (!ts_queue_put(&queue, bytes[i])) {
            wait_for_interrupt();
        }
        USART2->cr1 |= TX_INTERRUPTS;
        ts_pend_irq(USART2_IRQ);        /* the chip would do it by itself; QEMU 7.2 has no interrupt of an empty transmitter */
    }
    ts_interrupts(true);
}

/* --- the source -------------------------------------------------------------------------------------------------- */

#ifdef SOURCE_SERIAL

static void receive(void)
{
    if (ts_feed_has_room(&feed)) {
        USART2->cr1 |= RX_INTERRUPTS;
    }
}

void board_source_start(ts_sample buffers[2][TS_SAMPLES])
{
    ts_interrupts(false);
    ts_feed_start(&feed, buffers);
    USART2->cr1 |= RX_ON;
    receive();
    ts_interrupts(true);
}

void board_source_stop(void)
{
    ts_interrupts(false);
    ts_feed_stop(&feed);
    USART2->cr1 &= ~(uint32_t)RX_INTERRUPTS;
#ifndef SERIAL_WAITS
    USART2->cr1 &= ~(uint32_t)RX_ON;
#endif
    ts_interrupts(true);
}

#else

/* ADC: RM0090, 13; DMA: 10, where stream 0 of DMA2 with channel 0 is ADC1's. */
struct adc {
    volatile uint32_t sr, cr1, cr2, smpr1, smpr2, jofr[4], htr, ltr, sqr1, sqr2, sqr3, jsqr, jdr[4], dr;
};
_Static_assert(offsetof(struct adc, dr) == 0x4c, "adc");
struct dma {
    volatile uint32_t lisr, hisr, lifcr, hifcr, cr, ndtr, par, m0ar, m1ar, fcr;
};
_Static_assert(offsetof(struct dma, fcr) == 0x24, "dma");
#define ADC1    ((struct adc *)0x40012000u)
#define ADC_CCR TS_REGISTER(0x40012304u)
#define DMA2    ((struct dma *)0x40026400u)

enum { ADC_ON = 1, ADC_DMA = 1 << 8, ADC_DMA_GOES_ON = 1 << 9, ADC_LEFT = 1 << 11, ADC_TIM3_TRGO = 8 << 24, ADC_RISING = 1 << 28 };
enum { ADC_SCAN = 1 << 8, ADC_CLOCK_BY_4 = 1 << 16, CYCLES_84 = 4, A0_CHANNEL = 10 };
enum { DMA_ON = 1, DMA_DONE_INTERRUPTS = 1 << 4, DMA_MEMORY_GROWS = 1 << 10, DMA_16_BITS = 1 << 11 | 1 << 13 };
enum { DMA_HIGHEST = 3 << 16, DMA_TWO_BUFFERS = 1 << 18, DMA_IN_SECOND = 1 << 19, DMA_ALL_FLAGS = 0x3d };

static ts_sample (*target)[TS_SAMPLES];

/* The smallest prescaler with which the period is a whole number of counts, and fits in 16 bits; the rates of board.toml all have one. */
static void set_sampling(void)
{
    const uint32_t period = (uint32_t)((uint64_t)timer_hz * TS_SAMPLE_HZ_DENOMINATOR / TS_SAMPLE_HZ_NUMERATOR);
    uint32_t by = 1;
    while (period / by > 65536 || period % by != 0) {
        by++;
    }
    TIM3->psc = by - 1;
    TIM3->arr = period / by - 1;
    TIM3->cr2 = UPDATE_TRIGGERS;
    TIM3->egr = UPDATE_EVENT;           /* a trigger, too, while the ADC is still off */
}

void board_source_start(ts_sample buffers[2][TS_SAMPLES])
{
    target = buffers;
    set_sampling();
    DMA2->lifcr = DMA_ALL_FLAGS;
    DMA2->par = (uint32_t)(uintptr_t)&ADC1->dr;
    DMA2->m0ar = (uint32_t)(uintptr_t)buffers[0];
    DMA2->m1ar = (uint32_t)(uintptr_t)buffers[1];
    DMA2->ndtr = TS_SAMPLES;
    DMA2->cr = DMA_HIGHEST | DMA_TWO_BUFFERS | DMA_16_BITS | DMA_MEMORY_GROWS | DMA_DONE_INTERRUPTS;
    DMA2->cr |= DMA_ON;
    ADC_CCR = ADC_CLOCK_BY_4;           /* 21 MHz; at most 36 */
    ADC1->smpr1 = CYCLES_84 | CYCLES_84 << 3 | CYCLES_84 << 6;         /* 4.6 us a conversion with the 12 of its bits */
    ADC1->sqr1 = (TS_CHANNELS - 1) << 20;
    ADC1->sqr3 = A0_CHANNEL | (A0_CHANNEL + 1) << 5 | (A0_CHANNEL + 2) << 10;
    ADC1->cr1 = ADC_SCAN;
    ADC1->sr = 0;
    ADC1->cr2 = ADC_ON | ADC_DMA | ADC_DMA_GOES_ON | ADC_LEFT | ADC_TIM3_TRGO | ADC_RISING;
    ts_enable_irq(DMA2_STREAM0_IRQ);
    TIM3->cr1 = TIMER_ON;
}

void board_source_stop(void)
{
    TIM3->cr1 = 0;
    ADC1->cr2 = 0;
    DMA2->cr &= ~(uint32_t)DMA_ON;
    (void)happened(&DMA2->cr, DMA_ON, 0);
    target = 0;
}

/* The ADC counts up from 0, left-aligned in 16 bits: half of its range is silence. */
static void on_dma(void)
{
    DMA2->lifcr = DMA_ALL_FLAGS;
    if (target == 0) {
        return;
    }
    ts_sample *x = target[(DMA2->cr & DMA_IN_SECOND) != 0 ? 0 : 1];
    for (uint32_t i = 0; i < TS_SAMPLES; i++) {
        x[i] = (ts_sample)(x[i] ^ -0x8000);
    }
    ts_block_filled();
}

#endif

/* --- watchdog: RM0090, 21.  It counts the LSI, an RC oscillator of 17 to 47 kHz, in Stop mode, too --------------- */

struct watchdog {
    volatile uint32_t key, prescaler, reload, status;
};
#define IWDG ((struct watchdog *)0x40003000u)

enum { IWDG_FEED = 0xaaaa, IWDG_UNLOCK = 0x5555, IWDG_START = 0xcccc, IWDG_BY_256 = 6, IWDG_MOST = 0xfff };

static uint32_t lsi_hz;

void board_watchdog_start(uint32_t ms)
{
    const uint32_t reload = (uint32_t)((uint64_t)ms * lsi_hz / 256000);

    if (reload > IWDG_MOST) {
        return;                         /* longer than it can count, about 33 s: blocks of more than 8 s are not watched over */
    }
    IWDG->key = IWDG_START;
    IWDG->key = IWDG_UNLOCK;
    IWDG->prescaler = IWDG_BY_256;
    IWDG->reload = reload;
    (void)happened(&IWDG->status, 3, 0);
    IWDG->key = IWDG_FEED;
}

void board_watchdog_feed(void)
{
    IWDG->key = IWDG_FEED;
}

/* LSI against the crystal: TIM5 notes when each eighth of its edges came.  RM0090, 18: TIM5_OR. */
static void measure_lsi(void)
{
    enum { LSI_TO_CHANNEL4 = 1 << 6, CAPTURE4_EVERY_8 = 1 << 8 | 3 << 10, CAPTURE4_ON = 1 << 12, CAPTURED4 = 1 << 4, CAPTURES = 4 };
    uint32_t times[CAPTURES + 1] = { 0 };
    bool good = true;

    lsi_hz = 32000;
    RCC->status |= LSI_ON;
    (void)happened(&RCC->status, LSI_READY, LSI_READY);
    TIM5->option = LSI_TO_CHANNEL4;
    TIM5->ccmr2 = CAPTURE4_EVERY_8;
    TIM5->ccer = CAPTURE4_ON;
    for (uint32_t i = 0; i <= CAPTURES && good; i++) {
        TIM5->sr = ~(uint32_t)CAPTURED4;
        good = happened(&TIM5->sr, CAPTURED4, CAPTURED4);
        times[i] = TIM5->ccr4;
    }
    TIM5->ccer = 0;
    const uint32_t ticks = times[CAPTURES] - times[0];
    if (good && ticks >= CAPTURES * 8 * TICKS_HZ / 60000) {
        lsi_hz = CAPTURES * 8 * TICKS_HZ / ticks;
    }
}

/* --- sleep ------------------------------------------------------------------------------------------------------- */

void board_sleep(void)
{
#ifdef SOURCE_SERIAL
    feed.busy = false;
    receive();
#endif
    ts_sleep();                         /* Sleep mode: the clocks of the ADC, the DMA, the timers and the USART run on */
}

#ifdef BOARD_QEMU

/* QEMU's TIM interrupts come too late by all the time since the start; SysTick's do not.  24 bits at 168 MHz are 99 ms. */
static void sleep_ms(uint32_t ms)
{
    enum { SYSTICK_ON = 1, SYSTICK_INTERRUPTS = 2, SYSTICK_BY_CORE = 4, SYSTICK_CLEARS = 1 << 25, SYSTICK_WAITS = 1 << 26 };
    for (uint32_t part; ms != 0; ms -= part) {
        part = ms < 50 ? ms : 50;
        TS_REGISTER(0xe000e014) = TS_CLOCK_HZ / 1000 * part - 1;
        TS_REGISTER(0xe000e018) = 0;
        TS_REGISTER(0xe000e010) = SYSTICK_ON | SYSTICK_INTERRUPTS | SYSTICK_BY_CORE;
        while ((TS_REGISTER(0xe000ed04) & SYSTICK_WAITS) == 0) {
            ts_sleep();
        }
        TS_REGISTER(0xe000e010) = 0;
        TS_REGISTER(0xe000ed04) = SYSTICK_CLEARS;
    }
}

static void start_rtc(void)
{
}

#else

/* RTC: RM0090, 26; EXTI: 12, where line 22 is the RTC's wake-up; Stop mode: 5. */
struct rtc {
    volatile uint32_t time, date, cr, isr, prescaler, wakeup, unused[3], key;
};
_Static_assert(offsetof(struct rtc, key) == 0x24, "rtc");
struct exti {
    volatile uint32_t imr, emr, rtsr, ftsr, swier, pr;
};
#define RTC     ((struct rtc *)0x40002800u)
#define EXTI    ((struct exti *)0x40013c00u)
#define SCB_SCR TS_REGISTER(0xe000ed10u)

enum { WAKEUP_ON = 1 << 10, WAKEUP_INTERRUPTS = 1 << 14, WAKEUP_WRITABLE = 1 << 2, WAKEUP_CAME = 1 << 10, RTC_INITIALISES = 1 << 7 };
enum { RTC_FROM_LSI = 2 << 8, RTC_FROM_MASK = 3 << 8, RTC_ON = 1 << 15, BACKUP_RESET = 1 << 16, WAKEUP_LINE = 1 << 22 };
enum { LOW_POWER_REGULATOR = 1, CLEAR_WAKEUP = 1 << 2, BACKUP_WRITABLE = 1 << 8, FLASH_OFF = 1 << 9, DEEP = 4 };

static volatile bool woken;

static void on_wake(void)
{
    EXTI->pr = WAKEUP_LINE;
    woken = true;
}

static void start_rtc(void)
{
    PWR_CR |= BACKUP_WRITABLE;
    if ((RCC->backup & RTC_FROM_MASK) != RTC_FROM_LSI) {        /* it can be chosen once only */
        RCC->backup = BACKUP_RESET;
        RCC->backup = 0;
    }
    RCC->backup |= RTC_FROM_LSI | RTC_ON;
    RTC->key = 0xca;
    RTC->key = 0x53;
    EXTI->imr |= WAKEUP_LINE;
    EXTI->rtsr |= WAKEUP_LINE;
    ts_enable_irq(RTC_WAKE_IRQ);
}

/* Stop mode with the regulator in low power and the flash off; only the LSI runs, with the RTC and the watchdog on it. */
static void sleep_ms(uint32_t ms)
{
    RTC->cr = 0;
    (void)happened(&RTC->isr, WAKEUP_WRITABLE, WAKEUP_WRITABLE);
    RTC->wakeup = (uint32_t)((uint64_t)ms * lsi_hz / 16000) - 1;      /* counts of 16 periods, with the one for 0 */
    RTC->isr = ~(uint32_t)(WAKEUP_CAME | RTC_INITIALISES);
    EXTI->pr = WAKEUP_LINE;
    woken = false;
    RTC->cr = WAKEUP_ON | WAKEUP_INTERRUPTS;
    PWR_CR |= LOW_POWER_REGULATOR | FLASH_OFF | CLEAR_WAKEUP;
    SCB_SCR |= DEEP;
    while (!woken) {
        wait_for_interrupt();
    }
    SCB_SCR &= ~(uint32_t)DEEP;
    RTC->cr = 0;
    slept += ms * (TICKS_HZ / 1000);
    start_clocks();                     /* Stop mode ends on the RC oscillator of 16 MHz */
}

#endif

void board_deep_sleep(uint32_t ms)
{
    ts_interrupts(false);
    while ((USART2->cr1 & TX_INTERRUPTS) != 0) {
        wait_for_interrupt();
    }
    while ((USART2->sr & SENT) == 0) {
    }
    while (ms != 0) {
        const uint32_t part = ms < 1000 ? ms : 1000;
        sleep_ms(part);
        board_watchdog_feed();
        ms -= part;
    }
    ts_interrupts(true);
}

/* --- start ------------------------------------------------------------------------------------------------------- */

enum ts_reset board_init(void)
{
    RCC->ahb1_on |= GPIOA_ON | GPIOB_ON | GPIOC_ON | DMA2_ON;
    RCC->apb1_on |= TIM3_ON | TIM5_ON | USART2_ON | PWR_ON;
    RCC->apb2_on |= ADC1_ON;
    start_clocks();
    start_ticks();
    start_usart();
    measure_lsi();
    start_rtc();
    GPIOB->set = 1u << HEADER_POWER_PIN;                /* the headers' supply has a switch */
    set_pin(GPIOB, HEADER_POWER_PIN, OUTPUT, 0, 0);
    for (uint32_t pin = 0; pin < TS_CHANNELS; pin++) {
        set_pin(GPIOC, pin, ANALOGUE, 0, 0);            /* A0, A1, A2 */
    }
#ifdef TS_MARKER
    set_pin(GPIOB, MARKER_PIN, OUTPUT, 0, 0);           /* D4 */
#endif
    ts_set_priority(USART2_IRQ, 1);                     /* below the source's */
    ts_enable_irq(USART2_IRQ);
    return why_reset();
}

#ifdef TS_MARKER
void board_marker(bool high)
{
    GPIOB->set = 1u << (high ? MARKER_PIN : MARKER_PIN + 16);   /* BSRR: the upper half clears */
}
#endif
