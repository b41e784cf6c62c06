/* native.c - ${name} as a shared library: many blocks a call, the wanted steps' outputs into the caller's arrays */
#include <stdint.h>
#include <string.h>

struct ts_output {
    uint8_t *y;                 /* room for one output a block, or NULL: not wanted */
    uint32_t *when;             /* the block of each output */
    uint32_t count;
};

static struct ts_output *ts_outputs;
static uint32_t ts_block;

static inline void ts_after(int32_t step, const void *y, size_t bytes)
{
    struct ts_output *output = &ts_outputs[step];
    if (output->y == NULL) {
        return;
    }
    memcpy(output->y + bytes * output->count, y, bytes);
    output->when[output->count++] = ts_block;
}

#define TS_AFTER(step, y) ts_after(step, y, sizeof (y))
#include "${name}.c"

void ts_native_reset(void);
void ts_native_push(uint32_t blocks, ${inputs}, struct ts_output *wanted);

void ts_native_reset(void)
{
    ${name}_reset();
}

void ts_native_push(uint32_t blocks, ${inputs}, struct ts_output *wanted)
{
    struct ts_event event[${events}];
    ts_outputs = wanted;
    for (ts_block = 0; ts_block < blocks; ts_block++) {
        (void)${name}_push(${advance}, event);
    }
}
${learnt}