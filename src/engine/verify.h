#ifndef ENGINE_VERIFY_H
#define ENGINE_VERIFY_H

#include "engine/cdc.h"
#include "engine/tally.h"
#include "engine/order.h"
#include "engine/repair.h"
#include "engine/scan.h"

#define VERIFY_DONE_MAX 32

/*
 * Verifies and repairs the destination of one mapping, in slices between its
 * windows of changes. Belongs to the mapping's worker.
 *
 * One run at a time: what a DBA orders goes first, then the newest rows when
 * their time has come, then the whole table. A run over the whole table steps
 * aside for others, and goes on where it was, after a restart too.
 */
struct verify {
	const struct mapping *mapping;
	struct report_subject *subject;
	struct reporter *reporter;
	struct link *link; /* of the slice at hand */

	/* By the system's clock; last_…: when one ended, 0: never. */
	int64_t born_us, last_tail_us, last_whole_us;
	struct order *orders; /* that wait, the oldest first */
	size_t order_count;
	int done[VERIFY_DONE_MAX]; /* requests that were answered lately */
	size_t done_next;

	bool running;
	struct proof proof; /* where the destination proves what it has */
	bool anew;	    /* the tally is to be as it was saved */
	struct tally tally; /* of the run */
	char *saved;  /* the same when nothing was left to be looked at again */
	char *aside;  /* of a run over the whole table, that waits; or NULL */
	int failures; /* in a row */
	int64_t not_before_ms; /* the next attempt */

	size_t held;	  /* memory, from the budget; forget_link() gives it */
	size_t row_bytes; /* beside COMPARE_BYTES: what large rows need */
	struct compare compare;
	struct scan scan;
	struct repair repair;
	enum verify_step {
		VERIFY_BEGIN,
		VERIFY_SCAN,	/* looking for rows that differ */
		VERIFY_CONFIRM, /* waiting for changes to arrive */
		VERIFY_REPAIR,	/* likewise, with rows to be written */
	} step;
	/* By clock_us(): when the source was looked at, and up to when, as was
	 * seen since, all changes are applied. */
	int64_t looked_us, complete_us;
	size_t most_rows; /* that are looked at again at once */
	int64_t found_ms; /* when the first of the rows found was; 0: none */
	int64_t told_ms;  /* when the progress was kept last */
	uint64_t told_rows;
};

/*
 * `progress`, `last_tail_us`, `last_whole_us`: what an earlier worker has left,
 * as the control tables have it.
 */
int verify_init(struct verify *verify, const struct mapping *mapping,
		struct report_subject *subject, struct reporter *reporter,
		const struct control_mapping *row, struct error *err)
	__attribute__((warn_unused_result));
/* What is under way is kept for the next worker. */
void verify_release(struct verify *verify);

/* Take over an order to VERIFY, REPAIR or RESYNC. -1 without memory. */
int verify_order(struct verify *verify, struct order *order, struct error *err)
	__attribute__((warn_unused_result));
bool verify_has_order(const struct verify *verify, int request_id);
/*
 * Those that wait failed: something is wrong with the mapping; or those alone
 * that would write, where the destination cannot do that row by row.
 */
void verify_refuse_orders(struct verify *verify, const char *why,
			  bool repairs_alone);

/* Likewise, what the destination cannot do. False: it cannot be verified. */
bool verify_refuse_impossible(struct verify *verify, const struct link *link);

/* Is there anything to do now? */
bool verify_is_due(struct verify *verify, const struct settings *settings);

/* Is it under way, or waiting for changes that are? Then come back soon. */
bool verify_is_running(const struct verify *verify);

/* After each step of change capture. */
void verify_saw(struct verify *verify, const struct cdc_step *step);

/*
 * Nothing that is known of the tables holds any more, or what it takes is
 * needed for something else: go on from what is sure.
 */
void verify_begin_anew(struct verify *verify);

/*
 * Do a part of what is due, for less than half a second or so. The link is
 * attached; afterwards its target may not be connected. A run's trouble is
 * told here: -1 only when none could begin, the work was cancelled, or the
 * mapping is another daemon's.
 */
int verify_slice(struct verify *verify, struct link *link, struct error *err)
	__attribute__((warn_unused_result));

#endif
