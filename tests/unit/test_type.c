#include "unit/helper.h"

#include <string.h>

#include "row/type.h"

/* Every day there is, beside a calendar that counts by hand. */
static void test_every_day(void **state)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30,
				      31, 31, 30, 31, 30, 31};
	int64_t days = 0;

	(void)state;
	for (int year = 1; year <= 9999; year++) {
		bool leap = year % 4 == 0 && (year % 100 || year % 400 == 0);

		for (int month = 1; month <= 12; month++) {
			int last = lengths[month - 1] + (leap && month == 2);

			for (int day = 1; day <= last; day++, days++) {
				int y = 0, m = 0, d = 0;

				row_date_split(days, &y, &m, &d);
				if (y != year || m != month || d != day)
					fail_msg("day %d is %d-%d-%d",
						 (int)days, y, m, d);
				if (row_date_join(year, month, day) != days)
					fail_msg("%d-%d-%d", year, month, day);
			}
		}
	}
	assert_int_equal(days, 3652059);
}

static void test_known_days(void **state)
{
	(void)state;
	assert_int_equal(row_date_join(1, 1, 1), 0);
	assert_int_equal(row_date_join(1, 12, 31), 364);
	assert_int_equal(row_date_join(4, 2, 29), 1154);
	assert_int_equal(row_date_join(1753, 1, 1), 639905);
	assert_int_equal(row_date_join(1900, 1, 1), 693595);
	assert_int_equal(row_date_join(1970, 1, 1), 719162);
	assert_int_equal(row_date_join(2000, 2, 29), 730178);
	assert_int_equal(row_date_join(9999, 12, 31), 3652058);
}

static void test_stores_and_names(void **state)
{
	static const struct {
		enum row_type type;
		enum row_store store;
		const char *name;
	} types[] = {
		{ROW_BOOL, ROW_STORE_I64, "bool"},
		{ROW_UINT8, ROW_STORE_I64, "uint8"},
		{ROW_INT8, ROW_STORE_I64, "int8"},
		{ROW_INT16, ROW_STORE_I64, "int16"},
		{ROW_INT32, ROW_STORE_I64, "int32"},
		{ROW_INT64, ROW_STORE_I64, "int64"},
		{ROW_UINT64, ROW_STORE_I64, "uint64"},
		{ROW_FLOAT32, ROW_STORE_F64, "float32"},
		{ROW_FLOAT64, ROW_STORE_F64, "float64"},
		{ROW_DECIMAL, ROW_STORE_WIDE, "decimal"},
		{ROW_TEXT, ROW_STORE_SLICE, "text"},
		{ROW_BYTES, ROW_STORE_SLICE, "bytes"},
		{ROW_DATE, ROW_STORE_I64, "date"},
		{ROW_TIME, ROW_STORE_I64, "time"},
		{ROW_TIMESTAMP, ROW_STORE_I64, "timestamp"},
		{ROW_TIMESTAMPTZ, ROW_STORE_WIDE, "timestamptz"},
		{ROW_UUID, ROW_STORE_WIDE, "uuid"},
		{ROW_JSON, ROW_STORE_SLICE, "json"},
		{ROW_XML, ROW_STORE_SLICE, "xml"},
	};

	(void)state;
	assert_int_equal(sizeof(types) / sizeof(*types), ROW_XML + 1);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		assert_int_equal(row_type_store(types[i].type), types[i].store);
		assert_string_equal(row_type_name(types[i].type),
				    types[i].name);
	}
	assert_int_equal(ROW_TICKS_PER_DAY, INT64_C(864000000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_day),
		cmocka_unit_test(test_known_days),
		cmocka_unit_test(test_stores_and_names),
	};

	return cmocka_run_group_tests_name("type", tests, NULL, NULL);
}
