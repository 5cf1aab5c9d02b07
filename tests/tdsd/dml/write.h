#ifndef TDSD_WRITE_H
#define TDSD_WRITE_H

#include "cdc/large.h"
#include "dml/ops.h"
#include "exec/rows.h"

/*
 * One statement that writes one table. Rows go in one by one, each as an
 * array of values by column; write_finish() then checks what can only be
 * checked at the end, fires triggers and stores counters. Between
 * write_begin() and write_end() the statement can be undone.
 */
struct write {
	struct session *s;
	struct table *t;
	struct table_ops *ops;
	char op;	  /* 'I', 'U', 'D' */
	const char *verb; /* for messages: "INSERT", "UPDATE" */
	int64_t rows;
	bool fire_triggers, check_constraints;
	bool keep_identity; /* explicit values for the identity column */
	bool bulk;
	char mark[32]; /* savepoint, "" when none was needed */
	/* identity */
	bool identity_loaded, identity_used;
	int64_t identity_last; /* given out */
	int64_t rowversion;
	bool rowversion_loaded;
	/* UPDATE: which columns are set */
	bool *set;
	bool key_change;      /* a unique key is among them */
	sqlite3_stmt *update; /* only what changes */
	int *update_columns, update_count;
	int64_t command; /* order of statements in the log */
	/* of a table with a SYSTEM_TIME period; history.h */
	struct val row_start, row_end;
	struct table *history; /* NULL: rows that were are not kept */
	struct large_limit large;
	/* kept rows */
	bool keep_new, keep_old;
	struct row_store new_rows, old_rows;
	struct row_store self_keys; /* self-referencing rows to be checked */
	struct strbuf mem, fit;	    /* scratch of the current row */
	struct val *row;
	int depth;    /* of cascades */
	bool ignored; /* a row was left out: IGNORE_DUP_KEY */
};

/* Everything a row needs to know before; takes no reference to the table. */
int write_begin(struct write *w, struct session *s, struct table *t, char op,
		struct diag *d);

/* UPDATE: which columns will change (places in t->columns). */
int write_set_columns(struct write *w, const bool *set, struct diag *d);

/*
 * Insert: `values` by column in their column's own type; identity,
 * rowversion and computed columns are filled in here. `row` then shows the
 * whole row, good until the next call.
 */
int write_insert(struct write *w, const struct val *values, struct diag *d);

/* By row id; `old` may be NULL when nobody needs it. */
int write_delete(struct write *w, int64_t rowid, const struct val *old,
		 struct diag *d);

/* `values`: the whole new row. */
int write_update(struct write *w, int64_t rowid, const struct val *old,
		 const struct val *values, struct diag *d);

/* The second half of an update of keys: all old rows are gone by now. */
int write_update_insert(struct write *w, int64_t rowid, const struct val *old,
			const struct val *values, struct diag *d);

/* The end of the statement's rows. */
int write_finish(struct write *w, struct diag *d);

/* Undo when it failed; release. */
int write_end(struct write *w, bool failed, struct diag *d);

/* Does anybody need the old row's values? */
bool write_needs_old(const struct write *w);

/*
 * Convert a value to a column's type; error 2628 names the column. The result
 * may lie in `mem`.
 */
int write_convert(struct session *s, const struct table *t, int column,
		  const struct val *in, struct type from, struct strbuf *mem,
		  struct val *out, struct diag *d);

/* NOT NULL of one row; 515. */
int write_check_nulls(struct write *w, const struct val *row, struct diag *d);

/* fk.c */
int fk_check_row(struct write *w, const struct val *row, const struct val *old,
		 struct diag *d);
int fk_finish(struct write *w, struct diag *d);

/* unique.c: turn SQLite's complaint into 2601 or 2627. */
int unique_error(struct write *w, const struct val *row, int rc,
		 struct diag *d);

/* trigger.c */
bool trigger_wanted(const struct table *t, char op);
int trigger_fire(struct write *w, struct diag *d);

#endif
