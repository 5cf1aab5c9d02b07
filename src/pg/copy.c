#include "pg/session.h"

#include <string.h>

#include <libpq-fe.h>

#include "base/clock.h"

/* What goes into libpq's memory before it is sent. */
#define COPY_PIECE_BYTES ((size_t)256 << 10)

/* Begin a statement that has to answer with COPY, one way or another. */
static int begin_copy(struct pg *conn, const char *sql, struct error *err)
{
	struct error ignored = ERROR_INIT;
	ExecStatusType status;
	struct pg_result *result;

	if (pg_start(conn, sql, NULL, 0, err) < 0)
		return -1;
	if (pg_next_result(conn, &result, err) < 0)
		return pg_give_up(conn);
	status = PQresultStatus(result);
	switch (status) {
	case PGRES_COPY_OUT:
		conn->copying = COPY_READS;
		break;
	case PGRES_COPY_IN:
		conn->copying = COPY_WRITES;
		break;
	case PGRES_COPY_BOTH:
		conn->copying = COPY_BOTH;
		break;
	default:
		if (status == PGRES_FATAL_ERROR)
			pg_server_said(conn, result, err);
		else
			error_set(err, ERROR_INTERNAL,
				  "a statement that is no COPY was taken for "
				  "one");
		PQclear(result);
		if (pg_take_results(conn, &ignored) == 0)
			pg_finish(conn);
		return -1;
	}
	PQclear(result);
	return 0;
}

int pg_copy_out(struct pg *conn, const char *sql, struct error *err)
{
	return begin_copy(conn, sql, err);
}

/* Everything was read; did the statement succeed? */
static int end_reading(struct pg *conn, struct error *err)
{
	int rc;

	conn->copying = COPY_DONE;
	pg_begin_call(conn);
	rc = pg_take_results(conn, err);
	pg_finish(conn);
	return rc;
}

int pg_copy_read(struct pg *conn, int wait_ms, const unsigned char **data,
		 size_t *len, struct error *err)
{
	int64_t until = 0;
	bool looked = false;
	int got, rc;

	PQfreemem(conn->row);
	conn->row = NULL;
	if (conn->copying == COPY_DONE)
		return 0;
	if (conn->copying != COPY_READS && conn->copying != COPY_BOTH)
		return error_set(err, ERROR_INTERNAL,
				 "nothing is being copied out");
	got = PQgetCopyData(conn->db, &conn->row, 1);
	if (got == 0) /* most rows have come with others: no clock for them */
		pg_begin_call(conn);
	if (wait_ms >= 0)
		conn->deadline_ms = 0;
	for (; got == 0; got = PQgetCopyData(conn->db, &conn->row, 1)) {
		/* There may be something without waiting for it. */
		if (wait_ms >= 0 && !looked)
			until = clock_ms() + wait_ms;
		rc = looked ? pg_await(conn, false, until, err) : 1;
		if (rc == 0)
			return 2;
		if (rc < 0 || pg_consume(conn, err) < 0)
			return pg_give_up(conn);
		looked = true;
		if (wait_ms >= 0)
			conn->deadline_ms = 0;
	}
	if (got < 0)
		return end_reading(conn, err);
	*data = (const unsigned char *)conn->row;
	*len = (size_t)got;
	return 1;
}

void pg_copy_break_off(struct pg *conn)
{
	struct cancel *cancel = conn->cancel;
	struct error ignored = ERROR_INIT;
	int timeout = conn->query_timeout_s;

	PQfreemem(conn->row);
	conn->row = NULL;
	if (conn->copying == COPY_DONE)
		conn->copying = COPY_NONE;
	if (conn->copying == COPY_NONE)
		return;
	if (conn->copying != COPY_READS || !pg_usable(conn) ||
	    !pg_cancel_statement(conn)) {
		conn->copying = COPY_NONE;
		conn->unusable = true;
		return;
	}
	conn->cancel = NULL; /* it must come to an end, and soon */
	conn->query_timeout_s = 1;
	pg_begin_call(conn);
	if (pg_skip_copied(conn, &ignored) < 0 ||
	    (end_reading(conn, &ignored) < 0 &&
	     strcmp(ignored.sqlstate, "57014") != 0))
		conn->unusable = true;
	conn->copying = COPY_NONE;
	conn->cancel = cancel;
	conn->query_timeout_s = timeout;
}

int pg_copy_in(struct pg *conn, const char *sql, struct error *err)
{
	return begin_copy(conn, sql, err);
}

/* libpq keeps what the network does not take: so no more than a piece. */
static int write_piece(struct pg *conn, const char *data, size_t len,
		       struct error *err)
{
	int rc;

	while ((rc = PQputCopyData(conn->db, data, (int)len)) == 0)
		if (pg_flush(conn, err) < 0)
			return -1;
	if (rc < 0)
		return pg_lost(conn, err);
	return pg_flush(conn, err);
}

int pg_copy_write(struct pg *conn, const void *data, size_t len,
		  struct error *err)
{
	const char *from = data;

	if (conn->copying != COPY_WRITES && conn->copying != COPY_BOTH)
		return error_set(err, ERROR_INTERNAL,
				 "nothing is being copied in");
	pg_begin_call(conn);
	while (len > 0) {
		size_t piece = len < COPY_PIECE_BYTES ? len : COPY_PIECE_BYTES;

		if (write_piece(conn, from, piece, err) < 0)
			return pg_give_up(conn);
		from += piece;
		len -= piece;
	}
	return 0;
}

int64_t pg_copy_end(struct pg *conn, const char *refused, struct error *err)
{
	int64_t rows;
	int rc;

	if (conn->copying != COPY_WRITES && conn->copying != COPY_BOTH)
		return error_set(err, ERROR_INTERNAL,
				 "nothing is being copied in");
	pg_begin_call(conn);
	while ((rc = PQputCopyEnd(conn->db, refused)) == 0)
		if (pg_flush(conn, err) < 0)
			return pg_give_up(conn);
	if (rc < 0)
		return pg_lost(conn, err);
	if (pg_flush(conn, err) < 0)
		return pg_give_up(conn);
	conn->copying = COPY_NONE;
	if (pg_take_results(conn, err) < 0)
		return refused && pg_usable(conn) ? 0 : -1;
	rows = pg_affected(conn);
	pg_finish(conn);
	return rows;
}
