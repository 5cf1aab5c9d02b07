#ifndef TDSD_DML_H
#define TDSD_DML_H

#include "dml/write.h"
#include "exec/stmts.h"

/* What INSERT, UPDATE and DELETE have in common. */

/* OUTPUT: one for the client, one INTO a table. */
struct output_plan {
	struct plan plan;      /* the expressions; only sql, columns, needs */
	struct table *into;    /* we hold a reference; NULL: to the client */
	int *into_map;	       /* place in `into` of each output */
	struct row_store rows; /* collected while the statement runs */
};

struct dml_plan {
	struct table *target; /* we hold a reference */
	struct output_plan *outputs[2];
	int output_count;
	/* INSERT */
	int *map; /* column of the target for each output column */
	bool identity_given;
	bool from_target; /* the source reads the target: keep rows first */
	/* UPDATE, DELETE */
	bool *set;
	int set_count;
	int *set_columns;   /* target column of each SET, -1: only @x */
	int *set_vars;	    /* variable slot, -1: none */
	bool many_sources;  /* a row may come up twice */
	const char *direct; /* DELETE that SQLite can do by itself, or NULL */
	int extra_at, extra_count;
	bool whole_table;
};

void dml_plan_free(void *more);

/*
 * The plan of a writing statement, with the target's file ready to be
 * written and the plan good for the snapshot that this gave.
 */
struct plan *dml_get(struct session *s, struct stmt *st, plan_build *build,
		     struct diag *d, bool *compile);

/* Find and check the target table of a name or variable. */
struct table *dml_target(struct tr *t, const struct name *name,
			 const char *var);

/* The expression of a column's default, EX_NULL when it has none. */
struct expr *dml_default(struct tr *t, const struct column *c);

/* Compile an OUTPUT clause. `op` says which of inserted, deleted there are. */
struct output_plan *output_build(struct tr *t, const struct output_clause *o,
				 struct table *target, char op,
				 struct extras *extras);
void output_plan_free(struct output_plan *o);
/* One row for it. */
int output_plan_row(struct session *s, struct output_plan *o,
		    const struct val *row, const struct val *old,
		    const struct val *extra, struct diag *d);
/* Into the table, before the statement ends. */
int output_plan_into(struct session *s, struct output_plan *o, struct diag *d);
/* To the client, after it has ended. */
void output_plan_send(struct session *s, struct output_plan *o);

/* Run the driving query of UPDATE or DELETE and keep its rows. */
int dml_collect(struct session *s, struct plan *p, struct row_store *rows,
		struct diag *d);

/* The end of every writing statement. */
enum flow dml_done(struct session *s, struct stmt *st, bool ok, bool compile,
		   int64_t rows, int command, struct plan *p, struct diag *d);

/* A source that INSERT reads: also SELECT INTO and INSERT … EXEC use it. */
int insert_rows_from_store(struct session *s, struct table *t,
			   struct row_store *rows, const struct type *types,
			   const int *map, int count, int64_t *inserted,
			   struct diag *d);

#endif
