/* score.c - ${name}, with a word on where the last step's output lies: an app without a detector has its own way to read it
 *
 * TS_PROFILE: it also says which step begins, a few instructions more for each.
 */
#include "ts_board.h"

extern const void *ts_score;
const void *ts_score;

#ifdef TS_PROFILE
#define TS_BEGIN(step) ts_begin(step)
#else
#define TS_BEGIN(step) ((void)0)
#endif
#define TS_AFTER(step, y) ((step) == ${last} ? (void)(ts_score = (y)) : (void)0, TS_BEGIN((step) + 1))
#include "${name}.c"
