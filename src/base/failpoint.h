#ifndef BASE_FAILPOINT_H
#define BASE_FAILPOINT_H

/*
 * Places where tests of faults end or delay the daemon: moments that kill -9
 * would hit once in a million times. `make FAILPOINTS=1` compiles them in, with
 * tests/faults/failpoint.c; otherwise FAILPOINT() is nothing at all.
 *
 * DATAFLOW_FAILPOINTS in the environment says what happens, a list of
 *
 *	NAME=ACTION[@N]
 *
 * with commas in between. ACTION is `kill`, as by kill -9; `freeze`, as by
 * SIGSTOP; or a number of milliseconds to wait. It happens at the N-th time,
 * 1 unless given, and only then. What happens is told on standard error first.
 */

/* clang-format off */
#define FAILPOINTS(X)                                                     \
	X(START_OPENED,     "the control store is open, nothing is claimed")  \
	X(START_CLAIMED,    "mappings are leased, before their workers start") \
	X(STOP_ASKED,       "the order to stop has come")                     \
	X(STOP_WORKED,      "the workers have ended, not all is reported")    \
	X(WINDOW_READ,      "changes are read and handed to the destination") \
	X(WINDOW_STAGED,    "changes stand in the destination's staging table") \
	X(BEFORE_COMMIT,    "a transaction of the destination is ready to go") \
	X(AFTER_COMMIT,     "it is committed, and nobody was told")           \
	X(BEFORE_PUBLISH,   "a file is committed, and not visible yet")       \
	X(AFTER_PUBLISH,    "it is visible, others may not be")               \
	X(MERGE_STAGED,     "small files are merged, and nobody knows of it")  \
	X(MERGE_REMOVED,    "they are gone, and their merged file is there")   \
	X(BEFORE_MIRROR,    "before the position goes into the control store") \
	X(LOAD_READ,        "a table is read for a load")                     \
	X(LOAD_PART,        "one part of a load is done")                     \
	X(BEFORE_SWAP,      "the load stands beside the live table")          \
	X(AFTER_SWAP,       "the load is live, its table not yet dropped")    \
	X(BEFORE_RESET,     "before the trigger column is reset")             \
	X(AFTER_RESET,      "after it")                                       \
	X(REPAIR_STAGED,    "the rows of a repair are handed over")
/* clang-format on */

enum failpoint {
#define NAME(name, where) FAILPOINT_##name,
	FAILPOINTS(NAME)
#undef NAME
		FAILPOINT_COUNT
};

#ifdef DATAFLOW_FAILPOINTS
/* Any thread may pass. */
void failpoint_pass(enum failpoint point);
#define FAILPOINT(name) failpoint_pass(FAILPOINT_##name)
#else
#define FAILPOINT(name) ((void)0)
#endif

#endif
