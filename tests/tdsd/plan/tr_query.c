/*
 * One SELECT becomes one SELECT of SQLite with its columns named x1, x2, …;
 * set operations convert both sides to the common types. TOP is LIMIT, and
 * where LIMIT is not enough (PERCENT, WITH TIES) a window function around it.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plan/query.h"
#include "sql/lex.h"
#include "sql/parse.h"
#include "value/collation.h"

const char *tr_item_name(const struct select_item *item)
{
	const struct expr *e = item->expr;

	if (item->alias)
		return item->alias;
	if (!e)
		return "";
	if (e->kind == EX_COLLATE)
		e = e->a;
	if (e->kind == EX_COLUMN)
		return e->name.part[e->name.count - 1];
	return "";
}

/* One output column in the making. */
struct item {
	struct ex x;
	const char *name;
	const struct expr *ast; /* NULL for what a star gave */
	struct out_column out;
};

struct select {
	const struct query *q;
	struct scope scope;
	struct item *items;
	int count, room;
	const char *from, *where, *having;
	struct strbuf group, order;
	struct with_clause with;
	bool top_level;		  /* ORDER BY is allowed without TOP */
	const char *window_order; /* ORDER BY without positions */
};

static bool limited(const struct query *q)
{
	return q->top || q->offset;
}

/* --- the select list --- */

static void add_item(struct tr *t, struct select *sel, struct ex x,
		     const char *name, const struct expr *ast)
{
	struct item *i;

	if (type_is_clr(x.type))
		tr_fail(t, 40517, type_name(x.type), NULL);
	MEM_GROW(sel->items, sel->count, sel->room);
	i = &sel->items[sel->count++];
	memset(i, 0, sizeof(*i));
	i->x = x;
	i->name = name ? name : "";
	i->ast = ast;
	i->out.name = i->name;
	i->out.type = x.type;
	i->out.nullable = x.nullable;
	i->out.base = x.column;
	i->out.base_table = x.table;
	i->out.computed = !x.column && !x.derived;
	if (x.derived) {
		i->out.identity = x.derived->identity;
		i->out.computed = x.derived->computed;
		i->out.seed = x.derived->seed;
		i->out.increment = x.derived->increment;
	}
	if (x.column && x.column->identity) {
		i->out.identity = true;
		i->out.seed = x.column->seed;
		i->out.increment = x.column->increment;
	}
}

static bool prefix_is(const struct source *src, const struct name *p)
{
	const char *last = p->part[p->count - 1];
	const char *own = src->alias	  ? src->alias
			  : src->has_full ? src->full.part[src->full.count - 1]
					  : "";

	if (strcasecmp(last, own) != 0)
		return false;
	if (p->count > 1 && src->alias)
		return false;
	if (p->count > 1 && src->full.count > 1)
		return !strcasecmp(p->part[p->count - 2],
				   src->full.part[src->full.count - 2]);
	return true;
}

/* The columns of the row in hand, for "inserted.*" in OUTPUT. */
static bool star_of_row(struct tr *t, struct select *sel,
			const struct select_item *item)
{
	struct row_scope *r;
	int i;

	for (r = t->row; r; r = r->next) {
		if (!r->prefix || !item->prefix.count ||
		    strcasecmp(r->prefix, item->prefix.part[0]) != 0)
			continue;
		for (i = 0; i < r->table->count; i++) {
			struct name n = {
				.count = 2,
				.part = {r->prefix, r->table->columns[i].name},
				.line = item->line};

			add_item(t, sel, tr_column(t, &n),
				 r->table->columns[i].name, NULL);
		}
		return true;
	}
	return false;
}

static void star(struct tr *t, struct select *sel,
		 const struct select_item *item)
{
	struct source *src;
	bool any = false;
	int i;

	for (src = sel->scope.first; src && !t->failed; src = src->next) {
		if (item->prefix.count && !prefix_is(src, &item->prefix))
			continue;
		any = true;
		for (i = 0; i < src->count && !t->failed; i++) {
			struct name n = {.count = 1,
					 .part = {src->columns[i].name},
					 .line = item->line};
			struct scope alone = sel->scope;
			struct source only = *src;

			if (src->columns[i].hidden)
				continue;
			only.next = NULL;
			alone.first = &only;
			t->scope = &alone;
			add_item(t, sel, tr_column(t, &n), src->columns[i].name,
				 NULL);
			t->scope = &sel->scope;
		}
	}
	if (any)
		return;
	if (star_of_row(t, sel, item))
		return;
	if (item->prefix.count)
		tr_fail(t, 107, item->prefix.part[item->prefix.count - 1],
			NULL);
	else
		tr_fail_text(t, 263, 16, "Must specify table to select from.");
}

static int64_t number_of(const struct expr *e)
{
	if (e->kind == EX_NEGATE)
		return -number_of(e->a);
	return e->kind == EX_LITERAL ? strtoll(e->text, NULL, 10) : 1;
}

/* IDENTITY(int, seed, increment) of SELECT INTO */
static void identity_item(struct out_column *o, const struct expr *args)
{
	o->identity = true;
	o->nullable = false;
	o->seed = args ? number_of(args) : 1;
	o->increment = args && args->next ? number_of(args->next) : 1;
}

static void select_list(struct tr *t, struct select *sel)
{
	const struct select_item *item;

	sel->scope.clause = "select list";
	sel->scope.allow_aggregates = sel->scope.allow_windows = true;
	for (item = sel->q->items; item && !t->failed; item = item->next) {
		struct ex x;

		t->line = item->line;
		if (!item->expr) {
			star(t, sel, item);
			continue;
		}
		if (item->alias && !item->alias[0]) {
			tr_fail(t, 1038, NULL);
			return;
		}
		x = tr_expr(t, item->expr);
		add_item(t, sel, x, tr_item_name(item), item->expr);
		if (item->expr->kind == EX_CALL && item->expr->type)
			identity_item(&sel->items[sel->count - 1].out,
				      item->expr->args);
	}
}

/* --- grouping --- */

bool expr_has_window(const struct expr *e)
{
	const struct expr *arg;

	if (!e)
		return false;
	if (e->kind == EX_CALL && e->over)
		return true;
	for (arg = e->args; arg; arg = arg->next)
		if (expr_has_window(arg))
			return true;
	return expr_has_window(e->a) || expr_has_window(e->b) ||
	       expr_has_window(e->c);
}

static bool needs_grouping(const struct query *q)
{
	const struct select_item *item;
	const struct order_item *o;

	if (q->grouped || q->having)
		return true;
	for (item = q->items; item; item = item->next)
		if (expr_has_aggregate(item->expr))
			return true;
	for (o = q->order; o; o = o->next)
		if (expr_has_aggregate(o->expr))
			return true;
	return false;
}

static void group_by(struct tr *t, struct select *sel)
{
	const struct query *q = sel->q;
	struct expr *e;
	int n = 0;

	if (!needs_grouping(q))
		return;
	for (e = q->group; e; e = e->next)
		n++;
	sel->scope.groups =
		pool_alloc(t->pool, (size_t)(n + 1) * sizeof(struct expr *));
	sel->scope.clause = "GROUP BY";
	for (e = q->group; e && !t->failed; e = e->next) {
		struct ex x;

		if (expr_has_aggregate(e) || e->kind == EX_SUBQUERY) {
			tr_fail(t, 144, NULL);
			return;
		}
		x = tr_expr(t, e);
		if (x.literal) {
			diag_free_text(t->d, 164, 15, 1,
				       "Each GROUP BY expression must contain "
				       "at least one column that is not an "
				       "outer reference.");
			t->d->line = e->line;
			t->failed = true;
			return;
		}
		if (sel->scope.group_count)
			strbuf_addch(&sel->group, ',');
		strbuf_addstr(&sel->group, tr_collated(t, x));
		sel->scope.groups[sel->scope.group_count++] = e;
	}
	sel->scope.grouped = true;
}

/* --- ORDER BY --- */

/* The select item that an ORDER BY expression means, or -1. */
static int find_item(struct tr *t, struct select *sel, const struct expr *e)
{
	int i, found = -1;

	if (e->kind == EX_COLUMN && e->name.count == 1) {
		for (i = 0; i < sel->count; i++) {
			if (strcasecmp(sel->items[i].name, e->name.part[0]) !=
			    0)
				continue;
			if (found >= 0 && strcmp(sel->items[found].x.sql,
						 sel->items[i].x.sql) != 0) {
				tr_fail(t, 209, e->name.part[0], NULL);
				return -1;
			}
			if (found < 0)
				found = i;
		}
		if (found >= 0)
			return found;
	}
	for (i = 0; i < sel->count; i++)
		if (sel->items[i].ast && expr_same(t, sel->items[i].ast, e))
			return i;
	return -1;
}

static struct ex order_value(struct tr *t, struct select *sel,
			     const struct order_item *o, int place, int *item)
{
	const struct expr *e =
		(o->expr->kind == EX_PLUS ? o->expr->a : o->expr);
	struct ex x;

	*item = -1;
	if (e->kind == EX_LITERAL && e->op == T_INT) {
		int n = atoi(e->text);

		if (n < 1 || n > sel->count) {
			diag_set(t->d, 108, n);
			t->d->line = e->line;
			t->failed = true;
			return tr_nothing();
		}
		*item = n - 1;
		return sel->items[n - 1].x;
	}
	*item = find_item(t, sel, e);
	if (t->failed)
		return tr_nothing();
	if (*item >= 0)
		return sel->items[*item].x;
	if (sel->q->distinct)
		return tr_fail(t, 145, NULL);
	if (e->kind == EX_LITERAL) {
		diag_set(t->d, 408, place);
		t->d->line = e->line;
		t->failed = true;
		return tr_nothing();
	}
	x = tr_expr(t, e);
	/* SQLite takes an integer literal for a position */
	if (x.literal)
		x.sql = tr_printf(t, "(SELECT %s)", x.sql);
	return x;
}

static void order_by(struct tr *t, struct select *sel)
{
	const struct query *q = sel->q;
	const struct order_item *o;
	struct strbuf window;
	int place = 0, item;

	if (!q->order)
		return;
	if (!sel->top_level && !limited(q) && !q->for_clause) {
		tr_fail(t, 1033, NULL);
		return;
	}
	sel->scope.clause = "ORDER BY";
	strbuf_init(&window);
	for (o = q->order; o && !t->failed; o = o->next) {
		struct ex x = order_value(t, sel, o, ++place, &item);
		struct ex shown = x;

		if (type_is_lob(x.type) && x.type.len != TYPE_MAX &&
		    !t->failed) {
			tr_fail(t, 306, NULL);
			break;
		}
		if (item >= 0)
			shown.sql = tr_printf(t, "%d", item + 1);
		strbuf_addf(&sel->order, "%s%s%s", place > 1 ? "," : "",
			    tr_collated(t, shown), o->desc ? " DESC" : "");
		strbuf_addf(&window, "%s%s%s", place > 1 ? "," : "",
			    tr_collated(t, x), o->desc ? " DESC" : "");
	}
	sel->window_order = pool_strndup(t->pool, window.data, window.len);
	strbuf_release(&window);
}

/* --- TOP, OFFSET --- */

static const char *row_limit(struct tr *t, const struct expr *e)
{
	struct ex x;
	struct scope *save = t->scope;

	/* columns of the query are not to be seen here */
	if (save)
		t->scope = save->outer;
	x = tr_expr(t, e);
	t->scope = save;
	if (type_is_text(x.type) && !t->failed)
		return tr_fail(t, 1060, NULL), "0";
	x = tr_implicit(t, x, type_of(TY_BIGINT));
	if (x.literal && x.value.cls == VAL_INT && x.value.i >= 0)
		return x.sql;
	return tr_printf(t, "topn(%s)", x.sql);
}

const char *tr_limit(struct tr *t, const struct query *q)
{
	const char *offset;

	if (q->top && q->offset) {
		tr_fail(t, 10741, NULL);
		return "";
	}
	if (q->top)
		return tr_printf(t, " LIMIT %s", row_limit(t, q->top));
	if (!q->offset)
		return "";
	offset = row_limit(t, q->offset);
	return tr_printf(t, " LIMIT %s OFFSET %s",
			 q->fetch ? row_limit(t, q->fetch) : "-1", offset);
}

/* --- putting it together --- */

static void head(struct tr *t, struct select *sel, struct strbuf *sb)
{
	bool collate = sel->q->distinct;
	int i;

	strbuf_addstr(sb, sel->q->distinct ? "SELECT DISTINCT " : "SELECT ");
	for (i = 0; i < sel->count; i++) {
		struct ex x = sel->items[i].x;

		if (collate && type_is_lob(x.type) && x.type.len != TYPE_MAX)
			tr_fail(t, 421, type_name(x.type), NULL);
		strbuf_addf(sb, "%s%s AS x%d", i ? "," : "",
			    collate ? tr_collated(t, x) : x.sql, i + 1);
	}
}

static void body(struct select *sel, struct strbuf *sb)
{
	if (sel->from && *sel->from)
		strbuf_addf(sb, " FROM %s", sel->from);
	if (sel->where)
		strbuf_addf(sb, " WHERE %s", sel->where);
	if (sel->group.len)
		strbuf_addf(sb, " GROUP BY %s", sel->group.data);
	else if (sel->having && sel->q->having)
		strbuf_addstr(sb, " GROUP BY NULL");
	if (sel->having)
		strbuf_addf(sb, " HAVING %s", sel->having);
}

/* The base tables' row ids, for UPDATE and DELETE through this query. */
static void row_ids(struct tr *t, struct select *sel, struct rel *rel,
		    struct strbuf *sb)
{
	struct source *src;
	int n = 0, i;

	if (!t->want_rowids || sel->q->distinct || sel->scope.grouped)
		return;
	for (src = sel->scope.first; src; src = src->next)
		n += src->table ? 1 : src->base_count;
	rel->bases = pool_alloc(t->pool, (size_t)(n + 1) * sizeof(*rel->bases));
	for (src = sel->scope.first; src; src = src->next) {
		if (src->table) {
			rel->bases[rel->base_count++] = src->table;
			strbuf_addf(sb, ",%s.rowid AS r%d", src->sql_alias,
				    rel->base_count);
		}
		for (i = 0; i < src->base_count; i++) {
			rel->bases[rel->base_count++] = src->bases[i];
			strbuf_addf(sb, ",%s.r%d AS r%d", src->sql_alias, i + 1,
				    rel->base_count);
		}
	}
}

const char *tr_names_x(struct tr *t, int count)
{
	struct strbuf sb;
	const char *text;
	int i;

	strbuf_init(&sb);
	for (i = 1; i <= count; i++)
		strbuf_addf(&sb, "%sx%d", i > 1 ? "," : "", i);
	text = pool_strndup(t->pool, sb.data, sb.len);
	strbuf_release(&sb);
	return text;
}

static void assemble(struct tr *t, struct select *sel, struct rel *rel,
		     struct strbuf *sb)
{
	const struct query *q = sel->q;
	const char *over = sel->window_order ? sel->window_order : "NULL";
	bool wrapped = q->top && (q->top_percent || q->top_ties);

	if (wrapped) {
		const char *names = tr_names_x(t, sel->count);
		const char *n = row_limit(t, q->top);

		if (q->top_ties && !q->order)
			tr_fail(t, 1062, NULL);
		strbuf_addf(sb, "SELECT %s FROM (", names);
		head(t, sel, sb);
		row_ids(t, sel, rel, sb);
		strbuf_addf(sb,
			    ",%s OVER (ORDER BY %s) AS rk,"
			    "count(*) OVER () AS rn",
			    q->top_ties ? "rank()" : "row_number()", over);
		body(sel, sb);
		strbuf_addf(sb, ") WHERE rk <= %s",
			    q->top_percent
				    ? tr_printf(t, "ceil(%s * rn / 100.0)", n)
				    : n);
		if (q->order)
			strbuf_addstr(sb, " ORDER BY rk");
		return;
	}
	head(t, sel, sb);
	row_ids(t, sel, rel, sb);
	if (sel->scope.recursive)
		strbuf_addf(sb, ",rec_level(%s.lvl + 1, %d) AS lvl",
			    sel->scope.recursive, t->max_recursion);
	body(sel, sb);
	if (sel->order.len)
		strbuf_addf(sb, " ORDER BY %s", sel->order.data);
	strbuf_addstr(sb, tr_limit(t, q));
}

void tr_begin_with(struct tr *t, struct with_clause *w, const struct cte *ctes)
{
	memset(w, 0, sizeof(*w));
	w->save_ctes = t->ctes;
	if (!ctes)
		return;
	w->own = true;
	w->save = t->with;
	strbuf_init_max(&w->text, (size_t)512 << 20);
	t->with = &w->text;
	tr_push_ctes(t, ctes);
}

void tr_end_with(struct tr *t, struct with_clause *w, struct strbuf *sb)
{
	struct strbuf whole;

	t->ctes = w->save_ctes;
	if (!w->own)
		return;
	if (w->text.len) {
		strbuf_init_max(&whole, (size_t)512 << 20);
		strbuf_addf(&whole, "WITH RECURSIVE %s ", w->text.data);
		strbuf_add(&whole, sb->data, sb->len);
		strbuf_release(sb);
		*sb = whole;
	}
	strbuf_release(&w->text);
	t->with = w->save;
}

static bool one_row(const struct query *q, const struct scope *scope)
{
	if (scope->grouped && !q->group)
		return true;
	if (!q->from)
		return true;
	return q->top && !q->top_percent && !q->top_ties &&
	       q->top->kind == EX_LITERAL && !strcmp(q->top->text, "1");
}

static void where_clause(struct tr *t, struct select *sel)
{
	sel->scope.clause = "WHERE";
	if (!sel->q->where)
		return;
	if (expr_has_aggregate(sel->q->where)) {
		tr_fail(t, 147, NULL);
		return;
	}
	sel->where = tr_cond(t, sel->q->where);
}

static struct rel *select_query(struct tr *t, const struct query *q,
				bool top_level)
{
	struct rel *rel = pool_alloc(t->pool, sizeof(*rel));
	struct select sel;
	struct strbuf sb;
	int i;

	memset(&sel, 0, sizeof(sel));
	sel.q = q;
	sel.top_level = top_level;
	strbuf_init(&sel.group);
	strbuf_init(&sel.order);
	strbuf_init(&sb);
	tr_begin_with(t, &sel.with, q->ctes);
	tr_push_scope(t, &sel.scope);
	sel.from = tr_from(t, q->from);
	if (!t->failed)
		where_clause(t, &sel);
	if (!t->failed)
		group_by(t, &sel);
	if (!t->failed)
		select_list(t, &sel);
	if (q->having && !t->failed) {
		sel.scope.clause = "HAVING";
		sel.having = tr_cond(t, q->having);
	}
	if (!t->failed)
		order_by(t, &sel);
	if (!t->failed)
		assemble(t, &sel, rel, &sb);
	tr_pop_scope(t);
	tr_end_with(t, &sel.with, &sb);
	rel->sql = pool_strndup(t->pool, sb.data, sb.len);
	rel->count = sel.count;
	rel->columns = pool_alloc(t->pool, (size_t)(sel.count + 1) *
						   sizeof(*rel->columns));
	for (i = 0; i < sel.count; i++)
		rel->columns[i] = sel.items[i].out;
	rel->simple = !limited(q) && !q->order && !q->ctes;
	rel->single_row = one_row(q, &sel.scope);
	strbuf_release(&sel.group);
	strbuf_release(&sel.order);
	strbuf_release(&sb);
	free(sel.items);
	return rel;
}

struct rel *tr_any_query(struct tr *t, const struct query *q, bool top_level)
{
	struct rel *rel;

	if (t->failed || ++t->depth > 600) {
		if (!t->failed)
			tr_fail(t, 8631, NULL);
		rel = pool_alloc(t->pool, sizeof(*rel));
		rel->sql = "SELECT NULL AS x1";
		rel->columns = pool_alloc(t->pool, sizeof(*rel->columns));
		return rel;
	}
	t->line = q->line ? q->line : t->line;
	if (q->kind == Q_VALUES)
		rel = tr_values(t, q);
	else if (q->kind != Q_SELECT)
		rel = tr_set_query(t, q, top_level);
	else
		rel = select_query(t, q, top_level);
	t->depth--;
	return rel;
}

struct rel *tr_query(struct tr *t, const struct query *q)
{
	return tr_any_query(t, q, false);
}

struct rel *tr_top_query(struct tr *t, const struct query *q)
{
	if (q->max_recursion >= 0)
		t->max_recursion = q->max_recursion ? q->max_recursion : -1;
	return tr_any_query(t, q, true);
}
