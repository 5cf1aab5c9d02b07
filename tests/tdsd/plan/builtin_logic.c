#include <string.h>
#include <strings.h>

#include "plan/builtin.h"
#include "sql/lex.h"
#include "value/collation.h"

static struct ex isnull_fn(struct tr *t, const struct expr *e)
{
	struct ex a = tr_expr(t, e->args), b = tr_expr(t, e->args->next), x;
	bool nullable;

	if (t->failed)
		return a;
	nullable = a.nullable && b.nullable;
	if (a.type.null)
		return b;
	b = tr_implicit(t, b, a.type);
	x = tr_ex(tr_printf(t, "ifnull(%s,%s)", a.sql, b.sql), a.type,
		  nullable);
	x.label = a.label;
	return x;
}

static struct ex coalesce_fn(struct tr *t, const struct expr *e)
{
	struct type common = type_null();
	const struct expr *arg;
	struct ex *a = pool_alloc(t->pool, (size_t)e->arg_count * sizeof(*a));
	enum coll_label label = COLL_DEFAULT;
	bool nullable = true;
	const char *list = "";
	struct ex x;
	int i = 0;

	for (arg = e->args; arg && !t->failed; arg = arg->next, i++) {
		a[i] = tr_expr(t, arg);
		if (i && type_is_text(common) && type_is_text(a[i].type)) {
			struct ex so_far = tr_ex("", common, true);

			so_far.label = label;
			common.coll = (uint16_t)tr_collation(
				t, so_far, a[i], "COALESCE", &label);
		} else if (type_is_text(a[i].type) && !a[i].type.null) {
			label = a[i].label;
		}
		if (!a[i].type.null && common.null) {
			common = a[i].type;
		} else {
			uint16_t coll = common.coll;

			common = type_common(common, a[i].type);
			if (type_is_text(common) && coll)
				common.coll = coll;
		}
		nullable &= a[i].nullable;
	}
	if (t->failed)
		return tr_nothing();
	if (common.null)
		return tr_fail_text(t, 4127, 16,
				    "At least one of the arguments to COALESCE"
				    " must be an expression that is not the "
				    "NULL constant.");
	for (i = 0; i < e->arg_count; i++) {
		x = tr_implicit(t, a[i], common);
		list = tr_printf(t, "%s%s%s", list, i ? "," : "", x.sql);
	}
	x = tr_ex(tr_printf(t, "coalesce(%s)", list), common, nullable);
	if (type_is_text(common))
		x.label = label;
	return x;
}

static struct ex nullif_fn(struct tr *t, const struct expr *e)
{
	struct ex a = tr_expr(t, e->args), b = tr_expr(t, e->args->next), x;
	const char *same;

	if (t->failed)
		return a;
	if (a.type.null)
		return tr_fail_text(t, 4151, 16,
				    "The type of the first argument to NULLIF "
				    "cannot be the NULL constant because the "
				    "type of the first argument has to be "
				    "known.");
	same = tr_compare(t, OP_EQ, a, b, NULL);
	x = tr_ex(tr_printf(t, "(CASE WHEN %s THEN NULL ELSE %s END)", same,
			    a.sql),
		  a.type, true);
	x.label = a.label;
	return x;
}

/* IIF(condition, a, b) is CASE. */
static struct ex iif_fn(struct tr *t, const struct expr *e)
{
	struct expr c;
	struct expr cond = *e->args, then = *e->args->next;

	memset(&c, 0, sizeof(c));
	c.kind = EX_CASE;
	c.line = e->line;
	c.args = &cond;
	cond.next = &then;
	then.next = NULL;
	c.arg_count = 1;
	c.b = e->args->next->next;
	return tr_expr(t, &c);
}

static struct ex choose_fn(struct tr *t, const struct expr *e)
{
	struct ex n = tr_implicit(t, tr_expr(t, e->args), type_of(TY_INT));
	struct type common = type_null();
	const struct expr *arg;
	struct ex *a = pool_alloc(t->pool, (size_t)e->arg_count * sizeof(*a));
	const char *list = "";
	int i = 0;

	for (arg = e->args->next; arg && !t->failed; arg = arg->next, i++) {
		a[i] = tr_expr(t, arg);
		common = type_common(common, a[i].type);
	}
	for (i = 0; i < e->arg_count - 1 && !t->failed; i++)
		list = tr_printf(t, "%s WHEN %d THEN %s", list, i + 1,
				 tr_implicit(t, a[i], common).sql);
	return tr_ex(tr_printf(t, "(CASE %s%s END)", n.sql, list), common,
		     true);
}

static struct ex isnumeric_fn(struct tr *t, const struct expr *e)
{
	struct ex a = tr_expr(t, e->args), x;

	if (t->failed)
		return a;
	if (type_is_number(a.type) && !a.type.null)
		x = tr_ex(tr_printf(t, "(%s IS NOT NULL)", a.sql),
			  type_of(TY_INT), false);
	else if (type_is_text(a.type))
		x = tr_ex(tr_printf(t, "isnumeric_(%s)", a.sql),
			  type_of(TY_INT), false);
	else
		x = tr_ex("0", type_of(TY_INT), false);
	return x;
}

/* GREATEST and LEAST are newer than 2019: not here. */

static struct ex newid_fn(struct tr *t, const struct expr *e)
{
	(void)e;
	t->deterministic = false;
	return tr_ex("newid_()", type_of(TY_GUID), false);
}

static struct ex newsequentialid_fn(struct tr *t, const struct expr *e)
{
	(void)e;
	t->deterministic = false;
	if (!t->in_check)
		return tr_fail_text(t, 302, 16,
				    "The newsequentialid() built-in function "
				    "can only be used in a DEFAULT expression "
				    "for a column of type 'uniqueidentifier' in"
				    " a CREATE TABLE or ALTER TABLE "
				    "statement. It cannot be combined with "
				    "other operators to form a complex scalar "
				    "expression.");
	return tr_ex("newsequentialid_()", type_of(TY_GUID), false);
}

/* IDENTITY(type, seed, increment) in SELECT INTO: numbers are given later. */
static struct ex identity_fn(struct tr *t, const struct expr *e)
{
	struct type type;

	if (!e->type)
		return tr_fail(t, 195, "IDENTITY", NULL);
	if (tr_type(t, e->type, &type) < 0)
		return tr_nothing();
	return tr_ex("NULL", type, false);
}

static struct ex sql_variant_property_fn(struct tr *t, const struct expr *e)
{
	struct ex a = tr_expr(t, e->args);
	struct ex p =
		builtin_arg(t, e->args->next, 'n', 2, "sql_variant_property");

	if (!t->failed)
		a = tr_convert(t, a, type_of(TY_VARIANT));
	return builtin_call(t, type_of(TY_VARIANT), "variant_property_(%s,%s)",
			    a.sql, p.sql);
}

const struct builtin builtins_logic[] = {
	{"ISNULL", 2, 2, "", "", "", isnull_fn, false, false},
	{"COALESCE", 2, -1, "", "", "", coalesce_fn, false, false},
	{"NULLIF", 2, 2, "", "", "", nullif_fn, false, false},
	{"IIF", 3, 3, "", "", "", iif_fn, false, false},
	{"CHOOSE", 2, -1, "", "", "", choose_fn, false, false},
	{"ISNUMERIC", 1, 1, "", "", "", isnumeric_fn, false, false},
	{"NEWID", 0, 0, "", "", "", newid_fn, true, true},
	{"NEWSEQUENTIALID", 0, 0, "", "", "", newsequentialid_fn, true, true},
	{"IDENTITY", 0, 3, "", "", "", identity_fn, false, true},
	{"SQL_VARIANT_PROPERTY", 2, 2, "", "", "", sql_variant_property_fn,
	 false, false},
	{NULL, 0, 0, NULL, NULL, NULL, NULL, false, false},
};
