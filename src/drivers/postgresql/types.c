/*
 * PostgreSQL's types in words of row/type.h, and back. docs/types.md is the
 * table for users.
 */
#include "drivers/postgresql/types.h"

#include <string.h>

/* What a decimal has room for here, and at SQL Server. */
#define DECIMAL_DIGITS 38

/* interval(6): all of its fields, and all digits of a second. */
#define INTERVAL_WHOLE (0x7fff << 16 | 6)

/* Built-in types, whose numbers never change: src/include/catalog/pg_type.dat. */
enum {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_CHAR = 18, /* "char", one byte */
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_OID = 26,
	OID_JSON = 114,
	OID_XML = 142,
	OID_CIDR = 650,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_MACADDR8 = 774,
	OID_MONEY = 790,
	OID_MACADDR = 829,
	OID_INET = 869,
	OID_BPCHAR = 1042,
	OID_VARCHAR = 1043,
	OID_DATE = 1082,
	OID_TIME = 1083,
	OID_TIMESTAMP = 1114,
	OID_TIMESTAMPTZ = 1184,
	OID_INTERVAL = 1186,
	OID_TIMETZ = 1266,
	OID_BIT = 1560,
	OID_VARBIT = 1562,
	OID_NUMERIC = 1700,
	OID_BPCHAR_ARRAY = 1014,
	OID_BIT_ARRAY = 1561,
	OID_UUID = 2950,
	OID_JSONB = 3802,
};

static const struct {
	uint32_t oid;
	enum pg_form form;
	enum row_type type;
	int length; /* of text, where the type itself bounds it */
} types[] = {
	{OID_BOOL, PG_FORM_BOOL, ROW_BOOL, 0},
	{OID_BYTEA, PG_FORM_BYTEA, ROW_BYTES, 0},
	{OID_CHAR, PG_FORM_WORDS, ROW_TEXT, 4}, /* \\ooo */
	{OID_NAME, PG_FORM_TEXT, ROW_TEXT, 63},
	{OID_INT8, PG_FORM_INT8, ROW_INT64, 0},
	{OID_INT2, PG_FORM_INT2, ROW_INT16, 0},
	{OID_INT4, PG_FORM_INT4, ROW_INT32, 0},
	{OID_TEXT, PG_FORM_TEXT, ROW_TEXT, 0},
	{OID_OID, PG_FORM_OID, ROW_INT64, 0},
	{OID_JSON, PG_FORM_TEXT, ROW_JSON, 0},
	{OID_XML, PG_FORM_WORDS, ROW_XML, 0},
	{OID_CIDR, PG_FORM_WORDS, ROW_TEXT, 49},
	{OID_FLOAT4, PG_FORM_FLOAT4, ROW_FLOAT32, 0},
	{OID_FLOAT8, PG_FORM_FLOAT8, ROW_FLOAT64, 0},
	{OID_MACADDR8, PG_FORM_WORDS, ROW_TEXT, 23},
	{OID_MONEY, PG_FORM_MONEY, ROW_DECIMAL, 0},
	{OID_MACADDR, PG_FORM_WORDS, ROW_TEXT, 17},
	{OID_INET, PG_FORM_WORDS, ROW_TEXT, 49},
	{OID_BPCHAR, PG_FORM_TEXT, ROW_TEXT, 0},
	{OID_VARCHAR, PG_FORM_TEXT, ROW_TEXT, 0},
	{OID_DATE, PG_FORM_DATE, ROW_DATE, 0},
	{OID_TIME, PG_FORM_TIME, ROW_TIME, 0},
	{OID_TIMESTAMP, PG_FORM_TIMESTAMP, ROW_TIMESTAMP, 0},
	{OID_TIMESTAMPTZ, PG_FORM_TIMESTAMPTZ, ROW_TIMESTAMPTZ, 0},
	{OID_INTERVAL, PG_FORM_WORDS, ROW_TEXT, 100},
	{OID_TIMETZ, PG_FORM_WORDS, ROW_TEXT, 30},
	{OID_BIT, PG_FORM_WORDS, ROW_TEXT, 0},
	{OID_VARBIT, PG_FORM_WORDS, ROW_TEXT, 0},
	{OID_NUMERIC, PG_FORM_NUMERIC, ROW_DECIMAL, 0},
	{OID_UUID, PG_FORM_UUID, ROW_UUID, 0},
	{OID_JSONB, PG_FORM_JSONB, ROW_JSON, 0},
};

static int find_type(uint32_t oid)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (types[i].oid == oid)
			return (int)i;
	return -1;
}

/*
 * A numeric's digits and those behind the point. A scale may be negative, or
 * more than the digits there are, from PostgreSQL 15 on. False: the number of
 * its digits is not declared.
 */
static bool numeric_digits(int typmod, int *precision, int *scale)
{
	if (typmod < 4)
		return false;
	*precision = (typmod - 4) >> 16 & 0xffff;
	*scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
	if (*scale < 0) {
		*precision -= *scale;
		*scale = 0;
	}
	if (*precision < *scale)
		*precision = *scale;
	return true;
}

static bool is_decimal(int typmod)
{
	int precision, scale;

	return numeric_digits(typmod, &precision, &scale) &&
	       precision <= DECIMAL_DIGITS;
}

enum pg_form pg_type_form(const struct pg_type *type)
{
	int i = find_type(type->oid);

	if (i < 0 ||
	    (types[i].form == PG_FORM_NUMERIC && !is_decimal(type->typmod)))
		return PG_FORM_WORDS;
	return types[i].form;
}

/* A row type's own form of it: values that others cannot have may be in it. */
static bool is_extended(enum pg_form form)
{
	return form == PG_FORM_NUMERIC || form == PG_FORM_DATE ||
	       form == PG_FORM_TIME || form == PG_FORM_TIMESTAMP ||
	       form == PG_FORM_TIMESTAMPTZ;
}

/*
 * A cast to it makes less of a text that is too long or too fine, and says
 * nothing. Six digits of a second are all that there are.
 */
static bool cuts(const struct pg_type *type)
{
	if (type->oid == OID_CHAR)
		return true;
	if (type->oid == OID_VARBIT || type->typmod < 0)
		return false;
	if (type->oid == OID_TIMETZ)
		return type->typmod < 6;
	if (type->oid == OID_INTERVAL)
		return type->typmod != INTERVAL_WHOLE;
	/* Those of extensions refuse what does not fit. */
	return type->built_in;
}

static void describe_text(const struct pg_type *type, int i,
			  struct column *column)
{
	column->length = i < 0 ? 0 : types[i].length;
	if (type->kind == 'e')
		column->length = type->label_length;
	if ((type->oid == OID_VARCHAR || type->oid == OID_BPCHAR) &&
	    type->typmod >= 4)
		column->length = type->typmod - 4;
	if ((type->oid == OID_BIT || type->oid == OID_VARBIT) &&
	    type->typmod > 0)
		column->length = type->typmod;
	column->fixed = column->length &&
			(type->oid == OID_BPCHAR || type->oid == OID_BIT);
}

void pg_type_describe(const struct pg_type *type, bool native,
		      struct column *column)
{
	enum pg_form form = pg_type_form(type);
	int i = find_type(type->oid);

	column->type =
		i < 0 || (form == PG_FORM_WORDS && types[i].type == ROW_DECIMAL)
			? ROW_TEXT
			: types[i].type;
	column->unsupported = type->kind == 'p';
	column->extended = native && is_extended(form);
	switch (form) {
	case PG_FORM_NUMERIC:
		numeric_digits(type->typmod, &column->precision,
			       &column->scale);
		break;
	case PG_FORM_MONEY: /* an int8 with a point in it */
		column->precision = 19;
		column->sure_precision = 18;
		column->scale = type->money_digits;
		break;
	case PG_FORM_TIME:
	case PG_FORM_TIMESTAMP:
	case PG_FORM_TIMESTAMPTZ:
		column->precision = type->typmod >= 0 ? type->typmod : 6;
		column->finest = column->precision == 6;
		column->offsetless = form == PG_FORM_TIMESTAMPTZ;
		break;
	case PG_FORM_WORDS:
		column->cuts = cuts(type);
		column->pads = type->oid == OID_BIT ||
			       type->oid == OID_BIT_ARRAY ||
			       type->oid == OID_BPCHAR_ARRAY;
		describe_text(type, i, column);
		break;
	case PG_FORM_TEXT:
		describe_text(type, i, column);
		break;
	default:
		break;
	}
}

/* ------------------------------------------------- a type to be made of it */

/* Nothing keeps 100 ns here: they are rounded, see struct column. */
static int time_precision(const struct column *column)
{
	return column->precision < 6 ? column->precision : 6;
}

static void add_text(const struct column *column, struct strbuf *sql)
{
	/* char(n) forgets the blanks at a value's end, varchar does not. */
	if (column->length > 0)
		strbuf_addf(sql, "varchar(%d)", column->length);
	else
		strbuf_addstr(sql, "text");
}

void pg_type_definition(const struct column *column, const char *system,
			struct strbuf *sql)
{
	if (system && !strcmp(system, PG_SYSTEM) && column->native) {
		strbuf_addstr(sql, column->native);
		return;
	}
	switch (column->type) {
	case ROW_BOOL:
		strbuf_addstr(sql, "boolean");
		break;
	case ROW_UINT8:
	case ROW_INT8:
	case ROW_INT16:
		strbuf_addstr(sql, "smallint");
		break;
	case ROW_INT32:
		strbuf_addstr(sql, "integer");
		break;
	case ROW_INT64:
		strbuf_addstr(sql, "bigint");
		break;
	case ROW_UINT64:
		strbuf_addstr(sql, "numeric(20,0)");
		break;
	case ROW_FLOAT32:
		strbuf_addstr(sql, "real");
		break;
	case ROW_FLOAT64:
		strbuf_addstr(sql, "double precision");
		break;
	case ROW_DECIMAL:
		strbuf_addf(sql, "numeric(%d,%d)", column->precision,
			    column->scale);
		break;
	case ROW_TEXT:
		add_text(column, sql);
		break;
	case ROW_BYTES:
		strbuf_addstr(sql, "bytea");
		break;
	case ROW_DATE:
		strbuf_addstr(sql, "date");
		break;
	case ROW_TIME:
		strbuf_addf(sql, "time(%d)", time_precision(column));
		break;
	case ROW_TIMESTAMP:
		strbuf_addf(sql, "timestamp(%d)", time_precision(column));
		break;
	case ROW_TIMESTAMPTZ:
		strbuf_addf(sql, "timestamp(%d) with time zone",
			    time_precision(column));
		break;
	case ROW_UUID:
		strbuf_addstr(sql, "uuid");
		break;
	case ROW_JSON: /* jsonb would drop what is there twice */
		strbuf_addstr(sql, "json");
		break;
	case ROW_XML:
		strbuf_addstr(sql, "xml");
		break;
	}
}
