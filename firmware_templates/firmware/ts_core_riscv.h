/* ts_core.h - what every 32-bit RISC-V core in machine mode can do.  Source: RISC-V Privileged Architecture 1.12, 3.1 and 3.3.3. */
#ifndef TS_CORE_H
#define TS_CORE_H

#include <stdbool.h>
#include <stdint.h>

#define TS_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Assemblers ask for the extension's name since it is one; every core with interrupts has it. */
#define TS_CSR(text) ".option push\n .option arch, +zicsr\n " text "\n .option pop"

static inline void ts_interrupts(bool on)
{
    if (on) {
        __asm volatile(TS_CSR("csrsi mstatus, 8") : : : "memory");      /* MIE */
    } else {
        __asm volatile(TS_CSR("csrci mstatus, 8") : : : "memory");
    }
}

/* WFI wakes for an interrupt that waits, also while interrupts are off. */
static inline void ts_sleep(void)
{
    __asm volatile("fence\n wfi" : : : "memory");
}

static inline void ts_cycles_start(void)
{
}

static inline uint32_t ts_cycles(void)
{
    uint32_t cycles;
    __asm volatile(TS_CSR("csrr %0, mcycle") : "=r"(cycles));
    return cycles;
}

static inline uint32_t ts_cycles_since(uint32_t before)
{
    return ts_cycles() - before;
}

/* Why start.c has reset the board, as enum ts_reset, and the address of the instruction; 0 where it has not.  Told once. */
struct ts_fault {
    uint32_t reason, address;
};
struct ts_fault ts_take_fault(void);

/* From the handler of an interrupt: keep where it came from, and reset the board. */
__attribute__((noreturn)) void ts_fault(uint32_t reason);

/* What board.c has for start.c: an interrupt by the number in mcause, and the chip's way to reset it. */
void board_interrupt(uint32_t number);
__attribute__((noreturn)) void board_reset(void);

#endif
