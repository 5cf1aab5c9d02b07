#ifndef TESTS_UNIT_SCENARIO_H
#define TESTS_UNIT_SCENARIO_H

#include "base/error.h"
#include "unit/rig.h"

/*
 * Everything that the engine does with a mapping, for tests that let something
 * fail in it. All ends of the mapping are one store.
 *
 *     scenario_begin() { prepare() run() check() [run() check()] release() }
 *     scenario_end()
 *
 * run() does it, from whatever an earlier one has left. 0: all of it was done;
 * -1: it was not, or somebody was told that it was not. check() fails when that
 * is not true.
 */
struct scenario {
	const char *name;
	void (*configure)(void); /* NULL: nothing, as with the next ones */
	void (*prepare)(void);
	int (*run)(struct error *err);
	void (*check)(bool done);
	void (*release)(void);
	unsigned long least; /* requests for memory that it makes */
	/* What fails in it may be mended, or told by other means. */
	bool heals;
	bool slow;
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

/*
 * Called around what run() does for the test's own sake, where nothing may
 * fail; NULL: nobody minds.
 */
extern void (*scenario_aside)(bool aside);

/* The mapping's two ends. */
#define SCENARIO_STORE "scenario"

void scenario_begin(const struct scenario *scenario);
void scenario_end(void);

#endif
