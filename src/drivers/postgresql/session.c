/*
 * The server is told once a second, or as soon as it has nothing more, how far
 * we are: `write` is what has come, `flush` what is stored by all mappings. It
 * forgets what was flushed and nothing else. Whether it is still there shows in
 * its keepalives, which it is asked for after a silence.
 *
 * A server that shuts down waits until all that it has sent is flushed, without
 * an end, and asks for it again upon each answer (WalSndDone() of its source,
 * src/backend/replication/walsender.c). A mapping whose destination is away may
 * not flush for long, nor can one that needs a connection of its own. So nobody
 * waits for that: the session ends, and the slot keeps what is not stored.
 */
#include "drivers/postgresql/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "drivers/postgresql/feed.h"
#include "drivers/postgresql/quote.h"

#define OBJECT_IN_USE	 "55006"
#define UNDEFINED_OBJECT "42704"
/* The server has removed a part of the log that the slot needs. */
#define UNDEFINED_FILE "58P01"

/* From 1970 to 2000, which PostgreSQL counts from. */
#define EPOCH_US INT64_C(946684800000000)

#define WAIT_MS	     100   /* for a message, at a time */
#define WAIT_SOON_MS 5	   /* likewise, when there is something to tell */
#define TELL_MS	     1000  /* how far we are, while changes come */
#define ASK_MS	     10000 /* whether the server is there, in a silence */
#define SILENCE_MS   60000 /* then it is not */
#define BUSY_WAIT_MS 3000  /* for a slot that its last user has not let go */
#define BUSY_LOOK_MS 50
#define URGE_MS	     300    /* from one question of a server that shuts down */
#define URGES	     10	    /* to the next, and how many show it */
#define OFFSET_MS    300000 /* how long a clock's offset is good for */

#define HEADER_DATA	 25 /* bytes in front of a message of pgoutput */
#define HEADER_KEEPALIVE 18
#define STATUS_BYTES	 34

struct session {
	struct stream *stream;
	struct pg *conn;
	int64_t heard_ms; /* from the server */
	int64_t told_ms;
	int64_t asked_ms;
	int64_t offset_ms; /* when the clocks' offset was measured */
	uint64_t told_write, told_flush;
	bool asked;	    /* by the server: answer at once */
	uint64_t urged_for; /* where the log ended when it asked */
	int64_t urged_ms;   /* when it asked */
	int urges;	    /* how often in a row for that */
};

/* -------------------------------------------------------------------- gaps */

void session_gap(struct stream_mapping *mapping, const struct error *why)
{
	mapping->gap = *why;
	mapping->gap.kind = ERROR_GAP;
	mapping->gap.retryable = false;
	mapping->fresh = 0;
	mapping->fed = false;
	/* It needs nothing of the log until it begins anew. */
	mapping->stored = STREAM_NEEDS_NOTHING;
	if (mapping->sleeper)
		cancel_poke(mapping->sleeper);
}

void session_gap_all(struct stream *stream, const struct error *why)
{
	struct stream_mapping *mapping;

	for (mapping = stream->mappings; mapping; mapping = mapping->next)
		if (mapping->wants && !stream_is_barred(mapping))
			session_gap(mapping, why);
}

bool session_is_wanted(const struct stream *stream)
{
	const struct stream_mapping *mapping;

	for (mapping = stream->mappings; mapping; mapping = mapping->next)
		if (mapping->wants && !stream_is_barred(mapping))
			return true;
	return false;
}

uint64_t session_flush(const struct stream *stream)
{
	const struct stream_mapping *mapping;
	uint64_t flush = stream->passed;

	if (!stream->told)
		return stream->confirmed;
	for (mapping = stream->mappings; mapping; mapping = mapping->next) {
		uint64_t needs = stream_needs(mapping);

		if (needs < flush)
			flush = needs;
	}
	return flush > stream->confirmed ? flush : stream->confirmed;
}

/* -------------------------------------------------------------------- begin */

static int read_history(struct session *session, uint32_t timeline,
			char **history, struct error *err)
{
	char sql[64];
	int64_t rows;

	*history = NULL;
	if (timeline < 2)
		return 0;
	snprintf(sql, sizeof(sql), "TIMELINE_HISTORY %lu",
		 (unsigned long)timeline);
	rows = pg_query(session->conn, sql, NULL, 0, err);
	if (rows < 0) {
		/* An old one may have been removed: nothing is known then. */
		if (strcmp(err->sqlstate, UNDEFINED_FILE) != 0)
			return -1;
		error_clear(err);
		return 0;
	}
	if (rows > 0)
		*history = strdup(pg_get_text(session->conn, 0, 1));
	pg_finish(session->conn);
	return 0;
}

/*
 * Another server, or one that was promoted or set back, has a log of its own from
 * somewhere on: what was read of the old one may not be in it, and what is in it
 * may lie before the place that was read up to. So nobody goes on with what it has:
 * each mapping asks again, from a position that says which log it is of, and that
 * is judged then (see check_server() in stream.c). Until it asks, what it has stays,
 * for it may be in the middle of a window, which its own position belongs to.
 */
static void leave_old_log(struct stream *stream)
{
	struct stream_mapping *mapping;

	stream->passed = 0;
	stream->commit_us = 0;
	for (mapping = stream->mappings; mapping; mapping = mapping->next) {
		if (!mapping->fed)
			continue;
		mapping->wants = false;
		mapping->fed = false;
		if (mapping->sleeper)
			cancel_poke(mapping->sleeper);
	}
}

static int identify(struct session *session, struct error *err)
{
	struct stream *stream = session->stream;
	struct lsn_position server;
	char *history;

	if (pg_query(session->conn, "IDENTIFY_SYSTEM", NULL, 0, err) < 0)
		return -1;
	server.system = strtoull(pg_get_text(session->conn, 0, 0), NULL, 10);
	server.timeline =
		(uint32_t)strtoul(pg_get_text(session->conn, 0, 1), NULL, 10);
	server.lsn = lsn_parse(pg_get_text(session->conn, 0, 2));
	server.read_until = server.lsn;
	pg_finish(session->conn);
	if (read_history(session, server.timeline, &history, err) < 0)
		return -1;
	pthread_mutex_lock(&stream->lock);
	if (stream->server.system &&
	    (stream->server.system != server.system ||
	     stream->server.timeline != server.timeline))
		leave_old_log(stream);
	stream->server = server;
	free(stream->history);
	stream->history = history;
	pthread_mutex_unlock(&stream->lock);
	return 0;
}

/* Can the slot be read? If not, those who want it learn why. */
static int look_at_slot(struct session *session, struct slot_state *slot,
			struct error *err)
{
	struct stream *stream = session->stream;
	struct error why = ERROR_INIT;

	if (slot_look(session->conn, &stream->names, slot, err) < 0)
		return -1;
	if (!slot->exists)
		error_set(&why, ERROR_GAP,
			  "replication slot '%s' is not on the server any "
			  "more: it was dropped, or the server is a promoted "
			  "standby or a restored copy, which has none",
			  stream->names.slot);
	else if (!strcmp(slot->status, "lost"))
		error_set(&why, ERROR_GAP,
			  "replication slot '%s' is lost: the server removed "
			  "log that was still needed, since it was more than "
			  "max_slot_wal_keep_size allows",
			  stream->names.slot);
	if (why.kind == ERROR_NONE)
		return 1;
	pthread_mutex_lock(&stream->lock);
	session_gap_all(stream, &why);
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
	return 0;
}

static void begin_mapping(struct stream *stream, struct stream_mapping *mapping)
{
	char from[LSN_TEXT_MAX], confirmed[LSN_TEXT_MAX];
	struct error why = ERROR_INIT;

	if (mapping->fed) {
		if (stream->passed > mapping->floor)
			mapping->floor = stream->passed;
	} else if (mapping->from < stream->confirmed) {
		error_set(&why, ERROR_GAP,
			  "changes after %s are gone: replication slot '%s' "
			  "was moved on to %s, by somebody else, or since the "
			  "destination was set back to an older state",
			  lsn_format(from, mapping->from), stream->names.slot,
			  lsn_format(confirmed, stream->confirmed));
		session_gap(mapping, &why);
		return;
	} else {
		backlog_start(&mapping->backlog, mapping->from);
		mapping->floor = mapping->from;
		mapping->fed = true;
		if (!mapping->old_end)
			mapping->old_end = stream->server.lsn;
	}
	mapping->proven = false;
	mapping->proof_lsn = 0;
}

/* Whoever wants changes gets them from here on. */
static void begin_feeding(struct stream *stream, uint64_t confirmed)
{
	struct stream_mapping *mapping;

	pthread_mutex_lock(&stream->lock);
	feed_begin(stream);
	stream->confirmed = confirmed;
	for (mapping = stream->mappings; mapping; mapping = mapping->next)
		if (mapping->wants && !stream_is_barred(mapping))
			begin_mapping(stream, mapping);
	stream->passed = confirmed;
	stream->again = false;
	stream->has_offset = false;
	pthread_mutex_unlock(&stream->lock);
}

static void start_sql(struct session *session, struct strbuf *sql)
{
	const struct stream *stream = session->stream;
	bool streams = pg_server_version(session->conn) >= 140000;
	struct strbuf name;

	strbuf_init(&name);
	quote_name(&name, stream->names.publication);
	strbuf_addstr(sql, "START_REPLICATION SLOT ");
	quote_name(sql, stream->names.slot);
	strbuf_addf(sql, " LOGICAL 0/0 (proto_version '%d', ", streams ? 2 : 1);
	strbuf_addf(sql, "publication_names '%s'%s)", name.data,
		    streams ? ", streaming 'on'" : "");
	strbuf_release(&name);
}

static bool is_stopping(struct stream *stream)
{
	bool stopping;

	pthread_mutex_lock(&stream->lock);
	stopping = stream->stopping;
	pthread_mutex_unlock(&stream->lock);
	return stopping;
}

static int in_use(struct session *session, struct error *err)
{
	err->kind = ERROR_CONNECTION;
	err->retryable = true;
	error_append(err, "either another daemon follows this database (one at "
			  "a time can), or the server has not noticed yet that "
			  "the last one is gone (wal_sender_timeout)");
	return error_wrap(err, "replication slot '%s'",
			  session->stream->names.slot);
}

/* The server may take a moment to see that its last user is gone. */
static int start(struct session *session, struct error *err)
{
	int64_t began = clock_ms();
	struct strbuf sql;
	int ret;

	strbuf_init(&sql);
	start_sql(session, &sql);
	ret = strbuf_check(&sql, err);
	while (ret == 0) {
		ret = pg_copy_out(session->conn, sql.data, err);
		if (ret == 0)
			break;
		if (strcmp(err->sqlstate, OBJECT_IN_USE) != 0)
			break;
		if (clock_ms() - began > BUSY_WAIT_MS ||
		    is_stopping(session->stream) || !pg_usable(session->conn)) {
			in_use(session, err);
			break;
		}
		error_clear(err);
		cancel_sleep(&session->stream->cancel, BUSY_LOOK_MS);
		ret = 0;
	}
	strbuf_release(&sql);
	return ret;
}

/* ----------------------------------------------------------------- messages */

static uint64_t number(const unsigned char *data)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | data[i];
	return value;
}

static void put_number(unsigned char *out, uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		out[i] = (unsigned char)value;
}

/*
 * How the clocks differ: the least that was seen, since every message was on its
 * way for some time.
 */
static void see_clock(struct session *session, uint64_t sent)
{
	struct stream *stream = session->stream;
	int64_t offset = clock_us() - pgoutput_time_us(sent);
	int64_t now = clock_ms();

	if (stream->has_offset && offset >= stream->offset_us &&
	    now - session->offset_ms < OFFSET_MS)
		return;
	stream->offset_us = offset;
	stream->has_offset = true;
	session->offset_ms = now;
}

static void see_urge(struct session *session, uint64_t end)
{
	bool again = end == session->urged_for &&
		     session->heard_ms - session->urged_ms < URGE_MS;

	session->urges = again ? session->urges + 1 : 0;
	session->urged_for = end;
	session->urged_ms = session->heard_ms;
}

/* Nothing was committed in between: idle databases get on, too. */
static void see_keepalive(struct session *session, const unsigned char *data)
{
	struct stream *stream = session->stream;
	uint64_t end = number(data + 1);

	session->asked = data[HEADER_KEEPALIVE - 1] == 1;
	if (session->asked)
		see_urge(session, end);
	if (!stream->feed->in_txn && !stream->feed->in_stream &&
	    end > stream->passed) {
		stream->passed = end;
		pthread_cond_broadcast(&stream->changed);
	}
}

static int take_message(struct session *session, const unsigned char *data,
			size_t len, struct error *err)
{
	struct stream *stream = session->stream;
	uint64_t passed;
	int ret = 0;

	session->heard_ms = clock_ms();
	session->asked_ms = session->heard_ms;
	pthread_mutex_lock(&stream->lock);
	passed = stream->passed;
	if (len > HEADER_DATA && *data == 'w') {
		see_clock(session, number(data + 17));
		ret = feed_message(stream, data + HEADER_DATA,
				   len - HEADER_DATA, err);
		if (passed != stream->passed)
			pthread_cond_broadcast(&stream->changed);
	} else if (len == HEADER_KEEPALIVE && *data == 'k') {
		see_clock(session, number(data + 9));
		see_keepalive(session, data);
	} else {
		ret = error_set(err, ERROR_SERVER,
				"the server sent a replication message that "
				"makes no sense");
	}
	pthread_mutex_unlock(&stream->lock);
	return ret;
}

/* ----------------------------------------------------------------- feedback */

static int tell(struct session *session, bool ask, struct error *err)
{
	struct stream *stream = session->stream;
	unsigned char status[STATUS_BYTES] = {'r'};
	uint64_t write, flush;

	pthread_mutex_lock(&stream->lock);
	write = stream->passed;
	flush = session_flush(stream);
	stream->confirmed = flush; /* it never goes back */
	pthread_mutex_unlock(&stream->lock);
	put_number(status + 1, write);
	put_number(status + 9, flush);
	put_number(status + 17, flush);
	put_number(status + 25, (uint64_t)(clock_utc_us() - EPOCH_US));
	status[STATUS_BYTES - 1] = ask;
	session->told_write = write;
	session->told_flush = flush;
	session->told_ms = clock_ms();
	session->asked = false;
	return pg_copy_write(session->conn, status, sizeof(status), err);
}

/* Something has changed since the server was told. */
static bool has_news(struct session *session)
{
	struct stream *stream = session->stream;
	bool news;

	pthread_mutex_lock(&stream->lock);
	news = stream->passed != session->told_write ||
	       session_flush(stream) != session->told_flush;
	pthread_mutex_unlock(&stream->lock);
	return news;
}

static int tell_if_due(struct session *session, bool idle, struct error *err)
{
	int64_t now = clock_ms();

	if (now - session->heard_ms > SILENCE_MS)
		return error_set(err, ERROR_CONNECTION,
				 "the server has been silent for %d seconds",
				 SILENCE_MS / 1000);
	if (now - session->asked_ms > ASK_MS) {
		session->asked_ms = now;
		return tell(session, true, err);
	}
	if (session->asked || now - session->told_ms > TELL_MS ||
	    (idle && has_news(session)))
		return tell(session, false, err);
	return 0;
}

/* ---------------------------------------------------------------- a session */

static bool goes_on(struct stream *stream)
{
	bool goes;

	pthread_mutex_lock(&stream->lock);
	goes = !stream->stopping && !stream->again && session_is_wanted(stream);
	pthread_mutex_unlock(&stream->lock);
	return goes;
}

static int read_on(struct session *session, struct error *err)
{
	const unsigned char *data;
	bool idle = false;
	size_t len;
	int rc;

	for (;;) {
		if (!goes_on(session->stream))
			return 0;
		if (tell_if_due(session, idle, err) < 0)
			return -1;
		rc = pg_copy_read(session->conn, idle ? WAIT_MS : WAIT_SOON_MS,
				  &data, &len, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			return error_set(
				err, ERROR_CONNECTION,
				"the server has ended the "
				"replication; it may be shutting down");
		idle = rc == 2;
		if (!idle && take_message(session, data, len, err) < 0)
			return -1;
		if (session->urges >= URGES)
			return error_set(err, ERROR_CONNECTION,
					 "the server is shutting down");
	}
}

static void set_live(struct stream *stream, bool live)
{
	pthread_mutex_lock(&stream->lock);
	stream->live = live;
	if (live)
		error_clear(&stream->trouble);
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
}

/*
 * A publication that is gone was needed to read the log before that; what was
 * removed from the log is gone, too.
 */
static void judge_end(struct stream *stream, const struct error *err)
{
	bool unpublished = !strcmp(err->sqlstate, UNDEFINED_OBJECT);
	struct error why = *err;

	if (!unpublished && strcmp(err->sqlstate, UNDEFINED_FILE) != 0)
		return;
	error_wrap(&why, unpublished
				 ? "the log cannot be read without its "
				   "publication, which was dropped or made anew"
				 : "a part of the log is gone");
	pthread_mutex_lock(&stream->lock);
	stream->spoilt = true;
	session_gap_all(stream, &why);
	pthread_mutex_unlock(&stream->lock);
}

int session_run(struct stream *stream, struct error *err)
{
	struct session session = {.stream = stream};
	struct slot_state slot;
	int ret = -1;

	if (pg_open(&session.conn, stream->login, PG_REPLICATION,
		    stream->database, &stream->cancel, err) < 0)
		return -1;
	if (identify(&session, err) < 0)
		goto done;
	ret = look_at_slot(&session, &slot, err);
	if (ret <= 0)
		goto done;
	ret = -1;
	if (start(&session, err) < 0) {
		judge_end(stream, err);
		goto done;
	}
	begin_feeding(stream, slot.confirmed);
	session.heard_ms = session.asked_ms = clock_ms();
	set_live(stream, true);
	ret = read_on(&session, err);
	set_live(stream, false);
	if (ret < 0)
		judge_end(stream, err);
done:
	pg_close(session.conn);
	return ret;
}
