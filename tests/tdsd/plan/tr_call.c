#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plan/builtin.h"
#include "sql/parse.h"
#include "value/collation.h"

const struct expr *call_arg(const struct expr *e, int n)
{
	const struct expr *arg = e->args;

	while (arg && n--)
		arg = arg->next;
	return arg;
}

struct ex builtin_call(struct tr *t, struct type type, const char *fmt, ...)
{
	va_list ap, again;
	char *text;
	int len;

	va_start(ap, fmt);
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	text = pool_alloc(t->pool, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	return tr_ex(text, type, true);
}

struct ex tr_as_text(struct tr *t, struct ex a)
{
	if (a.type.null)
		return tr_convert(t, a,
				  type_char(TY_VARCHAR, 1, COLLATION_DEFAULT));
	if (type_is_text(a.type))
		return a;
	if (a.type.kind == TY_VARIANT)
		return tr_convert(
			t, a, type_char(TY_NVARCHAR, 8000, COLLATION_DEFAULT));
	if (type_is_binary(a.type))
		return tr_convert(
			t, a,
			type_char(TY_VARCHAR, a.type.len, COLLATION_DEFAULT));
	return tr_convert(t, a, type_char(TY_VARCHAR, 60, COLLATION_DEFAULT));
}

struct type text_type_like(struct type t, int64_t chars)
{
	bool wide = type_is_unicode(t);
	int64_t limit = wide ? 4000 : 8000;
	struct type r = type_char(wide ? TY_NVARCHAR : TY_VARCHAR, 1, t.coll);

	if (type_is_binary(t))
		r = type_char(TY_VARBINARY, 1, 0);
	if (t.len == TYPE_MAX || t.kind == TY_TEXT || t.kind == TY_NTEXT ||
	    t.kind == TY_IMAGE) {
		r.len = TYPE_MAX;
		return r;
	}
	if (chars < 1)
		chars = 1;
	if (chars > limit)
		chars = limit;
	r.len = (int32_t)chars * (wide ? 2 : 1);
	return r;
}

struct ex builtin_arg(struct tr *t, const struct expr *e, char letter, int n,
		      const char *function)
{
	struct ex a = tr_expr(t, e);

	if (t->failed)
		return a;
	switch (letter) {
	case 's':
	case 'S':
		if (a.type.kind == TY_IMAGE || a.type.kind == TY_XML)
			return tr_fail(t, 8116, type_name(a.type),
				       tr_printf(t, "%d", n), function, NULL);
		return tr_as_text(t, a);
	case 'n':
		return tr_implicit(
			t, a,
			type_char(TY_NVARCHAR, TYPE_MAX, COLLATION_DEFAULT));
	case 'i':
		return tr_implicit(t, a, type_of(TY_INT));
	case 'I':
		return tr_implicit(t, a, type_of(TY_BIGINT));
	case 'f':
		return tr_implicit(t, a, type_of(TY_FLOAT));
	case 'b':
		if (type_is_text(a.type))
			return tr_convert(t, a,
					  type_char(TY_VARBINARY, TYPE_MAX, 0));
		return tr_implicit(t, a, type_char(TY_VARBINARY, TYPE_MAX, 0));
	case 'D':
		if (type_is_text(a.type) || a.type.null)
			return tr_convert(t, a, type_scaled(TY_DATETIME2, 7));
		if (type_is_number(a.type))
			return tr_convert(t, a, type_of(TY_DATETIME));
		if (!type_is_temporal(a.type))
			return tr_fail(t, 8116, type_name(a.type),
				       tr_printf(t, "%d", n), function, NULL);
		return a;
	default:
		if (a.type.null)
			return tr_convert(t, a, type_of(TY_INT));
		return a;
	}
}

static struct type result_type(const char *ret, struct ex first)
{
	switch (ret[0]) {
	case 'i':
		return type_of(TY_INT);
	case 'I':
		return type_of(TY_BIGINT);
	case 'f':
		return type_of(TY_FLOAT);
	case 'b':
		return type_of(TY_BIT);
	case 't':
		return type_of(TY_TINYINT);
	case 'h':
		return type_of(TY_SMALLINT);
	case 's':
		return type_char(TY_NVARCHAR, 256, COLLATION_DEFAULT);
	case 'N':
		return type_char(TY_NVARCHAR, TYPE_MAX, COLLATION_DEFAULT);
	case 'V':
		return type_char(TY_VARBINARY, TYPE_MAX, 0);
	case 'g':
		return type_of(TY_GUID);
	case 'd':
		return type_of(TY_DATETIME);
	case 'a':
		return type_of(TY_VARIANT);
	case 'm': {
		struct type t = type_decimal(38, 0);

		t.kind = TY_NUMERIC;
		return t;
	}
	case 'n':
		return type_char(TY_NVARCHAR, atoi(ret + 1) * 2,
				 COLLATION_DEFAULT);
	case 'v':
		return type_char(TY_VARCHAR, atoi(ret + 1), COLLATION_DEFAULT);
	case 'B':
		return type_char(TY_VARBINARY, atoi(ret + 1), 0);
	case '0':
		return text_type_like(first.type, type_chars(first.type));
	default:
		return type_of(TY_INT);
	}
}

static struct ex generic(struct tr *t, const struct expr *e,
			 const struct builtin *b)
{
	struct strbuf sb;
	const struct expr *arg;
	const char *letter = b->args;
	struct ex first = tr_nothing(), x;
	bool columns = t->uses_columns;
	int n = 0;

	t->uses_columns = false;
	strbuf_init(&sb);
	strbuf_addf(&sb, "%s(", b->sqlite);
	for (arg = e->args; arg && !t->failed; arg = arg->next) {
		struct ex a = builtin_arg(t, arg, *letter, n + 1, b->name);

		if (!n)
			first = a;
		strbuf_addf(&sb, "%s%s", n++ ? "," : "", a.sql);
		if (*letter == 'X' || *letter == 'S' || *letter == 'D')
			strbuf_addf(&sb, ",%s", tr_pack(t, a.type));
		if (letter[1])
			letter++;
	}
	strbuf_addch(&sb, ')');
	x = tr_ex(pool_strndup(t->pool, sb.data, sb.len),
		  result_type(b->ret, first), !b->not_null);
	strbuf_release(&sb);
	if (b->ret[0] == '0')
		x.label = first.label;
	if (b->volatile_) {
		t->deterministic = false;
		/* a sub-query without outer columns runs once, not per row */
		if (!t->uses_columns && !t->live_count)
			x.sql = tr_printf(t, "(SELECT %s)", x.sql);
	}
	t->uses_columns |= columns;
	return x;
}

static const struct builtin *find(const char *name)
{
	static const struct builtin *const lists[] = {
		builtins_text,	builtins_math, builtins_date,
		builtins_logic, builtins_meta, builtins_cdc};
	size_t i;
	const struct builtin *b;

	for (i = 0; i < LENGTH_OF(lists); i++)
		for (b = lists[i]; b->name; b++)
			if (!strcasecmp(b->name, name))
				return b;
	return NULL;
}

static struct ex wrong_count(struct tr *t, const struct builtin *b)
{
	char lower[64];
	size_t i;

	for (i = 0; b->name[i] && i < sizeof(lower) - 1; i++)
		lower[i] = b->name[i] >= 'A' && b->name[i] <= 'Z'
				   ? (char)(b->name[i] + 32)
				   : b->name[i];
	lower[i] = '\0';
	if (b->min == b->max)
		return tr_fail_text(t, 174, 15,
				    "The %s function requires %d argument(s).",
				    lower, b->min);
	return tr_fail_text(t, 189, 15,
			    "The %s function requires %d to %d arguments.",
			    lower, b->min, b->max < 0 ? 254 : b->max);
}

struct ex tr_call(struct tr *t, const struct expr *e)
{
	const char *name = e->name.part[e->name.count - 1];
	const struct builtin *b;
	struct ex x;
	bool is_aggregate;

	x = tr_aggregate(t, e, &is_aggregate);
	if (is_aggregate || t->failed)
		return x;
	/* functions of the sys schema are known without it as well */
	if (e->name.count == 1 ||
	    (e->name.count == 2 && !strcasecmp(e->name.part[0], "sys"))) {
		b = find(name);
		if (b) {
			if (e->over)
				return tr_fail(t, 4113, name, NULL);
			if (e->arg_count < b->min ||
			    (b->max >= 0 && e->arg_count > b->max))
				return wrong_count(t, b);
			return b->custom ? b->custom(t, e) : generic(t, e, b);
		}
	}
	return tr_user_function(t, e);
}
