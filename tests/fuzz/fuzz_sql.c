/*
 * Names from tables and catalogs in T-SQL, drivers/sqlserver/sql.h.
 *
 * Any name, quoted, is one identifier to SQL Server's lexer, and that very
 * name; what stands around it is untouched. The expression that reads a column
 * has the column's name in it as such an identifier alone.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/strbuf.h"
#include "drivers/sqlserver/catalog.h"
#include "drivers/sqlserver/decode.h"
#include "drivers/sqlserver/sql.h"

/*
 * The text with each bracketed identifier taken out, which are appended to
 * `names` with a NUL after each; false: a bracket stays open.
 */
static bool take_identifiers(const char *sql, struct strbuf *rest,
			     struct strbuf *names)
{
	while (*sql) {
		if (*sql != '[') {
			strbuf_addch(rest, *sql++);
			continue;
		}
		for (sql++; *sql != ']' || sql[1] == ']'; sql++) {
			if (!*sql)
				return false;
			if (*sql == ']')
				sql++;
			strbuf_addch(names, *sql);
		}
		strbuf_addch(names, '\0');
		sql++;
	}
	return true;
}

/* `sql` is `rest` around `count` times `a` and `b` in turn. */
static void check(const struct strbuf *sql, const char *wanted_rest,
		  const char *a, const char *b, size_t count)
{
	struct strbuf rest, names;
	const char *name;

	strbuf_init(&rest);
	strbuf_init(&names);
	HOLDS(!sql->failed && strlen(sql->data) == sql->len);
	HOLDS(take_identifiers(sql->data, &rest, &names));
	if (wanted_rest)
		HOLDS(!strcmp(rest.data, wanted_rest));
	name = names.data;
	for (size_t i = 0; i < count; i++) {
		HOLDS(name < names.data + names.len);
		HOLDS(!strcmp(name, i % 2 ? b : a));
		name += strlen(name) + 1;
	}
	HOLDS(name == names.data + names.len);
	strbuf_release(&names);
	strbuf_release(&rest);
}

static void check_names(const char *a, const char *b)
{
	struct strbuf sql, table;

	strbuf_init(&sql);
	strbuf_init(&table);
	sql_name(&sql, a);
	check(&sql, "", a, NULL, 1);
	strbuf_reset(&sql);
	sql_table(&sql, a, b);
	check(&sql, ".", a, b, 2);
	strbuf_reset(&sql);
	sql_names(&sql, "t.%n = s.%m %% (%n)", a, b);
	check(&sql, "t. = s. % ()", a, b, 3);
	strbuf_reset(&sql);
	sql_change_table(&sql, a);
	strbuf_addf(&table, "%s_CT", a);
	check(&sql, ".", "cdc", table.data, 2);
	strbuf_release(&table);
	strbuf_release(&sql);
}

static void check_expression(struct input *in, const char *name)
{
	static const char *const types[] = {
		"bit",	"int",	 "decimal", "time",  "varchar", "nvarchar",
		"text", "ntext", "xml",	    "image", "binary",	"timestamp",
	};
	struct catalog_column column = {
		.name = name,
		.type = types[take_below(in, sizeof(types) / sizeof(*types))],
		.max_length = (int)(int16_t)take_number(in, 2),
		.precision = (int)take_below(in, 39),
		.scale = (int)take_below(in, 39),
	};
	unsigned flags = take_byte(in);
	struct strbuf sql;

	column.wire = catalog_wire(column.type);
	strbuf_init(&sql);
	decode_expression(&sql, &column, "t", flags & 1, flags & 2);
	check(&sql, NULL, name, name, flags & 2 ? 2 : 1);
	strbuf_release(&sql);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	char *a = take_text(&in, 200), *b = take_text(&in, 200);

	check_names(a, b);
	check_expression(&in, a);
	free(b);
	free(a);
	return 0;
}
