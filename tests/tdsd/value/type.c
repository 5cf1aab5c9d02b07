#include "value/type.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "value/collation.h"
#include "mem.h"

static const struct type_info infos[TY_COUNT] = {
	[TY_NONE] = {"void type", 0, 0, 0, 0},
	[TY_BINARY] = {"binary", 173, 0, 0, 1},
	[TY_VARBINARY] = {"varbinary", 165, 0, 0, 1},
	[TY_CHAR] = {"char", 175, 0, 0, 1},
	[TY_VARCHAR] = {"varchar", 167, 0, 0, 1},
	[TY_NCHAR] = {"nchar", 239, 0, 0, 2},
	[TY_NVARCHAR] = {"nvarchar", 231, 0, 0, 2},
	[TY_GUID] = {"uniqueidentifier", 36, 0, 0, 16},
	[TY_ROWVERSION] = {"timestamp", 189, 0, 0, 8},
	[TY_IMAGE] = {"image", 34, 0, 0, 16},
	[TY_TEXT] = {"text", 35, 0, 0, 16},
	[TY_NTEXT] = {"ntext", 99, 0, 0, 16},
	[TY_BIT] = {"bit", 104, 1, 0, 1},
	[TY_TINYINT] = {"tinyint", 48, 3, 0, 1},
	[TY_SMALLINT] = {"smallint", 52, 5, 0, 2},
	[TY_INT] = {"int", 56, 10, 0, 4},
	[TY_BIGINT] = {"bigint", 127, 19, 0, 8},
	[TY_SMALLMONEY] = {"smallmoney", 122, 10, 4, 4},
	[TY_MONEY] = {"money", 60, 19, 4, 8},
	[TY_DECIMAL] = {"decimal", 106, 18, 0, 9},
	[TY_NUMERIC] = {"numeric", 108, 18, 0, 9},
	[TY_REAL] = {"real", 59, 24, 0, 4},
	[TY_FLOAT] = {"float", 62, 53, 0, 8},
	[TY_TIME] = {"time", 41, 16, 7, 5},
	[TY_DATE] = {"date", 40, 10, 0, 3},
	[TY_SMALLDATETIME] = {"smalldatetime", 58, 16, 0, 4},
	[TY_DATETIME] = {"datetime", 61, 23, 3, 8},
	[TY_DATETIME2] = {"datetime2", 42, 27, 7, 8},
	[TY_DATETIMEOFFSET] = {"datetimeoffset", 43, 34, 7, 10},
	[TY_XML] = {"xml", 241, 0, 0, -1},
	[TY_VARIANT] = {"sql_variant", 98, 0, 0, 8016},
	[TY_TABLE] = {"table type", 243, 0, 0, -1},
	[TY_CURSOR] = {"cursor", 0, 0, 0, 0},
	[TY_HIERARCHYID] = {"hierarchyid", 240, 0, 0, 892},
	[TY_GEOMETRY] = {"geometry", 240, 0, 0, -1},
	[TY_GEOGRAPHY] = {"geography", 240, 0, 0, -1},
};

static const struct {
	const char *name;
	enum type_kind kind;
} synonyms[] = {
	{"integer", TY_INT},	  {"dec", TY_DECIMAL},
	{"character", TY_CHAR},	  {"rowversion", TY_ROWVERSION},
	{"sysname", TY_NVARCHAR},
};

const struct type_info *type_info(enum type_kind kind)
{
	return &infos[kind < TY_COUNT ? kind : TY_NONE];
}

struct type type_of(enum type_kind kind)
{
	const struct type_info *info = type_info(kind);
	struct type t = {.kind = (uint8_t)kind,
			 .prec = info->prec,
			 .scale = info->scale,
			 .len = info->len};

	if (type_is_text(t))
		t.coll = COLLATION_DEFAULT;
	return t;
}

struct type type_char(enum type_kind kind, int32_t len, int coll)
{
	struct type t = type_of(kind);

	t.len = len;
	if (type_is_text(t))
		t.coll = (uint16_t)coll;
	return t;
}

struct type type_decimal(int prec, int scale)
{
	struct type t = type_of(TY_DECIMAL);

	if (prec > 38)
		prec = 38;
	t.prec = (uint8_t)prec;
	t.scale = (uint8_t)scale;
	t.len = prec <= 9 ? 5 : prec <= 19 ? 9 : prec <= 28 ? 13 : 17;
	return t;
}

struct type type_scaled(enum type_kind kind, int scale)
{
	struct type t = type_of(kind);
	int extra = scale <= 2 ? 3 : scale <= 4 ? 4 : 5;
	int dot = scale ? scale + 1 : 0;

	t.scale = (uint8_t)scale;
	switch (kind) {
	case TY_TIME:
		t.len = extra;
		t.prec = (uint8_t)(8 + dot);
		break;
	case TY_DATETIME2:
		t.len = extra + 3;
		t.prec = (uint8_t)(19 + dot);
		break;
	case TY_DATETIMEOFFSET:
		t.len = extra + 5;
		t.prec = (uint8_t)(26 + dot);
		break;
	default:
		break;
	}
	return t;
}

struct type type_sysname(void)
{
	struct type t = type_char(TY_NVARCHAR, 256, COLLATION_DEFAULT);

	t.user = 256;
	return t;
}

struct type type_null(void)
{
	struct type t = type_of(TY_INT);

	t.null = true;
	return t;
}

enum type_kind type_kind_find(const char *name)
{
	size_t i;

	for (i = 1; i < TY_COUNT; i++)
		if (i != TY_TABLE && i != TY_CURSOR &&
		    strcasecmp(name, infos[i].name) == 0)
			return (enum type_kind)i;
	for (i = 0; i < LENGTH_OF(synonyms); i++)
		if (strcasecmp(name, synonyms[i].name) == 0)
			return synonyms[i].kind;
	return TY_NONE;
}

bool type_is_text(struct type t)
{
	return (t.kind >= TY_CHAR && t.kind <= TY_NVARCHAR) ||
	       t.kind == TY_TEXT || t.kind == TY_NTEXT || t.kind == TY_XML;
}

bool type_is_unicode(struct type t)
{
	return t.kind == TY_NCHAR || t.kind == TY_NVARCHAR ||
	       t.kind == TY_NTEXT || t.kind == TY_XML;
}

bool type_is_binary(struct type t)
{
	return t.kind == TY_BINARY || t.kind == TY_VARBINARY ||
	       t.kind == TY_IMAGE || t.kind == TY_ROWVERSION;
}

bool type_is_integer(struct type t)
{
	return t.kind >= TY_BIT && t.kind <= TY_BIGINT;
}

bool type_is_money(struct type t)
{
	return t.kind == TY_MONEY || t.kind == TY_SMALLMONEY;
}

bool type_is_decimal(struct type t)
{
	return t.kind == TY_DECIMAL || t.kind == TY_NUMERIC;
}

bool type_is_float(struct type t)
{
	return t.kind == TY_REAL || t.kind == TY_FLOAT;
}

bool type_is_number(struct type t)
{
	return t.kind >= TY_BIT && t.kind <= TY_FLOAT;
}

bool type_is_temporal(struct type t)
{
	return t.kind >= TY_TIME && t.kind <= TY_DATETIMEOFFSET;
}

bool type_is_clr(struct type t)
{
	return t.kind >= TY_HIERARCHYID && t.kind <= TY_GEOGRAPHY;
}

bool type_is_lob(struct type t)
{
	return t.kind == TY_TEXT || t.kind == TY_NTEXT || t.kind == TY_IMAGE ||
	       t.kind == TY_XML ||
	       (type_has_length((enum type_kind)t.kind) && t.len == TYPE_MAX);
}

bool type_has_length(enum type_kind kind)
{
	return kind >= TY_BINARY && kind <= TY_NVARCHAR;
}

int32_t type_chars(struct type t)
{
	if (t.len == TYPE_MAX || t.kind == TY_TEXT || t.kind == TY_NTEXT ||
	    t.kind == TY_IMAGE)
		return INT32_MAX;
	return type_is_unicode(t) ? t.len / 2 : t.len;
}

const char *type_name(struct type t)
{
	return type_info((enum type_kind)t.kind)->name;
}

const char *type_text(struct type t, char *buf, size_t size)
{
	const char *name = type_name(t);

	if (type_has_length((enum type_kind)t.kind) && t.len == TYPE_MAX)
		snprintf(buf, size, "%s(max)", name);
	else if (type_has_length((enum type_kind)t.kind))
		snprintf(buf, size, "%s(%d)", name, (int)type_chars(t));
	else if (type_is_decimal(t))
		snprintf(buf, size, "%s(%d,%d)", name, t.prec, t.scale);
	else if (t.kind == TY_TIME || t.kind == TY_DATETIME2 ||
		 t.kind == TY_DATETIMEOFFSET)
		snprintf(buf, size, "%s(%d)", name, t.scale);
	else
		snprintf(buf, size, "%s", name);
	return buf;
}

int64_t type_pack(struct type t)
{
	return (int64_t)t.kind | (int64_t)t.prec << 8 | (int64_t)t.scale << 16 |
	       (int64_t)(uint16_t)(int16_t)t.len << 24 | (int64_t)t.coll << 40;
}

struct type type_unpack(int64_t packed)
{
	struct type t = {.kind = (uint8_t)packed,
			 .prec = (uint8_t)(packed >> 8),
			 .scale = (uint8_t)(packed >> 16),
			 .len = (int16_t)(packed >> 24),
			 .coll = (uint16_t)(packed >> 40)};

	if (t.kind >= TY_COUNT)
		t.kind = TY_NONE;
	return t;
}

struct type type_as_decimal(struct type t)
{
	switch (t.kind) {
	case TY_BIT:
		return type_decimal(1, 0);
	case TY_TINYINT:
		return type_decimal(3, 0);
	case TY_SMALLINT:
		return type_decimal(5, 0);
	case TY_INT:
		return type_decimal(10, 0);
	case TY_BIGINT:
		return type_decimal(19, 0);
	case TY_SMALLMONEY:
		return type_decimal(10, 4);
	case TY_MONEY:
		return type_decimal(19, 4);
	case TY_DECIMAL:
	case TY_NUMERIC:
		return t;
	default:
		return type_decimal(38, 0);
	}
}

static int max_int(int a, int b)
{
	return a > b ? a : b;
}

/* Digits before and after the point that hold both. */
static struct type decimal_union(struct type a, struct type b)
{
	int scale = max_int(a.scale, b.scale);
	int whole = max_int(a.prec - a.scale, b.prec - b.scale);
	struct type t;

	if (whole + scale > 38)
		scale = max_int(38 - whole, 0);
	t = type_decimal(whole + scale, scale);
	if (a.kind == TY_NUMERIC || b.kind == TY_NUMERIC)
		t.kind = TY_NUMERIC;
	return t;
}

static struct type common_sized(struct type a, struct type b, struct type win)
{
	int32_t x = type_chars(a), y = type_chars(b);
	int32_t chars = x > y ? x : y;

	if (!type_has_length((enum type_kind)win.kind))
		return win;
	/* a fixed and a variable length give the variable kind */
	if (win.kind == TY_NCHAR &&
	    (a.kind == TY_VARCHAR || b.kind == TY_VARCHAR))
		win.kind = TY_NVARCHAR;
	if (chars == INT32_MAX || a.len == TYPE_MAX || b.len == TYPE_MAX) {
		win.len = TYPE_MAX;
		if (win.kind == TY_CHAR || win.kind == TY_NCHAR ||
		    win.kind == TY_BINARY)
			win.kind++;
	} else if (type_is_unicode(win)) {
		win.len = chars > 4000 ? 8000 : chars * 2;
	} else {
		win.len = chars > 8000 ? 8000 : chars;
	}
	return win;
}

struct type type_common(struct type a, struct type b)
{
	struct type win;

	if (a.null)
		return b;
	if (b.null)
		return a;
	win = a.kind >= b.kind ? a : b;
	win.user = a.user == b.user && a.kind == b.kind && a.len == b.len
			   ? a.user
			   : 0;
	if (type_is_decimal(win)) {
		struct type other = a.kind >= b.kind ? b : a;

		if (type_is_number(other))
			return decimal_union(type_as_decimal(a),
					     type_as_decimal(b));
		return win;
	}
	if (win.kind == TY_TIME || win.kind == TY_DATETIME2 ||
	    win.kind == TY_DATETIMEOFFSET) {
		int scale = win.scale;
		struct type other = a.kind >= b.kind ? b : a;

		if (type_is_temporal(other) && other.scale > scale)
			scale = other.scale;
		return type_scaled((enum type_kind)win.kind, scale);
	}
	if (type_is_text(win) || win.kind == TY_VARBINARY ||
	    win.kind == TY_BINARY)
		win = common_sized(a, b, win);
	if (type_is_text(win) && !win.coll)
		win.coll = a.coll ? a.coll : b.coll;
	return win;
}

static struct type fit_38(int prec, int scale)
{
	int whole = prec - scale;

	if (prec > 38) {
		int keep = scale < 6 ? scale : 6;

		scale = whole < 32 ? 38 - whole : keep;
		if (scale > prec - whole)
			scale = prec - whole;
		prec = 38;
	}
	return type_decimal(prec, scale);
}

static struct type decimal_arith(char op, struct type a, struct type b)
{
	int p1 = a.prec, s1 = a.scale, p2 = b.prec, s2 = b.scale;
	int whole = max_int(p1 - s1, p2 - s2);

	switch (op) {
	case '*':
		return fit_38(p1 + p2 + 1, s1 + s2);
	case '/':
		return fit_38(p1 - s1 + s2 + max_int(6, s1 + p2 + 1),
			      max_int(6, s1 + p2 + 1));
	case '%':
		return fit_38((p1 - s1 < p2 - s2 ? p1 - s1 : p2 - s2) +
				      max_int(s1, s2),
			      max_int(s1, s2));
	default: {
		int scale = max_int(s1, s2);
		int prec = whole + scale + 1;

		/* sums keep the whole part and give up fraction digits */
		if (prec > 38) {
			scale = max_int(38 - whole, 0);
			if (scale > max_int(s1, s2))
				scale = max_int(s1, s2);
			prec = 38;
		}
		return type_decimal(prec, scale);
	}
	}
}

struct type type_arith(char op, struct type a, struct type b)
{
	struct type win, t;

	if (a.null && b.null)
		return type_of(TY_INT);
	if (a.null)
		a = b;
	if (b.null)
		b = a;
	win = a.kind >= b.kind ? a : b;
	if (type_is_decimal(win)) {
		if (!type_is_number(a))
			a = win;
		if (!type_is_number(b))
			b = win;
		t = decimal_arith(op, type_as_decimal(a), type_as_decimal(b));
		if (a.kind == TY_NUMERIC || b.kind == TY_NUMERIC)
			t.kind = TY_NUMERIC;
		return t;
	}
	if (win.kind == TY_BIT)
		return type_of(TY_BIT);
	win.user = 0;
	return win;
}
