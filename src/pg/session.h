#ifndef PG_SESSION_H
#define PG_SESSION_H

#include "pg/connection.h"

/* What connection.c and copy.c share; nobody outside of this folder. */
struct pg_conn;	  /* libpq calls it PGconn */
struct pg_result; /* and PGresult */

struct pg {
	struct pg_conn *db;	  /* PGconn */
	struct pg_result *result; /* of pg_query() */
	char *row;		  /* of pg_copy_read(), libpq's */
	struct cancel *cancel;
	enum pg_kind kind;
	char address[320]; /* for messages */
	int query_timeout_s;
	int64_t deadline_ms; /* 0: none */
	enum {
		COPY_NONE,
		COPY_READS,
		COPY_DONE,
		COPY_WRITES,
		COPY_BOTH
	} copying;
	bool unusable;
};

/* Forget how long the server was waited for. */
void pg_begin_call(struct pg *conn);

/*
 * Wait until there is something to read, or, with `write`, room to write. 1: it
 * is so; 0: not before `until_ms` (0: no matter when).
 */
int pg_await(struct pg *conn, bool write, int64_t until_ms, struct error *err)
	__attribute__((warn_unused_result));

/* Take in what has come; send all that libpq holds. */
int pg_consume(struct pg *conn, struct error *err)
	__attribute__((warn_unused_result));
int pg_flush(struct pg *conn, struct error *err)
	__attribute__((warn_unused_result));

/* Send a statement; its results come by pg_next_result(), into `out`, which is
 * NULL after the last. */
int pg_start(struct pg *conn, const char *sql, const struct pg_param *params,
	     size_t count, struct error *err)
	__attribute__((warn_unused_result));
int pg_next_result(struct pg *conn, struct pg_result **out, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Take in all results. The last one with rows, or else the last one, is kept.
 * -1 with the first error; the connection can go on unless it is unusable.
 */
int pg_take_results(struct pg *conn, struct error *err)
	__attribute__((warn_unused_result));
int64_t pg_affected(const struct pg *conn);

/* What COPY sends that nobody reads. */
int pg_skip_copied(struct pg *conn, struct error *err)
	__attribute__((warn_unused_result));

/* Have the server end the statement at hand; false: who knows. */
bool pg_cancel_statement(struct pg *conn);

/* Failures; all return -1. Of the connection, of a statement, and cancelled,
 * timed out or lost, so that no result is wanted any more. */
int pg_lost(struct pg *conn, struct error *err);
int pg_server_said(struct pg *conn, const struct pg_result *result,
		   struct error *err);
int pg_give_up(struct pg *conn);

#endif
