#include "engine/exceptions.h"

#include <string.h>

#include "base/clock.h"

/*
 * Of one mapping no more than these are told: the line to the control tables
 * is bounded, and others use it too.
 */
#define TOLD_MAX 2000

/* Rows of one window that have a line of their own in the log. */
#define LOGGED_MAX 100

struct mirror {
	struct link *link;
	int64_t at_us;
	uint64_t count;
};

static void report(struct link *link, const struct target_exception *row,
		   int64_t mirrored_us)
{
	struct control_exception out = {
		.mapping_id = link->mapping->id,
		.id = row->id,
		.operation = row->op == ROW_DELETE ? "DELETE" : "UPSERT",
		.key = row->key,
		.position = row->position,
		.number = row->number,
		.reason = row->reason,
		.created_us = row->created_us,
		.mirrored_us = mirrored_us,
	};

	report_exception(link->reporter, &out);
}

static void mirror_one(void *context, const struct target_exception *row)
{
	struct mirror *mirror = context;

	if (mirror->count++ < TOLD_MAX)
		report(mirror->link, row, mirror->at_us);
}

/* So many stand now. */
static void set_count(struct link *link, uint64_t count)
{
	link->exceptions = count;
	report_parked(link->subject, count);
}

int exceptions_mirror(struct link *link, struct error *err)
{
	struct mirror mirror = {.link = link, .at_us = clock_utc_us()};
	struct target *dst = link->dst;

	if (dst->ops->exceptions &&
	    dst->ops->exceptions(dst, mirror_one, &mirror, err) < 0)
		return -1;
	set_count(link, mirror.count);
	if (dst->ops->exceptions && mirror.count <= TOLD_MAX)
		report_settled(link->reporter, link->mapping->id, mirror.at_us);
	return 0;
}

void exceptions_over(struct link *link)
{
	if (link->exceptions)
		report_settled(link->reporter, link->mapping->id,
			       clock_utc_us());
	set_count(link, 0);
}

/* ------------------------------------------------------------- one window */

static void refused(void *context, const struct target_exception *row)
{
	struct link *link = context;

	if (link->keep && link->exceptions + link->refused < TOLD_MAX)
		report(link, row, clock_utc_us());
	if (link->refused++ < LOGGED_MAX)
		report_log(link->subject, LOG_WARNING, "CDC", -1, -1,
			   "%s the %s of the row with key %s: %s",
			   link->keep ? "put aside" : "left out",
			   row->op == ROW_DELETE ? "deletion" : "change",
			   row->key, row->reason);
}

int exceptions_begin(struct link *link, const struct table *shape,
		     struct isolation *how, struct error *err)
{
	uint64_t limit = (uint64_t)link->settings.suspend_after_row_errors;

	memset(how, 0, sizeof(*how));
	how->keep = link->keep;
	how->refused = refused;
	how->context = link;
	if (!limit)
		how->limit = UINT64_MAX;
	else if (limit > link->exceptions)
		how->limit = limit - link->exceptions;
	link->refused = 0;
	return link->dst->ops->begin_isolated(link->dst, shape, how, err);
}

void exceptions_failed(struct link *link, const struct isolation *how,
		       struct error *err)
{
	link->exceeded = err->kind == ERROR_DATA && how->count > how->limit;
	if (link->exceeded)
		error_wrap(err,
			   "suspend_after_row_errors is %d, and %llu rows that "
			   "were put aside still stand",
			   link->settings.suspend_after_row_errors,
			   (unsigned long long)link->exceptions);
}

int exceptions_committed(struct link *link, const struct isolation *how,
			 const struct target_counts *counts, struct error *err)
{
	if (how && link->refused) {
		report_run_refused(link->subject, link->refused);
		report_log(link->subject, LOG_WARNING, "CDC",
			   (int64_t)link->refused, -1,
			   link->keep ? "%llu rows were refused and put aside: "
					"see apply_exceptions"
				      : "%llu rows were refused and left out",
			   (unsigned long long)link->refused);
		if (link->keep)
			set_count(link, link->exceptions + link->refused);
	}
	return counts->settled ? exceptions_mirror(link, err) : 0;
}
