#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plan/translate.h"
#include "value/collation.h"
#include "value/convert.h"
#include "value/decimal.h"

static const char *op_word(int op)
{
	switch (op) {
	case '+':
		return "add";
	case '-':
		return "subtract";
	case '*':
		return "multiply";
	case '/':
		return "divide";
	case '%':
		return "modulo";
	case '&':
		return "'&'";
	case '|':
		return "'|'";
	default:
		return "'^'";
	}
}

/* Text after text, or bytes after bytes. */
static struct ex concat(struct tr *t, struct ex a, struct ex b)
{
	struct type type;
	enum coll_label label;
	int32_t x, y, limit;
	struct ex e;

	if (a.type.null)
		a = tr_convert(t, a, b.type);
	if (b.type.null)
		b = tr_convert(t, b, a.type);
	type = a.type.kind >= b.type.kind ? a.type : b.type;
	if (type.kind == TY_TEXT || type.kind == TY_NTEXT ||
	    type.kind == TY_IMAGE || type.kind == TY_XML)
		return tr_fail(t, 402, type_name(a.type), type_name(b.type),
			       "add", NULL);
	if (type_is_text(type)) {
		type.coll = (uint16_t)tr_collation(t, a, b, "add", &label);
		if (!type_is_text(a.type) || !type_is_text(b.type))
			label = COLL_DEFAULT;
	}
	x = type_chars(a.type);
	y = type_chars(b.type);
	limit = type_is_unicode(type) ? 4000 : 8000;
	if (type.kind == TY_CHAR || type.kind == TY_NCHAR ||
	    type.kind == TY_BINARY)
		if (a.type.kind != b.type.kind)
			type.kind++;
	type.user = 0;
	if (a.type.len == TYPE_MAX || b.type.len == TYPE_MAX) {
		type.len = TYPE_MAX;
	} else {
		int64_t sum = (int64_t)x + y;

		if (sum > limit)
			sum = limit;
		type.len = (int32_t)sum * (type_is_unicode(type) ? 2 : 1);
	}
	e = tr_ex(
		tr_printf(t, "cat2(%s,%s,%s)", a.sql, b.sql, tr_pack(t, type)),
		type, a.nullable || b.nullable);
	if (type_is_text(type))
		e.label = label;
	return e;
}

/* datetime + 1, datetime - datetime: days. */
static struct ex date_arith(struct tr *t, int op, struct ex a, struct ex b)
{
	struct type type = a.type.kind >= b.type.kind ? a.type : b.type;

	if (op != '+' && op != '-' &&
	    (type.kind == TY_DATETIME || type.kind == TY_SMALLDATETIME))
		return tr_fail(t, 8117, type_name(type), op_word(op), NULL);
	if ((op != '+' && op != '-') ||
	    (type.kind != TY_DATETIME && type.kind != TY_SMALLDATETIME)) {
		if (type_is_temporal(a.type) && type_is_temporal(b.type))
			return tr_fail(t, 402, type_name(a.type),
				       type_name(b.type), op_word(op), NULL);
		if (type_is_temporal(a.type))
			return tr_fail(t, 206, type_name(b.type),
				       type_name(a.type), NULL);
		return tr_fail(t, 206, type_name(a.type), type_name(b.type),
			       NULL);
	}
	a = tr_implicit(t, a, type);
	b = tr_implicit(t, b, type);
	return tr_ex(tr_printf(t, "date_arith('%c',%s,%s,%s)", op, a.sql, b.sql,
			       tr_pack(t, type)),
		     type, true);
}

static struct ex bits(struct tr *t, int op, struct ex a, struct ex b)
{
	struct type type;

	/* one side may be binary, and is taken as a number then */
	if (type_is_binary(a.type) && type_is_integer(b.type))
		a = tr_convert(t, a, b.type);
	if (type_is_binary(b.type) && type_is_integer(a.type))
		b = tr_convert(t, b, a.type);
	if (!type_is_integer(a.type) || !type_is_integer(b.type)) {
		if (type_is_text(a.type) && type_is_integer(b.type))
			a = tr_convert(t, a, b.type);
		else if (type_is_text(b.type) && type_is_integer(a.type))
			b = tr_convert(t, b, a.type);
		else
			return tr_fail(t, 402, type_name(a.type),
				       type_name(b.type), op_word(op), NULL);
	}
	type = type_common(a.type, b.type);
	if (op == '^')
		return tr_ex(tr_printf(t, "bit_xor(%s,%s)", a.sql, b.sql), type,
			     true);
	return tr_ex(tr_printf(t, "(%s %c %s)", a.sql, op, b.sql), type, true);
}

static struct ex integers(struct tr *t, int op, struct ex a, struct ex b,
			  struct type type)
{
	static const char *const names[] = {['+'] = "iadd",
					    ['-'] = "isub",
					    ['*'] = "imul",
					    ['/'] = "idiv",
					    ['%'] = "imod"};

	a = tr_implicit(t, a, type);
	b = tr_implicit(t, b, type);
	return tr_ex(tr_printf(t, "%s(%s,%s,%d)", names[op], a.sql, b.sql,
			       type.kind),
		     type, true);
}

/* A decimal operand in its own scale. */
static struct ex as_decimal(struct tr *t, struct ex a, struct type result)
{
	if (type_is_decimal(a.type))
		return a;
	if (a.literal && a.type.kind == TY_INT && a.value.cls == VAL_INT) {
		/* a literal is as wide as it is written */
		int64_t n = a.value.i < 0 ? -a.value.i : a.value.i;
		int digits = 1;

		while (n >= 10) {
			n /= 10;
			digits++;
		}
		return tr_convert(t, a, type_decimal(digits, 0));
	}
	if (type_is_number(a.type))
		return tr_implicit(t, a, type_as_decimal(a.type));
	return tr_implicit(t, a, result);
}

static struct ex decimals(struct tr *t, int op, struct ex a, struct ex b)
{
	struct type win = a.type.kind >= b.type.kind ? a.type : b.type;
	struct type type;

	a = as_decimal(t, a, win);
	b = as_decimal(t, b, win);
	type = type_arith((char)op, a.type, b.type);
	return tr_ex(tr_printf(t, "dop('%c',%s,%d,%s,%d,%d,%d)", op, a.sql,
			       a.type.scale, b.sql, b.type.scale, type.prec,
			       type.scale),
		     type, true);
}

static bool operand_ok(struct tr *t, int op, struct ex a)
{
	bool bad = a.type.kind == TY_GUID || a.type.kind == TY_TEXT ||
		   a.type.kind == TY_NTEXT || a.type.kind == TY_IMAGE ||
		   a.type.kind == TY_XML || a.type.kind == TY_VARIANT;

	if (type_is_text(a.type) && op != '+' && !a.type.null)
		bad = bad || type_is_lob(a.type);
	if (bad && !a.type.null)
		tr_fail(t, 8117, type_name(a.type), op_word(op), NULL);
	return !bad;
}

/* Types that can never meet; 206 before an operator's own refusal. */
static bool clash(struct tr *t, struct ex a, struct ex b)
{
	bool swap = a.type.kind < b.type.kind;
	struct type win = swap ? b.type : a.type, lose = swap ? a.type : b.type;

	if (a.type.null || b.type.null || type_is_temporal(win) ||
	    win.kind == lose.kind || win.kind == TY_VARIANT ||
	    convert_rule(lose, win) != CONVERT_NEVER)
		return false;
	tr_fail(t, 206, type_name(a.type), type_name(b.type), NULL);
	return true;
}

struct ex tr_binary(struct tr *t, int op, struct ex a, struct ex b)
{
	struct type type;

	if (t->failed)
		return tr_nothing();
	if (op == '+' &&
	    ((type_is_text(a.type) && (type_is_text(b.type) || b.type.null)) ||
	     (a.type.null && type_is_text(b.type)) ||
	     (type_is_binary(a.type) && type_is_binary(b.type)) ||
	     (type_is_binary(a.type) && type_is_text(b.type)) ||
	     (type_is_binary(b.type) && type_is_text(a.type))))
		return concat(t, a, b);
	if (clash(t, a, b) || !operand_ok(t, op, a) || !operand_ok(t, op, b))
		return tr_nothing();
	if (op == '&' || op == '|' || op == '^')
		return bits(t, op, a, b);
	if (type_is_temporal(a.type) || type_is_temporal(b.type))
		return date_arith(t, op, a, b);
	if (type_is_text(a.type) && type_is_text(b.type))
		return tr_fail(t, 8117, type_name(a.type), op_word(op), NULL);
	if (a.type.null && b.type.null)
		return tr_convert(t, a, type_of(TY_INT));
	type = type_common(a.type, b.type);
	if (type_is_binary(type))
		return tr_fail(t, 402, type_name(a.type), type_name(b.type),
			       op_word(op), NULL);
	if (type.kind == TY_BIT)
		return tr_fail(t, 402, "bit", "bit", op_word(op), NULL);
	if (type_is_decimal(type))
		return decimals(t, op, a, b);
	if (type_is_integer(type))
		return integers(t, op, a, b, type);
	a = tr_implicit(t, a, type);
	b = tr_implicit(t, b, type);
	if (type_is_money(type))
		return tr_ex(tr_printf(t, "mop('%c',%s,%s,%d)", op, a.sql,
				       b.sql, type.kind),
			     type, true);
	if (op == '%')
		return tr_fail(t, 402, type_name(a.type), type_name(b.type),
			       "modulo", NULL);
	return tr_ex(
		tr_printf(t, "fop('%c',%s,%s,%d)", op, a.sql, b.sql, type.kind),
		type, true);
}

struct ex tr_negate(struct tr *t, struct ex a)
{
	struct val v;
	char buf[DECIMAL_BLOB];

	if (t->failed)
		return tr_nothing();
	if (a.literal && a.value.cls == VAL_INT && !type_is_temporal(a.type)) {
		v = val_int(-a.value.i);
		return tr_literal(t, &v, a.type);
	}
	if (a.literal && a.value.cls == VAL_REAL) {
		v = val_real(-a.value.r);
		return tr_literal(t, &v, a.type);
	}
	if (a.literal && type_is_decimal(a.type) && a.value.cls == VAL_BLOB) {
		v = decimal_store(-decimal_load(&a.value), a.type.prec, buf);
		return tr_literal(t, &v, a.type);
	}
	if (a.type.null)
		return a;
	if (type_is_decimal(a.type))
		return tr_ex(tr_printf(t, "dneg(%s,%d)", a.sql, a.type.prec),
			     a.type, true);
	if (type_is_float(a.type))
		return tr_ex(tr_printf(t, "(-%s)", a.sql), a.type, true);
	if (type_is_money(a.type))
		return tr_ex(
			tr_printf(t, "mop('-',0,%s,%d)", a.sql, a.type.kind),
			a.type, true);
	if (a.type.kind == TY_TINYINT)
		a.type = type_of(TY_SMALLINT);
	if (type_is_integer(a.type) && a.type.kind != TY_BIT)
		return tr_ex(tr_printf(t, "isub(0,%s,%d)", a.sql, a.type.kind),
			     a.type, true);
	if (type_is_text(a.type))
		return tr_fail(t, 8117, type_name(a.type), "minus", NULL);
	return tr_fail(t, 8117, type_name(a.type), "minus", NULL);
}
