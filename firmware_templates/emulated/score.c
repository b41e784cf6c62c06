/* score.c - ${name}, with a word on where the last step's output lies: an app without a detector has its own way to read it
 *
 * TS_PROFILE: it also says which step begins where.  That takes no instruction: address and step are noted in a section which is
 * not loaded, and the emulator knows that the step began once the core has come to that address.
 */
#include "ts_board.h"

extern const void *ts_score;
const void *ts_score;

#ifdef TS_PROFILE
#define TS_BEFORE(step) \
    __asm volatile(".pushsection .ts_steps,\"\",%%progbits\n.word 0f, %c0\n.popsection\n0:" : : "i"(step) : "memory")
#else
#define TS_BEFORE(step) ((void)0)
#endif
#define TS_AFTER(step, y) do { if ((step) == ${last}) { ts_score = (y); } TS_BEFORE((step) + 1); } while (0)
#include "${name}.c"
