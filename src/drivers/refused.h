#ifndef DRIVERS_REFUSED_H
#define DRIVERS_REFUSED_H

#include "drivers/driver.h"

/*
 * The rows of a window that a target refuses, and how they are found, for
 * drivers that can undo one statement of a transaction (begin_isolated()).
 * Belongs to one thread at a time.
 *
 * The window is applied in steps, each a statement over a range of the changes'
 * numbers. A step that fails for what a row holds is undone and cut in two, down
 * to the row. What fails only because of the order (a unique value that another
 * row has still got) is tried again at the end, alone, and in pairs, which
 * exchange their values. What is left then is left out.
 */
enum refused_phase {
	PHASE_DELETE,
	PHASE_UPDATE,
	PHASE_INSERT,
	PHASES,
};

enum step_outcome {
	STEP_APPLIED,
	STEP_REFUSED, /* and undone */
	STEP_DOOMED,  /* and the whole transaction with it */
};

struct refused_row {
	int64_t seq; /* 0: it is not in the table of changes */
	enum refused_phase phase;
	enum row_op op; /* of one whose value does not fit */
	bool fixed;	/* will not go in whatever happens */
	bool ordered;	/* it might, after others */
	int number;	/* as in struct target_exception */
	char *reason;
	char *key; /* likewise, or NULL */
};

struct refused {
	struct isolation *how;
	struct refused_row *rows;
	size_t count, capacity;
	uint64_t final;	  /* how many of them no order helps */
	struct error why; /* of the last step that was refused */

	/*
	 * Apply the changes from `low` to `high`, and `too` if that is not 0.
	 * One of enum step_outcome, and `why` says why not; -1: something that
	 * is not about rows.
	 */
	int (*step)(void *context, enum refused_phase phase, int64_t low,
		    int64_t high, int64_t too, struct error *err);
	/* Would a row that was refused for that go in if others did first? */
	bool (*ordered)(const struct error *why);
	void *context;
};

/* The other members are the caller's to set. Lowers the limit of `how` to what
 * is remembered at most. */
void refused_init(struct refused *refused, struct isolation *how);
void refused_release(struct refused *refused);

/* NULL with ERROR_DATA when they become too many, or without memory. */
struct refused_row *refused_add(struct refused *refused, int64_t seq,
				const struct error *why, struct error *err);

/* They are more than the limit; `why` is said of one. Returns -1. */
int refused_too_many(struct refused *refused, const char *why,
		     struct error *err);

/* For a loader that found a value which does not fit: `context` is a refused. */
int refused_does_not_fit(void *context, int64_t seq, enum row_op op,
			 const char *key, const struct error *why,
			 struct error *err);

/* Forget what an earlier round has found out, but for what holds in any case. */
void refused_begin_round(struct refused *refused);

/* Apply the changes 1 to `last` in all phases, but for rows that are refused.
 * STEP_APPLIED, STEP_DOOMED or -1. */
int refused_apply(struct refused *refused, int64_t last, struct error *err);

#endif
