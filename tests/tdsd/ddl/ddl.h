#ifndef TDSD_DDL_H
#define TDSD_DDL_H

#include "exec/run.h"
#include "store/catalog.h"

/*
 * Changing the catalog. All of it happens inside the statement's transaction
 * with the file ready to be written, and is undone by a rollback.
 */
struct ddl {
	struct session *s;
	struct attached *home;
	struct arena *pool; /* the statement's */
	struct diag *d;
	struct stmt *st;
};

/* Prepare to change this file: permissions, locks, version. */
int ddl_begin(struct ddl *x, struct session *s, struct attached *home,
	      struct arena *pool, struct diag *d);

/*
 * Where a new object of this name goes: its file and schema. 2760 when the
 * schema does not exist or the user may not alter it, 262 when the user lacks
 * `right` in the database; NULL: the caller looks.
 */
int ddl_place(struct ddl *x, const struct name *name, const char *right,
	      int *schema_id);

/* 2714 when the name is taken. */
int ddl_check_free(struct ddl *x, int schema_id, const char *name);

/* A new row of _objects. Returns the id or -1. */
int ddl_add_object(struct ddl *x, int schema_id, int parent_id, int parent_col,
		   const char *name, const char *type, const char *text,
		   const char *extra, bool system_named);
int ddl_remove_object(struct ddl *x, int id);

/* Make the table anew in memory after its catalog rows have changed. */
struct table *ddl_reload(struct ddl *x, struct table *t);

/* --- tables --- */
int ddl_create_table(struct ddl *x, int schema_id, const char *name,
		     struct column_def *columns,
		     struct constraint_def *constraints,
		     struct index_def *indexes, int *id);
/* From the columns of a result: SELECT INTO. */
int ddl_create_like(struct ddl *x, int schema_id, const char *name,
		    const struct out_column *columns, int count, int *id);
int ddl_drop_table(struct ddl *x, struct table *t);

/* --- columns --- */

/* A column from its definition; `t` has those before it. */
int ddl_make_column(struct ddl *x, struct table *t,
		    const struct column_def *def, int ordinal,
		    struct column *out);
int ddl_store_column(struct ddl *x, const struct table *t,
		     const struct column *c);

/* --- constraints and indexes --- */
int ddl_add_constraint(struct ddl *x, struct table **t,
		       const struct constraint_def *def, bool no_check,
		       bool new_table);
int ddl_drop_constraint(struct ddl *x, struct table **t, const char *name,
			bool if_exists);
int ddl_add_index(struct ddl *x, struct table *t, const struct index_def *def,
		  bool primary, bool constraint, int constraint_id,
		  const char *name);
int ddl_drop_index(struct ddl *x, struct table *t, const struct index *ix);
/* SQLite's side of an index. */
int ddl_make_physical(struct ddl *x, struct table *t, struct index *ix);
int ddl_drop_physical(struct ddl *x, struct table *t, const struct index *ix);

/* Generated names such as PK__orders__3213E83F2D1C8B1A. */
const char *ddl_name(struct ddl *x, const char *prefix, const char *table,
		     const char *column);

/* Do all rows satisfy a condition? 0; else 547 with the constraint's name. */
int ddl_check_rows(struct ddl *x, struct table *t, const struct check *c);
int ddl_check_fk(struct ddl *x, struct table *t, const struct fkey *f);

/* Fill a stored column of existing rows with an expression's value. */
int ddl_fill_column(struct ddl *x, struct table *t, const struct column *c,
		    const char *text);

/* Rewrite the SQLite table (ALTER COLUMN and the like). */
int ddl_rebuild(struct ddl *x, struct table *t, bool use_rowid_key);

/* --- statements --- */
int ddl_alter_table(struct ddl *x, const struct alter_table *a);
int ddl_switch(struct ddl *x, struct table *from, struct table *to);
int ddl_drop(struct ddl *x, const struct drop *drop);
int ddl_create_index(struct ddl *x, const struct name *table,
		     const struct index_def *def);
int ddl_create_module(struct ddl *x, struct create_module *m,
		      const char *batch);
int ddl_rename(struct ddl *x, const char *object, const char *new_name,
	       const char *type);
int ddl_truncate(struct ddl *x, struct table *t);
int ddl_record_cdc(struct ddl *x, const struct table *t, const char *command);

/* Outside of transactions. */
int ddl_create_database(struct session *s, const struct create_database *c,
			struct diag *d);
int ddl_alter_database(struct session *s, const struct create_database *c,
		       struct diag *d);
int ddl_drop_database(struct session *s, const char *name, bool if_exists,
		      struct diag *d);

#endif
