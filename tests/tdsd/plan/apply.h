#ifndef TDSD_APPLY_H
#define TDSD_APPLY_H

#include "plan/translate.h"

/*
 * CROSS and OUTER APPLY. SQLite has no LATERAL, but the arguments of a
 * table-valued function may come from tables to its left. So the right side
 * of an APPLY becomes a statement of its own, and a virtual table "apply<n>"
 * runs it once for each row, with the outer columns it mentions as arguments.
 */
#define APPLY_ARGS 48

struct apply {
	struct arena pool;
	const char *sql;
	int columns;
	struct plan_needs needs;
	const char
		*args[APPLY_ARGS]; /* SQLite expressions of the outer query */
	int arg_count;
	sqlite3_stmt *idle; /* prepared and not in use */
};

struct apply *apply_new(struct tr *t);
void apply_free(struct apply *a);

/* The SQLite table expression: "apply16(id, a1.c1, a2.c3)". */
const char *apply_call(struct tr *t, struct apply *a);

/*
 * A column was found in `found`. When APPLYs lie between there and here, it
 * becomes an argument of each.
 */
struct ex apply_outer_column(struct tr *t, struct scope *found, struct ex x);

/* The virtual tables. */
void apply_register(struct session *s);

#endif
