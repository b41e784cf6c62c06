/* native.c - ${name} as a shared library: many blocks a call, the wanted steps' outputs into the caller's arrays */
#include <stdint.h>
#include <string.h>

struct native_output {
    uint8_t *y;                 /* room for one output a block, or NULL: not wanted */
    uint32_t *when;             /* the block of each output */
    uint32_t count;
};

static struct native_output *outputs;
static uint32_t block_number;

static inline void after(int32_t step, const void *y, size_t bytes)
{
    struct native_output *output = &outputs[step];
    if (output->y == NULL) {
        return;
    }
    memcpy(output->y + bytes * output->count, y, bytes);
    output->when[output->count++] = block_number;
}

#define TS_AFTER(step, y) after(step, y, sizeof y)
#include "${name}.c"

void ts_native_reset(void);
void ts_native_push(uint32_t blocks, ${inputs}, struct native_output *wanted);

void ts_native_reset(void)
{
    ${name}_reset();
}

void ts_native_push(uint32_t blocks, ${inputs}, struct native_output *wanted)
{
    struct ts_event event;
    outputs = wanted;
    for (block_number = 0; block_number < blocks; block_number++) {
        (void)${name}_push(${advance}, &event);
    }
}
