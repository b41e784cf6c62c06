/* ts_core.h - what every Cortex-M can do.  Source: Armv6-M and Armv7-M Architecture Reference Manuals, B3.2 and B3.3. */
#ifndef TS_CORE_H
#define TS_CORE_H

#include <stdbool.h>
#include <stdint.h>

#define TS_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

static inline void ts_interrupts(bool on)
{
    if (on) {
        __asm volatile("cpsie i\n isb" : : : "memory");
    } else {
        __asm volatile("cpsid i" : : : "memory");
    }
}

/* WFI wakes for an interrupt that waits, also while interrupts are off. */
static inline void ts_sleep(void)
{
    __asm volatile("dsb\n wfi\n isb" : : : "memory");
}

/* What was written to memory before is there for a DMA that is started after; and what a DMA has written is read anew. */
static inline void ts_barrier(void)
{
    __asm volatile("dmb" : : : "memory");
}

static inline void ts_enable_irq(uint32_t number)
{
    TS_REGISTER(0xe000e100u + 4 * (number / 32)) = 1u << number % 32;       /* NVIC_ISER */
}

/* 0 is the most urgent; 0 to 3 exist on every core. */
static inline void ts_set_priority(uint32_t number, uint32_t priority)
{
    const uint32_t shift = number % 4 * 8 + 6;
    volatile uint32_t *word = &TS_REGISTER(0xe000e400u + number / 4 * 4);   /* NVIC_IPR: by words only on Armv6-M */
    *word = (*word & ~(3u << shift)) | priority << shift;
}

/* As if the peripheral had asked for it. */
static inline void ts_pend_irq(uint32_t number)
{
    TS_REGISTER(0xe000e200u + 4 * (number / 32)) = 1u << number % 32;       /* NVIC_ISPR */
}

#ifdef TS_NO_SYSTICK            /* the chip's maker has left it out: the board's ticks are the core's cycles */

uint32_t board_ticks(void);

static inline void ts_cycles_start(void)
{
}

static inline uint32_t ts_cycles(void)
{
    return board_ticks();
}

static inline uint32_t ts_cycles_since(uint32_t before)
{
    return board_ticks() - before;
}

#else

/* SysTick counts the core's cycles down from 2**24 - 1; a step that takes longer is seen modulo that. */
static inline void ts_cycles_start(void)
{
    TS_REGISTER(0xe000e014) = 0xffffff;     /* SYST_RVR */
    TS_REGISTER(0xe000e018) = 0;            /* SYST_CVR: any write clears it */
    TS_REGISTER(0xe000e010) = 5;            /* SYST_CSR: on, by the core's clock, without interrupt */
}

static inline uint32_t ts_cycles(void)
{
    return TS_REGISTER(0xe000e018);
}

static inline uint32_t ts_cycles_since(uint32_t before)
{
    return (before - ts_cycles()) & 0xffffff;
}

#endif

/* Why start.c has reset the board, as enum ts_reset, and the address of the instruction; 0 where it has not.  Told once. */
struct ts_fault {
    uint32_t reason, address;
};
struct ts_fault ts_take_fault(void);

#endif
