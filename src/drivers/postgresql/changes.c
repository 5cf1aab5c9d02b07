/*
 * Windows of the log: what position() and pg_changes_begin() of driver.h promise,
 * on top of the database's stream. The connection at hand is asked for little:
 * where the log ends, when that has to be known, and now and then whether slot
 * and publication are as they should be, for a table that was dropped and made
 * anew is in no publication, and nobody would tell.
 */
#include "drivers/postgresql/changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "drivers/postgresql/logged.h"
#include "drivers/postgresql/slot.h"
#include "drivers/postgresql/streams.h"

#define WATCH_MS 10000

/* Somebody has a lock, for longer than we want others to wait behind ours. */
#define LOCK_NOT_AVAILABLE "55P03"
#define LULL_WAIT_MS	   60000
#define LULL_PAUSE_MS	   1000

/* How long a stream that has just begun may take to be up to date. */
#define PROOF_WAIT_MS 200
/* And for what was just written, when somebody waits for it. */
#define UNTIL_WAIT_MS 100

/* ------------------------------------------------------------- open, close */

int pg_changes_open(struct postgresql_source *source,
		    const struct source_spec *spec, struct error *err)
{
	struct changes *changes = calloc(1, sizeof(*changes));

	if (!changes)
		return error_memory(err, "a source");
	changes->mapping_id = spec->mapping_id;
	changes->sleeper = spec->sleeper;
	table_init(&changes->narrow);
	source->changes = changes;
	return 0;
}

void pg_changes_close(struct postgresql_source *source)
{
	struct changes *changes = source->changes;

	if (!changes)
		return;
	if (changes->place)
		stream_leave(changes->place);
	table_release(&changes->narrow);
	free(changes);
	source->changes = NULL;
}

/* The mapping's place in the stream of its database. */
static int find_place(struct postgresql_source *source, struct error *err)
{
	struct changes *changes = source->changes;

	if (changes->place)
		return 0;
	if (!changes->stream &&
	    streams_find(source->server->streams, source->name.database,
			 source->conn, &changes->stream, err) < 0)
		return -1;
	changes->place = stream_join(changes->stream, changes->mapping_id,
				     source->name.schema, source->name.table,
				     changes->sleeper, err);
	return changes->place ? 0 : -1;
}

/* ----------------------------------------------------------------- position */

/* Before the table is put into a publication, whatever the mapping's key is. */
static int check_identity(struct postgresql_source *source, struct error *err)
{
	struct table no_key;
	int ret;

	table_init(&no_key);
	ret = slot_check_identity(source->conn, source->catalog.oid, &no_key,
				  err);
	table_release(&no_key);
	return ret;
}

static int prepare(struct postgresql_source *source, struct error *err)
{
	struct stream *stream = source->changes->stream;
	bool spoilt;
	int ret;

	pthread_mutex_lock(&stream->setup);
	pthread_mutex_lock(&stream->lock);
	spoilt = stream->spoilt;
	pthread_mutex_unlock(&stream->lock);
	ret = slot_prepare(source->conn, &stream->names, source->catalog.oid,
			   &source->name, spoilt, err);
	if (ret == 0 && spoilt)
		stream_is_anew(stream);
	pthread_mutex_unlock(&stream->setup);
	return ret;
}

/*
 * A table that comes into a publication has to be free of writers for a moment.
 * Others wait behind a lock that waits, so long transactions are sat out without
 * one; meanwhile the other mappings of the database can begin.
 */
static int prepare_in_a_lull(struct postgresql_source *source,
			     struct error *err)
{
	int64_t until = clock_ms() + LULL_WAIT_MS;

	while (prepare(source, err) < 0) {
		if (strcmp(err->sqlstate, LOCK_NOT_AVAILABLE) != 0)
			return -1;
		if (clock_ms() > until)
			return error_wrap(err, "the table is in use, and "
					       "cannot come into the "
					       "publication");
		error_clear(err);
		if (slot_outlast(source->conn, &source->changes->stream->names,
				 source->catalog.oid, source->changes->cancel,
				 err) < 0)
			return -1;
		cancel_sleep(source->changes->cancel, LULL_PAUSE_MS);
		if (cancel_check(source->changes->cancel, err) < 0)
			return -1;
	}
	return 0;
}

/* What it is when the mapping begins shows later whether it was altered. */
static int know_publication(struct postgresql_source *source, struct error *err)
{
	struct changes *changes = source->changes;
	struct publication found;

	if (publication_look(source->conn, &changes->stream->names,
			     source->catalog.oid, &found, err) < 0)
		return -1;
	text_copy(changes->publication, sizeof(changes->publication),
		  found.version);
	return 0;
}

int pg_changes_position(struct postgresql_source *source, struct position *out,
			struct error *err)
{
	struct changes *changes = source->changes;
	struct lsn_position position;

	int ret;

	source->described = false;
	if (pg_source_know_table(source, err) < 0 ||
	    pg_logged_check(source, err) < 0 ||
	    check_identity(source, err) < 0 || find_place(source, err) < 0 ||
	    prepare_in_a_lull(source, err) < 0 ||
	    know_publication(source, err) < 0)
		return -1;
	stream_take_begin(changes->place);
	ret = slot_position(source->conn, &changes->stream->names,
			    source->catalog.oid, changes->cancel, &position,
			    err);
	if (ret == 0)
		stream_hold(changes->place, position.lsn);
	stream_take_end(changes->place);
	if (ret < 0)
		return -1;
	changes->watched_ms = 0;
	lsn_to_position(out, &position);
	return 0;
}

int pg_changes_read_until(struct postgresql_source *source,
			  struct position *position, struct error *err)
{
	struct lsn_position began, now;

	if (lsn_from_position(&began, position, err) < 0 ||
	    slot_log_end(source->conn, &now, err) < 0)
		return -1;
	if (now.system != began.system || now.timeline != began.timeline)
		return 0;
	began.read_until = now.lsn;
	lsn_to_position(position, &began);
	return 1;
}

void pg_changes_stored(struct postgresql_source *source,
		       const struct position *position)
{
	struct changes *changes = source->changes;
	struct lsn_position stored;
	struct error ignored;

	/* What is not ours will show when changes are asked for. */
	if (lsn_from_position(&stored, position, &ignored) < 0)
		return;
	if (!changes->place)
		changes->stored = stored.lsn;
	else
		stream_stored(changes->place, stored.lsn);
}

/* ---------------------------------------------------------------- the set-up */

static int table_is_gone(const struct postgresql_source *source,
			 struct error *err)
{
	char name[TABLE_NAME_TEXT_MAX];

	return error_set(err, ERROR_GAP,
			 "'%s' is not in publication '%s' any more: it was "
			 "dropped and made anew, or taken out, so that its "
			 "changes were not told",
			 table_name_format(name, &source->name),
			 source->changes->stream->names.publication);
}

static void note_slot(struct changes *changes, const struct slot_state *slot)
{
	changes->note[0] = '\0';
	if (strcmp(slot->status, "unreserved") != 0)
		return;
	snprintf(changes->note, sizeof(changes->note),
		 "replication slot '%s' holds %llu MB of log, more than "
		 "max_slot_wal_keep_size allows (wal_status is unreserved): "
		 "the server may remove it at its next checkpoint; raise that "
		 "setting, or see which mapping does not get on",
		 changes->stream->names.slot,
		 (unsigned long long)(slot->retained >> 20));
}

/* What is wrong with the publication; ERROR_NONE: nothing. */
static void judge_publication(const struct postgresql_source *source,
			      const struct publication *found,
			      struct error *why)
{
	const struct changes *changes = source->changes;

	if (found->state == PUBLICATION_PARTLY)
		*why = found->flaw;
	else if (found->state != PUBLICATION_WITH)
		table_is_gone(source, why);
	else if (*changes->publication &&
		 strcmp(changes->publication, found->version) != 0)
		error_set(why, ERROR_GAP,
			  "publication '%s' was altered, or the table taken "
			  "out of it and put back: changes in between may not "
			  "have been told",
			  changes->stream->names.publication);
}

/*
 * Are all changes of the table told? If not, some were left out already, which
 * stays a gap when the publication is mended.
 */
static int watch_publication(struct postgresql_source *source,
			     const struct lsn_position *from, struct error *err)
{
	struct changes *changes = source->changes;
	struct error why = ERROR_INIT;
	struct publication found;

	if (publication_look(source->conn, &changes->stream->names,
			     source->catalog.oid, &found, err) < 0)
		return -1;
	judge_publication(source, &found, &why);
	if (why.kind == ERROR_NONE) {
		text_copy(changes->publication, sizeof(changes->publication),
			  found.version);
		return 0;
	}
	stream_gap(changes->place, from->lsn, &why);
	*err = why;
	err->kind = ERROR_GAP;
	return -1;
}

/* Is the table still the one that was described, and told of? */
static int watch(struct postgresql_source *source,
		 const struct lsn_position *from, struct error *err)
{
	struct changes *changes = source->changes;
	struct slot_state slot;
	int rc;

	if (changes->watched_ms && clock_ms() - changes->watched_ms < WATCH_MS)
		return 0;
	rc = slot_is_table(source->conn, source->catalog.oid, &source->name,
			   err);
	if (rc < 0)
		return -1;
	if (rc == 0) {
		/* One that is gone altogether is no gap. */
		source->described = false;
		if (pg_source_know_table(source, err) < 0)
			return -1;
		table_is_gone(source, err);
		stream_gap(changes->place, from->lsn, err);
		return -1;
	}
	if (pg_logged_check(source, err) < 0) {
		/* A partition's changes that are in no log never will be. */
		if (err->kind == ERROR_SCHEMA && source->catalog.kind == 'p')
			stream_gap(changes->place, from->lsn, err);
		return -1;
	}
	if (watch_publication(source, from, err) < 0 ||
	    slot_look(source->conn, &changes->stream->names, &slot, err) < 0)
		return -1;
	note_slot(changes, &slot);
	changes->watched_ms = clock_ms();
	return 0;
}

static int log_is_shorter(const struct lsn_position *from,
			  const struct slot_end *end, struct error *err)
{
	char at[LSN_TEXT_MAX], end_at[LSN_TEXT_MAX];

	return error_set(
		err, ERROR_GAP,
		"the server's log ends at %s, but changes were read up "
		"to %s before: it was restored to an older state, or "
		"replaced",
		lsn_format(end_at, end->written), lsn_format(at, from->lsn));
}

/*
 * A stream that has just begun does not know how much there is: ask where the
 * log ends, once, and wait for that, but not for long when there is much to do
 * meanwhile.
 */
static int prove(struct postgresql_source *source,
		 const struct lsn_position *from, struct error *err)
{
	struct changes *changes = source->changes;
	struct stream_mapping *place = changes->place;
	struct slot_end end = {.written = 0};
	bool proven, asks, ahead;
	int64_t left;

	pthread_mutex_lock(&changes->stream->lock);
	proven = place->proven;
	asks = !proven && !place->proof_lsn;
	ahead = from->lsn > stream_reached(place);
	pthread_mutex_unlock(&changes->stream->lock);
	if (proven && !ahead)
		return 0;
	if (asks || ahead) {
		if (slot_find_end(source->conn, &end, err) < 0)
			return -1;
		if (from->lsn > end.written)
			return log_is_shorter(from, &end, err);
	}
	if (asks) {
		changes->proof_ms = clock_ms() + PROOF_WAIT_MS;
		stream_ask(place, end.flushed);
	}
	left = changes->proof_ms - clock_ms();
	stream_prove(place, left > 0 ? (int)left : 0, changes->cancel);
	return 0;
}

/* ------------------------------------------------------------------ windows */

/* Does a definition that the log told differ from the one we know? */
static bool differs(const struct postgresql_source *source,
		    struct pgoutput_relation table)
{
	const struct catalog_table *catalog = &source->catalog;
	struct pgoutput_column column;
	unsigned columns = table.columns;
	unsigned wanted = 0;

	if (strcmp(table.schema, source->name.schema) != 0 ||
	    strcmp(table.name, source->name.table) != 0)
		return true;
	for (size_t i = 0; i < catalog->column_count; i++)
		wanted += !catalog->columns[i].computed;
	while (pgoutput_column_next(&table, &column)) {
		const struct catalog_column *known =
			pg_catalog_column(catalog, column.name);

		if (!known || strcmp(known->name, column.name) != 0)
			return true;
		if (!known->domain && (known->type.oid != column.type ||
				       known->type.typmod != column.modifier))
			return true;
	}
	return columns != wanted;
}

/*
 * The table was altered. The first time everything is looked at again; what
 * still differs then has been altered once more since, and is read as it was.
 */
static bool is_altered(struct postgresql_source *source, unsigned version,
		       const struct pgoutput_relation *table)
{
	struct changes *changes = source->changes;

	if ((changes->altered && changes->altered_version == version) ||
	    !differs(source, *table))
		return false;
	changes->altered = true;
	changes->altered_version = version;
	source->described = false;
	return true;
}

static int truncated(const struct postgresql_source *source, struct error *err)
{
	char name[TABLE_NAME_TEXT_MAX];

	return error_set(err, ERROR_GAP,
			 "'%s' was truncated, so it is loaded anew",
			 table_name_format(name, &source->name));
}

static bool has_column(struct pgoutput_relation table, const char *name)
{
	struct pgoutput_column column;

	while (pgoutput_column_next(&table, &column))
		if (!strcmp(column.name, name))
			return true;
	return false;
}

/* The columns of the shape that rows of the definition have. */
static int narrow(struct postgresql_source *source, struct table *shape,
		  const struct pgoutput_relation *table, struct window *window,
		  struct error *err)
{
	bool *keep = calloc(shape->column_count, sizeof(*keep));
	size_t kept = 0;
	int ret = 0;

	if (!keep)
		return error_memory(err, "changes");
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct catalog_column *column = pg_catalog_column(
			&source->catalog, shape->columns[i].name);

		keep[i] = column && has_column(*table, column->name);
		kept += keep[i];
	}
	if (kept < shape->column_count) {
		table_release(&source->changes->narrow);
		table_init(&source->changes->narrow);
		ret = table_project(&source->changes->narrow, shape, NULL, keep,
				    err);
		window->shape = &source->changes->narrow;
	}
	free(keep);
	return ret;
}

/* What the largest row takes, and which column has most of it. */
static void measure(struct postgresql_source *source, const struct table *shape,
		    const struct backlog_size *size,
		    struct pgoutput_relation table)
{
	struct source_rows *rows = &source->base.rows;
	struct pgoutput_column column;

	rows->bytes = size->bytes;
	rows->longest = size->longest;
	for (unsigned i = 0; pgoutput_column_next(&table, &column); i++) {
		const struct column *known;

		if (i != size->column)
			continue;
		known = table_column(shape, column.name);
		rows->column = known ? known->name : NULL;
	}
}

static int begin_rows(struct postgresql_source *source, struct table *shape,
		      const struct backlog_window *found, struct window *window,
		      struct error *err)
{
	const struct backlog_version *versions =
		source->changes->place->backlog.versions;
	struct pgoutput_message message;

	if (found->truncates)
		return truncated(source, err);
	if (pgoutput_read(&message, versions[found->low].message,
			  versions[found->low].len, false, err) < 0)
		return -1;
	if (is_altered(source, found->low, &message.table)) {
		window->altered = true;
		return 0;
	}
	if (found->low != found->high)
		return error_set(err, ERROR_GAP,
				 "the table was altered within a transaction "
				 "that changed its rows as well, before and "
				 "after that");
	if (narrow(source, shape, &message.table, window, err) < 0)
		return -1;
	if (window->shape)
		shape = window->shape;
	for (size_t i = 0; i < shape->column_count; i++)
		shape->columns[i].charset = NULL;
	measure(source, shape, &found->size, message.table);
	return change_rows_begin(source, &versions[found->low], shape, err);
}

/* With the lock held. 1: a window, 0: nothing new. */
static int find_window(struct postgresql_source *source,
		       const struct lsn_position *from, unsigned limit,
		       struct backlog_window *found, struct lsn_position *to,
		       struct window *window, struct error *err)
{
	struct changes *changes = source->changes;
	struct stream_mapping *place = changes->place;
	uint64_t reached = stream_reached(place);
	int rc = backlog_read(&place->backlog, from->lsn, limit, found,
			      &changes->rows.reader, err);

	if (rc < 0)
		return -1;
	if (place->stream->server.timeline)
		to->timeline = place->stream->server.timeline;
	window->has_rows = rc > 0;
	window->complete_us =
		rc > 0 ? found->commit_us : place->stream->commit_us;
	window->newest = place->proven && stream_is_whole(place) &&
			 !(rc > 0 && found->more);
	/* Behind the last one, whatever else was committed is over, too. */
	to->lsn = window->newest && reached > from->lsn ? reached
		  : rc > 0				? found->to
		  : reached > from->lsn			? reached
							: from->lsn;
	if (rc > 0 && to->lsn > found->to)
		window->complete_us = place->stream->commit_us;
	if (window->complete_us)
		window->commit_us = clock_to_utc(window->complete_us);
	return to->lsn > from->lsn;
}

static int read_window(struct postgresql_source *source, struct table *shape,
		       const struct lsn_position *from, unsigned limit,
		       struct window *window, struct error *err)
{
	struct changes *changes = source->changes;
	struct stream *stream = changes->stream;
	struct lsn_position to = *from;
	struct backlog_window found;
	int rc;

	pthread_mutex_lock(&stream->lock);
	/* It was when it was followed; since then something may have gone. */
	if (!stream_is_fed(changes->place, from->lsn)) {
		pthread_mutex_unlock(&stream->lock);
		return 0;
	}
	rc = find_window(source, from, limit, &found, &to, window, err);
	if (rc > 0 && window->has_rows &&
	    begin_rows(source, shape, &found, window, err) < 0)
		rc = -1;
	if (rc < 0 || window->altered)
		backlog_read_end(&changes->rows.reader);
	pthread_mutex_unlock(&stream->lock);
	if (rc < 0)
		return -1;
	lsn_to_position(&window->to, &to);
	text_copy(window->note, sizeof(window->note), changes->note);
	return window->altered ? 0 : rc;
}

/* Those that were told before the place was found. */
static void pass_stored_on(struct changes *changes)
{
	if (!changes->stored)
		return;
	stream_stored(changes->place, changes->stored);
	changes->stored = 0;
}

int pg_changes_begin(struct postgresql_source *source, struct table *shape,
		     const struct position *from, unsigned limit,
		     struct window *window, struct error *err)
{
	struct changes *changes = source->changes;
	struct lsn_position at;
	int rc;

	*window = (struct window){.to = *from};
	if (lsn_from_position(&at, from, err) < 0 ||
	    pg_source_know_table(source, err) < 0 ||
	    find_place(source, err) < 0)
		return -1;
	pass_stored_on(changes);
	if (watch(source, &at, err) < 0)
		return -1;
	rc = stream_follow(changes->place, source->catalog.oid, &at,
			   changes->cancel, err);
	if (rc != 0) /* it is being read, but has not come so far */
		return rc < 0 ? -1 : 0;
	if (prove(source, &at, err) < 0)
		return -1;
	return read_window(source, shape, &at, limit, window, err);
}

int pg_changes_next(struct postgresql_source *source, struct batch *batch,
		    struct error *err)
{
	return change_rows_next(source, batch, err);
}

void pg_changes_end(struct postgresql_source *source)
{
	stream_read_end(source->changes->place, &source->changes->rows.reader);
	change_rows_end(source);
}

/* ------------------------------------------------------------------- until */

/* Has the stream got as far as the log went when it was asked? */
int pg_changes_until(struct postgresql_source *source, int64_t *until_us,
		     struct error *err)
{
	struct changes *changes = source->changes;
	struct slot_end end;

	*until_us = changes->complete_us;
	if (!changes->place)
		return 0;
	if (!changes->asked_lsn) {
		changes->asked_us = clock_us();
		if (slot_find_end(source->conn, &end, err) < 0)
			return -1;
		changes->asked_lsn = end.flushed;
		changes->asked_us -= end.delay_ms * 1000;
	}
	if (!stream_passes(changes->place, changes->asked_lsn, UNTIL_WAIT_MS,
			   changes->cancel))
		return 0;
	changes->complete_us = *until_us = changes->asked_us;
	changes->asked_lsn = 0;
	return 0;
}
