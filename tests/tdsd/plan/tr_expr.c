#include <math.h>
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

/* --- literals --- */

static struct ex number_literal(struct tr *t, const char *text, size_t len)
{
	const char *point = memchr(text, '.', len);
	char buf[DECIMAL_BLOB];
	int scale = point ? (int)(len - (size_t)(point - text) - 1) : 0;
	int whole = (int)(point ? (size_t)(point - text) : len);
	struct type type;
	struct val v;
	int128 n;

	while (whole > 0 && *text == '0') {
		text++;
		len--;
		whole--;
	}
	if (whole + scale > 38)
		return tr_fail(t, 1007, text, NULL);
	if (decimal_parse(whole + scale ? text : "0", whole + scale ? len : 1,
			  scale, false, &n))
		return tr_fail(t, 1007, text, NULL);
	type = type_decimal(whole + scale ? whole + scale : 1, scale);
	type.kind = TY_NUMERIC;
	v = decimal_store(n, type.prec, buf);
	return tr_literal(t, &v, type);
}

static struct ex int_literal(struct tr *t, const struct expr *e)
{
	int64_t n;
	struct val v;

	if (e->len > 18)
		return number_literal(t, e->text, e->len);
	n = strtoll(e->text, NULL, 10);
	if (n > INT32_MAX)
		return number_literal(t, e->text, e->len);
	v = val_int(n);
	return tr_literal(t, &v, type_of(TY_INT));
}

static struct ex string_literal(struct tr *t, const struct expr *e)
{
	bool wide = e->op == T_NSTRING;
	size_t chars = utf_units(e->text, e->len);
	size_t limit = wide ? 4000 : 8000;
	int coll = t->s->db ? t->s->db->collation : COLLATION_DEFAULT;
	struct val v = val_text(e->text, e->len);
	struct ex x;
	struct type type;

	type = type_char(wide ? TY_NVARCHAR : TY_VARCHAR,
			 chars > limit ? TYPE_MAX
				       : (int32_t)(chars ? chars : 1) *
						 (wide ? 2 : 1),
			 coll);
	x = tr_literal(t, &v, type);
	if (!wide && !utf_is_ascii(e->text, e->len)) {
		/* what the code page has not becomes '?' right here */
		struct convert c = session_convert(t->s);
		struct val out;
		struct diag d;
		struct type from = type_char(TY_NVARCHAR, TYPE_MAX, coll);

		if (!convert_value(&c, &v, from, type, &out, &d))
			x = tr_literal(t, &out, type);
	}
	return x;
}

static struct ex literal(struct tr *t, const struct expr *e)
{
	struct val v;
	int128 n;

	switch (e->op) {
	case T_STRING:
	case T_NSTRING:
		return string_literal(t, e);
	case T_INT:
		return int_literal(t, e);
	case T_DECIMAL:
		return number_literal(t, e->text, e->len);
	case T_FLOAT:
		v = val_real(strtod(e->text, NULL));
		if (!isfinite(v.r))
			return tr_fail(t, 168, e->text, NULL);
		return tr_literal(t, &v, type_of(TY_FLOAT));
	case T_MONEY:
		if (decimal_parse(e->text, e->len, 4, false, &n))
			n = 0;
		v = val_int((int64_t)n);
		return tr_literal(t, &v, type_of(TY_MONEY));
	default: {
		int32_t len = e->len > 8000 ? TYPE_MAX
			      : e->len	    ? (int32_t)e->len
					    : 1;

		v = val_blob(e->text, e->len);
		return tr_literal(t, &v, type_char(TY_VARBINARY, len, 0));
	}
	}
}

/* --- names --- */

bool name_same(const char *a, const char *b)
{
	const struct collation *c;

	if (!strcasecmp(a, b))
		return true;
	c = collation_get(COLLATION_DEFAULT);
	return !collation_compare(c, a, strlen(a), b, strlen(b));
}

struct source_column *source_find(struct source *src, const char *name)
{
	int i;

	for (i = 0; i < src->count; i++)
		if (!strcasecmp(src->columns[i].name, name))
			return &src->columns[i];
	for (i = 0; i < src->count; i++)
		if (name_same(src->columns[i].name, name))
			return &src->columns[i];
	return NULL;
}

/* Does "a.b" (without the column's own part) name this source? */
static bool prefix_matches(const struct source *src, const struct name *name)
{
	int parts = name->count - 1, i;

	if (!parts)
		return true;
	if (src->alias && parts == 1)
		return name_same(src->alias, name->part[0]);
	if (!src->has_full)
		return false;
	/* compare from the right: table, schema, database */
	for (i = 1; i <= parts; i++) {
		const char *given = name->part[parts - i];
		const char *own = i <= src->full.count
					  ? src->full.part[src->full.count - i]
					  : "";

		if (i == 2 && !*given)
			continue;
		if (i == 2 && !*own && src->table)
			own = src->table->schema;
		if (i == 2 && !*own)
			own = "dbo";
		if (i == 3)
			continue; /* the database: taken on trust */
		if (!name_same(given, own))
			return false;
	}
	return true;
}

static const char *dotted(struct tr *t, const struct name *n)
{
	const char *text = n->part[0];
	int i;

	for (i = 1; i < n->count; i++)
		text = tr_printf(t, "%s.%s", text, n->part[i]);
	return text;
}

/* In OUTPUT: a column of the driving query travels with the row. */
static const char *extra_column(struct tr *t, struct ex x)
{
	struct extras *e = t->extras;
	int i;

	for (i = 0; i < e->count; i++)
		if (!strcmp(e->sql[i], x.sql))
			break;
	if (i == EXTRAS_MAX) {
		tr_fail(t, 8623, NULL);
		return "NULL";
	}
	if (i == e->count) {
		e->sql[i] = x.sql;
		e->types[i] = x.type;
		e->count++;
	}
	return tr_param(t, PARAM_EXTRA, i, x.type);
}

static struct ex column_ex(struct tr *t, struct source *src,
			   struct source_column *c)
{
	const char *sql = c->sql ? c->sql : tr_computed(t, src, c);
	struct ex x = tr_ex(sql, c->type, c->nullable || src->nullable);

	x.column = c->base;
	x.table = c->base_table;
	x.derived = c->derived;
	x.source_alias = src->sql_alias;
	x.label = type_is_text(c->type) ? (c->label ? c->label : COLL_IMPLICIT)
					: COLL_NONE;
	x.name = c->name;
	t->uses_columns = true;
	if (t->extras)
		x.sql = extra_column(t, x);
	return x;
}

/* Columns of the row in hand: OUTPUT, CHECK, computed columns. */
static bool row_column(struct tr *t, const struct name *name, struct ex *out)
{
	const char *column = name->part[name->count - 1];
	const char *prefix =
		name->count > 1 ? name->part[name->count - 2] : NULL;
	struct row_scope *r;

	for (r = t->row; r; r = r->next) {
		int i;

		if (r->prefix && (!prefix || !name_same(prefix, r->prefix)))
			continue;
		if (!r->prefix && prefix && !name_same(prefix, r->table->name))
			continue;
		i = table_column(r->table, column);
		if (i < 0)
			continue;
		*out = tr_ex(tr_param(t, r->kind, i, r->table->columns[i].type),
			     r->table->columns[i].type, true);
		out->nullable =
			r->table->columns[i].nullable || r->kind == PARAM_OLD;
		out->name = r->table->columns[i].name;
		out->label =
			type_is_text(out->type) ? COLL_IMPLICIT : COLL_NONE;
		t->uses_columns = true;
		return true;
	}
	return false;
}

/* A column of an aggregated query must be grouped; 8120 and its like. */
static void check_grouped(struct tr *t, struct scope *scope, struct source *src,
			  const struct source_column *c)
{
	const char *full;
	int number = 8120;

	if (!scope->grouped || scope->aggregate_depth || scope->group_ok)
		return;
	full = src->alias ? tr_printf(t, "%s.%s", src->alias, c->name)
	       : src->has_full
		       ? tr_printf(t, "%s.%s", dotted(t, &src->full), c->name)
		       : c->name;
	if (!strcmp(scope->clause, "HAVING"))
		number = 8121;
	else if (!strcmp(scope->clause, "ORDER BY"))
		number = 8127;
	tr_fail(t, number, full, NULL);
}

struct ex tr_column(struct tr *t, const struct name *name)
{
	const char *column = name->part[name->count - 1];
	struct scope *scope;
	struct ex x;

	t->line = name->line ? name->line : t->line;
	for (scope = t->scope; scope; scope = scope->outer) {
		struct source_column *found = NULL;
		struct source *in = NULL, *src;
		bool prefix_seen = false;

		for (src = scope->first; src; src = src->next) {
			struct source_column *c;

			if (!prefix_matches(src, name))
				continue;
			prefix_seen = true;
			c = source_find(src, column);
			if (!c)
				continue;
			if (found)
				return tr_fail(t, 209, column, NULL);
			found = c;
			in = src;
		}
		if (found) {
			check_grouped(t, scope, in, found);
			x = column_ex(t, in, found);
			return apply_outer_column(t, scope, x);
		}
		if (prefix_seen && name->count > 1)
			return tr_fail(t, 207, column, NULL);
	}
	if (t->row && row_column(t, name, &x))
		return x;
	if (name->count > 1)
		return tr_fail(t, 4104, dotted(t, name), NULL);
	if (!t->scope && !t->row)
		return tr_fail(t, 128, column, NULL);
	return tr_fail(t, 207, column, NULL);
}

/* $identity and $rowguid */
static struct ex pseudo_column(struct tr *t, const struct expr *e)
{
	struct source *src;
	int i;

	for (src = t->scope ? t->scope->first : NULL; src; src = src->next)
		for (i = 0; i < src->count; i++) {
			const struct column *c = src->columns[i].base;

			if (c &&
			    ((!strcasecmp(e->text, "$identity") &&
			      c->identity) ||
			     (!strcasecmp(e->text, "$rowguid") && c->rowguid)))
				return column_ex(t, src, &src->columns[i]);
		}
	return tr_fail(t, 207, e->text, NULL);
}

static struct ex variable(struct tr *t, const struct expr *e)
{
	int slot = t->frame ? frame_find(t->frame, e->text) : -1, i;
	struct variable *v;
	struct macro *m;
	struct ex x;

	for (m = t->macros; m; m = m->next)
		if (!strcasecmp(m->name, e->text))
			return *m->value;
	if (slot < 0 || t->in_check)
		return tr_fail(t, 137, e->text, NULL);
	v = &t->frame->vars[slot];
	if (v->is_table)
		return tr_fail(t, 137, e->text, NULL);
	t->deterministic = false;
	for (i = 0; i < t->live_count; i++)
		if (!strcasecmp(t->live_vars[i], e->text)) {
			x = tr_ex(tr_printf(t, "getvar(%d)", slot), v->type,
				  true);
			return x;
		}
	x = tr_ex(tr_param(t, PARAM_VAR, slot, v->type), v->type, true);
	x.param = true;
	return x;
}

/* --- values --- */

static struct ex case_value(struct tr *t, const struct expr *e)
{
	struct ex operand = tr_nothing(), *values;
	const char **conds;
	const struct expr *arg = e->args;
	struct type common = type_null();
	struct strbuf sb;
	struct ex x, otherwise;
	enum coll_label label = COLL_NONE, l;
	bool nullable = !e->b, any = false;
	int i, coll = 0;

	if (e->a)
		operand = tr_expr(t, e->a);
	values = pool_alloc(t->pool, (size_t)e->arg_count * sizeof(*values));
	conds = pool_alloc(t->pool, (size_t)e->arg_count * sizeof(*conds));
	for (i = 0; i < e->arg_count && !t->failed; i++) {
		conds[i] = e->a ? tr_compare(t, OP_EQ, operand, tr_expr(t, arg),
					     NULL)
				: tr_cond(t, arg);
		arg = arg->next;
		values[i] = tr_expr(t, arg);
		arg = arg->next;
		any |= !values[i].type.null;
		nullable |= values[i].nullable;
		common = type_common(common, values[i].type);
	}
	otherwise = e->b ? tr_expr(t, e->b) : tr_ex("NULL", type_null(), true);
	any |= !otherwise.type.null;
	nullable |= otherwise.nullable;
	common = type_common(common, otherwise.type);
	if (t->failed)
		return tr_nothing();
	if (!any)
		return tr_fail(t, 8133, NULL);
	for (i = 0; type_is_text(common) && i <= e->arg_count; i++) {
		struct ex v = i < e->arg_count ? values[i] : otherwise;
		struct ex so_far = tr_ex("", common, true);

		if (!type_is_text(v.type) || v.type.null)
			continue;
		so_far.type.coll = coll ? (uint16_t)coll : v.type.coll;
		so_far.label = label;
		coll = tr_collation(t, so_far, v, "CASE", &l);
		label = l;
	}
	if (coll)
		common.coll = (uint16_t)coll;
	strbuf_init(&sb);
	strbuf_addstr(&sb, "CASE");
	for (i = 0; i < e->arg_count; i++) {
		x = tr_implicit(t, values[i], common);
		strbuf_addstr(&sb, " WHEN ");
		strbuf_addstr(&sb, conds[i]);
		strbuf_addstr(&sb, " THEN ");
		strbuf_addstr(&sb, x.sql);
	}
	x = tr_implicit(t, otherwise, common);
	strbuf_addstr(&sb, " ELSE ");
	strbuf_addstr(&sb, x.sql);
	strbuf_addstr(&sb, " END");
	x = tr_ex(tr_printf(t, "(%s)", sb.data), common, nullable);
	strbuf_release(&sb);
	if (type_is_text(common))
		x.label = label ? label : COLL_DEFAULT;
	return x;
}

static struct ex cast_value(struct tr *t, const struct expr *e)
{
	struct ex a = tr_expr(t, e->a), style;
	struct type to;

	if (tr_type(t, e->type, &to) < 0)
		return tr_nothing();
	/* without a length CAST means 30 */
	if (!e->type->args && type_has_length((enum type_kind)to.kind) &&
	    !to.user)
		to.len = type_is_unicode(to) ? 60 : 30;
	if (type_is_text(to) && type_is_text(a.type) && a.label > COLL_DEFAULT)
		to.coll = a.type.coll;
	if (e->parse && !type_is_text(a.type))
		return tr_fail(t, 8116, type_name(a.type), "1", "parse", NULL);
	if (e->b && !e->parse) {
		style = tr_implicit(t, tr_expr(t, e->b), type_of(TY_INT));
		return tr_cast(t, a, to, style.sql, e->try_);
	}
	return tr_cast(t, a, to, NULL, e->try_);
}

static struct ex collate_value(struct tr *t, const struct expr *e)
{
	struct ex a = tr_expr(t, e->a);
	int coll = collation_find(e->text);

	if (!strcasecmp(e->text, "catalog_default"))
		coll = COLLATION_DEFAULT;
	if (!strcasecmp(e->text, "database_default") && t->s->db)
		coll = t->s->db->collation;
	if (!coll)
		return tr_fail(t, 448, e->text, NULL);
	if (a.type.null)
		return a;
	if (!type_is_text(a.type))
		return tr_fail(t, 447, type_name(a.type), NULL);
	if (a.label == COLL_EXPLICIT && e->a->kind == EX_COLLATE)
		return tr_fail(t, 445, NULL);
	if (!type_is_unicode(a.type) &&
	    collation_get(coll)->page != collation_get(a.type.coll)->page) {
		struct type to = a.type;

		to.coll = (uint16_t)coll;
		a = tr_convert(t, a, to);
	}
	a.type.coll = (uint16_t)coll;
	a.label = COLL_EXPLICIT;
	a.column = NULL;
	a.source_alias = NULL;
	return a;
}

static struct ex time_zone(struct tr *t, const struct expr *e)
{
	struct ex a = tr_expr(t, e->a), z = tr_expr(t, e->b);
	struct type to;

	if (t->failed)
		return a;
	if (!type_is_temporal(a.type) || a.type.kind == TY_TIME ||
	    a.type.kind == TY_DATE)
		return tr_fail(t, 8116, type_name(a.type), "1", "AT TIME ZONE",
			       NULL);
	z = tr_implicit(t, z, type_char(TY_NVARCHAR, 256, COLLATION_DEFAULT));
	to = type_scaled(TY_DATETIMEOFFSET, a.type.kind == TY_DATETIME ? 3
					    : a.type.kind == TY_SMALLDATETIME
						    ? 0
						    : a.type.scale);
	return tr_ex(tr_printf(t, "at_zone(%s,%s,%s,%s)", a.sql,
			       tr_pack(t, a.type), z.sql, tr_pack(t, to)),
		     to, true);
}

static struct ex bit_not(struct tr *t, const struct expr *e)
{
	struct ex a = tr_expr(t, e->a);

	if (!type_is_integer(a.type))
		return tr_fail(t, 8117, type_name(a.type), "~", NULL);
	if (a.type.kind == TY_BIT)
		return tr_ex(tr_printf(t, "(1-%s)", a.sql), a.type, true);
	if (a.type.kind == TY_TINYINT)
		return tr_ex(tr_printf(t, "(255-%s)", a.sql), a.type, true);
	return tr_ex(tr_printf(t, "(~%s)", a.sql), a.type, true);
}

struct ex tr_scalar_query(struct tr *t, const struct query *q)
{
	struct rel *r;
	struct ex x;

	t->uses_subquery = true;
	if (t->in_check)
		return tr_fail(t, 1046, NULL);
	r = tr_query(t, q);
	if (t->failed)
		return tr_nothing();
	if (r->count != 1)
		return tr_fail(t, 116, NULL);
	if (r->single_row)
		x = tr_ex(tr_printf(t, "(%s)", r->sql), r->columns[0].type,
			  true);
	else
		x = tr_ex(tr_printf(t, "(SELECT single(x1) FROM (%s))", r->sql),
			  r->columns[0].type, true);
	if (type_is_text(x.type))
		x.label = COLL_IMPLICIT;
	return x;
}

static struct ex value(struct tr *t, const struct expr *e)
{
	struct ex a, b;

	switch (e->kind) {
	case EX_LITERAL:
		return literal(t, e);
	case EX_NULL:
		a = tr_ex("NULL", type_null(), true);
		a.literal = true;
		return a;
	case EX_VAR:
		return variable(t, e);
	case EX_GLOBAL:
		return tr_global(t, e);
	case EX_COLUMN:
		return tr_column(t, &e->name);
	case EX_PSEUDO:
		return pseudo_column(t, e);
	case EX_NEGATE:
		return tr_negate(t, tr_expr(t, e->a));
	case EX_PLUS:
		return tr_expr(t, e->a);
	case EX_BIT_NOT:
		return bit_not(t, e);
	case EX_BINARY:
		a = tr_expr(t, e->a);
		b = tr_expr(t, e->b);
		t->line = e->line;
		return tr_binary(t, e->op, a, b);
	case EX_SUBQUERY:
		return tr_scalar_query(t, e->query);
	case EX_CASE:
		return case_value(t, e);
	case EX_CALL:
		return tr_call(t, e);
	case EX_CAST:
		return cast_value(t, e);
	case EX_COLLATE:
		return collate_value(t, e);
	case EX_AT_TIME_ZONE:
		return time_zone(t, e);
	case EX_DEFAULT:
		return tr_fail(t, 156, "DEFAULT", NULL);
	default:
		return tr_fail_text(t, 102, 15,
				    "Incorrect syntax near a condition.");
	}
}

/* Is the whole expression one of those in GROUP BY? */
static bool is_group(struct tr *t, const struct expr *e)
{
	struct scope *sc = t->scope;
	int i;

	if (!sc || !sc->grouped || sc->aggregate_depth || sc->group_ok)
		return false;
	for (i = 0; i < sc->group_count; i++)
		if (expr_same(t, sc->groups[i], e))
			return true;
	return false;
}

struct ex tr_expr(struct tr *t, const struct expr *e)
{
	struct ex x;
	bool group;

	if (t->failed)
		return tr_nothing();
	if (++t->depth > TR_DEPTH_MAX)
		return tr_fail(t, 8631, NULL);
	t->line = e->line;
	group = is_group(t, e);
	if (group)
		t->scope->group_ok++;
	if (expr_is_condition(e))
		x = tr_fail_text(t, 102, 15,
				 "Incorrect syntax near a condition.");
	else
		x = value(t, e);
	if (group)
		t->scope->group_ok--;
	t->depth--;
	return x;
}
