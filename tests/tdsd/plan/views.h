#ifndef TDSD_VIEWS_H
#define TDSD_VIEWS_H

#include "plan/translate.h"

/* Table sources that are queries in disguise. NULL with `failed` unset: none. */

/* sys.tables, INFORMATION_SCHEMA.COLUMNS, sysobjects, … */
struct rel *views_system(struct tr *t, const struct name *name);

/* A user's view. */
struct rel *views_user(struct tr *t, struct table *view);

/* An inline function with its arguments put in. */
struct rel *views_inline(struct tr *t, struct table *fn,
			 const struct expr *args);

/* f(args): STRING_SPLIT, CHANGETABLE, fn_… and users' functions. */
struct rel *views_function(struct tr *t, const struct table_ref *ref);

/* Translate a CTE, unless it was already, and put it into t->with. */
void views_cte(struct tr *t, struct cte_def *cte);

/* The same CTEs as if none had been used yet, for a statement of its own. */
struct cte_def *views_fresh_ctes(struct tr *t, struct cte_def *ctes);

#endif
