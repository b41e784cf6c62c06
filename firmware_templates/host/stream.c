/* stream.c - run ${name} on the host: blocks on stdin; every step's output on stdout
 *
 * A record is int32 step, int32 block, then the output's bytes; an event is step -1.
 */
#include <stdint.h>
#include <stdio.h>

static int32_t block_number;

static void after(int32_t step, const void *y, size_t bytes)
{
    const int32_t head[2] = { step, block_number };
    fwrite(head, sizeof head, 1, stdout);
    fwrite(y, bytes, 1, stdout);
}

#define TS_AFTER(step, y) after(step, y, sizeof y)
#include "${name}.c"

int main(void)
{
${declare}
    struct ts_event event = { 0 };

    ${name}_reset();
    while (${read}) {
        if (${name}_push(${pass}, &event)) {
            const int32_t values[3] = { (int32_t)event.sequence, event.label, event.score };
            after(-1, values, sizeof values);
        }
        block_number++;
    }
    return 0;
}
