#ifndef TDSD_PLAN_H
#define TDSD_PLAN_H

#include "plan/translate.h"

/*
 * A translated statement, kept on its AST node and used again as long as the
 * catalogs it was made from have not changed.
 */
struct plan {
	struct arena pool;
	struct plan_needs needs;
	const char *sql;
	struct out_column *columns;
	int count;
	int *targets; /* SELECT @x = …: variable slot of each column */
	sqlite3_stmt *st;
	int64_t settings; /* SET options that translation depends on */
	struct database *db;
	uint64_t signature; /* of the frame's variables */
	/* more, owned by whoever built the plan */
	void *more;
	void (*more_free)(void *more);
};

/* Fill p->sql, columns, count with a translator that is set up for it. */
typedef int plan_build(struct session *s, struct plan *p, void *arg,
		       struct diag *d);

/*
 * The plan of a statement, made when there is none or it is stale; within the
 * statement's transaction. NULL with `d`; `*compile` says whether it was the
 * translation that failed.
 */
struct plan *plan_get(struct session *s, void **slot,
		      void (**slot_free)(void *), plan_build *build, void *arg,
		      struct diag *d, bool *compile);

/* A plan that is not kept. */
struct plan *plan_new(struct session *s, plan_build *build, void *arg,
		      struct diag *d);
void plan_free(void *plan);

/* Is it still good in the current snapshot? 1, 0, or -1 with `d`. */
int plan_valid(struct session *s, struct plan *p, struct diag *d);

/* Start a translator for a plan. */
void plan_tr(struct session *s, struct plan *p, struct tr *t, struct diag *d);

/*
 * The prepared statement with its variables bound; give it back with
 * plan_done(). NULL with `d`.
 */
sqlite3_stmt *plan_start(struct session *s, struct plan *p, struct diag *d);
void plan_done(struct plan *p, sqlite3_stmt *st);

/* Can this plan run without a transaction around it? */
bool plan_is_free(const struct plan *p);

/*
 * Evaluate expressions (a linked list, or one) as values of their own types.
 * Results are copied into `out`; `types` may be NULL.
 */
int eval_list(struct session *s, void **slot, void (**slot_free)(void *),
	      const struct expr *const *list, int count, struct cell *out,
	      struct type *types, struct diag *d, bool *compile);

/* A condition: 1, 0 (also for unknown), -1 with `d`. */
int eval_condition(struct session *s, void **slot, void (**slot_free)(void *),
		   const struct expr *e, struct diag *d, bool *compile);

#endif
