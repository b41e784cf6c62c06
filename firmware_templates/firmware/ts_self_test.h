/* ts_self_test.h - does this chip, with this compiler, compute what the host has computed?  And in how many cycles? */
#ifndef TS_SELF_TEST_H
#define TS_SELF_TEST_H

#include <stdint.h>

struct ts_record;

/* Stored blocks through the app, over and over, until every step that they reach has run: the first step whose outputs are others than
 * on the host; -1 where all are the same. */
int32_t ts_self_test(void);

const char *ts_step_name(int32_t step);

#ifdef TS_BENCH
/* What a step took in the self-test: fired, cycles in all and at the most. */
void ts_put_cycles(struct ts_record *record, int32_t step);
#endif

#endif
