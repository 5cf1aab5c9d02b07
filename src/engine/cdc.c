/*
 * Windows that hold nothing for this table move `reached` in memory alone;
 * writing each into the destination would be a write a poll for every quiet
 * table. But one that is never written would look expired one day, when the
 * source cleans up its log: so it is written once a minute.
 */
#include "engine/cdc.h"

#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "engine/copy.h"
#include "engine/exceptions.h"

#define STORE_EVERY_MS 60000

static bool is_consistent(const struct link *link, const struct window *window)
{
	return link->stored.consistent_after_us &&
	       window->complete_us >= link->stored.consistent_after_us;
}

static int apply(struct link *link, struct table *shape,
		 const struct checkpoint *next, uint64_t *rows,
		 struct error *err)
{
	const struct settings *settings = &link->settings;
	struct copy copy = {
		.src = link->src,
		.dst = link->dst,
		.shape = shape,
		.batch_rows = (size_t)settings->batch_rows,
		.batch_bytes = (size_t)settings->batch_memory_mb << 20,
		.memory = &link->memory,
		.cancel = link->cancel,
		.stop_at = CANCEL_NOW, /* a window is at hand: finish it */
		.subject = link->subject,
		.at_commit = true,
		.watch = link->watch,
		.watch_arg = link->watch_arg,
	};
	struct target *dst = link->dst;
	struct target_counts counts;
	struct isolation how;
	bool isolate = link->isolate;
	int rc;

	if (link_connect_target(link, err) < 0)
		return -1;
	report_run_continue(link->subject, REPORT_MOVING, "CDC", 0);
	link->applying = true;
	rc = isolate ? exceptions_begin(link, shape, &how, err)
		     : dst->ops->begin(dst, TARGET_APPLY, shape, err);
	if (rc == 0)
		rc = copy_run(&copy, rows, err);
	FAILPOINT(WINDOW_READ);
	if (rc < 0 ||
	    dst->ops->commit(dst, &link->stored, next, &counts, err) < 0) {
		dst->ops->rollback(dst);
		if (isolate)
			exceptions_failed(link, &how, err);
		return -1;
	}
	link->applying = false;
	link->isolate = false;
	report_run_progress(link->subject, REPORT_MOVING, *rows, NULL);
	report_applied(link->subject, *rows);
	link_moved(link, next);
	return exceptions_committed(link, isolate ? &how : NULL, &counts, err);
}

static int store(struct link *link, const struct checkpoint *next,
		 struct error *err)
{
	if (link_connect_target(link, err) < 0 ||
	    link->dst->ops->advance(link->dst, &link->stored, next, err) < 0)
		return -1;
	link_moved(link, next);
	return 0;
}

static int use_window(struct link *link, const struct window *window,
		      uint64_t *rows, struct error *err)
{
	struct checkpoint next = {
		.position = window->to,
		.consistent_after_us = link->stored.consistent_after_us,
	};
	bool settled = is_consistent(link, window);

	if (settled)
		next.consistent_after_us = 0;
	if (window->has_rows)
		return apply(link, window->shape ? window->shape : &link->shape,
			     &next, rows, err);
	link->reached = window->to;
	return settled ? store(link, &next, err) : 0;
}

/* Does anybody wait until all changes up to some moment have arrived? */
static int ask_until(struct link *link, int64_t *until_us, struct error *err)
{
	*until_us = 0;
	if ((!link->stored.consistent_after_us && !link->watch) ||
	    !link->src->ops->captured_until)
		return 0;
	return link->src->ops->captured_until(link->src, until_us, err);
}

int cdc_run_step(struct link *link, struct cdc_step *step, struct error *err)
{
	struct window window;
	int64_t until_us;
	int rc;

	memset(step, 0, sizeof(*step));
	if (link_connect_source(link, err) < 0 ||
	    ask_until(link, &until_us, err) < 0)
		return -1;
	rc = link->src->ops->changes_begin(
		link->src, &link->shape, &link->reached,
		(unsigned)link->settings.window_transactions, &window, err);
	step->altered = rc == 0 && window.altered;
	if (rc >= 0 && window.newest && until_us > window.complete_us)
		window.complete_us = until_us;
	if (rc >= 0 && !step->altered &&
	    (rc > 0 || is_consistent(link, &window)))
		rc = use_window(link, &window, &step->rows, err);
	link->src->ops->end(link->src);
	if (rc < 0)
		return error_wrap(err, "changes of '%s'", link->mapping->name);
	memory_give(&link->memory);
	if (step->altered) {
		link_forget(link);
		return 0;
	}
	text_copy(step->note, sizeof(step->note), window.note);
	step->caught_up = window.newest;
	step->complete_us = window.complete_us;
	step->consistent = !link->stored.consistent_after_us;
	if (!window.newest && window.commit_us)
		step->lag_ms = (clock_utc_us() - window.commit_us) / 1000;
	return 0;
}

int cdc_store_idle(struct link *link, bool now, struct error *err)
{
	struct checkpoint next = link->stored;

	if (position_equal(&link->reached, &link->stored.position) ||
	    (!now && clock_ms() - link->stored_ms < STORE_EVERY_MS))
		return 0;
	next.position = link->reached;
	return store(link, &next, err);
}
