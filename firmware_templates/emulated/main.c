/* main.c - ${name} as firmware: the emulator is the sensor, and writes each block to ${names} while we wait */
#include "${name}.h"
#include "ts_board.h"

${declare}
struct ts_event event[${events}];

int main(void)
{
    ${name}_reset();
    for (;;) {
        ts_wait();
        (void)${name}_push(${names}, event);
    }
}
