/* ts_core.h - a process in the place of a core: nothing interrupts it */
#ifndef TS_CORE_H
#define TS_CORE_H

#include <stdbool.h>
#include <stdint.h>

static inline void ts_interrupts(bool on)
{
    (void)on;
}

/* Nanoseconds of the clock, modulo 2**32; board.c has it. */
uint32_t ts_cycles(void);

static inline void ts_cycles_start(void)
{
}

static inline uint32_t ts_cycles_since(uint32_t before)
{
    return ts_cycles() - before;
}

struct ts_fault {
    uint32_t reason, address;
};

static inline struct ts_fault ts_take_fault(void)
{
    return (struct ts_fault){ 0, 0 };
}

#endif
