/* The pure parts of drivers/sqlserver: types, charsets, quoted names. */
#include "unit/helper.h"

#include <string.h>

#include "drivers/sqlserver/sql.h"
#include "drivers/sqlserver/wire.h"
#include "unit/rows.h"
#include "unit/sqltype.h"

static void test_types(void **state)
{
	static const struct {
		const char *text;
		enum row_type type;
		int length, precision, scale;
		bool fixed;
	} cases[] = {
		{"bit", ROW_BOOL, 1, 1, 0, false},
		{"tinyint", ROW_UINT8, 1, 3, 0, false},
		{"smallint", ROW_INT16, 2, 5, 0, false},
		{"int", ROW_INT32, 4, 10, 0, false},
		{"bigint", ROW_INT64, 8, 19, 0, false},
		{"real", ROW_FLOAT32, 4, 24, 0, false},
		{"float", ROW_FLOAT64, 8, 53, 0, false},
		{"decimal(38, 10)", ROW_DECIMAL, 17, 38, 10, false},
		{"numeric(5, 0)", ROW_DECIMAL, 5, 5, 0, false},
		{"money", ROW_DECIMAL, 8, 19, 4, false},
		{"smallmoney", ROW_DECIMAL, 4, 10, 4, false},
		{"date", ROW_DATE, 3, 10, 0, false},
		{"time(7)", ROW_TIME, 5, 7, 0, false},
		{"time(0)", ROW_TIME, 5, 0, 0, false},
		{"datetime", ROW_TIMESTAMP, 8, 3, 0, false},
		{"smalldatetime", ROW_TIMESTAMP, 4, 0, 0, false},
		{"datetime2(3)", ROW_TIMESTAMP, 8, 3, 0, false},
		{"datetimeoffset(7)", ROW_TIMESTAMPTZ, 10, 7, 0, false},
		{"char(10)", ROW_TEXT, 10, 0, 0, true},
		{"varchar(8000)", ROW_TEXT, 8000, 0, 0, false},
		{"varchar(max)", ROW_TEXT, 0, 0, 0, false},
		{"text", ROW_TEXT, 0, 0, 0, false},
		{"nchar(10)", ROW_TEXT, 10, 0, 0, true},
		{"nvarchar(4000)", ROW_TEXT, 4000, 0, 0, false},
		{"nvarchar(max)", ROW_TEXT, 0, 0, 0, false},
		{"ntext", ROW_TEXT, 0, 0, 0, false},
		{"xml", ROW_XML, 0, 0, 0, false},
		{"binary(8)", ROW_BYTES, 8, 0, 0, true},
		{"varbinary(8000)", ROW_BYTES, 8000, 0, 0, false},
		{"varbinary(max)", ROW_BYTES, 0, 0, 0, false},
		{"image", ROW_BYTES, 0, 0, 0, false},
		{"uniqueidentifier", ROW_UUID, 16, 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct catalog_column column =
			sqltype_column("c", cases[i].text);
		const struct column *got;
		struct table table;
		struct strbuf text;

		column.nullable = i % 2;
		sqltype_describe(&table, "t", &column, 1, NULL);
		got = &table.columns[0];
		if (got->type != cases[i].type)
			fail_msg("%s is %s", cases[i].text,
				 row_type_name(got->type));
		assert_string_equal(got->native, cases[i].text);
		assert_int_equal(got->fixed, cases[i].fixed);
		assert_int_equal(got->nullable, i % 2);
		assert_false(got->unsupported);
		if (row_type_store(got->type) == ROW_STORE_SLICE)
			assert_int_equal(got->length, cases[i].length);
		if (got->type >= ROW_TIME && got->type <= ROW_TIMESTAMPTZ)
			assert_int_equal(got->precision, cases[i].precision);
		if (got->type == ROW_DECIMAL) {
			assert_int_equal(got->precision, cases[i].precision);
			assert_int_equal(got->scale, cases[i].scale);
		}
		strbuf_init(&text);
		catalog_type(&column, &text);
		assert_string_equal(text.data, cases[i].text);
		strbuf_release(&text);
		assert_string_equal(table.system, "sqlserver");
		table_release(&table);
	}
}

static void test_what_cannot_be_carried(void **state)
{
	static const char *const names[] = {"sql_variant", "geography"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct catalog_column column = sqltype_column("c", names[i]);
		struct table table;

		assert_int_equal(column.wire, WIRE_NONE);
		sqltype_describe(&table, "t", &column, 1, NULL);
		assert_true(table.columns[0].unsupported);
		table_release(&table);
	}
	assert_int_equal(catalog_wire("hierarchyid"), WIRE_NONE);
	assert_int_equal(catalog_wire(""), WIRE_NONE);
}

/* What is special about some of them decides what goes into what. */
static void test_coarse_and_sure(void **state)
{
	static const struct {
		const char *text;
		bool coarse;
		int sure;
	} cases[] = {
		{"datetime", true, 0},	    {"smalldatetime", true, 0},
		{"datetime2(3)", false, 0}, {"date", false, 0},
		{"time(3)", false, 0},	    {"money", false, 18},
		{"smallmoney", false, 9},   {"decimal(19, 4)", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct catalog_column column =
			sqltype_column("c", cases[i].text);
		struct table table;

		sqltype_describe(&table, "t", &column, 1, NULL);
		assert_int_equal(table.columns[0].coarse, cases[i].coarse);
		assert_int_equal(table.columns[0].sure_precision,
				 cases[i].sure);
		table_release(&table);
	}
}

static void test_rowversion(void **state)
{
	struct catalog_column column = sqltype_column("c", "timestamp");
	struct table table;

	(void)state;
	sqltype_describe(&table, "t", &column, 1, NULL);
	assert_true(table.columns[0].generated);
	/* Its copy has to be able to take values. */
	assert_string_equal(table.columns[0].native, "binary(8)");
	table_release(&table);
}

static void test_keys_and_lookups(void **state)
{
	struct catalog_column columns[3] = {
		sqltype_column("A", "int"),
		sqltype_column("b", "int"),
		sqltype_column("a", "int"),
	};
	struct catalog_table catalog = {.columns = columns, .column_count = 3};
	struct table table;

	(void)state;
	columns[0].key_ordinal = 2;
	columns[2].key_ordinal = 1;
	assert_ptr_equal(catalog_key(&catalog, 0), &columns[2]);
	assert_ptr_equal(catalog_key(&catalog, 1), &columns[0]);
	assert_null(catalog_key(&catalog, 2));
	assert_ptr_equal(catalog_column(&catalog, "a"), &columns[2]);
	assert_ptr_equal(catalog_column(&catalog, "A"), &columns[0]);
	assert_ptr_equal(catalog_column(&catalog, "B"), &columns[1]);
	assert_null(catalog_column(&catalog, "c"));
	sqltype_describe(&table, "t", columns, 3, NULL);
	assert_int_equal(table.key_count, 2);
	assert_int_equal(table.key[0], 2);
	assert_int_equal(table.key[1], 0);
	table_release(&table);
}

static void test_charsets(void **state)
{
	struct catalog_column column = sqltype_column("c", "varchar(5)");

	(void)state;
	assert_string_equal(catalog_charset(&column), "CP1252");
	column.code_page = 932;
	assert_string_equal(catalog_charset(&column), "CP932");
	column.code_page = 65001;
	assert_null(catalog_charset(&column)); /* UTF-8 */
	column = sqltype_column("c", "nvarchar(5)");
	assert_string_equal(catalog_charset(&column), "UTF-16LE");
}

static void test_names(void **state)
{
	static const struct {
		const char *name, *quoted;
	} cases[] = {
		{"a", "[a]"},
		{"a]b", "[a]]b]"},
		{"]", "[]]]"},
		{"]]", "[]]]]]"},
		{"[a]", "[[a]]]"},
		{"", "[]"},
		{"a'b\"c", "[a'b\"c]"},
		{"x]; DROP TABLE t;--", "[x]]; DROP TABLE t;--]"},
		{"%n", "[%n]"},
		{"\xe8\xa1\xa8", "[\xe8\xa1\xa8]"},
	};
	struct strbuf sql;

	(void)state;
	strbuf_init(&sql);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		strbuf_reset(&sql);
		sql_name(&sql, cases[i].name);
		assert_string_equal(sql.data, cases[i].quoted);
	}
	strbuf_reset(&sql);
	sql_table(&sql, "d.bo", "t]");
	assert_string_equal(sql.data, "[d.bo].[t]]]");
	strbuf_reset(&sql);
	sql_names(&sql, "d.%n = s.%m AND 5 %% 2 = %n", "a]", "%n");
	assert_string_equal(sql.data, "d.[a]]] = s.[%n] AND 5 % 2 = [a]]]");
	strbuf_release(&sql);
}

/* One byte for the sign, and what 10^precision - 1 needs. */
static void test_numeric_bytes(void **state)
{
	(void)state;
	for (int precision = 1; precision <= 38; precision++) {
		unsigned __int128 most = 0;
		int bytes = 0;

		for (int i = 0; i < precision; i++)
			most = most * 10 + 9;
		for (; most; most >>= 8)
			bytes++;
		if (sqlserver_numeric_bytes(precision) != bytes + 1)
			fail_msg("precision %d takes %d bytes, not %d",
				 precision, bytes + 1,
				 sqlserver_numeric_bytes(precision));
	}
	assert_int_equal(DAYS_TO_1900, row_date_join(1900, 1, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_what_cannot_be_carried),
		cmocka_unit_test(test_coarse_and_sure),
		cmocka_unit_test(test_rowversion),
		cmocka_unit_test(test_keys_and_lookups),
		cmocka_unit_test(test_charsets),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_numeric_bytes),
	};

	return cmocka_run_group_tests_name("sqltypes", tests, NULL, NULL);
}
