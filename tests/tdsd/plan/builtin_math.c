#include <string.h>
#include <strings.h>

#include "plan/builtin.h"
#include "value/collation.h"

/* A number; text becomes float, small integers int. */
static struct ex number_arg(struct tr *t, const struct expr *e, int n,
			    const char *function)
{
	struct ex a = tr_expr(t, call_arg(e, n));

	if (t->failed)
		return a;
	if (type_is_text(a.type))
		return tr_implicit(t, a, type_of(TY_FLOAT));
	if (a.type.null)
		return tr_convert(t, a, type_of(TY_INT));
	if (!type_is_number(a.type))
		return tr_fail(t, 8116, type_name(a.type),
			       tr_printf(t, "%d", n + 1), function, NULL);
	if (a.type.kind < TY_INT)
		return tr_convert(t, a, type_of(TY_INT));
	if (a.type.kind == TY_REAL)
		return tr_convert(t, a, type_of(TY_FLOAT));
	if (a.type.kind == TY_SMALLMONEY)
		return tr_convert(t, a, type_of(TY_MONEY));
	return a;
}

static struct ex abs_fn(struct tr *t, const struct expr *e)
{
	struct ex a = number_arg(t, e, 0, "abs");

	return builtin_call(t, a.type, "abs_(%s,%s)", a.sql,
			    tr_pack(t, a.type));
}

static struct ex sign_fn(struct tr *t, const struct expr *e)
{
	struct ex a = number_arg(t, e, 0, "sign");
	struct type to = a.type;

	if (type_is_decimal(to) && to.prec == to.scale && to.prec < 38)
		to = type_decimal(to.prec + 1, to.scale); /* room for 1 */
	to.kind = a.type.kind;
	return builtin_call(t, to, "sign_(%s,%s)", a.sql, tr_pack(t, to));
}

static struct ex floor_like(struct tr *t, const struct expr *e, bool up)
{
	struct ex a = number_arg(t, e, 0, up ? "ceiling" : "floor");
	struct type to = a.type;

	if (type_is_decimal(to)) {
		to = type_decimal(to.prec, 0);
		to.kind = a.type.kind;
	}
	return builtin_call(t, to, "floor_(%s,%s,%s,%d)", a.sql,
			    tr_pack(t, a.type), tr_pack(t, to), up);
}

static struct ex floor_fn(struct tr *t, const struct expr *e)
{
	return floor_like(t, e, false);
}

static struct ex ceiling_fn(struct tr *t, const struct expr *e)
{
	return floor_like(t, e, true);
}

static struct ex round_fn(struct tr *t, const struct expr *e)
{
	struct ex a = number_arg(t, e, 0, "round");
	struct ex n =
		tr_implicit(t, tr_expr(t, call_arg(e, 1)), type_of(TY_INT));
	struct ex cut = e->arg_count > 2
				? tr_implicit(t, tr_expr(t, call_arg(e, 2)),
					      type_of(TY_INT))
				: tr_ex("0", type_of(TY_INT), false);

	return builtin_call(t, a.type, "round_(%s,%s,%s,%s)", a.sql, n.sql,
			    tr_pack(t, a.type), cut.sql);
}

static struct ex power_fn(struct tr *t, const struct expr *e)
{
	struct ex a = number_arg(t, e, 0, "power");
	struct ex x = tr_convert(t, a, type_of(TY_FLOAT));
	struct ex y =
		tr_implicit(t, tr_expr(t, call_arg(e, 1)), type_of(TY_FLOAT));
	struct type type = a.type;

	if (type_is_decimal(type)) {
		type = type_decimal(38, type.scale);
		type.kind = a.type.kind;
	}
	return builtin_call(t, type, "power_(%s,%s,%s)", x.sql, y.sql,
			    tr_pack(t, type));
}

static struct ex rand_fn(struct tr *t, const struct expr *e)
{
	t->deterministic = false;
	if (e->arg_count) {
		struct ex seed =
			tr_implicit(t, tr_expr(t, e->args), type_of(TY_INT));

		return builtin_call(t, type_of(TY_FLOAT), "rand_(%s)",
				    seed.sql);
	}
	/* one value for the whole query */
	return builtin_call(t, type_of(TY_FLOAT), "(SELECT rand_())");
}

static struct ex str_fn(struct tr *t, const struct expr *e)
{
	struct ex a = tr_implicit(t, tr_expr(t, e->args), type_of(TY_FLOAT));
	struct ex n = e->arg_count > 1
			      ? tr_implicit(t, tr_expr(t, call_arg(e, 1)),
					    type_of(TY_INT))
			      : tr_ex("10", type_of(TY_INT), false);
	struct ex d = e->arg_count > 2
			      ? tr_implicit(t, tr_expr(t, call_arg(e, 2)),
					    type_of(TY_INT))
			      : tr_ex("0", type_of(TY_INT), false);

	return builtin_call(t, type_char(TY_VARCHAR, 300, COLLATION_DEFAULT),
			    "str_(%s,%s,%s)", a.sql, n.sql, d.sql);
}

const struct builtin builtins_math[] = {
	{"ABS", 1, 1, "", "", "", abs_fn, false, false},
	{"SIGN", 1, 1, "", "", "", sign_fn, false, false},
	{"FLOOR", 1, 1, "", "", "", floor_fn, false, false},
	{"CEILING", 1, 1, "", "", "", ceiling_fn, false, false},
	{"ROUND", 2, 3, "", "", "", round_fn, false, false},
	{"POWER", 2, 2, "", "", "", power_fn, false, false},
	{"RAND", 0, 1, "", "", "", rand_fn, true, false},
	{"STR", 1, 3, "", "", "", str_fn, false, false},
	{"SQRT", 1, 1, "f", "f", "t_sqrt", NULL, false, false},
	{"SQUARE", 1, 1, "f", "f", "t_square", NULL, false, false},
	{"EXP", 1, 1, "f", "f", "t_exp", NULL, false, false},
	{"LOG", 1, 2, "f", "f", "t_log", NULL, false, false},
	{"LOG10", 1, 1, "f", "f", "t_log10", NULL, false, false},
	{"SIN", 1, 1, "f", "f", "t_sin", NULL, false, false},
	{"COS", 1, 1, "f", "f", "t_cos", NULL, false, false},
	{"TAN", 1, 1, "f", "f", "t_tan", NULL, false, false},
	{"COT", 1, 1, "f", "f", "t_cot", NULL, false, false},
	{"ASIN", 1, 1, "f", "f", "t_asin", NULL, false, false},
	{"ACOS", 1, 1, "f", "f", "t_acos", NULL, false, false},
	{"ATAN", 1, 1, "f", "f", "t_atan", NULL, false, false},
	{"ATN2", 2, 2, "f", "f", "t_atn2", NULL, false, false},
	{"DEGREES", 1, 1, "f", "f", "t_degrees", NULL, false, false},
	{"RADIANS", 1, 1, "f", "f", "t_radians", NULL, false, false},
	{"PI", 0, 0, "", "f", "pi", NULL, false, true},
	{NULL, 0, 0, NULL, NULL, NULL, NULL, false, false},
};
