/* ts_board.h - what the emulator's board offers */
#ifndef TS_BOARD_H
#define TS_BOARD_H

#include <stdint.h>

/* Sleep until the next block of samples is there.  The emulator stops here. */
void ts_wait(void);

/* Says which step is about to run.  The emulator looks at the argument; nothing is done with it. */
void ts_begin(int32_t step);

#endif
