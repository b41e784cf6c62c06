/* start.c - from reset to main() on a Cortex-M; the emulator's board has flash, RAM, and nothing else */
#include "ts_board.h"

extern uint32_t ts_stack_end[], ts_data_start[], ts_data_end[], ts_bss_start[], ts_bss_end[];
extern const uint32_t ts_data_load[];

int main(void);
void ts_start(void);

struct ts_vectors {
    uint32_t *stack;
    void (*start)(void);
};

/* what the core reads at reset; nothing here can raise an exception but a bug, and the emulator stops at those */
__attribute__((section(".vectors"), used)) const struct ts_vectors ts_vectors = { ts_stack_end, ts_start };

void ts_start(void)
{
    const uint32_t *load = ts_data_load;
    for (uint32_t *word = ts_data_start; word < ts_data_end; word++) {
        *word = *load++;
    }
    for (uint32_t *word = ts_bss_start; word < ts_bss_end; word++) {
        *word = 0;
    }
    main();
}

void ts_wait(void)
{
    __asm volatile("wfi");
}
