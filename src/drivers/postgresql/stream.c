#include "drivers/postgresql/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "drivers/postgresql/feed.h"
#include "drivers/postgresql/session.h"

/*
 * What all backlogs of a stream have in memory before they go to disk. Each one
 * that is in use has a few kilobytes beyond that.
 */
#define BACKLOG_MEMORY ((size_t)4 << 20)

#define STACK_BYTES (256 * 1024)

/* Between two attempts. */
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 10000
/* Mappings that start together are waited for, so as to begin once. */
#define GATHER_MS 100

/* How long to wait for the stream before its trouble is told. */
#define FOLLOW_WAIT_MS	3000
#define TROUBLE_WAIT_MS 1000
#define LOOK_MS		20
#define IDLE_WAIT_MS	200

/* --------------------------------------------------------------- the thread */

static void pause_ms(struct stream *stream, int64_t ms)
{
	int64_t deadline = clock_ms() + ms;

	while (!stream->stopping && clock_ms() < deadline)
		clock_cond_wait(&stream->changed, &stream->lock, deadline);
}

static void tell_end(struct stream *stream, const struct error *err)
{
	if (err->kind == ERROR_CANCELLED)
		return;
	log_debug("changes of database '%s': %s", stream->database,
		  err->message);
	stream->trouble = *err;
	pthread_cond_broadcast(&stream->changed);
}

static void *stream_main(void *arg)
{
	struct stream *stream = arg;
	int64_t retry_ms = RETRY_MIN_MS;
	struct error err = ERROR_INIT;
	int rc;

	pthread_mutex_lock(&stream->lock);
	while (!stream->stopping) {
		if (stream->spoilt || !session_is_wanted(stream)) {
			stream->began_ms = 0;
			pthread_cond_wait(&stream->changed, &stream->lock);
			continue;
		}
		if (!stream->began_ms)
			stream->began_ms = clock_ms();
		pause_ms(stream, GATHER_MS);
		pthread_mutex_unlock(&stream->lock);
		error_clear(&err);
		rc = session_run(stream, &err);
		pthread_mutex_lock(&stream->lock);
		if (rc == 0 || stream->trouble.kind == ERROR_NONE)
			retry_ms = RETRY_MIN_MS;
		if (rc == 0)
			continue;
		tell_end(stream, &err);
		pause_ms(stream, retry_ms);
		retry_ms = retry_ms * 2 < RETRY_MAX_MS ? retry_ms * 2
						       : RETRY_MAX_MS;
	}
	pthread_mutex_unlock(&stream->lock);
	return NULL;
}

static int start_thread(struct stream *stream, struct error *err)
{
	pthread_attr_t attr;
	int rc;

	if (stream->running)
		return 0;
	rc = pthread_attr_init(&attr);
	if (!rc) {
		pthread_attr_setstacksize(&attr, STACK_BYTES);
		rc = pthread_create(&stream->thread, &attr, stream_main,
				    stream);
		pthread_attr_destroy(&attr);
	}
	if (rc)
		return error_errno(err, rc, "cannot start a thread");
	stream->running = true;
	return 0;
}

static void stop_thread(struct stream *stream)
{
	if (!stream->running)
		return;
	pthread_mutex_lock(&stream->lock);
	stream->stopping = true;
	cancel_request(&stream->cancel, CANCEL_NOW);
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
	pthread_join(stream->thread, NULL);
}

/* ----------------------------------------------------------------- new, free */

static int make_locks(struct stream *stream, struct error *err)
{
	int rc = pthread_mutex_init(&stream->lock, NULL);

	if (rc)
		return error_errno(err, rc, "cannot make a lock");
	rc = pthread_mutex_init(&stream->setup, NULL);
	if (rc) {
		error_errno(err, rc, "cannot make a lock");
		goto no_setup;
	}
	rc = clock_cond_init(&stream->changed);
	if (rc) {
		error_errno(err, rc, "cannot make a condition");
		goto no_condition;
	}
	if (cancel_init(&stream->cancel, err) == 0)
		return 0;
	pthread_cond_destroy(&stream->changed);
no_condition:
	pthread_mutex_destroy(&stream->setup);
no_setup:
	pthread_mutex_destroy(&stream->lock);
	return -1;
}

static void free_locks(struct stream *stream)
{
	cancel_release(&stream->cancel);
	pthread_cond_destroy(&stream->changed);
	pthread_mutex_destroy(&stream->setup);
	pthread_mutex_destroy(&stream->lock);
}

int stream_new(struct stream **out, const struct pg_login *login,
	       const char *database, const struct slot_names *names,
	       uint64_t spill_max, struct error *err)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return error_memory(err, "a change log");
	stream->login = login;
	stream->names = *names;
	stream->database = strdup(database);
	stream->feed = calloc(1, sizeof(*stream->feed));
	if (!stream->database || !stream->feed) {
		error_memory(err, "a change log");
		goto no_memory;
	}
	if (make_locks(stream, err) < 0)
		goto no_memory;
	if (spill_init(&stream->spill, err) < 0)
		goto no_spill;
	stream->store = (struct backlog_store){
		.lock = &stream->lock,
		.spill = &stream->spill,
		.memory_max = BACKLOG_MEMORY,
		.disk_max = spill_max,
	};
	*out = stream;
	return 0;
no_spill:
	free_locks(stream);
no_memory:
	free(stream->feed);
	free(stream->database);
	free(stream);
	return -1;
}

static void mapping_free(struct stream_mapping *mapping)
{
	backlog_release(&mapping->backlog);
	free(mapping->schema);
	free(mapping->table);
	free(mapping);
}

void stream_free(struct stream *stream)
{
	struct stream_mapping *mapping;

	stop_thread(stream);
	while ((mapping = stream->mappings)) {
		stream->mappings = mapping->next;
		mapping_free(mapping);
	}
	feed_release(stream);
	spill_release(&stream->spill);
	free_locks(stream);
	free(stream->history);
	free(stream->database);
	free(stream);
}

/* ----------------------------------------------------------------- mappings */

/* One that is in use is of one table: several may have no id. */
static struct stream_mapping *find_place(const struct stream *stream, int id,
					 const char *schema, const char *table)
{
	struct stream_mapping *mapping = stream->mappings;

	while (mapping &&
	       (mapping->id != id ||
		(mapping->users && (strcmp(mapping->schema, schema) != 0 ||
				    strcmp(mapping->table, table) != 0))))
		mapping = mapping->next;
	return mapping;
}

static struct stream_mapping *add_mapping(struct stream *stream, int id)
{
	struct stream_mapping *mapping = calloc(1, sizeof(*mapping));

	if (!mapping)
		return NULL;
	mapping->stream = stream;
	mapping->id = id;
	backlog_init(&mapping->backlog, &stream->store);
	mapping->next = stream->mappings;
	stream->mappings = mapping;
	return mapping;
}

static void refresh(struct stream *stream)
{
	struct error err = ERROR_INIT;

	/* Without memory for it all begins anew. */
	if (feed_refresh(stream, &err) < 0)
		stream->again = true;
}

/* It gets no more changes, and what it had is dropped. */
static void stop_feeding(struct stream_mapping *mapping)
{
	mapping->wants = false;
	mapping->fed = false;
	mapping->poked = false;
	backlog_start(&mapping->backlog, 0);
	refresh(mapping->stream);
}

static void drop_mapping(struct stream_mapping *mapping)
{
	struct stream *stream = mapping->stream;
	struct stream_mapping **link = &stream->mappings;

	while (*link != mapping)
		link = &(*link)->next;
	*link = mapping->next;
	link = &stream->feed->touched;
	while (*link && *link != mapping)
		link = &(*link)->next_touched;
	if (*link)
		*link = mapping->next_touched;
	mapping_free(mapping);
}

static int name_mapping(struct stream_mapping *mapping, const char *schema,
			const char *table, struct error *err)
{
	char *names[] = {strdup(schema), strdup(table)};

	if (!names[0] || !names[1]) {
		free(names[0]);
		free(names[1]);
		return error_memory(err, "a change log");
	}
	/* Of another table, nothing is missing yet, and nothing stored. */
	if (!text_equal(mapping->schema, schema) ||
	    !text_equal(mapping->table, table)) {
		error_clear(&mapping->gap);
		mapping->stored = 0;
	}
	free(mapping->schema);
	free(mapping->table);
	mapping->schema = names[0];
	mapping->table = names[1];
	return 0;
}

struct stream_mapping *stream_join(struct stream *stream, int id,
				   const char *schema, const char *table,
				   struct cancel *sleeper, struct error *err)
{
	struct stream_mapping *mapping;

	pthread_mutex_lock(&stream->lock);
	mapping = find_place(stream, id, schema, table);
	if (!mapping)
		mapping = add_mapping(stream, id);
	if (!mapping) {
		error_memory(err, "a change log");
	} else if (!mapping->users &&
		   name_mapping(mapping, schema, table, err) < 0) {
		if (!mapping->listed)
			drop_mapping(mapping);
		mapping = NULL;
	} else {
		mapping->users++;
		if (sleeper)
			mapping->sleeper = sleeper;
	}
	pthread_mutex_unlock(&stream->lock);
	return mapping;
}

void stream_leave(struct stream_mapping *mapping)
{
	struct stream *stream = mapping->stream;

	pthread_mutex_lock(&stream->lock);
	if (--mapping->users == 0) {
		mapping->sleeper = NULL;
		stop_feeding(mapping);
		if (!mapping->listed)
			drop_mapping(mapping);
		pthread_cond_broadcast(&stream->changed);
	}
	pthread_mutex_unlock(&stream->lock);
}

static int list_one(struct stream *stream, const struct stream_listed *listed,
		    struct error *err)
{
	struct stream_mapping *mapping =
		find_place(stream, listed->id, listed->schema, listed->table);

	if (!mapping)
		mapping = add_mapping(stream, listed->id);
	if (!mapping)
		return error_memory(err, "a change log");
	if (!mapping->users &&
	    name_mapping(mapping, listed->schema, listed->table, err) < 0)
		return -1; /* it is dropped, since it is not listed */
	mapping->listed = true;
	mapping->enabled = listed->enabled;
	mapping->listed_stored = listed->stored;
	return 0;
}

int stream_list(struct stream *stream, const struct stream_listed *listed,
		size_t count, struct error *err)
{
	struct stream_mapping *mapping, *next;
	int ret = 0;

	pthread_mutex_lock(&stream->lock);
	for (mapping = stream->mappings; mapping; mapping = mapping->next)
		mapping->listed = false;
	for (size_t i = 0; i < count && ret == 0; i++)
		ret = list_one(stream, &listed[i], err);
	for (mapping = stream->mappings; mapping; mapping = next) {
		next = mapping->next;
		if (!mapping->listed && !mapping->users)
			drop_mapping(mapping);
	}
	stream->told = ret == 0;
	pthread_mutex_unlock(&stream->lock);
	return ret;
}

/* ---------------------------------------------------------------- positions */

void stream_stored(struct stream_mapping *mapping, uint64_t lsn)
{
	struct stream *stream = mapping->stream;

	pthread_mutex_lock(&stream->lock);
	/* A checkpoint that nothing can go on from keeps nothing. */
	if (mapping->gap.kind == ERROR_NONE || lsn == mapping->fresh)
		mapping->stored = lsn;
	pthread_mutex_unlock(&stream->lock);
}

/* Not when it is told: the reader may still be in what can go. */
static void trim(struct stream_mapping *mapping)
{
	if (mapping->fed && mapping->stored != STREAM_NEEDS_NOTHING)
		backlog_trim(&mapping->backlog, mapping->stored);
}

void stream_read_end(struct stream_mapping *mapping,
		     struct backlog_reader *reader)
{
	struct stream *stream = mapping->stream;

	pthread_mutex_lock(&stream->lock);
	backlog_read_end(reader);
	/* It was whole when the window began. */
	if (mapping->backlog.cut_off.kind != ERROR_NONE && !mapping->drains)
		mapping->cut_at_work = true;
	trim(mapping);
	pthread_mutex_unlock(&stream->lock);
}

void stream_take_begin(struct stream_mapping *mapping)
{
	pthread_mutex_lock(&mapping->stream->lock);
	mapping->taking++;
	pthread_mutex_unlock(&mapping->stream->lock);
}

void stream_take_end(struct stream_mapping *mapping)
{
	pthread_mutex_lock(&mapping->stream->lock);
	mapping->taking--;
	pthread_mutex_unlock(&mapping->stream->lock);
}

uint64_t stream_needs(const struct stream_mapping *mapping)
{
	int64_t began_ms = mapping->stream->began_ms;

	if (mapping->taking)
		return 0;
	if (mapping->stored)
		return mapping->stored;
	if (mapping->listed_stored)
		return mapping->listed_stored;
	return !began_ms || clock_ms() - began_ms < STREAM_GRACE_MS
		       ? 0
		       : STREAM_NEEDS_NOTHING;
}

void stream_find_least(struct stream *stream, struct stream_least *out)
{
	const struct stream_mapping *least = NULL;

	memset(out, 0, sizeof(*out));
	out->lsn = STREAM_NEEDS_NOTHING;
	pthread_mutex_lock(&stream->lock);
	for (const struct stream_mapping *m = stream->mappings; m; m = m->next)
		if (stream_needs(m) && stream_needs(m) < out->lsn) {
			least = m;
			out->lsn = stream_needs(m);
		}
	if (least) {
		out->id = least->id;
		out->enabled = least->enabled;
		out->started = least->stored != 0;
		snprintf(out->name, sizeof(out->name), "%s.%s", least->schema,
			 least->table);
		text_trim_partial_utf8(out->name);
	}
	pthread_mutex_unlock(&stream->lock);
}

bool stream_is_barred(const struct stream_mapping *mapping)
{
	return mapping->gap.kind != ERROR_NONE &&
	       (!mapping->fresh || mapping->fresh != mapping->from);
}

uint64_t stream_reached(const struct stream_mapping *mapping)
{
	uint64_t passed = mapping->stream->passed;

	if (mapping->backlog.cut_off.kind != ERROR_NONE)
		return mapping->backlog.end;
	return mapping->floor > passed ? mapping->floor : passed;
}

/* ---------------------------------------------------------------- following */

/*
 * Where the server left a timeline for the next one: "1	0/3000000	no recovery
 * target specified". 0: it is not in its history.
 */
static uint64_t switch_point(const char *history, uint32_t timeline)
{
	unsigned long number;
	char lsn[32];

	while (history && *history) {
		if (sscanf(history, "%lu %31s", &number, lsn) == 2 &&
		    number == timeline)
			return lsn_parse(lsn);
		history = strchr(history, '\n');
		if (history)
			history++;
	}
	return 0;
}

/* Is it the server that the position is of? With the lock held. */
static int check_server(const struct stream *stream,
			const struct lsn_position *from, struct error *err)
{
	const struct lsn_position *server = &stream->server;
	char at[LSN_TEXT_MAX], end[LSN_TEXT_MAX];
	uint64_t left;

	if (!server->system)
		return 0;
	if (server->system != from->system)
		return error_set(err, ERROR_GAP,
				 "the server is another one than changes were "
				 "read from before: its system identifier is "
				 "%llu, not %llu",
				 (unsigned long long)server->system,
				 (unsigned long long)from->system);
	if (server->timeline < from->timeline)
		return error_set(err, ERROR_GAP,
				 "the server is on timeline %lu, changes were "
				 "read from timeline %lu: it was restored from "
				 "before that, or is a standby of old",
				 (unsigned long)server->timeline,
				 (unsigned long)from->timeline);
	if (server->timeline == from->timeline)
		return 0;
	left = switch_point(stream->history, from->timeline);
	if (left && from->read_until <= left)
		return 0;
	return error_set(err, ERROR_GAP,
			 "the server was promoted or restored: it left "
			 "timeline %lu at %s, changes were read from that up "
			 "to %s",
			 (unsigned long)from->timeline,
			 left ? lsn_format(end, left) : "an unknown place",
			 lsn_format(at, from->read_until));
}

bool stream_is_whole(const struct stream_mapping *mapping)
{
	return mapping->fed && mapping->backlog.cut_off.kind == ERROR_NONE;
}

bool stream_is_fed(const struct stream_mapping *mapping, uint64_t from)
{
	return mapping->fed && mapping->backlog.begin <= from &&
	       (stream_is_whole(mapping) || from < mapping->backlog.end);
}

void stream_gap(struct stream_mapping *mapping, uint64_t from,
		const struct error *why)
{
	pthread_mutex_lock(&mapping->stream->lock);
	mapping->from = from;
	session_gap(mapping, why);
	pthread_mutex_unlock(&mapping->stream->lock);
}

/* May a mapping come in now that wants what follows `from`? */
static bool can_come_in(const struct stream *stream, uint64_t from)
{
	return stream->live && !stream->again && stream->passed <= from &&
	       feed_is_between(stream);
}

/* It wants to begin at `from`. */
static void begin_at(struct stream_mapping *mapping, uint64_t from)
{
	struct stream *stream = mapping->stream;

	backlog_start(&mapping->backlog, from);
	mapping->from = from;
	mapping->wants = true;
	mapping->fed = false;
	mapping->cut_at_work = false;
	mapping->drains = false;
	mapping->old_end = 0;
	if (can_come_in(stream, from)) {
		mapping->floor = from;
		mapping->fed = true;
		mapping->proven = false;
		mapping->proof_lsn = 0;
	} else {
		stream->again = true;
	}
	refresh(stream);
	pthread_cond_broadcast(&stream->changed);
}

/*
 * A load begins. What changes meanwhile is kept for it as far as there is room,
 * so that the stream need not begin anew for it.
 */
void stream_hold(struct stream_mapping *mapping, uint64_t lsn)
{
	struct stream *stream = mapping->stream;

	pthread_mutex_lock(&stream->lock);
	if (mapping->gap.kind != ERROR_NONE) {
		mapping->fresh = lsn;
		mapping->stored = lsn;
		mapping->fed = false;
	}
	/* A load in parts may go on that began where the tables say. */
	if (!mapping->stored && mapping->listed_stored &&
	    mapping->listed_stored < lsn)
		mapping->stored = mapping->listed_stored;
	else if (!mapping->stored || mapping->stored == STREAM_NEEDS_NOTHING)
		mapping->stored = lsn;
	mapping->cut_at_work = false;
	if (!mapping->fed && can_come_in(stream, lsn))
		begin_at(mapping, lsn);
	pthread_mutex_unlock(&stream->lock);
}

/*
 * More waits than it may have, and the server still has what was dropped. Is it
 * too slow, so that it would be cut off again and again, and the stream begin anew
 * for it each time? Not if nobody was applying its changes: it was being loaded,
 * or its destination was away. Nor if it was, but what it had was in the log
 * already when it began. Without getting on in between there is no second time.
 */
static bool is_slow(const struct stream_mapping *mapping, uint64_t from)
{
	return mapping->again_from == from ||
	       (mapping->cut_at_work &&
		mapping->backlog.end >= mapping->old_end);
}

/* What it has first, for the others are read on meanwhile; then anew. */
static void follow_again(struct stream_mapping *mapping, uint64_t from)
{
	uint64_t old_end = mapping->cut_at_work ? mapping->old_end : 0;

	mapping->drains = true;
	if (stream_is_fed(mapping, from))
		return;
	mapping->again_from = from;
	begin_at(mapping, from);
	mapping->old_end = old_end;
}

/* It was cut off. */
static int follow_cut_off(struct stream_mapping *mapping, uint64_t from,
			  struct error *err)
{
	const struct error why = mapping->backlog.cut_off;

	if (why.kind != ERROR_GAP) {
		stop_feeding(mapping);
		*err = why;
		err->retryable = true;
		return -1;
	}
	if (mapping->drains || !is_slow(mapping, from)) {
		follow_again(mapping, from);
		return 0;
	}
	session_gap(mapping, &why);
	mapping->from = from;
	backlog_start(&mapping->backlog, 0);
	refresh(mapping->stream);
	return 0;
}

/* What keeps it from being fed? */
static int check_gap(struct stream_mapping *mapping, uint64_t from,
		     struct error *err)
{
	if (mapping->fed && mapping->backlog.cut_off.kind != ERROR_NONE &&
	    follow_cut_off(mapping, from, err) < 0)
		return -1;
	if (mapping->gap.kind == ERROR_NONE)
		return 0;
	if (mapping->fresh && mapping->fresh == from) {
		error_clear(&mapping->gap);
		return 0;
	}
	mapping->stored = STREAM_NEEDS_NOTHING;
	*err = mapping->gap;
	return -1;
}

static int wait_until_fed(struct stream_mapping *mapping, uint64_t from,
			  struct cancel *cancel, struct error *err)
{
	struct stream *stream = mapping->stream;
	int64_t began = clock_ms();

	for (;;) {
		int64_t waited = clock_ms() - began;

		if (check_gap(mapping, from, err) < 0 ||
		    cancel_check_now(cancel, err) < 0)
			return -1;
		if (stream_is_fed(mapping, from) && stream->live)
			return 0;
		if (stream->trouble.kind != ERROR_NONE &&
		    waited > TROUBLE_WAIT_MS) {
			*err = stream->trouble;
			return -1;
		}
		if (waited > FOLLOW_WAIT_MS)
			return stream_is_fed(mapping, from) ? 0 : 1;
		clock_cond_wait(&stream->changed, &stream->lock,
				clock_ms() + LOOK_MS);
	}
}

int stream_follow(struct stream_mapping *mapping, uint32_t oid,
		  const struct lsn_position *from, struct cancel *cancel,
		  struct error *err)
{
	struct stream *stream = mapping->stream;
	int ret = -1;

	pthread_mutex_lock(&stream->lock);
	mapping->poked = false;
	mapping->oid = oid;
	trim(mapping);
	if (check_gap(mapping, from->lsn, err) < 0)
		goto done;
	if (!stream_is_fed(mapping, from->lsn) &&
	    (!mapping->wants || mapping->from != from->lsn))
		begin_at(mapping, from->lsn);
	if (start_thread(stream, err) < 0)
		goto done;
	ret = wait_until_fed(mapping, from->lsn, cancel, err);
	if (ret == 0 && check_server(stream, from, err) < 0) {
		mapping->from = from->lsn;
		session_gap(mapping, err);
		ret = -1;
	}
done:
	pthread_mutex_unlock(&stream->lock);
	return ret;
}

bool stream_passes(struct stream_mapping *mapping, uint64_t lsn, int wait_ms,
		   struct cancel *cancel)
{
	struct stream *stream = mapping->stream;
	int64_t deadline = clock_ms() + wait_ms;
	bool all;

	pthread_mutex_lock(&stream->lock);
	for (;;) {
		all = stream_is_whole(mapping) &&
		      stream_reached(mapping) >= lsn;
		if (all || !stream->live || clock_ms() >= deadline ||
		    cancel_level(cancel) >= CANCEL_NOW)
			break;
		clock_cond_wait(&stream->changed, &stream->lock,
				clock_ms() + LOOK_MS);
	}
	pthread_mutex_unlock(&stream->lock);
	return all;
}

void stream_ask(struct stream_mapping *mapping, uint64_t lsn)
{
	pthread_mutex_lock(&mapping->stream->lock);
	mapping->proof_lsn = lsn;
	pthread_mutex_unlock(&mapping->stream->lock);
}

void stream_prove(struct stream_mapping *mapping, int wait_ms,
		  struct cancel *cancel)
{
	struct stream *stream = mapping->stream;
	bool idle;

	pthread_mutex_lock(&stream->lock);
	idle = !mapping->backlog.first;
	pthread_mutex_unlock(&stream->lock);
	if (idle && wait_ms < IDLE_WAIT_MS)
		wait_ms = IDLE_WAIT_MS;
	if (!stream_passes(mapping, mapping->proof_lsn, wait_ms, cancel))
		return;
	pthread_mutex_lock(&stream->lock);
	mapping->proven = stream_is_whole(mapping) && mapping->proof_lsn;
	pthread_mutex_unlock(&stream->lock);
}

void stream_is_anew(struct stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->spoilt = false;
	stream->passed = 0;
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
}
