/* stream.c - run ${name} on the host: blocks on stdin; every step's output on stdout
 *
 * A record is int32 step, int32 block, then the output's bytes; an event is step -1, with the block that it tells itself.
 */
#include <stdint.h>
#include <stdio.h>

static int32_t ts_block;

static void ts_after(int32_t step, int32_t block, const void *y, size_t bytes)
{
    const int32_t head[2] = { step, block };
    (void)fwrite(head, sizeof head, 1, stdout);
    (void)fwrite(y, bytes, 1, stdout);
}

#define TS_AFTER(step, y) ts_after(step, ts_block, y, sizeof (y))
#include "${name}.c"

#ifndef TS_DIRTY                /* no step may count on what the arena held before it */
#define TS_DIRTY(byte) memset(&arena, byte, sizeof arena)
#endif

int main(void)
{
${declare}
    struct ts_event event[${events}] = { { 0 } };

    ${name}_reset();
    while (${read}) {
        TS_DIRTY((int)((uint32_t)ts_block * 37u & 255u));
        const int events = ${name}_push(${pass}, event);
        for (int i = 0; i < events; i++) {
            const int32_t values[3] = { (int32_t)event[i].sequence, event[i].label, event[i].score };
            ts_after(-1, (int32_t)event[i].block, values, sizeof values);
        }
        ts_block++;
    }
    return 0;
}
