#ifndef TDS_CONNECTION_H
#define TDS_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cancel.h"
#include "base/error.h"
#include "tds/login.h"

/*
 * One connection to a SQL Server, over FreeTDS's db-lib. Belongs to one thread
 * at a time. After a failure tds_usable() says whether it may be used again:
 * it may not when the server or the network went away, or after a time-out.
 *
 * Every session runs with the options that SQL Server's own drivers set (ANSI
 * rules, ARITHABORT, QUOTED_IDENTIFIER), with XACT_ABORT, so that an error
 * leaves no transaction half done, and with NOCOUNT: statements report counts
 * by SELECT.
 */
struct tds;

/* Once, before the first thread and after tds_conf_init(). */
int tds_init(struct error *err) __attribute__((warn_unused_result));
void tds_exit(void);

/*
 * Log in. `cancel` (may be NULL) interrupts everything that is done on the
 * connection later, and must outlive it or be replaced; the login itself is
 * bounded by login_timeout_s.
 */
int tds_open(struct tds **out, const struct tds_login *login,
	     struct cancel *cancel, struct error *err)
	__attribute__((warn_unused_result));
void tds_close(struct tds *conn); /* NULL is fine */

/* Obey another cancel from now on: connections change hands in a pool. */
void tds_set_cancel(struct tds *conn, struct cancel *cancel);

/* Another time-out, as in struct tds_login; returns the one before. */
int tds_set_query_timeout(struct tds *conn, int seconds);

/* May it be used for another statement? Asks nobody. */
bool tds_usable(const struct tds *conn);

/* A parameter of a statement: `@name` in its text. */
struct tds_param {
	const char *name; /* with the @ */
	enum { TDS_PARAM_INT, TDS_PARAM_TEXT, TDS_PARAM_BYTES } type;
	bool null;
	int64_t number;
	const void *data; /* UTF-8 text, or bytes; borrowed */
	size_t len;
};

struct tds_param tds_int(const char *name, int64_t value);
struct tds_param tds_text(const char *name, const char *value); /* or NULL */
struct tds_param tds_bytes(const char *name, const void *value, size_t len);

/* Run a batch of statements; rows they return are thrown away. */
int tds_exec(struct tds *conn, const char *sql, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Run a batch and stand before the first row it returns. With parameters it
 * goes through sp_executesql: numbers are bigint, bytes varbinary(8000), text
 * nvarchar(4000), or nvarchar(max) if it is longer: what is concatenated with it
 * may need a CONVERT, or is cut. tds_finish() before the next statement.
 */
int tds_query(struct tds *conn, const char *sql, const struct tds_param *params,
	      size_t count, struct error *err)
	__attribute__((warn_unused_result));

/* The next row. 1: there is one; 0: none is left in this result. */
int tds_fetch(struct tds *conn, struct error *err)
	__attribute__((warn_unused_result));

/* Throw away what is left; -1 if that brings a late error to light. */
int tds_finish(struct tds *conn, struct error *err)
	__attribute__((warn_unused_result));

/* Are there rows of the result at hand that were not fetched? */
bool tds_in_rows(const struct tds *conn);

/* Stop and throw away, when what is left does not matter any more. */
void tds_abandon(struct tds *conn);

/*
 * tds_query(), at most one row expected, not finished. 1: it stands on the
 * row; 0: there was none (and it is finished).
 */
int tds_query_row(struct tds *conn, const char *sql,
		  const struct tds_param *params, size_t count,
		  struct error *err) __attribute__((warn_unused_result));

/* Values of the row at hand; columns count from 0. */
bool tds_null(struct tds *conn, size_t col);
int64_t tds_get_int(struct tds *conn, size_t col); /* integers and bit only */
/* Bytes as they came; valid until the next fetch. */
const void *tds_get_bytes(struct tds *conn, size_t col, size_t *len);
/* A NUL-terminated copy of a text, "" for NULL; NULL when out of memory. */
char *tds_get_text(struct tds *conn, size_t col, struct arena *arena);

/* db-lib's own handle, for tds/bulk.c and tds/value.c: a DBPROCESS. */
void *tds_handle(struct tds *conn);

/*
 * Around calls of db-lib made outside of connection.c: forget earlier errors;
 * then tell what went wrong meanwhile. `what` is used when nobody said.
 */
void tds_begin_call(struct tds *conn);
bool tds_failed(const struct tds *conn);
int tds_call_failed(struct tds *conn, const char *what, struct error *err);
void tds_mark_unusable(struct tds *conn);

#endif
