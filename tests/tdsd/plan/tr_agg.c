#include <string.h>
#include <strings.h>

#include "plan/builtin.h"
#include "plan/translate.h"

enum agg_kind {
	AGG_COUNT,
	AGG_COUNT_BIG,
	AGG_SUM,
	AGG_AVG,
	AGG_MIN,
	AGG_MAX,
	AGG_FLOAT, /* stdev, var */
	AGG_CHECKSUM,
	AGG_STRING,
	AGG_RANK, /* row_number, rank, dense_rank */
	AGG_NTILE,
	AGG_LAG,     /* lag, lead */
	AGG_FIRST,   /* first_value, last_value */
	AGG_PERCENT, /* percent_rank, cume_dist */
};

static const struct aggregate {
	const char *name;
	enum agg_kind kind;
	const char *sqlite;
	bool window_only;
} aggregates[] = {
	{"count", AGG_COUNT, "count", false},
	{"count_big", AGG_COUNT_BIG, "count", false},
	{"approx_count_distinct", AGG_COUNT_BIG, "count", false},
	{"sum", AGG_SUM, NULL, false},
	{"avg", AGG_AVG, NULL, false},
	{"min", AGG_MIN, "min", false},
	{"max", AGG_MAX, "max", false},
	{"stdev", AGG_FLOAT, "stdev_", false},
	{"stdevp", AGG_FLOAT, "stdevp_", false},
	{"var", AGG_FLOAT, "var_", false},
	{"varp", AGG_FLOAT, "varp_", false},
	{"checksum_agg", AGG_CHECKSUM, "checksum_agg_", false},
	{"string_agg", AGG_STRING, "string_agg_", false},
	{"row_number", AGG_RANK, "row_number", true},
	{"rank", AGG_RANK, "rank", true},
	{"dense_rank", AGG_RANK, "dense_rank", true},
	{"ntile", AGG_NTILE, "ntile", true},
	{"lag", AGG_LAG, "lag", true},
	{"lead", AGG_LAG, "lead", true},
	{"first_value", AGG_FIRST, "first_value", true},
	{"last_value", AGG_FIRST, "last_value", true},
	{"percent_rank", AGG_PERCENT, "percent_rank", true},
	{"cume_dist", AGG_PERCENT, "cume_dist", true},
};

static const struct aggregate *find(const struct expr *e)
{
	size_t i;

	if (e->kind != EX_CALL || e->name.count != 1)
		return NULL;
	for (i = 0; i < LENGTH_OF(aggregates); i++)
		if (!strcasecmp(aggregates[i].name, e->name.part[0]))
			return &aggregates[i];
	return NULL;
}

bool expr_has_aggregate(const struct expr *e)
{
	const struct aggregate *a;
	const struct expr *arg;

	if (!e)
		return false;
	a = e->kind == EX_CALL && !e->over ? find(e) : NULL;
	if (a && !a->window_only)
		return true;
	for (arg = e->args; arg; arg = arg->next)
		if (expr_has_aggregate(arg))
			return true;
	if (e->over)
		for (arg = e->over->partition; arg; arg = arg->next)
			if (expr_has_aggregate(arg))
				return true;
	if (e->over) {
		const struct order_item *o;

		for (o = e->over->order; o; o = o->next)
			if (expr_has_aggregate(o->expr))
				return true;
	}
	return expr_has_aggregate(e->a) || expr_has_aggregate(e->b) ||
	       expr_has_aggregate(e->c);
}

const char *tr_window(struct tr *t, const struct window *w)
{
	const struct expr *e;
	const struct order_item *o;
	struct strbuf sb;
	const char *text;
	int n = 0;

	strbuf_init(&sb);
	strbuf_addstr(&sb, " OVER (");
	for (e = w->partition; e && !t->failed; e = e->next)
		strbuf_addf(&sb, "%s%s", n++ ? "," : "PARTITION BY ",
			    tr_collated(t, tr_expr(t, e)));
	for (o = w->order, n = 0; o && !t->failed; o = o->next)
		strbuf_addf(&sb, "%s%s%s", n++ ? "," : " ORDER BY ",
			    tr_collated(t, tr_expr(t, o->expr)),
			    o->desc ? " DESC" : "");
	if (w->frame)
		strbuf_addf(&sb, " %s", w->frame);
	strbuf_addch(&sb, ')');
	text = pool_strndup(t->pool, sb.data, sb.len);
	strbuf_release(&sb);
	return text;
}

static struct ex sum(struct tr *t, const struct expr *e, struct ex a, bool avg,
		     const char *distinct)
{
	const char *fn;
	struct type type;

	if (type_is_text(a.type) || a.type.kind == TY_BIT ||
	    !type_is_number(a.type))
		return tr_fail(t, 8117,
			       a.type.null ? "NULL" : type_name(a.type),
			       avg ? "avg" : "sum", NULL);
	(void)e;
	type = a.type;
	type.user = 0;
	if (type_is_float(type)) {
		fn = avg ? "avg_flt" : "sum_flt";
		type = type_of(TY_FLOAT);
	} else if (type_is_decimal(type)) {
		int scale = avg && type.scale < 6 ? 6 : type.scale;

		fn = avg ? tr_printf(t, "avg_d%d", scale - type.scale)
			 : "sum_dec";
		type = type_decimal(38, scale);
		type.kind = a.type.kind;
	} else if (type_is_money(type)) {
		fn = avg ? "avg_int" : "sum_big";
		type = type_of(TY_MONEY);
	} else if (type.kind == TY_BIGINT) {
		fn = avg ? "avg_int" : "sum_big";
	} else {
		fn = avg ? "avg_int" : "sum_int";
		type = type_of(TY_INT);
	}
	return builtin_call(t, type, "%s(%s%s)", fn, distinct, a.sql);
}

/* STRING_AGG(x, ',') WITHIN GROUP (ORDER BY y) */
static struct ex string_agg(struct tr *t, const struct expr *e)
{
	struct ex a = tr_as_text(t, tr_expr(t, e->args));
	struct ex sep = tr_as_text(t, tr_expr(t, e->args->next));
	const struct order_item *o;
	const char *keys = "";
	struct type type = text_type_like(a.type, 8000);

	for (o = e->within; o && !t->failed; o = o->next) {
		struct ex k = tr_expr(t, o->expr);

		keys = tr_printf(t, "%s,%s,%d,%d", keys, k.sql, o->desc,
				 k.type.coll);
	}
	if (type.len != TYPE_MAX)
		type.len = 8000;
	return builtin_call(t, type, "string_agg_(%s,%s%s)", a.sql, sep.sql,
			    keys);
}

static struct ex count(struct tr *t, const struct expr *e,
		       const struct aggregate *agg)
{
	struct type type = type_of(agg->kind == AGG_COUNT ? TY_INT : TY_BIGINT);
	bool distinct =
		e->distinct || !strcmp(agg->name, "approx_count_distinct");
	struct ex a, x;

	if (e->args->kind == EX_STAR) {
		x = tr_ex("count(*)", type, false);
		return x;
	}
	a = tr_expr(t, e->args);
	if (type_is_lob(a.type) && a.type.len != TYPE_MAX)
		return tr_fail(t, 8117, type_name(a.type), "count", NULL);
	x = builtin_call(t, type, "count(%s%s)", distinct ? "DISTINCT " : "",
			 distinct ? tr_collated(t, a) : a.sql);
	x.nullable = false;
	return x;
}

static struct ex min_max(struct tr *t, const struct expr *e,
			 const struct aggregate *agg)
{
	struct ex a = tr_expr(t, e->args), x;

	if (a.type.kind == TY_BIT ||
	    (type_is_lob(a.type) && a.type.len != TYPE_MAX))
		return tr_fail(t, 8117, type_name(a.type), agg->name, NULL);
	x = builtin_call(t, a.type, "%s(%s)", agg->sqlite, tr_collated(t, a));
	x.type.null = false;
	x.type.user = 0;
	x.label = a.label;
	return x;
}

static struct ex lag(struct tr *t, const struct expr *e,
		     const struct aggregate *agg)
{
	struct ex a = tr_expr(t, e->args), x;
	const char *more = "";

	if (e->arg_count > 1) {
		struct ex n = tr_implicit(t, tr_expr(t, e->args->next),
					  type_of(TY_BIGINT));

		more = tr_printf(t, ",%s", n.sql);
	}
	if (e->arg_count > 2) {
		struct ex d =
			tr_implicit(t, tr_expr(t, e->args->next->next), a.type);

		more = tr_printf(t, "%s,%s", more, d.sql);
	}
	x = builtin_call(t, a.type, "%s(%s%s)", agg->sqlite, a.sql, more);
	x.label = a.label;
	return x;
}

static struct ex one(struct tr *t, const struct expr *e,
		     const struct aggregate *agg)
{
	const char *distinct = e->distinct ? "DISTINCT " : "";
	struct ex a, x;

	switch (agg->kind) {
	case AGG_COUNT:
	case AGG_COUNT_BIG:
		return count(t, e, agg);
	case AGG_SUM:
	case AGG_AVG:
		a = tr_expr(t, e->args);
		return t->failed ? a
				 : sum(t, e, a, agg->kind == AGG_AVG, distinct);
	case AGG_MIN:
	case AGG_MAX:
		return min_max(t, e, agg);
	case AGG_FLOAT:
		a = tr_implicit(t, tr_expr(t, e->args), type_of(TY_FLOAT));
		return builtin_call(t, type_of(TY_FLOAT), "%s(%s%s)",
				    agg->sqlite, distinct, a.sql);
	case AGG_CHECKSUM:
		a = tr_implicit(t, tr_expr(t, e->args), type_of(TY_INT));
		return builtin_call(t, type_of(TY_INT), "%s(%s%s)", agg->sqlite,
				    distinct, a.sql);
	case AGG_STRING:
		return string_agg(t, e);
	case AGG_RANK:
		return tr_ex(tr_printf(t, "%s()", agg->sqlite),
			     type_of(TY_BIGINT), true);
	case AGG_NTILE:
		a = tr_implicit(t, tr_expr(t, e->args), type_of(TY_BIGINT));
		return builtin_call(t, type_of(TY_BIGINT), "ntile(%s)", a.sql);
	case AGG_LAG:
		return lag(t, e, agg);
	case AGG_FIRST:
		a = tr_expr(t, e->args);
		x = builtin_call(t, a.type, "%s(%s)", agg->sqlite, a.sql);
		x.label = a.label;
		return x;
	default:
		return tr_ex(tr_printf(t, "%s()", agg->sqlite),
			     type_of(TY_FLOAT), true);
	}
}

static bool count_ok(struct tr *t, const struct expr *e,
		     const struct aggregate *agg)
{
	int min = 1, max = 1;

	if (agg->kind == AGG_RANK || agg->kind == AGG_PERCENT)
		min = max = 0;
	if (agg->kind == AGG_STRING)
		min = max = 2;
	if (agg->kind == AGG_LAG)
		max = 3;
	if (e->arg_count >= min && e->arg_count <= max)
		return true;
	tr_fail_text(t, 174, 15, "The %s function requires %d argument(s).",
		     agg->name, min);
	return false;
}

static struct ex windowed(struct tr *t, const struct expr *e,
			  const struct aggregate *agg)
{
	struct ex x;
	const char *clause = t->scope ? t->scope->clause : "";

	if (strcmp(clause, "select list") != 0 &&
	    strcmp(clause, "ORDER BY") != 0)
		return tr_fail(t, 4108, NULL);
	if (agg->window_only && !e->over->order)
		return tr_fail(t, 4112, agg->name, NULL);
	if (e->distinct)
		return tr_fail_text(t, 10759, 15,
				    "Use of DISTINCT is not allowed with the "
				    "OVER clause.");
	x = one(t, e, agg);
	if (t->failed)
		return x;
	x.sql = tr_printf(t, "%s%s", x.sql, tr_window(t, e->over));
	x.literal = false;
	return x;
}

struct ex tr_aggregate(struct tr *t, const struct expr *e, bool *is_one)
{
	const struct aggregate *agg = find(e);
	struct ex x;

	*is_one = agg != NULL;
	if (!agg)
		return tr_nothing();
	if (!count_ok(t, e, agg))
		return tr_nothing();
	if (e->over)
		return windowed(t, e, agg);
	if (agg->window_only)
		return tr_fail(t, 10753, agg->name, NULL);
	if (!t->scope || !t->scope->grouped) {
		if (t->scope && !strcmp(t->scope->clause, "WHERE"))
			return tr_fail(t, 147, NULL);
		if (!t->scope || strcmp(t->scope->clause, "ON") == 0)
			return tr_fail_text(t, 1015, 15,
					    "An aggregate cannot appear in an "
					    "ON clause.");
	}
	if (t->scope->aggregate_depth)
		return tr_fail(t, 130, NULL);
	t->scope->aggregate_depth++;
	x = one(t, e, agg);
	t->scope->aggregate_depth--;
	return x;
}
