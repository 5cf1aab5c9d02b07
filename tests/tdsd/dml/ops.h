#ifndef TDSD_OPS_H
#define TDSD_OPS_H

#include "exec/plan.h"
#include "store/catalog.h"

/*
 * How to write one table: its prepared statements and its compiled checks and
 * computed columns. Made on first use, kept with the loaded table.
 */
struct table_ops {
	struct table *table;	 /* not counted: the table owns us */
	sqlite3_stmt *insert;	 /* ?1 … one for each stored column */
	sqlite3_stmt *insert_at; /* the same with the row id at the end */
	sqlite3_stmt *delete_;	 /* by row id */
	sqlite3_stmt *read;	 /* all stored columns by row id */
	struct plan *computed;	 /* values of computed_columns */
	int computed_count;
	int *computed_columns;
	struct plan *checks; /* one condition for each enabled check */
	int check_count;
	const struct check **check_list;
	struct fk_ops *out; /* one for each enabled foreign key */
	int out_count;
	struct fk_ops *in; /* one for each enabled key onto us */
	int in_count;
	bool enforced_in;
	int stored_count;
	int *stored; /* columns that are in SQLite's table */
};

struct fk_ops {
	const struct fkey *fk;
	sqlite3_stmt *find; /* out: the parent row; in: the child rows */
	sqlite3_stmt *self; /* in: does our table still have the key? */
};

/* NULL with `d` set. */
struct table_ops *ops_get(struct session *s, struct table *t, struct diag *d);
void ops_free(struct table_ops *o);

/* Fill the computed columns of a row. */
int ops_compute(struct session *s, struct table_ops *o, struct val *row,
		struct strbuf *mem, struct diag *d);

/*
 * Check constraints: NULL or the one that is violated; `*bad` when the
 * expression itself failed.
 */
const struct check *ops_check(struct session *s, struct table_ops *o,
			      const struct val *row, bool *bad, struct diag *d);

/* Bind a plan's parameters to the rows in hand. */
void ops_bind(struct session *s, struct plan *p, sqlite3_stmt *st,
	      const struct val *row, const struct val *old,
	      const struct val *extra);

#endif
