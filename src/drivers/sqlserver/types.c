/*
 * SQL Server's types in words of row/type.h. docs/types.md is the table for
 * users.
 */
#include "drivers/sqlserver/catalog.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	enum wire_kind wire;
	enum row_type type; /* of WIRE_INT: by length */
	enum { PLAIN, SCALE, PRECISION_SCALE, LENGTH } arguments;
} types[] = {
	{"bit", WIRE_BIT, ROW_BOOL, PLAIN},
	{"tinyint", WIRE_INT, ROW_UINT8, PLAIN},
	{"smallint", WIRE_INT, ROW_INT16, PLAIN},
	{"int", WIRE_INT, ROW_INT32, PLAIN},
	{"bigint", WIRE_INT, ROW_INT64, PLAIN},
	{"real", WIRE_REAL, ROW_FLOAT32, PLAIN},
	{"float", WIRE_FLOAT, ROW_FLOAT64, PLAIN},
	{"decimal", WIRE_DECIMAL, ROW_DECIMAL, PRECISION_SCALE},
	{"numeric", WIRE_DECIMAL, ROW_DECIMAL, PRECISION_SCALE},
	{"money", WIRE_MONEY, ROW_DECIMAL, PLAIN},
	{"smallmoney", WIRE_MONEY, ROW_DECIMAL, PLAIN},
	{"date", WIRE_DATE, ROW_DATE, PLAIN},
	{"time", WIRE_TIME, ROW_TIME, SCALE},
	{"datetime", WIRE_DATETIME, ROW_TIMESTAMP, PLAIN},
	{"smalldatetime", WIRE_SMALLDATETIME, ROW_TIMESTAMP, PLAIN},
	{"datetime2", WIRE_DATETIME2, ROW_TIMESTAMP, SCALE},
	{"datetimeoffset", WIRE_DATETIMEOFFSET, ROW_TIMESTAMPTZ, SCALE},
	{"char", WIRE_CHAR, ROW_TEXT, LENGTH},
	{"varchar", WIRE_CHAR, ROW_TEXT, LENGTH},
	{"text", WIRE_CHAR, ROW_TEXT, PLAIN},
	{"nchar", WIRE_NCHAR, ROW_TEXT, LENGTH},
	{"nvarchar", WIRE_NCHAR, ROW_TEXT, LENGTH},
	{"ntext", WIRE_NCHAR, ROW_TEXT, PLAIN},
	{"xml", WIRE_NCHAR, ROW_XML, PLAIN},
	{"binary", WIRE_BINARY, ROW_BYTES, LENGTH},
	{"varbinary", WIRE_BINARY, ROW_BYTES, LENGTH},
	{"image", WIRE_BINARY, ROW_BYTES, PLAIN},
	{"timestamp", WIRE_BINARY, ROW_BYTES, PLAIN},
	{"uniqueidentifier", WIRE_GUID, ROW_UUID, PLAIN},
};

static int find_type(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(types[i].name, name))
			return (int)i;
	return -1;
}

enum wire_kind catalog_wire(const char *type)
{
	int i = find_type(type);

	return i < 0 ? WIRE_NONE : types[i].wire;
}

void catalog_type(const struct catalog_column *column, struct strbuf *sb)
{
	int i = find_type(column->type);
	int length = column->max_length;

	if (!strcmp(column->type, "timestamp")) {
		strbuf_addstr(sb, "binary(8)");
		return;
	}
	strbuf_addstr(sb, column->type);
	switch (i < 0 ? PLAIN : types[i].arguments) {
	case PLAIN:
		break;
	case SCALE:
		strbuf_addf(sb, "(%d)", column->scale);
		break;
	case PRECISION_SCALE:
		strbuf_addf(sb, "(%d, %d)", column->precision, column->scale);
		break;
	case LENGTH:
		if (length < 0)
			strbuf_addstr(sb, "(max)");
		else
			strbuf_addf(sb, "(%d)",
				    column->wire == WIRE_NCHAR ? length / 2
							       : length);
		break;
	}
}

/*
 * The names that both iconv and FreeTDS know. SQL Server's other code pages
 * are 874, 932, 936, 949, 950 and 1250 to 1258, named alike.
 */
const char *catalog_charset(const struct catalog_column *column)
{
	static const struct {
		int code_page;
		const char *name;
	} names[] = {
		{437, "CP437"},	  {850, "CP850"},   {874, "CP874"},
		{932, "CP932"},	  {936, "CP936"},   {949, "CP949"},
		{950, "CP950"},	  {1250, "CP1250"}, {1251, "CP1251"},
		{1252, "CP1252"}, {1253, "CP1253"}, {1254, "CP1254"},
		{1255, "CP1255"}, {1256, "CP1256"}, {1257, "CP1257"},
		{1258, "CP1258"},
	};

	if (column->wire == WIRE_NCHAR)
		return "UTF-16LE";
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].code_page == column->code_page)
			return names[i].name;
	return NULL;
}

static int describe_length(const struct catalog_column *column)
{
	if (column->max_length < 0)
		return 0;
	return column->wire == WIRE_NCHAR ? column->max_length / 2
					  : column->max_length;
}

static void describe_numbers(const struct catalog_column *from,
			     struct column *to)
{
	to->precision = from->precision;
	to->scale = from->scale;
	switch (from->wire) {
	case WIRE_TIME:
	case WIRE_DATETIME2:
	case WIRE_DATETIMEOFFSET:
		to->precision = from->scale;
		to->scale = 0;
		break;
	case WIRE_DATETIME:
		to->precision = 3;
		to->scale = 0;
		to->coarse = true;
		break;
	case WIRE_SMALLDATETIME:
		to->precision = 0;
		to->scale = 0;
		to->coarse = true;
		break;
	case WIRE_MONEY:
		to->sure_precision = from->precision - 1;
		break;
	default:
		break;
	}
}

static int describe_column(const struct catalog_column *from,
			   struct table *table, struct column *to,
			   struct error *err)
{
	struct strbuf native;
	int i = find_type(from->type);

	strbuf_init(&native);
	catalog_type(from, &native);
	to->name = arena_strdup(&table->arena, from->name);
	to->native = arena_strdup(&table->arena, native.data);
	if (from->collation)
		to->collation = arena_strdup(&table->arena, from->collation);
	strbuf_release(&native);
	if (!to->name || !to->native || (from->collation && !to->collation))
		return error_memory(err, "a table's definition");
	if (i < 0) {
		to->unsupported = true;
		to->type = ROW_BYTES;
	} else {
		to->type = types[i].type;
	}
	to->length = describe_length(from);
	describe_numbers(from, to);
	to->fixed = !strcmp(from->type, "char") ||
		    !strcmp(from->type, "nchar") ||
		    !strcmp(from->type, "binary") ||
		    !strcmp(from->type, "timestamp");
	to->nullable = from->nullable;
	to->identity = from->identity;
	to->computed = from->computed;
	to->generated = from->generated;
	to->has_default = from->has_default;
	return 0;
}

int catalog_describe(const struct catalog_table *from,
		     const struct table_name *name, struct table *out,
		     struct error *err)
{
	struct arena *arena = &out->arena;

	out->name.database = arena_strdup(arena, name->database);
	out->name.schema = arena_strdup(arena, name->schema);
	out->name.table = arena_strdup(arena, name->table);
	out->system = "sqlserver";
	out->columns = arena_calloc(arena, from->column_count + 1,
				    sizeof(*out->columns));
	out->key =
		arena_calloc(arena, from->column_count + 1, sizeof(*out->key));
	if (!out->name.database || !out->name.schema || !out->name.table ||
	    !out->columns || !out->key)
		return error_memory(err, "a table's definition");
	out->column_count = from->column_count;
	for (size_t i = 0; i < from->column_count; i++) {
		const struct catalog_column *column = &from->columns[i];

		if (describe_column(column, out, &out->columns[i], err) < 0)
			return -1;
		if (column->key_ordinal) {
			out->key[column->key_ordinal - 1] = i;
			out->key_count++;
		}
	}
	return 0;
}
