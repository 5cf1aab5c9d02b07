#ifndef TDSD_QUERY_H
#define TDSD_QUERY_H

#include "plan/translate.h"

/* The parts of query translation that know each other. */

/* A WITH clause being collected: tr_begin_with … tr_end_with. */
struct with_clause {
	bool own;
	struct strbuf text;
	struct strbuf *save;
	struct cte_def *save_ctes;
};

void tr_begin_with(struct tr *t, struct with_clause *w, const struct cte *ctes);
/* Puts the clause in front of `sb`. */
void tr_end_with(struct tr *t, struct with_clause *w, struct strbuf *sb);

/* The LIMIT clause of TOP, OFFSET and FETCH; "" when there is none. */
const char *tr_limit(struct tr *t, const struct query *q);

struct rel *tr_any_query(struct tr *t, const struct query *q, bool top_level);
struct rel *tr_values(struct tr *t, const struct query *q);
struct rel *tr_set_query(struct tr *t, const struct query *q, bool top_level);

/* "x1,x2,x3" */
const char *tr_names_x(struct tr *t, int count);

#endif
