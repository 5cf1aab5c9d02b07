#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "drivers/files/layout.h"
#include "unit/rows.h"

static void assert_table(const char *database, const char *schema,
			 const char *table, const char *want)
{
	struct table_name name = {database, schema, table};
	struct strbuf out;

	strbuf_init(&out);
	layout_table(&out, &name);
	assert_int_equal(out.failed, 0);
	assert_string_equal(out.data, want);
	strbuf_release(&out);
}

/* Whatever a table is called, its folder is one, and nobody else's. */
static void test_tables(void **state)
{
	(void)state;
	assert_table("sales", "dbo", "orders", "sales.dbo.orders");
	assert_table("", "dbo", "orders", "dbo.orders");
	assert_table("a.b", "c", "d", "a%2Eb.c.d");
	assert_table("..", "/etc", "a/../b", "%2E%2E.%2Fetc.a%2F%2E%2E%2Fb");
	assert_table("my db", "Z\xc3\xbcrich", "x%y=z\\",
		     "my%20db.Z\xc3\xbcrich.x%25y%3Dz%5C");
	assert_table("\xff", "a", "b\n", "%FF.a.b%0A");
	assert_table("CON", "~", "*?", "CON.%7E.%2A%3F");
}

static void test_long_tables(void **state)
{
	struct table_name name = {"db", "dbo", NULL};
	struct strbuf out, text, other;

	(void)state;
	strbuf_init(&out);
	strbuf_init(&text);
	strbuf_init(&other);
	for (int i = 0; i < 128; i++)
		strbuf_addstr(&text, "\xe2\x82\xac");
	name.table = text.data;
	layout_table(&out, &name);
	assert_int_equal(out.failed, 0);
	assert_true(out.len < 220);
	assert_true(text_is_utf8(out.data, out.len));
	strbuf_addch(&text, 'x');
	name.table = text.data;
	layout_table(&other, &name);
	assert_string_not_equal(out.data, other.data);
	/* Not cut in the middle of what stands for a byte. */
	for (size_t dots = 40; dots < 80; dots++) {
		const char *at;

		strbuf_reset(&text);
		for (size_t i = 0; i < dots; i++)
			strbuf_addch(&text, i % 3 ? '.' : 'a');
		strbuf_reset(&out);
		name.table = text.data;
		layout_table(&out, &name);
		for (at = strchr(out.data, '%'); at; at = strchr(at + 1, '%'))
			assert_true(strlen(at) > 2 && at[1] == '2' &&
				    at[2] == 'E');
	}
	strbuf_release(&out);
	strbuf_release(&text);
	strbuf_release(&other);
}

static void test_runs(void **state)
{
	char run[LAYOUT_RUN_MAX], later[LAYOUT_RUN_MAX];

	(void)state;
	layout_run(run, INT64_C(1769864459123456), 7);
	assert_string_equal(run, "20260131T130059123456Z-7");
	layout_run(later, INT64_C(1769864459123457), 7);
	assert_true(strcmp(later, run) > 0);
}

static void assert_part(const struct layout *layout, const char *partition,
			const char *want)
{
	struct strbuf out;

	strbuf_init(&out);
	layout_part(&out, layout, "RUN-1", partition, 42,
		    INT64_C(1769864459123456));
	assert_string_equal(out.data, want);
	strbuf_release(&out);
}

static void test_parts(void **state)
{
	struct layout layout = {
		.extension = ".csv.gz",
		.table = {"sales", "dbo", "or/ders"},
	};

	(void)state;
	assert_part(&layout, "", "full/RUN-1/part-00042.csv.gz");
	assert_part(&layout, "c=DE/", "full/RUN-1/c=DE/part-00042.csv.gz");
	layout.naming = "{schema}-{table}_{date}.{time}.";
	assert_part(&layout, "",
		    "full/RUN-1/dbo-or%2Fders_20260131.130059.part-00042"
		    ".csv.gz");
	/* Names that begin so are hidden. */
	layout.naming = "{table}-";
	layout.table.table = "_orders";
	assert_part(&layout, "", "full/RUN-1/%5Forders-part-00042.csv.gz");
	layout.naming = "{schema}.{table}-";
	layout.table.schema = "";
	assert_part(&layout, "", "full/RUN-1/%2E_orders-part-00042.csv.gz");
}

static void test_naming(void **state)
{
	static const char *const bad[] = {"_x",	 ".x",	    "a/b",     "{x}",
					  "{",	 "a b",	    "{table",  "a%",
					  "../", "{Table}", "\xc3\xbc"};
	static const char *const good[] = {"", "a-b_c.d", "{table}{date}"};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		MUST_FAIL(layout_check_naming(bad[i], &err), ERROR_CONFIG);
	for (size_t i = 0; i < COUNT_OF(good); i++)
		MUST(layout_check_naming(good[i], &err));
}

static void test_times(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out);
	layout_times(&out, LAYOUT_TIMES_NONE, INT64_C(1769864459123456));
	assert_string_equal(out.data, "");
	layout_times(&out, LAYOUT_TIMES_DAY, INT64_C(1769864459123456));
	assert_string_equal(out.data, "dt=2026-01-31/");
	strbuf_reset(&out);
	layout_times(&out, LAYOUT_TIMES_HOUR, INT64_C(1769864459123456));
	assert_string_equal(out.data, "dt=2026-01-31/hour=13/");
	strbuf_release(&out);
}

static void test_changes(void **state)
{
	struct layout layout = {.extension = ".parquet",
				.table = {"a", "b", "c"}};
	struct position from, to;
	struct layout_changes changes = {&from, &to, "dt=2026-01-31/", 7};
	struct error err = ERROR_INIT;
	unsigned char bytes[POSITION_MAX];
	struct strbuf out, other;
	uint64_t number = 0, begin = 0;

	(void)state;
	strbuf_init(&out);
	strbuf_init(&other);
	MUST(position_set(&from, "\x00\x01", 2, &err));
	MUST(position_set(&to, "\x00\xff", 2, &err));
	layout_changes(&out, &layout, &changes, 0);
	assert_string_equal(out.data,
			    "changes/dt=2026-01-31/0001-00FF-00007.parquet");
	assert_true(layout_changes_numbers(out.data, &begin, &number));
	assert_int_equal(number, 7);
	assert_int_equal(begin, 7);
	/* Sets of transactions are longer than a name may be. */
	memset(bytes, 0xab, sizeof(bytes));
	MUST(position_set(&from, bytes, sizeof(bytes), &err));
	bytes[400] = 0;
	MUST(position_set(&to, bytes, sizeof(bytes), &err));
	layout.naming = "x-1.y-";
	changes.number = 123456789;
	strbuf_reset(&out);
	layout_changes(&out, &layout, &changes, 0);
	assert_true(out.len < 250);
	assert_true(layout_changes_numbers(out.data, &begin, &number));
	assert_int_equal(number, 123456789);
	changes.to = &from;
	layout_changes(&other, &layout, &changes, 0);
	assert_string_not_equal(out.data, other.data);
	strbuf_release(&out);
	strbuf_release(&other);
}

static void assert_merged(const char *first, const char *last, const char *want,
			  uint64_t last_number)
{
	struct error err = ERROR_INIT;
	struct strbuf out;
	uint64_t number, begin;

	strbuf_init(&out);
	MUST(layout_merged(&out, first, last, &err));
	assert_string_equal(out.data, want);
	assert_true(layout_changes_numbers(out.data, &begin, &number));
	assert_int_equal(number, last_number);
	strbuf_release(&out);
}

static void test_merged(void **state)
{
	struct error err = ERROR_INIT;
	struct strbuf out;

	(void)state;
	assert_merged("changes/00-01-00000.csv", "changes/05-06-00004.csv",
		      "changes/00-06-00000_00004.csv", 4);
	assert_merged("changes/00-06-00000_00004.csv",
		      "changes/06-07-00005.csv",
		      "changes/00-07-00000_00005.csv", 5);
	assert_merged("changes/00-06-00000_00004.csv",
		      "changes/06-09-00005_123456.csv",
		      "changes/00-09-00000_123456.csv", 123456);
	/* One window that was too large for a file. */
	assert_merged("changes/dt=x/00-01-00000.csv.gz",
		      "changes/dt=x/00-01-00001.csv.gz",
		      "changes/dt=x/00-01-00000_00001.csv.gz", 1);
	assert_merged("changes/a-1_2.b-00~ab-01-00003.csv",
		      "changes/x-02-03~cd-00007.csv",
		      "changes/a-1_2.b-00~ab-03~cd-00003_00007.csv", 7);
	strbuf_init(&out);
	assert_int_equal(layout_merged(&out, "changes/x", "changes/y", &err),
			 -1);
	strbuf_release(&out);
}

static void test_numbers_of_others(void **state)
{
	static const char *const keys[] = {
		"",
		"changes/",
		"changes/a",
		"changes/a.parquet",
		"changes/00-00-1.parquet",
		"changes/00-00-0000x.parquet",
		"changes/00-00-00001",
		"changes/00-00-00001_.csv",
		"changes/00-00-00001_2.csv",
		"changes/00-00-00001_00002_00003.csv",
		"changes/00-00-_00002.csv",
		"changes/00001.csv",
		"changes/00-00-999999999999999999999.parquet",
		"full/00-00-00001.parquet",
		"changes/a-00001.d/x",
	};
	uint64_t number, begin;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		assert_false(layout_changes_numbers(keys[i], &begin, &number));
}

static const struct column columns[] = {
	{.name = "id", .type = ROW_INT32},
	{.name = "Coun=try", .type = ROW_TEXT, .nullable = true},
	{.name = "day", .type = ROW_DATE, .nullable = true},
};

static void assert_partition(const char *country, bool null, const char *want)
{
	const size_t by[] = {1, 2};
	struct table table;
	struct batch batch;
	struct strbuf out;

	table_make(&table, "t", columns, COUNT_OF(columns), "id");
	batch_make(&batch, &table);
	batch_put_i64(&batch, 0, 1);
	if (null)
		batch_put_null(&batch, 1);
	else
		put_text(&batch, 1, country);
	batch_put_i64(&batch, 2, 0);
	batch_add_row(&batch, ROW_UPSERT);
	strbuf_init(&out);
	layout_partition(&out, &batch, 0, by, 2);
	assert_int_equal(out.failed, 0);
	assert_string_equal(out.data, want);
	strbuf_release(&out);
	batch_release(&batch);
	table_release(&table);
}

static void test_partitions(void **state)
{
	(void)state;
	assert_partition("DE", false, "Coun%3Dtry=DE/day=0001-01-01/");
	assert_partition("a/b=c", false,
			 "Coun%3Dtry=a%2Fb%3Dc/day=0001-01-01/");
	assert_partition("..", false, "Coun%3Dtry=../day=0001-01-01/");
	assert_partition("1.50", false, "Coun%3Dtry=1.50/day=0001-01-01/");
	assert_partition("", false,
			 "Coun%3Dtry=__HIVE_DEFAULT_PARTITION__/"
			 "day=0001-01-01/");
	assert_partition("", true,
			 "Coun%3Dtry=__HIVE_DEFAULT_PARTITION__/"
			 "day=0001-01-01/");
	assert_partition("__HIVE_DEFAULT_PARTITION__", false,
			 "Coun%3Dtry=%5F_HIVE_DEFAULT_PARTITION__/"
			 "day=0001-01-01/");
}

static void test_partition_types(void **state)
{
	static const enum row_type bad[] = {ROW_FLOAT32, ROW_FLOAT64, ROW_BYTES,
					    ROW_JSON, ROW_XML};
	struct column column = {.name = "c", .type = ROW_TEXT};
	struct error err = ERROR_INIT;

	(void)state;
	MUST(layout_check_partition(&column, &err));
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		column.type = bad[i];
		MUST_FAIL(layout_check_partition(&column, &err), ERROR_CONFIG);
		assert_holds(err.message, "'c'");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_long_tables),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_naming),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_merged),
		cmocka_unit_test(test_numbers_of_others),
		cmocka_unit_test(test_partitions),
		cmocka_unit_test(test_partition_types),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
