#include "unit/helper.h"

#include <stdio.h>
#include <string.h>

#include "row/schema.h"
#include "unit/rows.h"

static const struct column columns[] = {
	{.name = "Id", .type = ROW_INT32, .identity = true},
	{.name = "line no", .type = ROW_INT16},
	{.name = "a]b",
	 .type = ROW_TEXT,
	 .length = 10,
	 .nullable = true,
	 .charset = "CP1252",
	 .native = "varchar(10)",
	 .collation = "Latin1_General_CI_AS"},
	{.name = "q\"uote", .type = ROW_DECIMAL, .precision = 10, .scale = 2},
	{.name = "comma,name", .type = ROW_BYTES, .fixed = true, .length = 4},
	{.name = "ID2", .type = ROW_INT64, .has_default = true},
	{.name = "total", .type = ROW_FLOAT64, .computed = true},
	{.name = "row version", .type = ROW_BYTES, .generated = true},
	{.name = "geo", .type = ROW_BYTES, .unsupported = true},
};

#define COLUMNS COUNT_OF(columns)

static void test_column(void **state)
{
	static const struct column twins[] = {
		{.name = "AB", .type = ROW_INT32},
		{.name = "ab", .type = ROW_INT32},
		{.name = "Ab", .type = ROW_INT32},
	};
	struct table table;

	(void)state;
	table_make(&table, "t", columns, COLUMNS, NULL);
	assert_ptr_equal(table_column(&table, "Id"), &table.columns[0]);
	assert_ptr_equal(table_column(&table, "ID"), &table.columns[0]);
	assert_ptr_equal(table_column(&table, "id2"), &table.columns[5]);
	assert_null(table_column(&table, "Id "));
	assert_null(table_column(&table, "I"));
	assert_null(table_column(&table, ""));
	table_release(&table);
	table_release(&table);
	/* Where case tells columns apart, the exact name goes first. */
	table_make(&table, "t", twins, 3, NULL);
	assert_ptr_equal(table_column(&table, "ab"), &table.columns[1]);
	assert_ptr_equal(table_column(&table, "Ab"), &table.columns[2]);
	assert_ptr_equal(table_column(&table, "aB"), &table.columns[0]);
	table_release(&table);
}

static void test_set_key(void **state)
{
	static const struct {
		const char *list;
		size_t count, key[3];
	} cases[] = {
		{"Id", 1, {0}},
		{"id", 1, {0}},
		{" Id ", 1, {0}},
		{"[Id]", 1, {0}},
		{"\"Id\"", 1, {0}},
		{"Id,ID2", 2, {0, 5}},
		{"ID2 , Id", 2, {5, 0}},
		{"line no", 1, {1}},
		{"line no ,Id", 2, {1, 0}},
		{"[line no], [Id] ,ID2", 3, {1, 0, 5}},
		{"[a]]b]", 1, {2}},
		{"a]b", 1, {2}},
		{"\"q\"\"uote\"", 1, {3}},
		{"q\"uote,Id", 2, {3, 0}},
		{"[comma,name],Id", 2, {4, 0}},
		{"\"comma,name\"", 1, {4}},
		{"\t[Id]\n", 1, {0}},
		{"[q\"uote]", 1, {3}},
		{"\"a]b\"", 1, {2}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = ERROR_INIT;
		struct table table;

		table_make(&table, "t", columns, COLUMNS, NULL);
		if (table_set_key(&table, cases[i].list, &err) < 0)
			fail_msg("%s: %s", cases[i].list, err.message);
		assert_int_equal(table.key_count, cases[i].count);
		for (size_t k = 0; k < cases[i].count; k++)
			assert_int_equal(table.key[k], cases[i].key[k]);
		table_release(&table);
	}
}

static void test_set_key_refuses(void **state)
{
	static const struct {
		const char *list, *named;
	} cases[] = {
		{"", NULL},	     {"  ", NULL},
		{",", NULL},	     {"Id,", NULL},
		{",Id", NULL},	     {"Id,,ID2", NULL},
		{"[Id", NULL},	     {"\"Id", NULL},
		{"[]", NULL},	     {"\"\"", NULL},
		{"[Id]x", NULL},     {"[Id] [ID2]", NULL},
		{"[Id]]", NULL},     {"Id ID2", "Id ID2"},
		{"[ Id ]", " Id "},  {"nope", "nope"},
		{"Id,nope", "nope"}, {"nope,neither", "nope"},
		{"Id,id", "id"},     {"Id,[Id]", "Id"},
		{"[a]b]", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = ERROR_INIT;
		char quoted[64];
		struct table table;

		table_make(&table, "orders", columns, COLUMNS, "ID2");
		if (table_set_key(&table, cases[i].list, &err) == 0)
			fail_msg("'%s' is taken", cases[i].list);
		assert_int_equal(err.kind, ERROR_SCHEMA);
		if (cases[i].named) {
			snprintf(quoted, sizeof(quoted), "'%s'",
				 cases[i].named);
			assert_holds(err.message, quoted);
		}
		/* The old key is still there. */
		assert_int_equal(table.key_count, 1);
		assert_int_equal(table.key[0], 5);
		table_release(&table);
	}
}

static void test_is_key(void **state)
{
	struct table table;

	(void)state;
	table_make(&table, "t", columns, COLUMNS, "ID2,Id");
	for (size_t i = 0; i < COLUMNS; i++)
		assert_int_equal(table_is_key(&table, i), i == 0 || i == 5);
	table_release(&table);
}

static void test_copy(void **state)
{
	static const struct table_name other = {"", "s2", "t2"};
	struct error err = ERROR_INIT;
	struct table table, copy, renamed;

	(void)state;
	table_make(&table, "t", columns, COLUMNS, "ID2,Id");
	table.system = "sqlserver";
	table_init(&copy);
	table_init(&renamed);
	MUST(table_copy(&copy, &table, NULL, &err));
	MUST(table_copy(&renamed, &table, &other, &err));
	table_release(&table); /* copies own what they have */
	assert_string_equal(copy.name.database, "db");
	assert_string_equal(copy.name.table, "t");
	assert_string_equal(renamed.name.database, "");
	assert_string_equal(renamed.name.schema, "s2");
	assert_string_equal(renamed.name.table, "t2");
	assert_string_equal(copy.system, "sqlserver");
	assert_int_equal(copy.column_count, COLUMNS);
	for (size_t i = 0; i < COLUMNS; i++) {
		const struct column *a = &columns[i], *b = &copy.columns[i];

		assert_string_equal(a->name, b->name);
		assert_int_equal(a->type, b->type);
		assert_int_equal(a->length, b->length);
		assert_int_equal(a->precision, b->precision);
		assert_int_equal(a->scale, b->scale);
		assert_int_equal(a->nullable, b->nullable);
		assert_int_equal(a->identity, b->identity);
		assert_int_equal(a->computed, b->computed);
		assert_int_equal(a->generated, b->generated);
		assert_int_equal(a->unsupported, b->unsupported);
		assert_int_equal(a->has_default, b->has_default);
		assert_int_equal(a->fixed, b->fixed);
		assert_non_null(b->native);
		assert_null(b->charset); /* says how one read is encoded */
	}
	assert_string_equal(copy.columns[2].native, "varchar(10)");
	assert_string_equal(copy.columns[2].collation, "Latin1_General_CI_AS");
	assert_null(copy.columns[0].collation);
	assert_int_equal(copy.key_count, 2);
	assert_int_equal(copy.key[0], 5);
	assert_int_equal(copy.key[1], 0);
	table_release(&copy);
	table_release(&renamed);
}

static void test_project(void **state)
{
	bool keep[COLUMNS] = {false, true, false, true, true, true};
	struct error err = ERROR_INIT;
	struct table table, part;

	(void)state;
	/* "Id" leaves, and the key with it; the others move up. */
	table_make(&table, "t", columns, COLUMNS, "ID2,Id,line no");
	table_init(&part);
	MUST(table_project(&part, &table, NULL, keep, &err));
	assert_int_equal(part.column_count, 4);
	assert_string_equal(part.columns[0].name, "line no");
	assert_string_equal(part.columns[1].name, "q\"uote");
	assert_string_equal(part.columns[2].name, "comma,name");
	assert_string_equal(part.columns[3].name, "ID2");
	assert_int_equal(part.key_count, 2);
	assert_int_equal(part.key[0], 3);
	assert_int_equal(part.key[1], 0);
	table_release(&part);
	memset(keep, 0, sizeof(keep));
	MUST(table_project(&part, &table, NULL, keep, &err));
	assert_int_equal(part.column_count, 0);
	assert_int_equal(part.key_count, 0);
	table_release(&part);
	table_release(&table);
}

static void test_name_format(void **state)
{
	static const struct {
		struct table_name name;
		const char *want;
	} cases[] = {
		{{"db", "dbo", "t"}, "db.dbo.t"},
		{{"", "dbo", "t"}, "dbo.t"},
		{{"db", "", "t"}, "db.t"},
		{{NULL, NULL, "t"}, "t"},
		{{"", "", ""}, ""},
		{{"a.b", "c d", "[e]"}, "a.b.c d.[e]"},
	};
	char out[TABLE_NAME_TEXT_MAX], *end;
	char name[400];
	struct table_name huge = {name, name, name};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(table_name_format(out, &cases[i].name),
				    cases[i].want);
	/* Cut where it must be, but between characters. */
	for (end = name; end + 3 < name + sizeof(name); end += 3)
		memcpy(end, "\xe2\x82\xac", 3);
	*end = '\0';
	table_name_format(out, &huge);
	assert_true(strlen(out) < TABLE_NAME_TEXT_MAX);
	assert_true(is_utf8(out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_column),
		cmocka_unit_test(test_set_key),
		cmocka_unit_test(test_set_key_refuses),
		cmocka_unit_test(test_is_key),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_project),
		cmocka_unit_test(test_name_format),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
