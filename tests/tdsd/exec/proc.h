#ifndef TDSD_PROC_H
#define TDSD_PROC_H

#include "exec/run.h"

/*
 * Calling procedures: EXEC, RPC, and the system procedures in C.
 */
struct call_arg {
	const char *name; /* "@p", NULL or "" when by position */
	struct val value; /* in its own type */
	struct type type;
	bool output;
	bool is_default;    /* DEFAULT was passed */
	struct cell result; /* after the call, for OUTPUT */
	struct type result_type;
	bool has_result;
	struct table *table; /* a table-valued parameter */
};

struct call {
	struct session *s;
	struct call_arg *args;
	int count;
	int status; /* return value */
	bool has_status;
	struct stmt *st; /* the EXEC, NULL for RPC */
	bool rpc;
};

/* By name; with its own errors. */
enum flow proc_call(struct session *s, const struct name *name, struct call *c);

/* A system procedure in C. */
struct sysproc {
	const char *name;
	enum flow (*run)(struct call *c);
};
const struct sysproc *sysproc_find(const char *name);
const struct sysproc *sysproc_at(int index); /* NULL behind the end */

/* Helpers for them. The n-th argument, or the one of that name. */
struct call_arg *call_get(struct call *c, int n, const char *name);
/* Its value as text or number; NULL/`dflt` when absent or NULL. */
const char *call_text(struct call *c, int n, const char *name,
		      struct arena *pool);
int64_t call_int(struct call *c, int n, const char *name, int64_t dflt);
bool call_given(struct call *c, int n, const char *name);
/* Fail as the statement. */
enum flow call_error(struct call *c, struct diag *d);
/* Refuse names that the procedure does not know; 8145. */
int call_check(struct call *c, const char *proc, const char *const *names,
	       struct diag *d);
/* A result set from SQLite SQL with `columns` as "name:type,…". */
enum flow call_result(struct call *c, const char *columns, const char *sql);
/* Run T-SQL as part of the procedure. */
enum flow call_sql(struct call *c, const char *fmt, ...);

#endif
