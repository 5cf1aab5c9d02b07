#ifndef TDSD_TABLEVAR_H
#define TDSD_TABLEVAR_H

#include "exec/frame.h"
#include "plan/translate.h"
#include "store/catalog.h"

/*
 * Temporary tables of a session and what becomes of them: #t goes when the
 * procedure that made it ends, a table variable with its frame. Both live in
 * SQLite's temp schema.
 */

/* Make the table of a table variable. */
int tablevar_create(struct session *s, struct variable *v,
		    const struct param_def *def, struct diag *d);
/* The same from a table type. */
int tablevar_create_typed(struct session *s, struct variable *v,
			  const struct type_ref *type, struct diag *d);
/* Is it the name of a table type? */
int tablevar_is_type(struct session *s, const struct type_ref *type);

/* A table with the same columns: inserted and deleted of triggers. */
struct table *tablevar_like(struct session *s, const struct table *t,
			    struct diag *d);
/* From columns alone. */
struct table *tablevar_columns(struct session *s,
			       const struct out_column *columns, int count,
			       struct diag *d);

/* Drop it and give the reference back. */
void tablevar_drop(struct session *s, struct table *t);

/* Table variables keep their rows through a rollback. */
void tablevar_save(struct session *s);
void tablevar_restore(struct session *s);

/* #tables: remember one; drop those of a level that has ended; all. */
void temp_note(struct session *s, int id);
void temp_drop_level(struct session *s, int level);
void temp_drop_all(struct session *s);
/* A rollback may have taken the catalog itself. */
void temp_after_rollback(struct session *s);

#endif
