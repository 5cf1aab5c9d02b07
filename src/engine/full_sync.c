/*
 * The position is taken before the rows are read. A change that lands between
 * the two is copied and then applied again, which is harmless because applying
 * is idempotent. In the other order it would be lost. Until capture has passed
 * the moment when the read ended, the copy may show a mixture, and says so.
 *
 * The trigger column is reset last. If more rows are reset than had asked
 * before the read began, somebody asked while it ran, and may have done so
 * because of a change that was not read any more.
 */
#include "engine/full_sync.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "engine/copy.h"
#include "engine/exceptions.h"
#include "engine/parts.h"

static int take_position(struct link *link, struct position *out,
			 struct error *err)
{
	memset(out, 0, sizeof(*out));
	if (!link->mapping->cdc_enabled)
		return 0;
	return link->src->ops->position(link->src, out, err);
}

static int count_triggers(struct link *link, uint64_t *rows, struct error *err)
{
	*rows = 0;
	if (!link->mapping->trigger_column)
		return 0;
	return link->src->ops->triggered(link->src, UINT32_MAX, rows, NULL,
					 err);
}

static int reset_triggers(struct link *link, uint64_t asked, bool *again,
			  struct error *err)
{
	uint64_t reset;

	*again = false;
	if (!link->mapping->trigger_column)
		return 0;
	/* A load in parts has given its connection back. */
	if (link_connect_source(link, err) < 0)
		return -1;
	FAILPOINT(BEFORE_RESET);
	if (link->src->ops->trigger_reset(link->src, &reset, err) < 0) {
		/* The next attempt reads the whole table again: not so soon. */
		if (err->kind == ERROR_PERMISSION ||
		    (err->kind == ERROR_SERVER && err->retryable)) {
			err->kind = ERROR_DATA;
			err->retryable = false;
		}
		return error_wrap(err,
				  "the table was loaded, but the trigger "
				  "column '%s' cannot be reset",
				  link->mapping->trigger_column);
	}
	FAILPOINT(AFTER_RESET);
	*again = reset > asked;
	return 0;
}

/*
 * A load goes on from there when it is done. With a checkpoint more than that is
 * needed until then, since a load that fails leaves everything as it was.
 */
static void begin_at(struct link *link, const struct position *position)
{
	if (link->loaded || !position->len)
		return;
	link_keep_from(link, position);
	report_begins_at(link->subject, position);
}

static int copy_whole(struct link *link, uint64_t *rows, struct error *err)
{
	const struct settings *settings = &link->settings;
	struct copy copy = {
		.src = link->src,
		.dst = link->dst,
		.shape = &link->shape,
		.batch_rows = (size_t)settings->batch_rows,
		.batch_bytes = (size_t)settings->batch_memory_mb << 20,
		.memory = &link->memory,
		.cancel = link->cancel,
		.stop_at = CANCEL_DRAIN,
		.subject = link->subject,
	};
	enum target_mode mode =
		settings->truncate ? TARGET_REFILL : TARGET_REPLACE;
	int ret = -1;

	if (link->src->ops->read_begin(link->src, &link->shape, NULL, err) ==
		    0 &&
	    memory_for_target(&link->memory, link->src, link->dst, &link->shape,
			      link->cancel, err) == 0 &&
	    link->dst->ops->begin(link->dst, mode, &link->shape, err) == 0)
		ret = copy_run(&copy, rows, err);
	link->src->ops->end(link->src);
	return ret;
}

/* Is it worth it, and can both ends do it? */
static bool wants_parts(const struct link *link, uint64_t total)
{
	const struct settings *settings = &link->settings;

	return settings->load_readers > 1 && !settings->truncate &&
	       total > (uint64_t)settings->load_part_rows &&
	       link->src->ops->split && link->dst->ops->plan_begin;
}

/* How many ranges the table is cut into; 1: it is not. */
static int make_plan(struct link *link, uint64_t total, struct load_plan *plan,
		     struct error *err)
{
	uint64_t count = total / (uint64_t)link->settings.load_part_rows + 1;
	struct key_range *ranges;
	int made;

	if (count < (uint64_t)link->settings.load_readers)
		count = (uint64_t)link->settings.load_readers;
	if (count > LOAD_PARTS_MAX)
		count = LOAD_PARTS_MAX;
	ranges = calloc(count, sizeof(*ranges));
	if (!ranges)
		return error_memory(err, "the parts of a table");
	made = link->src->ops->split(link->src, &link->shape, ranges, count,
				     err);
	if (made > 1 && load_plan_init(plan, (size_t)made, err) < 0)
		made = -1;
	for (int i = 0; made > 1 && i < made; i++)
		plan->parts[i].range = ranges[i];
	free(ranges);
	return made;
}

/* What a load that began with `position` reads is of one server. */
static int note_read(struct link *link, struct position *position,
		     struct error *err)
{
	const struct source_ops *ops = link->src->ops;
	int rc;

	if (!position->len || !ops->read_until)
		return 0;
	if (link_connect_source(link, err) < 0) /* likewise */
		return -1;
	rc = ops->read_until(link->src, position, err);
	if (rc < 0)
		return -1;
	link->anew = rc == 0;
	if (link->anew)
		return error_set(err, ERROR_CONNECTION,
				 "the source is another server than the load "
				 "began with, or was promoted since: the load "
				 "begins anew");
	return 0;
}

/*
 * One that broke off goes on where it was, from the position taken then. But
 * without change capture nothing would bring its older parts up to date.
 */
static int copy_parts(struct link *link, struct load_plan *plan,
		      struct position *position, uint64_t *rows,
		      struct error *err)
{
	bool fresh = !link->mapping->cdc_enabled || link->anew;
	int rc;

	plan->position = *position;
	if (link->loaded)
		plan->stored = link->stored.position;
	rc = link->dst->ops->plan_begin(link->dst, &link->shape, plan, fresh,
					err);
	if (rc < 0)
		return -1;
	if (rc > 0 && note_read(link, &plan->position, err) < 0)
		return -1;
	report_log(link->subject, LOG_INFO, "FULL_SYNC", -1, -1,
		   rc > 0 ? "going on with the load in %zu parts that broke off"
			  : "loading in %zu parts",
		   plan->count);
	*position = plan->position;
	begin_at(link, position);
	return parts_load(link, plan, rows, err);
}

static int copy_table(struct link *link, uint64_t total,
		      struct position *position, uint64_t *rows,
		      struct error *err)
{
	struct load_plan plan = {.parts = NULL};
	int ret;

	ret = wants_parts(link, total) ? make_plan(link, total, &plan, err) : 1;
	if (ret > 1) {
		ret = copy_parts(link, &plan, position, rows, err);
	} else if (ret >= 0) {
		begin_at(link, position);
		ret = copy_whole(link, rows, err);
	}
	load_plan_release(&plan);
	return ret;
}

static int load(struct link *link, const struct position *position,
		uint64_t total, uint64_t *rows, struct error *err)
{
	struct checkpoint next = {.position = *position};
	struct target_counts counts;
	int64_t loaded_us;

	if (copy_table(link, total, &next.position, rows, err) < 0 ||
	    note_read(link, &next.position, err) < 0 ||
	    cancel_check(link->cancel, err) < 0)
		return -1;
	FAILPOINT(LOAD_READ);
	loaded_us = clock_us();
	if (link->mapping->cdc_enabled)
		next.consistent_after_us = clock_to_utc(loaded_us);
	if (link->dst->ops->commit(link->dst, NULL, &next, &counts, err) < 0)
		return -1;
	link_keep_from(link, &next.position);
	link->stored = next;
	link->loaded_us = loaded_us;
	link->reached = next.position;
	link->stored_ms = clock_ms();
	link->loaded = true;
	exceptions_over(link);
	return 0;
}

int full_sync_run(struct link *link, uint64_t *rows, bool *again,
		  struct error *err)
{
	struct position position;
	uint64_t asked, total = 0;
	int ret = -1;

	*rows = 0;
	*again = false;
	if (link_attach(link, true, err) < 0 ||
	    take_position(link, &position, err) < 0 ||
	    count_triggers(link, &asked, err) < 0 ||
	    link->src->ops->estimate(link->src, &total, err) < 0)
		goto done;
	report_run_begin(link->subject, REPORT_MOVING, "FULL_SYNC",
			 (int64_t)total);
	if (load(link, &position, total, rows, err) < 0) {
		link->dst->ops->rollback(link->dst);
		goto done;
	}
	report_applied(link->subject, *rows);
	report_full_sync(link->reporter, link->mapping->id);
	report_position(link->subject, &link->stored.position);
	ret = reset_triggers(link, asked, again, err);
done:
	if (ret < 0)
		error_wrap(err, "full sync of '%s'", link->mapping->name);
	return ret;
}
