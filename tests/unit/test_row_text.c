#include "unit/helper.h"

#include <math.h>
#include <string.h>

#include "row/text.h"
#include "unit/rows.h"

/* What row_format() makes of one value, in `text`. */
struct one {
	struct table table;
	struct batch batch;
	struct strbuf text;
};

static void one_begin(struct one *one, const struct column *column)
{
	table_make(&one->table, "t", column, 1, NULL);
	one->table.columns[0].charset = column->charset;
	batch_make(&one->batch, &one->table);
	strbuf_init(&one->text);
}

static void one_end(struct one *one, const char *want)
{
	batch_add_row(&one->batch, ROW_UPSERT);
	row_format(&one->text, &one->batch, 0, 0);
	assert_string_equal(one->text.data, want);
	assert_int_equal(one->text.len, strlen(want));
	strbuf_release(&one->text);
	batch_release(&one->batch);
	table_release(&one->table);
}

static void assert_i64(enum row_type type, int precision, int64_t value,
		       const char *want)
{
	struct column column = {
		.name = "c", .type = type, .precision = precision};
	struct one one;

	one_begin(&one, &column);
	batch_put_i64(&one.batch, 0, value);
	one_end(&one, want);
}

static void assert_f64(enum row_type type, double value, const char *want)
{
	struct column column = {.name = "c", .type = type};
	struct one one;

	one_begin(&one, &column);
	batch_put_f64(&one.batch, 0, value);
	one_end(&one, want);
}

static void assert_decimal(row_int128 value, int scale, const char *want)
{
	struct column column = {.name = "c",
				.type = ROW_DECIMAL,
				.precision = 38,
				.scale = scale};
	struct one one;

	one_begin(&one, &column);
	batch_put_wide(&one.batch, 0)->decimal = value;
	one_end(&one, want);
}

static void assert_slice(enum row_type type, const char *charset,
			 const char *data, size_t len, const char *want)
{
	struct column column = {.name = "c", .type = type, .charset = charset};
	unsigned char *to;
	struct one one;

	one_begin(&one, &column);
	to = batch_put_slice(&one.batch, 0, len);
	assert_non_null(to);
	memcpy(to, data, len);
	one_end(&one, want);
}

static void test_null(void **state)
{
	(void)state;
	for (int type = ROW_BOOL; type <= ROW_XML; type++) {
		struct column column = {.name = "c",
					.type = (enum row_type)type};
		struct one one;

		one_begin(&one, &column);
		batch_put_null(&one.batch, 0);
		one_end(&one, "NULL");
	}
}

static void test_integers(void **state)
{
	(void)state;
	assert_i64(ROW_BOOL, 0, 0, "0");
	assert_i64(ROW_BOOL, 0, 1, "1");
	assert_i64(ROW_UINT8, 0, 255, "255");
	assert_i64(ROW_INT8, 0, -128, "-128");
	assert_i64(ROW_INT16, 0, 32767, "32767");
	assert_i64(ROW_INT32, 0, INT32_MIN, "-2147483648");
	assert_i64(ROW_INT64, 0, INT64_MIN, "-9223372036854775808");
	assert_i64(ROW_INT64, 0, INT64_MAX, "9223372036854775807");
	assert_i64(ROW_UINT64, 0, -1, "18446744073709551615");
	assert_i64(ROW_UINT64, 0, INT64_MAX, "9223372036854775807");
	assert_i64(ROW_UINT64, 0, 0, "0");
}

static void test_floats(void **state)
{
	(void)state;
	assert_f64(ROW_FLOAT64, 0.0, "0");
	assert_f64(ROW_FLOAT64, -0.0, "-0");
	assert_f64(ROW_FLOAT64, 0.1, "0.10000000000000001");
	assert_f64(ROW_FLOAT64, -1.7976931348623157e308,
		   "-1.7976931348623157e+308");
	assert_f64(ROW_FLOAT64, 5e-324, "4.9406564584124654e-324");
	assert_f64(ROW_FLOAT64, 1e15, "1000000000000000");
	assert_f64(ROW_FLOAT32, (double)0.1f, "0.100000001");
	assert_f64(ROW_FLOAT32, (double)3.40282347e38f, "3.40282347e+38");
	assert_f64(ROW_FLOAT64, (double)INFINITY, "inf");
	assert_f64(ROW_FLOAT64, -(double)INFINITY, "-inf");
}

static row_int128 digits(int count)
{
	row_int128 value = 0;

	for (int i = 0; i < count; i++)
		value = value * 10 + 9;
	return value;
}

static void test_decimals(void **state)
{
	(void)state;
	assert_decimal(0, 0, "0");
	assert_decimal(0, 2, "0.00");
	assert_decimal(1, 0, "1");
	assert_decimal(1, 2, "0.01");
	assert_decimal(-1, 2, "-0.01");
	assert_decimal(100, 2, "1.00");
	assert_decimal(12345, 2, "123.45");
	assert_decimal(-12345, 4, "-1.2345");
	assert_decimal(12345, 5, "0.12345");
	assert_decimal(12345, 6, "0.012345");
	assert_decimal(digits(38), 0, "99999999999999999999999999999999999999");
	assert_decimal(-digits(38), 0,
		       "-99999999999999999999999999999999999999");
	assert_decimal(digits(38), 38,
		       "0.99999999999999999999999999999999999999");
	assert_decimal(-digits(38), 38,
		       "-0.99999999999999999999999999999999999999");
	assert_decimal(1, 38, "0.00000000000000000000000000000000000001");
	assert_decimal(0, 38, "0.00000000000000000000000000000000000000");
	assert_decimal(digits(38), 10,
		       "9999999999999999999999999999.9999999999");
	assert_decimal((row_int128)INT64_MIN, 4, "-922337203685477.5808");
}

#define DAY	   INT64_C(864000000000)
#define LAST_DATE  INT64_C(3652058)
#define LAST_TICKS ((LAST_DATE + 1) * DAY - 1)

static void test_dates_and_times(void **state)
{
	(void)state;
	assert_i64(ROW_DATE, 0, 0, "0001-01-01");
	assert_i64(ROW_DATE, 0, LAST_DATE, "9999-12-31");
	assert_i64(ROW_DATE, 0, 730178, "2000-02-29");
	assert_i64(ROW_TIME, 0, 0, "00:00:00");
	assert_i64(ROW_TIME, 7, 0, "00:00:00.0000000");
	assert_i64(ROW_TIME, 7, DAY - 1, "23:59:59.9999999");
	assert_i64(ROW_TIME, 3, DAY - 10000, "23:59:59.999");
	assert_i64(ROW_TIME, 1, INT64_C(1000000), "00:00:00.1");
	assert_i64(ROW_TIME, 7, 1, "00:00:00.0000001");
	assert_i64(ROW_TIMESTAMP, 0, 0, "0001-01-01T00:00:00");
	assert_i64(ROW_TIMESTAMP, 7, 0, "0001-01-01T00:00:00.0000000");
	assert_i64(ROW_TIMESTAMP, 7, LAST_TICKS, "9999-12-31T23:59:59.9999999");
	assert_i64(ROW_TIMESTAMP, 3, 693595 * DAY + 12345670000,
		   "1900-01-01T00:20:34.567");
}

static void assert_zoned(int64_t utc, int offset, const char *want)
{
	struct column column = {
		.name = "c", .type = ROW_TIMESTAMPTZ, .precision = 7};
	struct one one;

	one_begin(&one, &column);
	batch_put_wide(&one.batch, 0)->timestamptz =
		(struct row_timestamptz){utc, (int16_t)offset};
	one_end(&one, want);
}

static void assert_extended(enum row_type type, int64_t value, const char *want)
{
	struct column column = {.name = "c", .type = type, .extended = true};
	struct one one;

	one_begin(&one, &column);
	if (type == ROW_TIMESTAMPTZ)
		batch_put_wide(&one.batch, 0)->timestamptz =
			(struct row_timestamptz){value, 0};
	else
		batch_put_i64(&one.batch, 0, value);
	one_end(&one, want);
}

/* Days from 0001-01-01, microseconds from 2000-01-01. */
static void test_extended(void **state)
{
	struct column column = {.name = "c",
				.type = ROW_DECIMAL,
				.precision = 38,
				.scale = 2,
				.extended = true};
	struct one one;

	(void)state;
	assert_extended(ROW_DATE, 0, "0001-01-01");
	assert_extended(ROW_DATE, -1, "0001-12-31 BC");
	assert_extended(ROW_DATE, -366, "0001-01-01 BC");
	assert_extended(ROW_DATE, -367, "0002-12-31 BC");
	assert_extended(ROW_DATE, 3652059, "10000-01-01");
	assert_extended(ROW_DATE, INT64_MAX, "infinity");
	assert_extended(ROW_DATE, INT64_MIN, "-infinity");
	assert_extended(ROW_TIMESTAMP, 0, "2000-01-01T00:00:00");
	assert_extended(ROW_TIMESTAMP, -1, "1999-12-31T23:59:59.999999");
	assert_extended(ROW_TIMESTAMP, 1500000, "2000-01-01T00:00:01.5");
	assert_extended(ROW_TIMESTAMP, INT64_C(9223371331199999999),
			"294276-12-31T23:59:59.999999");
	assert_extended(ROW_TIMESTAMP, INT64_C(-211813488000000000),
			"4714-11-24T00:00:00 BC");
	assert_extended(ROW_TIMESTAMP, INT64_MIN, "-infinity");
	assert_extended(ROW_TIMESTAMPTZ, 0, "2000-01-01T00:00:00Z");
	assert_extended(ROW_TIMESTAMPTZ, INT64_MAX, "infinity");
	assert_extended(ROW_TIME, ROW_TICKS_PER_DAY, "24:00:00");
	assert_extended(ROW_INT32, 7, "7");
	one_begin(&one, &column);
	batch_put_wide(&one.batch, 0)->decimal = ROW_DECIMAL_NAN;
	one_end(&one, "NaN");
	one_begin(&one, &column);
	batch_put_wide(&one.batch, 0)->decimal = -150;
	one_end(&one, "-1.50");
}

static void test_zoned(void **state)
{
	(void)state;
	assert_zoned(0, 0, "0001-01-01T00:00:00.0000000+00:00");
	assert_zoned(0, 14 * 60, "0001-01-01T14:00:00.0000000+14:00");
	assert_zoned(DAY, -14 * 60, "0001-01-01T10:00:00.0000000-14:00");
	assert_zoned(DAY, -30, "0001-01-01T23:30:00.0000000-00:30");
	assert_zoned(LAST_TICKS, 0, "9999-12-31T23:59:59.9999999+00:00");
	assert_zoned(LAST_TICKS, -14 * 60, "9999-12-31T09:59:59.9999999-14:00");
	assert_zoned(693595 * DAY, 5 * 60 + 45,
		     "1900-01-01T05:45:00.0000000+05:45");
}

static void test_uuid(void **state)
{
	struct column column = {.name = "c", .type = ROW_UUID};
	union row_wide *to;
	struct one one;

	(void)state;
	one_begin(&one, &column);
	to = batch_put_wide(&one.batch, 0);
	for (int i = 0; i < 16; i++)
		to->uuid.bytes[i] = (unsigned char)(i * 17);
	one_end(&one, "00112233-4455-6677-8899-aabbccddeeff");
}

static void test_bytes_and_text(void **state)
{
	(void)state;
	assert_slice(ROW_BYTES, NULL, "", 0, "0x");
	assert_slice(ROW_BYTES, NULL, "\x00\xff\x0a", 3, "0x00FF0A");
	assert_slice(ROW_TEXT, NULL, "", 0, "");
	assert_slice(ROW_TEXT, NULL, "a\xc3\xa4 ", 4, "a\xc3\xa4 ");
	assert_slice(ROW_JSON, NULL, "{\"a\":1}", 7, "{\"a\":1}");
	assert_slice(ROW_XML, NULL, "<a/>", 4, "<a/>");
	assert_slice(ROW_TEXT, "UTF-16LE", "a\0\xe4\0", 4, "a\xc3\xa4");
	assert_slice(ROW_TEXT, "UTF-16LE", "", 0, "");
	assert_slice(ROW_XML, "UTF-16LE", "<\0>\0", 4, "<>");
	assert_slice(ROW_TEXT, "UTF-16LE", "\x00\xdc", 2, "0x00DC");
	assert_slice(ROW_TEXT, "CP1252", "a\xe4", 2, "0x61E4");
}

static void test_key(void **state)
{
	static const struct column columns[] = {
		{.name = "a", .type = ROW_INT32},
		{.name = "b", .type = ROW_TEXT, .nullable = true},
		{.name = "c", .type = ROW_DATE},
	};
	struct table table;
	struct batch batch;
	struct strbuf text;

	(void)state;
	table_make(&table, "t", columns, 3, "c,a,b");
	batch_make(&batch, &table);
	batch_put_i64(&batch, 0, 7);
	put_text(&batch, 1, "x, y");
	batch_put_i64(&batch, 2, 0);
	batch_add_row(&batch, ROW_UPSERT);
	batch_put_i64(&batch, 0, 8);
	batch_put_null(&batch, 1);
	batch_put_i64(&batch, 2, 1);
	batch_add_row(&batch, ROW_DELETE);
	strbuf_init(&text);
	row_format_key(&text, &batch, 0);
	assert_string_equal(text.data, "0001-01-01, 7, x, y");
	strbuf_reset(&text);
	row_format_key(&text, &batch, 1);
	assert_string_equal(text.data, "0001-01-02, 8, NULL");
	strbuf_release(&text);
	batch_release(&batch);
	table.key_count = 0;
	batch_make(&batch, &table);
	batch_put_i64(&batch, 0, 7);
	batch_put_null(&batch, 1);
	batch_put_i64(&batch, 2, 0);
	batch_add_row(&batch, ROW_UPSERT);
	row_format_key(&text, &batch, 0);
	assert_string_equal(text.data, "");
	strbuf_release(&text);
	batch_release(&batch);
	table_release(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_decimals),
		cmocka_unit_test(test_dates_and_times),
		cmocka_unit_test(test_extended),
		cmocka_unit_test(test_zoned),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_bytes_and_text),
		cmocka_unit_test(test_key),
	};

	return cmocka_run_group_tests_name("row text", tests, NULL, NULL);
}
