/*
 * GROUP BY ROLLUP, CUBE and GROUPING SETS: one SELECT for each set, joined by
 * UNION ALL. In each, the expressions that are not in the set are NULL.
 */
#include <string.h>
#include <strings.h>

#include "plan/query.h"
#include "sql/lex.h"

static struct expr *null_for(struct tr *t, const struct expr *e)
{
	/* keeps the type: CASE WHEN 1 = 0 THEN e END */
	struct expr *c = pool_alloc(t->pool, sizeof(*c));
	struct expr *cond = pool_alloc(t->pool, sizeof(*cond));
	struct expr *one = pool_alloc(t->pool, sizeof(*one));
	struct expr *zero, *copy = pool_alloc(t->pool, sizeof(*copy));

	one->kind = EX_LITERAL;
	one->op = (int)T_INT;
	one->text = "1";
	one->len = 1;
	zero = pool_alloc(t->pool, sizeof(*zero));
	*zero = *one;
	zero->text = "0";
	cond->kind = EX_COMPARE;
	cond->op = OP_EQ;
	cond->a = one;
	cond->b = zero;
	*copy = *e;
	copy->next = NULL;
	c->kind = EX_CALL;
	c->name.count = 1;
	c->name.part[0] = "max";
	c->args = pool_alloc(t->pool, sizeof(*c));
	c->args->kind = EX_CASE;
	c->args->arg_count = 1;
	c->args->args = cond;
	cond->next = copy;
	c->arg_count = 1;
	c->line = e->line;
	return c;
}

/* A copy of an expression where ungrouped columns are NULL. */
static struct expr *without(struct tr *t, const struct expr *e,
			    const struct expr *all, const struct expr *kept)
{
	const struct expr *g;
	struct expr *copy, **link;
	const struct expr *arg;

	if (!e)
		return NULL;
	for (g = kept; g; g = g->next)
		if (expr_same(t, g, e))
			break;
	if (!g)
		for (g = all; g; g = g->next)
			if (expr_same(t, g, e))
				return null_for(t, e);
	copy = pool_alloc(t->pool, sizeof(*copy));
	*copy = *e;
	copy->next = NULL;
	if (e->kind == EX_CALL && !e->over && e->name.count == 1 &&
	    !strcasecmp(e->name.part[0], "grouping") && e->args) {
		for (g = kept; g; g = g->next)
			if (expr_same(t, g, e->args))
				break;
		copy->kind = EX_LITERAL;
		copy->op = (int)T_INT;
		copy->text = g ? "0" : "1";
		copy->len = 1;
		return copy;
	}
	if (e->kind == EX_CALL && expr_has_aggregate(e))
		return copy; /* aggregates see the rows as they are */
	copy->a = without(t, e->a, all, kept);
	copy->b = without(t, e->b, all, kept);
	copy->c = without(t, e->c, all, kept);
	copy->args = NULL;
	link = &copy->args;
	for (arg = e->args; arg; arg = arg->next) {
		*link = without(t, arg, all, kept);
		link = &(*link)->next;
	}
	return copy;
}

static struct query *one_set(struct tr *t, const struct query *q,
			     const struct expr *all, struct expr *kept)
{
	struct query *copy = pool_alloc(t->pool, sizeof(*copy));
	struct select_item *item, **link = &copy->items;
	struct scope scope;

	*copy = *q;
	copy->group_kind = GROUP_PLAIN;
	copy->group = kept;
	copy->grouped = true;
	copy->order = NULL;
	copy->ctes = NULL;
	copy->top = NULL;
	copy->offset = copy->fetch = NULL;
	tr_push_scope(t, &scope);
	for (item = q->items; item; item = item->next) {
		*link = pool_alloc(t->pool, sizeof(**link));
		**link = *item;
		(*link)->next = NULL;
		(*link)->alias = tr_item_name(item)[0] ? tr_item_name(item)
						       : NULL;
		(*link)->expr = without(t, item->expr, all, kept);
		link = &(*link)->next;
	}
	copy->having = without(t, q->having, all, kept);
	tr_pop_scope(t);
	return copy;
}

/* The expressions of `list` whose bit is set, as a new list. */
static struct expr *subset(struct tr *t, const struct expr *list,
			   unsigned bits)
{
	struct expr *first = NULL, **link = &first;

	for (; list; list = list->next, bits >>= 1) {
		if (!(bits & 1))
			continue;
		*link = pool_alloc(t->pool, sizeof(**link));
		**link = *list;
		(*link)->next = NULL;
		link = &(*link)->next;
	}
	return first;
}

static struct expr *all_of_sets(struct tr *t, const struct query *q)
{
	struct expr *first = NULL, **link = &first;
	const struct group_set *s;
	const struct expr *e;

	for (s = q->sets; s; s = s->next)
		for (e = s->exprs; e; e = e->next) {
			*link = pool_alloc(t->pool, sizeof(**link));
			**link = *e;
			(*link)->next = NULL;
			link = &(*link)->next;
		}
	return first;
}

static struct query *union_all(struct tr *t, struct query *a, struct query *b)
{
	struct query *u;

	if (!a)
		return b;
	u = pool_alloc(t->pool, sizeof(*u));
	u->kind = Q_UNION_ALL;
	u->left = a;
	u->right = b;
	u->line = a->line;
	u->max_recursion = -1;
	return u;
}

static struct query *expand_sets(struct tr *t, const struct query *q)
{
	struct query *u = NULL;
	const struct group_set *s;
	const struct expr *e;
	unsigned i, n = 0;

	for (e = q->group; e; e = e->next)
		n++;
	if (n > 8) {
		diag_set(t->d, 10706, 32);
		t->failed = true;
		return NULL;
	}
	if (q->group_kind == GROUP_SETS) {
		struct expr *all = all_of_sets(t, q);

		for (s = q->sets; s; s = s->next)
			u = union_all(t, u,
				      one_set(t, q, all,
					      subset(t, s->exprs, ~0u)));
	} else if (q->group_kind == GROUP_ROLLUP) {
		for (i = 0; i <= n; i++)
			u = union_all(t, u,
				      one_set(t, q, q->group,
					      subset(t, q->group,
						     (1u << (n - i)) - 1)));
	} else {
		for (i = 0; i < 1u << n; i++)
			u = union_all(t, u,
				      one_set(t, q, q->group,
					      subset(t, q->group,
						     ~i & ((1u << n) - 1))));
	}
	u->order = q->order;
	u->offset = q->offset;
	u->fetch = q->fetch;
	u->ctes = q->ctes;
	return u;
}

struct rel *tr_grouping_sets(struct tr *t, const struct query *q,
			     bool top_level)
{
	struct query *u = expand_sets(t, q);

	if (!u) { /* failed: anything will do */
		u = pool_alloc(t->pool, sizeof(*u));
		u->kind = Q_VALUES;
	}
	return tr_any_query(t, u, top_level);
}
