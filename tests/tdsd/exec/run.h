#ifndef TDSD_RUN_H
#define TDSD_RUN_H

#include "exec/frame.h"
#include "exec/plan.h"
#include "exec/session.h"

/* How a statement ended, for the block around it. */
enum flow {
	FLOW_OK,
	FLOW_BREAK,
	FLOW_CONTINUE,
	FLOW_RETURN, /* the frame is done */
	FLOW_GOTO,   /* to frame->goto_label */
	FLOW_THROW,  /* s->thrown waits for a CATCH */
	FLOW_ABORT,  /* the whole batch is done */
};

/* A batch from the client, or EXEC ('…'). */
void run_batch(struct session *s, const char *sql, size_t len);

/* Statements in a row. */
enum flow run_block(struct session *s, struct stmt *first);
enum flow run_stmt(struct session *s, struct stmt *st);

/*
 * An error of a running statement: sent to the client, or kept for a CATCH.
 * `compile`: names could not be bound, which ends the scope.
 */
enum flow run_error(struct session *s, struct diag *d, const struct stmt *st,
		    bool compile);

/* An informational message. */
void run_info(struct session *s, const struct diag *d);

/* EXEC (N'…') and sp_executesql without parameters: a frame of its own. */
enum flow run_text(struct session *s, const char *sql, size_t len, char kind);

/* Declare the variables of a list of statements in the current frame. */
int run_declare_all(struct session *s, struct stmt *first, struct diag *d);

/* Bind one parameter of a plan. */
void run_bind_param(struct session *s, sqlite3_stmt *st, int at,
		    const struct param *p);
void run_bind_val(sqlite3_stmt *st, int at, const struct val *v);
struct val run_column(sqlite3_stmt *st, int col);

/* Assign to a variable, converted to its type. */
int run_assign(struct session *s, struct variable *v, const struct val *val,
	       struct type from, struct diag *d);

/* Evaluate one expression that needs no cached plan, e.g. a default. */
int run_value(struct session *s, const struct expr *e, struct type want,
	      struct cell *out, struct diag *d);

/* SQLite finished or failed: 1 a row, 0 the end, -1 with `d`. */
int run_step(struct session *s, sqlite3_stmt *st, struct diag *d);

#endif
