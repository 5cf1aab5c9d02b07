#ifndef TDSD_FN_H
#define TDSD_FN_H

#include <sqlite3.h>

#include "exec/session.h"
#include "value/val.h"

/*
 * Helpers for the functions that translated statements call. Values come and
 * go in their stored form (value/val.h); a function that fails leaves the
 * server's error in the session and makes SQLite stop.
 */
static inline struct session *fn_session(sqlite3_context *ctx)
{
	return sqlite3_user_data(ctx);
}

struct val fn_val(sqlite3_value *v);
void fn_result(sqlite3_context *ctx, const struct val *v);
void fn_fail(sqlite3_context *ctx, const struct diag *d);
void fn_fail_number(sqlite3_context *ctx, int number, ...);

/* True, and the result is NULL, when any argument is NULL. */
bool fn_null(sqlite3_context *ctx, int argc, sqlite3_value **argv);

/* Text and bytes of an argument; never NULL. */
const char *fn_text(sqlite3_value *v, size_t *len);

void fn_result_text(sqlite3_context *ctx, const char *s, size_t n);
/* Takes the buffer's contents and releases it. */
void fn_result_buf(sqlite3_context *ctx, struct strbuf *sb);

/* One function to register. */
struct fn_def {
	const char *name;
	int args;  /* -1: any number */
	int flags; /* FN_PURE or 0 */
	void (*call)(sqlite3_context *, int, sqlite3_value **);
};
#define FN_PURE SQLITE_DETERMINISTIC

void fn_register(struct session *s, const struct fn_def *defs, int count);

void fn_register_core(struct session *s);
void fn_register_number(struct session *s);
void fn_register_text(struct session *s);
void fn_register_hash(struct session *s);
void fn_register_date(struct session *s);
void fn_register_meta(struct session *s);
void fn_register_aggregates(struct session *s);
void fn_register_rows(struct session *s);
void fn_register_misc(struct session *s);
void fn_register_cdc(struct session *s);

#endif
