#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "plan/builtin.h"
#include "sql/lex.h"
#include "value/collation.h"

static struct ex text_arg(struct tr *t, const struct expr *e, int n)
{
	struct ex a = tr_expr(t, call_arg(e, n));

	if (t->failed)
		return a;
	if (type_is_binary(a.type) && !a.type.null)
		return a;
	return tr_as_text(t, a);
}

static struct ex int_arg(struct tr *t, const struct expr *e, int n)
{
	return tr_implicit(t, tr_expr(t, call_arg(e, n)), type_of(TY_INT));
}

/* A result of text like `a`, which may be `chars` long. */
static struct ex text_result(struct tr *t, struct ex a, int64_t chars,
			     const char *sql)
{
	struct ex x = tr_ex(sql, text_type_like(a.type, chars), true);

	(void)t;
	x.label = a.label;
	return x;
}

static struct ex len_fn(struct tr *t, const struct expr *e)
{
	struct ex a = text_arg(t, e, 0);
	struct type type = type_of(a.type.len == TYPE_MAX ? TY_BIGINT : TY_INT);

	if (a.type.kind == TY_TEXT || a.type.kind == TY_NTEXT ||
	    a.type.kind == TY_IMAGE)
		return tr_fail(t, 8116, type_name(a.type), "1", "len", NULL);
	return builtin_call(t, type, "len_(%s,%d)", a.sql,
			    collation_get(a.type.coll)->supplementary &&
				    type_is_unicode(a.type));
}

static struct ex datalength_fn(struct tr *t, const struct expr *e)
{
	struct ex a = builtin_arg(t, e->args, 'x', 1, "datalength");

	return builtin_call(
		t, type_of(a.type.len == TYPE_MAX ? TY_BIGINT : TY_INT),
		"datalength_(%s,%s)", a.sql, tr_pack(t, a.type));
}

static struct ex left_fn(struct tr *t, const struct expr *e)
{
	struct ex a = text_arg(t, e, 0), n = int_arg(t, e, 1);
	int64_t chars = n.literal && n.value.cls == VAL_INT && n.value.i >= 0 &&
					n.value.i < type_chars(a.type)
				? n.value.i
				: type_chars(a.type);

	return text_result(t, a, chars,
			   tr_printf(t, "left_(%s,%s)", a.sql, n.sql));
}

static struct ex right_fn(struct tr *t, const struct expr *e)
{
	struct ex a = text_arg(t, e, 0), n = int_arg(t, e, 1);
	int64_t chars = n.literal && n.value.cls == VAL_INT && n.value.i >= 0 &&
					n.value.i < type_chars(a.type)
				? n.value.i
				: type_chars(a.type);

	return text_result(t, a, chars,
			   tr_printf(t, "right_(%s,%s)", a.sql, n.sql));
}

static struct ex substring_fn(struct tr *t, const struct expr *e)
{
	struct ex a = tr_expr(t, call_arg(e, 0));
	struct ex from =
		tr_implicit(t, tr_expr(t, call_arg(e, 1)), type_of(TY_BIGINT));
	struct ex n =
		tr_implicit(t, tr_expr(t, call_arg(e, 2)), type_of(TY_BIGINT));
	int64_t chars;

	if (t->failed)
		return a;
	if (!type_is_text(a.type) && !type_is_binary(a.type) && !a.type.null)
		return tr_fail(t, 8116, type_name(a.type), "1", "substring",
			       NULL);
	if (a.type.null)
		a = tr_as_text(t, a);
	chars = n.literal && n.value.cls == VAL_INT && n.value.i >= 0 &&
				n.value.i < type_chars(a.type)
			? n.value.i
			: type_chars(a.type);
	return text_result(
		t, a, chars,
		tr_printf(t, "substr_(%s,%s,%s)", a.sql, from.sql, n.sql));
}

static struct ex charindex_fn(struct tr *t, const struct expr *e)
{
	struct ex a = text_arg(t, e, 0), b = text_arg(t, e, 1);
	struct ex from = e->arg_count > 2
				 ? tr_implicit(t, tr_expr(t, call_arg(e, 2)),
					       type_of(TY_BIGINT))
				 : tr_ex("1", type_of(TY_INT), false);
	enum coll_label label;
	int coll;

	if (t->failed)
		return a;
	coll = tr_collation(t, a, b, "charindex", &label);
	return builtin_call(
		t, type_of(b.type.len == TYPE_MAX ? TY_BIGINT : TY_INT),
		"charindex_(%s,%s,%s,%s)", a.sql, b.sql, from.sql,
		tr_pack(t, type_char(TY_NVARCHAR, 2, coll)));
}

static struct ex patindex_fn(struct tr *t, const struct expr *e)
{
	struct ex a = text_arg(t, e, 0), b = text_arg(t, e, 1);
	enum coll_label label;
	int coll;

	if (t->failed)
		return a;
	coll = tr_collation(t, a, b, "patindex", &label);
	return builtin_call(
		t, type_of(b.type.len == TYPE_MAX ? TY_BIGINT : TY_INT),
		"patindex_(%s,%s,%s)", a.sql, b.sql,
		tr_pack(t, type_char(TY_NVARCHAR, 2, coll)));
}

static struct ex replace_fn(struct tr *t, const struct expr *e)
{
	struct ex a = text_arg(t, e, 0), b = text_arg(t, e, 1);
	struct ex c = text_arg(t, e, 2);
	enum coll_label label;
	struct ex like = a;
	int coll;

	if (t->failed)
		return a;
	coll = tr_collation(t, a, b, "replace", &label);
	if (type_is_unicode(b.type) || type_is_unicode(c.type))
		like.type = type_char(TY_NVARCHAR,
				      a.type.len == TYPE_MAX ? TYPE_MAX : 8000,
				      a.type.coll);
	return text_result(
		t, like, 8000,
		tr_printf(t, "replace_(%s,%s,%s,%s)", a.sql, b.sql, c.sql,
			  tr_pack(t, type_char(TY_NVARCHAR, 2, coll))));
}

static struct ex stuff_fn(struct tr *t, const struct expr *e)
{
	struct ex a = text_arg(t, e, 0), from = int_arg(t, e, 1);
	struct ex n = int_arg(t, e, 2), b = text_arg(t, e, 3);
	struct ex like = a;

	if (t->failed)
		return a;
	if (type_is_unicode(b.type) && !type_is_unicode(a.type))
		like = b;
	if (a.type.len == TYPE_MAX || b.type.len == TYPE_MAX)
		like.type.len = TYPE_MAX;
	return text_result(t, like,
			   (int64_t)type_chars(a.type) + type_chars(b.type),
			   tr_printf(t, "stuff_(%s,%s,%s,%s)", a.sql, from.sql,
				     n.sql, b.sql));
}

static struct ex replicate_fn(struct tr *t, const struct expr *e)
{
	struct ex a = text_arg(t, e, 0);
	struct ex n =
		tr_implicit(t, tr_expr(t, call_arg(e, 1)), type_of(TY_BIGINT));
	int64_t chars = 8000;

	if (t->failed)
		return a;
	if (n.literal && n.value.cls == VAL_INT && n.value.i >= 0 &&
	    n.value.i <= 8000)
		chars = n.value.i * type_chars(a.type);
	return text_result(t, a, chars,
			   tr_printf(t, "replicate_(%s,%s,%d)", a.sql, n.sql,
				     a.type.len == TYPE_MAX    ? -1
				     : type_is_unicode(a.type) ? 4000
							       : 8000));
}

static struct ex concat_fn(struct tr *t, const struct expr *e)
{
	const struct expr *arg;
	struct type type = type_char(TY_VARCHAR, 1, COLLATION_DEFAULT);
	int64_t chars = 0;
	const char *list = "";
	bool wide = false, max = false;
	int coll = 0;
	struct ex x;

	for (arg = e->args; arg && !t->failed; arg = arg->next) {
		struct ex a = tr_as_text(t, tr_expr(t, arg));

		wide |= type_is_unicode(a.type);
		max |= a.type.len == TYPE_MAX;
		chars += type_chars(a.type);
		if (a.label == COLL_IMPLICIT && !coll)
			coll = a.type.coll;
		list = tr_printf(t, "%s%s%s", list, *list ? "," : "", a.sql);
	}
	type.kind = wide ? TY_NVARCHAR : TY_VARCHAR;
	type.coll = (uint16_t)(coll ? coll : COLLATION_DEFAULT);
	type.len = max ? TYPE_MAX : 2;
	type = text_type_like(type, chars);
	x = tr_ex(tr_printf(t, "concat_(%s)", list), type, false);
	return x;
}

static struct ex concat_ws_fn(struct tr *t, const struct expr *e)
{
	struct ex x = concat_fn(t, e);

	if (x.type.len != TYPE_MAX)
		x.type.len = 8000;
	if (!t->failed) /* "concat_(" becomes "concat_ws_(" */
		x.sql = tr_printf(t, "concat_ws_(%s", x.sql + 8);
	return x;
}

static struct ex trim_like(struct tr *t, const struct expr *e, const char *fn)
{
	struct ex a = text_arg(t, e, 0);

	return text_result(t, a, type_chars(a.type),
			   tr_printf(t, "%s(%s)", fn, a.sql));
}

static struct ex ltrim_fn(struct tr *t, const struct expr *e)
{
	return trim_like(t, e, "ltrim_");
}

static struct ex rtrim_fn(struct tr *t, const struct expr *e)
{
	return trim_like(t, e, "rtrim_");
}

static struct ex trim_fn(struct tr *t, const struct expr *e)
{
	if (e->arg_count == 2) { /* TRIM(characters FROM text) */
		struct ex set = text_arg(t, e, 0), a = text_arg(t, e, 1);

		return text_result(
			t, a, type_chars(a.type),
			tr_printf(t, "trim_(%s,%s)", a.sql, set.sql));
	}
	return trim_like(t, e, "trim_");
}

static struct ex hashbytes_fn(struct tr *t, const struct expr *e)
{
	struct ex algorithm = builtin_arg(t, e->args, 's', 1, "hashbytes");
	struct ex a = tr_expr(t, e->args->next);

	if (t->failed)
		return a;
	if (!type_is_text(a.type) && !type_is_binary(a.type) && !a.type.null)
		return tr_fail(t, 8116, type_name(a.type), "2", "hashbytes",
			       NULL);
	if (type_is_text(a.type))
		a = tr_convert(t, a, type_char(TY_VARBINARY, TYPE_MAX, 0));
	return builtin_call(t, type_char(TY_VARBINARY, 8000, 0),
			    "hashbytes_(%s,%s)", algorithm.sql, a.sql);
}

static struct ex checksum(struct tr *t, const struct expr *e, bool binary)
{
	const struct expr *arg;
	const char *list = "";
	struct ex x;

	if (e->args && e->args->kind == EX_STAR)
		return tr_fail(t, 40517, "CHECKSUM(*)", NULL);
	for (arg = e->args; arg && !t->failed; arg = arg->next) {
		struct ex a = builtin_arg(t, arg, 'x', 1, "checksum");

		list = tr_printf(t, "%s,%s,%s", list, a.sql,
				 tr_pack(t, a.type));
	}
	x = builtin_call(t, type_of(TY_INT), "checksum_(%d%s)", binary, list);
	return x;
}

static struct ex checksum_fn(struct tr *t, const struct expr *e)
{
	return checksum(t, e, false);
}

static struct ex binary_checksum_fn(struct tr *t, const struct expr *e)
{
	return checksum(t, e, true);
}

const struct builtin builtins_text[] = {
	{"LEN", 1, 1, "", "", "", len_fn, false, false},
	{"DATALENGTH", 1, 1, "", "", "", datalength_fn, false, false},
	{"LEFT", 2, 2, "", "", "", left_fn, false, false},
	{"RIGHT", 2, 2, "", "", "", right_fn, false, false},
	{"SUBSTRING", 3, 3, "", "", "", substring_fn, false, false},
	{"CHARINDEX", 2, 3, "", "", "", charindex_fn, false, false},
	{"PATINDEX", 2, 2, "", "", "", patindex_fn, false, false},
	{"REPLACE", 3, 3, "", "", "", replace_fn, false, false},
	{"STUFF", 4, 4, "", "", "", stuff_fn, false, false},
	{"REPLICATE", 2, 2, "", "", "", replicate_fn, false, false},
	{"CONCAT", 2, -1, "", "", "", concat_fn, false, false},
	{"CONCAT_WS", 3, -1, "", "", "", concat_ws_fn, false, false},
	{"LTRIM", 1, 1, "", "", "", ltrim_fn, false, false},
	{"RTRIM", 1, 1, "", "", "", rtrim_fn, false, false},
	{"TRIM", 1, 2, "", "", "", trim_fn, false, false},
	{"HASHBYTES", 2, 2, "", "", "", hashbytes_fn, false, false},
	{"CHECKSUM", 1, -1, "", "", "", checksum_fn, false, false},
	{"BINARY_CHECKSUM", 1, -1, "", "", "", binary_checksum_fn, false,
	 false},
	{"UPPER", 1, 1, "s", "0", "upper_", NULL, false, false},
	{"LOWER", 1, 1, "s", "0", "lower_", NULL, false, false},
	{"REVERSE", 1, 1, "s", "0", "reverse_", NULL, false, false},
	{"SPACE", 1, 1, "i", "v8000", "space_", NULL, false, false},
	{"CHAR", 1, 1, "i", "v1", "char_", NULL, false, false},
	{"NCHAR", 1, 1, "i", "n1", "nchar_", NULL, false, false},
	{"ASCII", 1, 1, "S", "i", "ascii_", NULL, false, false},
	{"UNICODE", 1, 1, "n", "i", "unicode_", NULL, false, false},
	{"QUOTENAME", 1, 2, "n", "n258", "quotename_", NULL, false, false},
	{"TRANSLATE", 3, 3, "s", "0", "translate_", NULL, false, false},
	{"STRING_ESCAPE", 2, 2, "n", "N", "string_escape_", NULL, false, false},
	{"SOUNDEX", 1, 1, "s", "v4", "soundex_", NULL, false, false},
	{"DIFFERENCE", 2, 2, "s", "i", "difference_", NULL, false, false},
	{NULL, 0, 0, NULL, NULL, NULL, NULL, false, false},
};
