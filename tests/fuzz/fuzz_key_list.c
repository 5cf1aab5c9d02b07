/*
 * Lists of key columns, `primary_key_column` of table_mappings, which
 * table_set_key() of row/schema.h reads.
 *
 * Whatever the list says, the key is made of different columns of the table,
 * or the key of before stays and the error is ERROR_SCHEMA. A list of any
 * names, each in brackets or double quotes, is read as exactly these columns
 * in this order.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "row/schema.h"

#define COLUMNS_MAX 8

/* Names that nobody can tell apart do not occur in one table. */
static bool is_new_name(const struct table *table, const char *name)
{
	return *name && !table_column(table, name);
}

static void make_table(struct table *table, struct input *in)
{
	size_t count = take_below(in, COLUMNS_MAX) + 1;

	table_init(table);
	table->name = (struct table_name){"db", "dbo", "t"};
	table->columns =
		arena_calloc(&table->arena, count, sizeof(*table->columns));
	table->key = arena_calloc(&table->arena, count, sizeof(*table->key));
	HOLDS(table->columns && table->key);
	for (size_t i = 0; i < count; i++) {
		char *name = take_text(in, 130);

		if (is_new_name(table, name)) {
			table->columns[table->column_count].name =
				arena_strdup(&table->arena, name);
			table->column_count++;
		}
		free(name);
	}
}

static void check_key(const struct table *table)
{
	HOLDS(table->key_count > 0 && table->key_count <= table->column_count);
	for (size_t k = 0; k < table->key_count; k++) {
		HOLDS(table->key[k] < table->column_count);
		for (size_t j = 0; j < k; j++)
			HOLDS(table->key[j] != table->key[k]);
	}
}

static void quote(struct strbuf *list, const char *name, bool brackets)
{
	char close = brackets ? ']' : '"';

	strbuf_addch(list, brackets ? '[' : '"');
	for (; *name; name++) {
		if (*name == close)
			strbuf_addch(list, close);
		strbuf_addch(list, *name);
	}
	strbuf_addch(list, close);
}

/* All columns, from the last to the first. */
static void check_quoted(struct table *table, struct input *in)
{
	size_t count = table->column_count;
	struct error err = ERROR_INIT;
	struct strbuf list;

	strbuf_init(&list);
	for (size_t i = count; i > 0; i--) {
		strbuf_addstr(&list, i < count ? " ,\t" : "");
		quote(&list, table->columns[i - 1].name, take_byte(in) & 1);
	}
	HOLDS(table_set_key(table, list.data, &err) == 0);
	HOLDS(table->key_count == count);
	for (size_t k = 0; k < count; k++)
		HOLDS(table->key[k] == count - 1 - k);
	strbuf_release(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct error err = ERROR_INIT;
	char *list = take_text(&in, size);
	struct table table;

	make_table(&table, &in);
	if (table_set_key(&table, list, &err) == 0) {
		check_key(&table);
	} else {
		check_error(&err);
		HOLDS(err.kind == ERROR_SCHEMA && !table.key_count);
	}
	if (table.column_count)
		check_quoted(&table, &in);
	table_release(&table);
	free(list);
	return 0;
}
