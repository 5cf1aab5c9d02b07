#ifndef ENGINE_CDC_H
#define ENGINE_CDC_H

#include "base/strbuf.h"
#include "engine/link.h"

/* What one step found. */
struct cdc_step {
	uint64_t rows;	/* changes read for this table */
	bool caught_up; /* there was nothing more when it looked */
	/* Up to when nothing older can come any more, by clock_us(); 0: not
	 * known. */
	int64_t complete_us;
	int64_t lag_ms;	 /* of what was applied last, or 0 */
	bool consistent; /* the copy shows no mixture of a load any more */
	bool altered;	 /* nothing was done: link_attach() has to look again */
	char note[WINDOW_NOTE_MAX]; /* what is odd about the log, or "" */
};

/*
 * Read one window of changes and apply it, in one transaction together with
 * the checkpoint. Call it again at once while it is not caught up. On -1
 * nothing was applied, or, when a connection broke during the commit, it is
 * not known: link_attach() finds out.
 *
 * Where the target gathers changes, windows may only be taken into a
 * transaction that is left open (link->gathering): until cdc_commit(), or, after
 * an error, as long as that is still said.
 */
int cdc_run_step(struct link *link, struct cdc_step *step, struct error *err)
	__attribute__((warn_unused_result));

/* Commit what was gathered, if anything was. */
int cdc_commit(struct link *link, struct error *err)
	__attribute__((warn_unused_result));

/* Store how far an idle table is, if that was not done for some time. */
int cdc_store_idle(struct link *link, bool now, struct error *err)
	__attribute__((warn_unused_result));

/* Leave out all changes up to now; `answer` says from where to where. */
int cdc_skip_to_now(struct link *link, struct strbuf *answer, struct error *err)
	__attribute__((warn_unused_result));

#endif
