/*
 * Windows that hold nothing for this table move `reached` in memory alone;
 * writing each into the destination would be a write a poll for every quiet
 * table. But one that is never written would look expired one day, when the
 * source cleans up its log: so it is written once a minute.
 *
 * Where changes are worth gathering, a transaction of the destination stays open
 * from one window to the next, until cdc_commit(): `reached` moves with what was
 * read, `stored` only then, and only then the source is told.
 */
#include "engine/cdc.h"

#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "engine/copy.h"
#include "engine/exceptions.h"

#define STORE_EVERY_MS 60000

/* Of a target that gathers: what is idle there is written less often. */
#define STORE_TURNS 5

/* The checkpoint once what is gathered is committed. */
static const struct checkpoint *where(const struct link *link)
{
	return link->gathering ? &link->gathered : &link->stored;
}

static bool is_consistent(const struct link *link, const struct window *window)
{
	return link->stored.consistent_after_us &&
	       window->complete_us >= link->loaded_us;
}

/* The rows of a window, into the transaction that was begun. */
static int write_window(struct link *link, struct table *shape,
			const struct window *window, uint64_t *rows,
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

	if ((dst->ops->stamp &&
	     dst->ops->stamp(dst, &window->to, window->commit_us, err) < 0) ||
	    copy_run(&copy, rows, err) < 0)
		return -1;
	FAILPOINT(WINDOW_READ);
	return 0;
}

static int begin(struct link *link, struct table *shape, struct isolation *how,
		 struct error *err)
{
	struct target *dst = link->dst;

	if (link_connect_target(link, err) < 0 ||
	    memory_for_target(&link->memory, link->src, dst, shape,
			      link->cancel, err) < 0)
		return -1;
	report_run_continue(link->subject, REPORT_MOVING, "CDC", 0);
	link->applying = true;
	return how ? exceptions_begin(link, shape, how, err)
		   : dst->ops->begin(dst, TARGET_APPLY, shape, err);
}

/* All of it has arrived. */
static void committed(struct link *link, const struct checkpoint *next,
		      uint64_t rows)
{
	link->applying = false;
	link->isolate = false;
	report_run_progress(link->subject, REPORT_MOVING, rows, NULL);
	report_applied(link->subject, rows);
	link_moved(link, next);
}

/* A window in a transaction of its own. */
static int apply(struct link *link, struct table *shape,
		 const struct window *window, const struct checkpoint *next,
		 uint64_t *rows, struct error *err)
{
	struct target *dst = link->dst;
	struct target_counts counts;
	struct isolation how;
	bool isolate = link->isolate;

	if (begin(link, shape, isolate ? &how : NULL, err) < 0 ||
	    write_window(link, shape, window, rows, err) < 0 ||
	    dst->ops->commit(dst, &link->stored, next, &counts, err) < 0) {
		dst->ops->rollback(dst);
		if (isolate)
			exceptions_failed(link, &how, err);
		return -1;
	}
	committed(link, next, *rows);
	return exceptions_committed(link, isolate ? &how : NULL, &counts, err);
}

/* ------------------------------------------------------------------ gathering */

/* Not while others wait for the copy to be consistent. */
static bool gathers(const struct link *link)
{
	return link->dst->gather_ms && !link->stored.consistent_after_us;
}

int cdc_commit(struct link *link, struct error *err)
{
	struct target *dst = link->dst;
	struct target_counts counts;

	if (!link->gathering)
		return 0;
	link->gathering = false;
	if (dst->ops->commit(dst, &link->stored, &link->gathered, &counts,
			     err) < 0) {
		dst->ops->rollback(dst);
		return error_wrap(err, "changes of '%s'", link->mapping->name);
	}
	committed(link, &link->gathered, link->gathered_rows);
	memory_give(&link->memory);
	return 0;
}

static int gather(struct link *link, const struct window *window,
		  const struct checkpoint *next, uint64_t *rows,
		  struct error *err)
{
	struct target *dst = link->dst;

	/* Large rows may have to wait for memory: not with some in hand. */
	if (link->gathering &&
	    !memory_suffices(&link->memory, link->src, dst) &&
	    cdc_commit(link, err) < 0)
		return -1;
	if (!link->gathering) {
		if (begin(link, &link->shape, NULL, err) < 0) {
			dst->ops->rollback(dst);
			return -1;
		}
		link->gathered_rows = 0;
	}
	/* Half a window is no state to go on from. */
	link->gathering = false;
	if (write_window(link, &link->shape, window, rows, err) < 0) {
		dst->ops->rollback(dst);
		return -1;
	}
	link->gathering = true;
	link->gathered = *next;
	link->gathered_rows += *rows;
	link->reached = next->position;
	return 0;
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

static int use_rows(struct link *link, const struct window *window,
		    const struct checkpoint *next, uint64_t *rows,
		    struct error *err)
{
	struct table *shape = window->shape ? window->shape : &link->shape;

	if (gathers(link) && !window->shape)
		return gather(link, window, next, rows, err);
	/* Rows of another shape are a transaction of their own. */
	if (cdc_commit(link, err) < 0)
		return -1;
	return apply(link, shape, window, next, rows, err);
}

static int use_window(struct link *link, const struct window *window,
		      uint64_t *rows, struct error *err)
{
	struct checkpoint next = {
		.position = window->to,
		.consistent_after_us = where(link)->consistent_after_us,
	};
	bool settled = is_consistent(link, window);

	if (settled)
		next.consistent_after_us = 0;
	if (window->has_rows)
		return use_rows(link, window, &next, rows, err);
	link->reached = window->to;
	if (link->gathering)
		link->gathered = next;
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

/* How far it is behind, but for what is gathered on purpose. */
static int64_t find_lag(const struct link *link, const struct window *window)
{
	int64_t lag_ms;

	if (window->newest || !window->commit_us)
		return 0;
	lag_ms = (clock_utc_us() - window->commit_us) / 1000;
	return lag_ms > link->dst->gather_ms ? lag_ms - link->dst->gather_ms
					     : 0;
}

/*
 * What was committed in the future was so by a clock that was set back since,
 * be it only an hour in autumn: it tells nothing.
 */
static void mind_clock(struct window *window, int64_t until_us)
{
	int64_t now = clock_us();

	if (window->complete_us > now)
		window->complete_us = 0;
	if (window->newest && until_us > window->complete_us && until_us <= now)
		window->complete_us = until_us;
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
	if (rc >= 0)
		mind_clock(&window, until_us);
	if (rc >= 0 && !step->altered &&
	    (rc > 0 || is_consistent(link, &window)))
		rc = use_window(link, &window, &step->rows, err);
	link->src->ops->end(link->src);
	if (rc < 0)
		return error_wrap(err, "changes of '%s'", link->mapping->name);
	if (!link->gathering)
		memory_give(&link->memory);
	if (step->altered) {
		if (cdc_commit(link, err) < 0)
			return -1;
		link_forget(link);
		return 0;
	}
	text_copy(step->note, sizeof(step->note), window.note);
	step->caught_up = window.newest;
	step->complete_us = window.complete_us;
	step->consistent = !link->stored.consistent_after_us;
	step->lag_ms = find_lag(link, &window);
	return 0;
}

int cdc_store_idle(struct link *link, bool now, struct error *err)
{
	struct checkpoint next = link->stored;
	int64_t every_ms = link->dst->gather_ms * STORE_TURNS;

	if (every_ms < STORE_EVERY_MS)
		every_ms = STORE_EVERY_MS;
	if (position_equal(&link->reached, &link->stored.position) ||
	    (!now && clock_ms() - link->stored_ms < every_ms))
		return 0;
	next.position = link->reached;
	return store(link, &next, err);
}

int cdc_skip_to_now(struct link *link, struct strbuf *answer, struct error *err)
{
	char from[POSITION_TEXT_MAX], to[POSITION_TEXT_MAX];
	struct checkpoint next = link->stored;

	position_format(from, &link->stored.position);
	if (link_connect_source(link, err) < 0 ||
	    link->src->ops->position(link->src, &next.position, err) < 0 ||
	    store(link, &next, err) < 0)
		return -1;
	position_format(to, &next.position);
	strbuf_addf(answer, "changes after %s up to %s were left out", from,
		    to);
	return strbuf_check(answer, err);
}
