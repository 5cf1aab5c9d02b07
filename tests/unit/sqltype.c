#include "unit/sqltype.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/helper.h"

/* max_length, precision and scale; n is the number in the brackets. */
static const struct {
	const char *name;
	int max_length, precision, scale;
	enum { FIXED, BYTES, CHARS, DECIMAL, TIME } kind;
} types[] = {
	{"bit", 1, 1, 0, FIXED},
	{"tinyint", 1, 3, 0, FIXED},
	{"smallint", 2, 5, 0, FIXED},
	{"int", 4, 10, 0, FIXED},
	{"bigint", 8, 19, 0, FIXED},
	{"real", 4, 24, 0, FIXED},
	{"float", 8, 53, 0, FIXED},
	{"money", 8, 19, 4, FIXED},
	{"smallmoney", 4, 10, 4, FIXED},
	{"decimal", 0, 0, 0, DECIMAL},
	{"numeric", 0, 0, 0, DECIMAL},
	{"date", 3, 10, 0, FIXED},
	{"datetime", 8, 23, 3, FIXED},
	{"smalldatetime", 4, 16, 0, FIXED},
	{"time", 5, 9, 0, TIME},
	{"datetime2", 8, 20, 0, TIME},
	{"datetimeoffset", 10, 27, 0, TIME},
	{"char", 0, 0, 0, BYTES},
	{"varchar", 0, 0, 0, BYTES},
	{"binary", 0, 0, 0, BYTES},
	{"varbinary", 0, 0, 0, BYTES},
	{"nchar", 0, 0, 0, CHARS},
	{"nvarchar", 0, 0, 0, CHARS},
	{"text", -1, 0, 0, FIXED},
	{"ntext", -1, 0, 0, FIXED},
	{"image", -1, 0, 0, FIXED},
	{"xml", -1, 0, 0, FIXED},
	{"timestamp", 8, 0, 0, FIXED},
	{"uniqueidentifier", 16, 0, 0, FIXED},
	{"sql_variant", 8016, 0, 0, FIXED},
	{"geography", -1, 0, 0, FIXED},
};

struct catalog_column sqltype_column(const char *name, const char *type)
{
	struct catalog_column column = {.name = name};
	size_t len = strcspn(type, "(");
	const char *inner = type[len] ? type + len + 1 : "";
	int first = atoi(inner), second = 0;
	const char *comma = strchr(inner, ',');

	if (comma)
		second = atoi(comma + 1);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (strlen(types[i].name) != len ||
		    memcmp(types[i].name, type, len))
			continue;
		column.type = types[i].name;
		column.wire = catalog_wire(column.type);
		column.max_length = types[i].max_length;
		column.precision = types[i].precision;
		column.scale = types[i].scale;
		if (types[i].kind == DECIMAL) {
			column.precision = first;
			column.scale = second;
			column.max_length = first <= 9	  ? 5
					    : first <= 19 ? 9
					    : first <= 28 ? 13
							  : 17;
		} else if (types[i].kind == TIME) {
			column.precision += first;
			column.scale = first;
		} else if (types[i].kind != FIXED) {
			column.max_length = !strncmp(inner, "max", 3) ? -1
					    : types[i].kind == CHARS ? 2 * first
								     : first;
		}
		if (column.wire == WIRE_CHAR || column.wire == WIRE_NCHAR) {
			column.collation = "SQL_Latin1_General_CP1_CI_AS";
			column.code_page = 1252;
		}
		column.generated = !strcmp(column.type, "timestamp");
		return column;
	}
	fail_msg("there is no type '%s'", type);
	return column;
}

void sqltype_describe(struct table *table, const char *name,
		      const struct catalog_column *columns, size_t count,
		      const char *key)
{
	struct error err = ERROR_INIT;
	struct catalog_column copy[64];
	struct catalog_table catalog = {
		.columns = copy,
		.column_count = count,
	};
	struct table_name where = {"db", "dbo", name};

	assert_true(count <= 64);
	memcpy(copy, columns, count * sizeof(*columns));
	for (size_t i = 0; i < count; i++)
		copy[i].column_id = (int)i + 1;
	table_init(table);
	MUST(catalog_describe(&catalog, &where, table, &err));
	if (key)
		MUST(table_set_key(table, key, &err));
}
