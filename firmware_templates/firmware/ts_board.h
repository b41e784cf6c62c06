/* ts_board.h - what a board gives to the loop in main.c, and what the loop gives to it
 *
 * board.c has one function for each line here, and its interrupt handlers.  Nothing of it is called from an interrupt but
 * ts_block_filled(), ts_source_ended() and ts_learn_anew().
 */
#ifndef TS_BOARD_H
#define TS_BOARD_H

#include "ts_app.h"

enum ts_reset { TS_RESET_UNKNOWN, TS_RESET_POWER, TS_RESET_PIN, TS_RESET_WATCHDOG, TS_RESET_SOFTWARE, TS_RESET_FAULT };

/* Clocks, pins and the UART.  Called once, first of all, with interrupts off; says why the board has started. */
enum ts_reset board_init(void);

/* Sensor on.  The hardware writes blocks of TS_SAMPLES to buffers[0], buffers[1], buffers[0] … by itself, and the board calls
 * ts_block_filled() from an interrupt after each. */
void board_source_start(ts_sample buffers[2][TS_SAMPLES]);

/* Sensor off; no block is filled any more when it returns. */
void board_source_stop(void);

/* Sleep until an interrupt waits.  Called with interrupts off, so that one which came a moment ago ends the sleep, too. */
void board_sleep(void);

/* So many milliseconds in the deepest state that keeps RAM and ends by itself; the source is off, and what was written has left. */
void board_deep_sleep(uint32_t ms);

/* Bytes of a record, out of the UART.  Waits only where the board's queue is full. */
void board_write(const uint8_t *bytes, uint32_t count);

/* Reset the board when board_watchdog_feed() has not been called for so long; nothing where the board has no watchdog. */
void board_watchdog_start(uint32_t ms);
void board_watchdog_feed(void);

/* A clock that also runs while the core sleeps: counts up, wraps at 32 bits. */
uint32_t board_ticks(void);
extern const uint32_t board_ticks_hz;

#ifdef TS_BOARD_ALERT
/* Your own way for an alert, instead of a record over the UART: `heard` moments had come when it was known. */
void board_alert(const struct ts_event *event, uint64_t heard);
#endif

#ifdef TS_MARKER
/* A pin for a meter: high while a block is processed.  docs/power.md tells which boards have one, and what reads it. */
void board_marker(bool high);
#endif

#ifdef TS_LEARNS
/* For a board that can store bytes where they outlive its power; without these two, what was learnt is lost with it.  Load gives how many
 * there are, 0 for none.  Save is called ever more rarely, once a day in the end, so that flash is not worn out. */
size_t board_load_learnt(uint8_t *bytes, size_t most);
void board_save_learnt(const uint8_t *bytes, size_t count);
#endif

#ifdef TS_TELLS_SAMPLES
/* What has come in over the line, at most so many bytes; gives how many, and waits for none.  Called before each block. */
uint32_t board_read(uint8_t *bytes, uint32_t most);
#endif

/* --- what the board calls ------------------------------------------------------------------------------------ */

/* The next of the two buffers is full. */
void ts_block_filled(void);

/* There will be no more: what feeds the app was a recording. */
void ts_source_ended(void);

#ifdef TS_LEARNS
/* A button, say: what was learnt is forgotten before the next block, and learning begins anew. */
void ts_learn_anew(void);
#endif

#endif
