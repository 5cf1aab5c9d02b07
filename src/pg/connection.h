#ifndef PG_CONNECTION_H
#define PG_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cancel.h"
#include "base/error.h"
#include "pg/login.h"

/*
 * One connection to a PostgreSQL server, over libpq in its non-blocking form, so
 * that every wait ends with a cancel or a time-out. Belongs to one thread at a
 * time. After a failure pg_usable() says whether it may be used again: it may
 * not when the server or the network went away, or after a time-out.
 *
 * Every session speaks UTF-8 and has the settings that make values unambiguous:
 * client_encoding, DateStyle ISO, IntervalStyle postgres, TimeZone UTC,
 * extra_float_digits, standard_conforming_strings, and a search_path of
 * pg_catalog alone, so that every other name is written with its schema.
 * Statements are not timed out by the server, which asks after two minutes at
 * most whether our host is still there; and row security makes a statement fail
 * rather than see a part of the rows. PostgreSQL 10 is the oldest that is let in.
 */
struct pg;

enum pg_kind {
	PG_ORDINARY,
	PG_REPLICATION, /* replication=database */
};

/*
 * Log in to `database`. `cancel` (may be NULL) interrupts everything that is
 * done on the connection, the login too, and must outlive it or be replaced.
 */
int pg_open(struct pg **out, const struct pg_login *login, enum pg_kind kind,
	    const char *database, struct cancel *cancel, struct error *err)
	__attribute__((warn_unused_result));
void pg_close(struct pg *conn); /* NULL is fine */

/* Obey another cancel from now on: connections change hands in a pool. */
void pg_set_cancel(struct pg *conn, struct cancel *cancel);

/*
 * Another time-out, 0 for none, until it is set again; the one that was. For
 * statements that are known to take long: the system finds out by its keepalives
 * when the other end is dead.
 */
int pg_set_query_timeout(struct pg *conn, int seconds);

/* May it be used for another statement? Asks nobody. */
bool pg_usable(const struct pg *conn);

/* Is a transaction open, failed ones too? Asks nobody. */
bool pg_in_transaction(const struct pg *conn);

/* A transaction that has failed can only be rolled back. */
bool pg_in_failed_transaction(const struct pg *conn);

/* As libpq has it: 150018. */
int pg_server_version(const struct pg *conn);

/*
 * Is text from it sure to be UTF-8? A database in SQL_ASCII keeps any bytes, and
 * converts nothing.
 */
bool pg_checks_text(const struct pg *conn);

/* A parameter: $1, $2, … in the statement, cast there where it matters. */
struct pg_param {
	enum { PG_PARAM_INT, PG_PARAM_TEXT, PG_PARAM_BYTES } type;
	const void *data; /* NUL-terminated text, or bytes; borrowed; or NULL */
	size_t len;	  /* of bytes, which are sent as they are */
	char number[24];  /* the text of pg_int() */
};

struct pg_param pg_int(int64_t value);
struct pg_param pg_text(const char *value); /* or NULL */
struct pg_param pg_bytes(const void *value, size_t len);

/* Run statements; rows they return are thrown away. */
int pg_exec(struct pg *conn, const char *sql, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Run one statement with parameters; its rows come as text and are kept until
 * the next statement or pg_finish(). How many rows there are, or were affected
 * by a statement without any.
 */
int64_t pg_query(struct pg *conn, const char *sql,
		 const struct pg_param *params, size_t count, struct error *err)
	__attribute__((warn_unused_result));
void pg_finish(struct pg *conn);

/* Values of that result; rows and columns count from 0. */
bool pg_null(const struct pg *conn, int64_t row, int col);
int64_t pg_get_int(const struct pg *conn, int64_t row, int col);
bool pg_get_bool(const struct pg *conn, int64_t row, int col);
/* Valid as long as the result; "" for NULL. */
const char *pg_get_text(const struct pg *conn, int64_t row, int col);
/* A copy; NULL when out of memory. */
char *pg_copy_text(const struct pg *conn, int64_t row, int col,
		   struct arena *arena);

/*
 * COPY … TO STDOUT (FORMAT binary), and START_REPLICATION. pg_copy_read(): one
 * message of it, which for a COPY is a row, valid until the next call. 1: there
 * is one; 0: that was all, and the statement has succeeded; it is
 * so again. With `wait_ms` >= 0
 * it waits no longer than that for a message and returns 2 when none came.
 */
int pg_copy_out(struct pg *conn, const char *sql, struct error *err)
	__attribute__((warn_unused_result));
int pg_copy_read(struct pg *conn, int wait_ms, const unsigned char **data,
		 size_t *len, struct error *err)
	__attribute__((warn_unused_result));
/* Do not want the rest of it. */
void pg_copy_break_off(struct pg *conn);

/*
 * COPY … FROM STDIN (FORMAT binary), and feedback to a replication. end() tells
 * how many rows there were; with `refused` (NULL: no) the server is told that it
 * came to nothing, which is not a failure of this call.
 */
int pg_copy_in(struct pg *conn, const char *sql, struct error *err)
	__attribute__((warn_unused_result));
int pg_copy_write(struct pg *conn, const void *data, size_t len,
		  struct error *err) __attribute__((warn_unused_result));
int64_t pg_copy_end(struct pg *conn, const char *refused, struct error *err)
	__attribute__((warn_unused_result));

#endif
