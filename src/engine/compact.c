#include "engine/compact.h"

#include <string.h>

#include "base/budget.h"
#include "base/clock.h"

/* What a destination wants to read and write with, by what a load of it takes. */
#define TIMES 3

#define LEAST_BYTES ((size_t)10 << 20)

#define WITHOUT_MEMORY_MS 200

int64_t compact_sleep_ms(const struct compact *compact)
{
	return compact->link ? 0 : WITHOUT_MEMORY_MS;
}

void compact_begin_anew(struct compact *compact)
{
	struct link *link = compact->link;

	if (!link)
		return;
	link->dst->ops->compact_end(link->dst);
	if (link->memory.budget)
		budget_give(link->memory.budget, compact->work.room);
	compact->link = NULL;
	compact->work.room = 0;
}

void compact_end(struct compact *compact)
{
	compact_begin_anew(compact);
	memset(compact, 0, sizeof(*compact));
}

/* It does not wait, and lets those go first who do: they have changes. */
static bool has_memory(struct compact *compact, struct link *link)
{
	size_t least = link->dst->room_least + LEAST_BYTES;
	size_t room = TIMES * link->dst->room_most;
	struct budget *budget = link->memory.budget;

	if (compact->link && budget && budget_is_wanted(budget))
		compact_begin_anew(compact);
	if (compact->link)
		return true;
	if (least < compact->wanted)
		least = compact->wanted;
	if (room < least)
		room = least;
	while (budget && !budget_try(budget, room)) {
		if (room == least)
			return false;
		room = room / 2 > least ? room / 2 : least;
	}
	compact->link = link;
	compact->work.room = room;
	return true;
}

static void tell(const struct compact *compact, struct strbuf *answer)
{
	const struct compaction *work = &compact->work;

	if (!work->before) {
		strbuf_addstr(answer,
			      "no files of changes are small enough, and "
			      "beside each other, to be merged");
		return;
	}
	strbuf_addf(answer,
		    "%llu files of changes became %llu, with %llu rows and "
		    "%llu bytes, in %.1f s",
		    (unsigned long long)work->before,
		    (unsigned long long)work->after,
		    (unsigned long long)work->rows,
		    (unsigned long long)work->bytes,
		    (double)(clock_ms() - compact->began_ms) / 1000.0);
}

/* 1: it goes on, or waits for memory; 0: it is over. */
static int slice(struct compact *compact, struct link *link, struct error *err)
{
	if (!compact->began) {
		compact->began = true;
		compact->began_ms = clock_ms();
	}
	if (!has_memory(compact, link))
		return 1;
	if (link_connect_target(link, err) < 0)
		return -1;
	return link->dst->ops->compact(link->dst, &link->shape, &compact->work,
				       err);
}

/* Large rows, or what becomes much when it is unpacked: from that file on, with
 * twice as much. */
static bool wants_more(struct compact *compact, const struct link *link,
		       const struct error *err)
{
	struct budget *budget = link->memory.budget;
	struct budget_usage usage;
	size_t room = compact->work.room;

	if (err->kind != ERROR_MEMORY || !budget || !compact->link)
		return false;
	budget_count(budget, &usage);
	if (room >= usage.size)
		return false;
	compact->wanted = room < usage.size / 2 ? 2 * room : usage.size;
	compact_begin_anew(compact);
	return true;
}

static bool is_about_a_file(const struct error *err)
{
	return err->kind == ERROR_MEMORY || err->kind == ERROR_DATA ||
	       err->kind == ERROR_SCHEMA;
}

static void refuse(struct compact *compact, const struct link *link,
		   struct orders *orders, const struct error *err)
{
	report_log(link->subject, LOG_WARNING, NULL, -1, -1,
		   "'%s' could not be compacted: %s", link->mapping->name,
		   err->message);
	orders_answer(orders, ORDER_COMPACT, link->reporter, "FAILED",
		      err->message);
	compact_end(compact);
}

static void answer(struct compact *compact, const struct link *link,
		   struct orders *orders)
{
	struct strbuf text;

	strbuf_init(&text);
	tell(compact, &text);
	report_log(link->subject, LOG_INFO, NULL, -1, -1, "'%s': %s",
		   link->mapping->name, text.data);
	orders_answer(orders, ORDER_COMPACT, link->reporter, "COMPLETED",
		      text.data);
	strbuf_release(&text);
}

int compact_step(struct compact *compact, struct link *link,
		 struct orders *orders, struct error *err)
{
	int rc;

	if (!orders_begun(orders, ORDER_COMPACT))
		return 0;
	if (!link->dst->ops->compact) {
		orders_answer(orders, ORDER_COMPACT, link->reporter, "FAILED",
			      "a destination of this type has no files");
		return 0;
	}
	if (!link->attached)
		return 0;
	if (!compact->began)
		orders_answer(orders, ORDER_COMPACT, link->reporter, "RUNNING",
			      NULL);
	rc = slice(compact, link, err);
	if (rc == 0) {
		answer(compact, link, orders);
		compact_end(compact);
	}
	if (rc >= 0)
		return 0;
	if (!wants_more(compact, link, err)) {
		if (!is_about_a_file(err))
			return -1;
		refuse(compact, link, orders, err);
	}
	error_clear(err);
	return 0;
}
