/* ts_board.h - what the emulator's board offers */
#ifndef TS_BOARD_H
#define TS_BOARD_H

#include <stdint.h>

/* Sleep until the next block of samples is there.  The emulator stops here. */
void ts_wait(void);

#endif
