#if TS_KERNELS_VERSION != ${kernels_version}
#error Emit this file again: the kernels beside it are of another tinystream version.
#endif
#if ${NAME}_DEFINITION_32 != ${definition_32}
#error ${name}.h is of another definition than this file. Take both from one emission.
#endif
_Static_assert(sizeof(int) >= 4, "the kernels count on an int of 32 bits; an 8-bit AVR has one of 16");

#ifndef TS_AFTER                /* a test, a profile or a self-test looks here at what a step gave */
#define TS_AFTER(step, y) ((void)0)
#endif
#ifndef TS_BEFORE               /* where a step may run though the one above it has not */
#define TS_BEFORE(step) ((void)0)
#endif

/* Steps take turns in the arena, each with types of its own, and a compiler may think that an int16_t and an int32_t never
 * share a place.  A fence after each step keeps accesses in their turn; it is for the compiler alone, no instruction. */
#define TS_FENCE() atomic_signal_fence(memory_order_seq_cst)
#define TS_DONE(step, y) do { TS_AFTER(step, y); TS_FENCE(); } while (0)

${declared}${arena}
/* --- steps: what each one is told, and what it remembers ------------------------------------------------ */

${steps}
${clock}
void ${name}_reset(void)
{
${reset}
}

${given} ${name}_push(${inputs}, struct ts_event ${taken})
{
${calls}
}
${learnt}