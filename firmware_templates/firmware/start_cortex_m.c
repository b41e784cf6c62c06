/* start.c - from reset to main() on a Cortex-M
 *
 * Vectors of the core; those of the chip follow from board.c, in the section .vectors.board.  A fault keeps its address in RAM that no
 * start clears, and resets: the next hello tells it.  A board whose watchdog raises the NMI before it resets has its own ts_nmi().
 * Source: Armv6-M and Armv7-M Architecture Reference Manuals, B1.5; Armv8-M Architecture Reference Manual, CPACR.
 */
#include "ts_board.h"
#include "ts_core.h"

extern uint32_t ts_stack_end[], ts_data_start[], ts_data_end[], ts_bss_start[], ts_bss_end[];
extern const uint32_t ts_data_load[];

int main(void);
void ts_start(void);
void ts_begin(void);
void ts_fault(void);
__attribute__((weak, alias("ts_fault"))) void ts_nmi(void);
void ts_fault_at(const uint32_t *frame, uint32_t reason);

typedef void ts_handler(void);

struct ts_vectors {
    uint32_t *stack;
    ts_handler *start, *nmi, *hard_fault, *memory, *bus, *usage, *secure, *reserved[3], *svc, *debug, *reserved13, *pendsv, *systick;
};

__attribute__((section(".vectors.core"), used)) const struct ts_vectors ts_vectors = {
    .stack = ts_stack_end, .start = ts_start, .nmi = ts_nmi, .hard_fault = ts_fault, .memory = ts_fault, .bus = ts_fault,
    .usage = ts_fault, .secure = ts_fault, .svc = ts_fault, .debug = ts_fault, .pendsv = ts_fault, .systick = ts_fault,
};

#define FAULT_KEPT 0x7a5f0a17u

__attribute__((section(".noinit"))) static struct {
    uint32_t kept;
    struct ts_fault told;
} fault;

/* Compiled code may use vectors anywhere, so their unit is switched on before any of it runs. */
__attribute__((naked)) void ts_start(void)
{
#if defined __ARM_FP || defined __ARM_FEATURE_MVE
    __asm volatile("ldr r0, =0xe000ed88\n ldr r1, [r0]\n orr r1, r1, #0xf00000\n str r1, [r0]\n dsb\n isb");     /* CPACR: CP10, CP11 */
#endif
    __asm volatile("ldr r0, =ts_begin\n bx r0\n .ltorg");
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
    __asm volatile("cpsid i" : : : "memory");
    main();
#ifdef TS_SEMIHOSTING                           /* the emulator ends: SYS_EXIT, Arm Semihosting 2.0, 6.7 */
    __asm volatile("movs r0, #0x18\n ldr r1, =0x20026\n bkpt 0xab\n b .\n .ltorg");
#endif
    for (;;) {
        ts_sleep();
    }
}

/* The core has stacked eight words; the seventh is the address of the instruction. */
__attribute__((naked)) void ts_fault(void)
{
    __asm volatile("mrs r0, msp\n movs r1, %0\n ldr r2, =ts_fault_at\n bx r2\n .ltorg" : : "i"(TS_RESET_FAULT));
}

__attribute__((used)) void ts_fault_at(const uint32_t *frame, uint32_t reason)
{
    fault.told = (struct ts_fault){ reason, frame[6] };
    fault.kept = FAULT_KEPT;
    __asm volatile("dsb" : : : "memory");
    TS_REGISTER(0xe000ed0c) = 0x05fa0004;       /* AIRCR: SYSRESETREQ */
    for (;;) {
    }
}

struct ts_fault ts_take_fault(void)
{
    const struct ts_fault told = fault.kept == FAULT_KEPT ? fault.told : (struct ts_fault){ 0, 0 };
    fault.kept = 0;
    return told;
}
