/* Conditions: what WHERE, IF and CASE WHEN ask. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "plan/apply.h"
#include "plan/translate.h"
#include "sql/lex.h"
#include "sql/parse.h"
#include "value/collation.h"
#include "value/decimal.h"
#include "value/utf.h"

static const char *in_condition(struct tr *t, const struct expr *e)
{
	struct ex a = tr_expr(t, e->a);
	const struct expr *item;
	struct type common = a.type;
	struct ex *items;
	const char *list = "";
	enum coll_label label;
	int i = 0;

	if (e->query) {
		struct rel *r = tr_query(t, e->query);
		struct ex b;

		if (t->failed)
			return "NULL";
		if (r->count != 1) {
			tr_fail(t, 116, NULL);
			return "NULL";
		}
		b = tr_ex("x1", r->columns[0].type, true);
		b.label = type_is_text(b.type) ? COLL_IMPLICIT : COLL_NONE;
		common = type_common(a.type, b.type);
		if (type_is_text(a.type) && type_is_text(b.type)) {
			a.type.coll = (uint16_t)tr_collation(
				t, a, b, "equal to", &label);
		} else if (!type_same_storage(a.type, common) ||
			   !type_same_storage(b.type, common)) {
			a = tr_implicit(t, a, common);
			b = tr_implicit(t, b, common);
			return tr_printf(t, "(%s %sIN (SELECT %s FROM (%s)))",
					 tr_collated(t, a),
					 e->negated ? "NOT " : "", b.sql,
					 r->sql);
		}
		return tr_printf(t, "(%s %sIN (%s))", tr_collated(t, a),
				 e->negated ? "NOT " : "", r->sql);
	}
	items = pool_alloc(t->pool, (size_t)e->arg_count * sizeof(*items));
	for (item = e->args; item; item = item->next, i++) {
		items[i] = tr_expr(t, item);
		if (type_is_text(items[i].type) && type_is_text(a.type))
			a.type.coll = (uint16_t)tr_collation(
				t, a, items[i], "equal to", &label);
		common = type_common(common, items[i].type);
	}
	if (t->failed)
		return "NULL";
	if (a.type.kind == TY_VARIANT || common.kind == TY_VARIANT ||
	    type_is_lob(a.type)) {
		const char *any = "0";

		for (i = 0; i < e->arg_count; i++)
			any = tr_printf(
				t, "%s OR %s", any,
				tr_compare(t, OP_EQ, a, items[i], NULL));
		return tr_printf(t, "(%s (%s))", e->negated ? "NOT" : "", any);
	}
	if (!type_is_text(common)) {
		/* numbers: one type for all */
		a = tr_implicit(t, a, common);
		for (i = 0; i < e->arg_count; i++)
			items[i] = tr_implicit(t, items[i], common);
	}
	{
		struct strbuf sb;

		strbuf_init(&sb);
		for (i = 0; i < e->arg_count; i++) {
			strbuf_addstr(&sb, i ? "," : "");
			strbuf_addstr(&sb, items[i].sql);
		}
		list = pool_strndup(t->pool, sb.data, sb.len);
		strbuf_release(&sb);
	}
	return tr_printf(t, "(%s %sIN (%s))", tr_collated(t, a),
			 e->negated ? "NOT " : "", list);
}

static const char *like_condition(struct tr *t, const struct expr *e)
{
	struct ex a = tr_expr(t, e->a), b = tr_expr(t, e->b);
	struct ex c = e->c ? tr_expr(t, e->c) : tr_nothing();
	struct type wide = type_char(TY_NVARCHAR, TYPE_MAX, COLLATION_DEFAULT);
	enum coll_label label;
	bool unicode;
	int coll;

	/* trailing blanks of the text count for nvarchar only */
	unicode = type_is_unicode(a.type) || type_is_unicode(b.type);
	if (!type_is_text(a.type))
		a = tr_implicit(t, a,
				type_char(TY_VARCHAR, 8000, COLLATION_DEFAULT));
	if (!type_is_text(b.type))
		b = tr_implicit(t, b, wide);
	if (t->failed)
		return "NULL";
	coll = tr_collation(t, a, b, "like", &label);
	return tr_printf(t, "(%s like_(%s,%s,%s,%s,%d))",
			 e->negated ? "NOT" : "", a.sql, b.sql,
			 e->c ? c.sql : "NULL",
			 tr_pack(t, type_char(TY_NVARCHAR, 2, coll)), !unicode);
}

static const char *between_condition(struct tr *t, const struct expr *e)
{
	struct ex a = tr_expr(t, e->a), b = tr_expr(t, e->b);
	struct ex c = tr_expr(t, e->c);

	return tr_printf(t, "(%s (%s AND %s))", e->negated ? "NOT" : "",
			 tr_compare(t, OP_GE, a, b, NULL),
			 tr_compare(t, OP_LE, a, c, NULL));
}

static const char *quantified(struct tr *t, const struct expr *e)
{
	struct ex a = tr_expr(t, e->a), b;
	struct rel *r = tr_query(t, e->query);
	const char *cmp;

	if (t->failed)
		return "NULL";
	if (r->count != 1) {
		tr_fail(t, 116, NULL);
		return "NULL";
	}
	b = tr_ex("q.x1", r->columns[0].type, true);
	b.label = type_is_text(b.type) ? COLL_IMPLICIT : COLL_NONE;
	cmp = tr_compare(t, e->op, a, b, NULL);
	if (e->all)
		return tr_printf(t,
				 "(CASE WHEN EXISTS(SELECT 1 FROM (%s) q WHERE"
				 " NOT %s) THEN 0 WHEN EXISTS(SELECT 1 FROM"
				 " (%s) q WHERE %s IS NULL) THEN NULL ELSE 1"
				 " END)",
				 r->sql, cmp, r->sql, cmp);
	return tr_printf(t,
			 "(CASE WHEN EXISTS(SELECT 1 FROM (%s) q WHERE %s)"
			 " THEN 1 WHEN EXISTS(SELECT 1 FROM (%s) q WHERE %s"
			 " IS NULL) THEN NULL ELSE 0 END)",
			 r->sql, cmp, r->sql, cmp);
}

static const char *exists(struct tr *t, const struct expr *e)
{
	struct rel *r;

	t->uses_subquery = true;
	r = tr_query(t, e->query);
	if (t->failed)
		return "NULL";
	return tr_printf(t, "EXISTS(%s)", r->sql);
}

/* UPDATE(column) in a trigger. */
static const char *update_function(struct tr *t, const struct expr *e)
{
	int i;

	if (!t->frame || t->frame->kind != 'T' || e->arg_count != 1 ||
	    e->args->kind != EX_COLUMN) {
		tr_fail(t, 195, "UPDATE", NULL);
		return "NULL";
	}
	i = table_column(t->frame->trigger_table, e->args->name.part[0]);
	if (i < 0) {
		tr_fail(t, 207, e->args->name.part[0], NULL);
		return "NULL";
	}
	return tr_printf(t, "update_(%d)",
			 t->frame->trigger_table->columns[i].id);
}

static const char *condition(struct tr *t, const struct expr *e)
{
	struct ex a;

	switch (e->kind) {
	case EX_AND:
	case EX_OR: {
		const char *x = tr_cond(t, e->a), *y = tr_cond(t, e->b);

		return tr_printf(t, "(%s %s %s)", x,
				 e->kind == EX_AND ? "AND" : "OR", y);
	}
	case EX_NOT:
		return tr_printf(t, "(NOT %s)", tr_cond(t, e->a));
	case EX_COMPARE: {
		struct ex b;

		a = tr_expr(t, e->a);
		b = tr_expr(t, e->b);
		t->line = e->line;
		return tr_compare(t, e->op, a, b, NULL);
	}
	case EX_IS_NULL:
		a = tr_expr(t, e->a);
		return tr_printf(t, "(%s IS %sNULL)", a.sql,
				 e->negated ? "NOT " : "");
	case EX_BETWEEN:
		return between_condition(t, e);
	case EX_LIKE:
		return like_condition(t, e);
	case EX_IN:
		return in_condition(t, e);
	case EX_EXISTS:
		return exists(t, e);
	case EX_QUANTIFIED:
		t->uses_subquery = true;
		return quantified(t, e);
	case EX_CALL:
		return update_function(t, e);
	default:
		tr_fail_text(t, 4145, 15,
			     "An expression of non-boolean type specified in a "
			     "context where a condition is expected.");
		return "NULL";
	}
}

const char *tr_cond(struct tr *t, const struct expr *e)
{
	const char *sql = "NULL";

	if (t->failed)
		return sql;
	if (++t->depth > TR_DEPTH_MAX) {
		tr_fail(t, 8631, NULL);
		return sql;
	}
	/* a condition in the select list of a grouped query: its columns are
	 * checked one by one, nothing to do here */
	sql = condition(t, e);
	t->depth--;
	return sql;
}
