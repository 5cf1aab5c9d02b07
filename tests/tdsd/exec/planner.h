#ifndef TDSD_PLANNER_H
#define TDSD_PLANNER_H

#include <stddef.h>

#include "exec/session.h"
#include "sql/ast.h"

/*
 * Parsed batches by their text, with the plans that hang on them. A batch
 * that is running is not given out a second time (a recursion parses anew).
 */
struct cached_batch {
	struct arena pool;
	char *text;
	size_t len;
	bool quoted;
	struct batch_ast ast;
	bool busy, kept;
	int64_t used;
	struct cached_batch *next;
};

/* NULL with `d` when it does not parse. Give it back with plan_cache_put(). */
struct cached_batch *plan_cache_take(struct session *s, const char *sql,
				     size_t len, struct diag *d);
void plan_cache_put(struct session *s, struct cached_batch *b);
void plan_cache_clear(struct session *s);
void plan_cache_free(struct session *s);

/* Free the plans on all statements of a list. */
void plans_release(struct stmt *first);

#endif
