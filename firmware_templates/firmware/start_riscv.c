/* start.c - from reset to main() on a 32-bit RISC-V core, in machine mode
 *
 * A fault keeps its address in RAM that no start clears, and resets: the next hello tells it.
 * Source: RISC-V Privileged Architecture 1.12, 3.1.7 (mtvec) and 3.1.15 (mcause).
 */
#include "ts_board.h"
#include "ts_core.h"

extern uint32_t ts_stack_end[], ts_data_start[], ts_data_end[], ts_bss_start[], ts_bss_end[];
extern const uint32_t ts_data_load[];

int main(void);
void ts_start(void);
void ts_begin(void);
void ts_trap(void);
void ts_interrupt(void);

#define FAULT_KEPT 0x7a5f0a17u

__attribute__((section(".noinit"))) static struct {
    uint32_t kept;
    struct ts_fault told;
} fault;

__attribute__((naked, section(".start"), used)) void ts_start(void)
{
    __asm volatile(TS_CSR("la sp, ts_stack_end\n la t0, ts_trap\n csrw mtvec, t0\n tail ts_begin"));
}

__attribute__((used)) void ts_begin(void)
{
    const uint32_t *load = ts_data_load;
    for (uint32_t *word = ts_data_start; word < ts_data_end; word++) {
        *word = *load++;
    }
    for (uint32_t *word = ts_bss_start; word < ts_bss_end; word++) {
        *word = 0;
    }
    main();
#ifdef TS_FINISHER                              /* the emulator ends: SiFive's test device, "pass" */
    TS_REGISTER(TS_FINISHER) = 0x5555;
#endif
    for (;;) {
        ts_sleep();
    }
}

/* A fault never returns, and its stack may be what is broken: it begins a new one.  t0 is kept for interrupts. */
__attribute__((naked, aligned(4), used)) void ts_trap(void)
{
    __asm volatile(TS_CSR("csrw mscratch, t0\n csrr t0, mcause\n bltz t0, 1f\n la sp, ts_stack_end\n li a0, %0\n tail ts_fault\n"
                          "1: csrr t0, mscratch\n tail ts_interrupt") : : "i"(TS_RESET_FAULT));
}

__attribute__((interrupt("machine"), used)) void ts_interrupt(void)
{
    uint32_t cause;
    __asm volatile(TS_CSR("csrr %0, mcause") : "=r"(cause));
    board_interrupt(cause & 0x7fffffffu);
}

__attribute__((used)) void ts_fault(uint32_t reason)
{
    uint32_t address;
    __asm volatile(TS_CSR("csrr %0, mepc") : "=r"(address));
    fault.told = (struct ts_fault){ reason, address };
    fault.kept = FAULT_KEPT;
    board_reset();
}

struct ts_fault ts_take_fault(void)
{
    const struct ts_fault told = fault.kept == FAULT_KEPT ? fault.told : (struct ts_fault){ 0, 0 };
    fault.kept = 0;
    return told;
}
