/* docs/canonical.md, row by row. */
#include "unit/helper.h"

#include <math.h>
#include <string.h>

#include <openssl/evp.h>

#include "row/canonical.h"
#include "unit/rows.h"

/* What becomes of one value. */
struct one {
	struct table table, other;
	struct batch batch;
};

static void begin(struct one *one, const struct column *column,
		  const struct column *other)
{
	table_make(&one->table, "t", column, 1, NULL);
	table_make(&one->other, "o", other ? other : column, 1, NULL);
	one->table.columns[0].charset = column->charset;
	batch_make(&one->batch, &one->table);
}

static void end(struct one *one, const char *want)
{
	static const size_t take[] = {0};
	struct error err = ERROR_INIT;
	const struct strbuf *text;
	struct canonical canonical;

	batch_add_row(&one->batch, ROW_UPSERT);
	MUST(canonical_init(&canonical, &one->table, &one->other, take, 1,
			    &err));
	MUST(canonical_text(&canonical, &one->batch, 0, &text, &err));
	assert_string_equal(text->data, want);
	canonical_release(&canonical);
	batch_release(&one->batch);
	table_release(&one->table);
	table_release(&one->other);
}

static void assert_number(enum row_type type, int64_t value, const char *want)
{
	struct column column = {.name = "c", .type = type};
	struct one one;

	begin(&one, &column, NULL);
	batch_put_i64(&one.batch, 0, value);
	end(&one, want);
}

static void assert_float(double value, const char *want)
{
	struct column column = {.name = "c", .type = ROW_FLOAT64};
	struct one one;

	begin(&one, &column, NULL);
	batch_put_f64(&one.batch, 0, value);
	end(&one, want);
}

static void assert_decimal(row_int128 value, int scale, const char *want)
{
	struct column column = {.name = "c",
				.type = ROW_DECIMAL,
				.precision = 38,
				.scale = scale};
	struct one one;

	begin(&one, &column, NULL);
	batch_put_wide(&one.batch, 0)->decimal = value;
	end(&one, want);
}

static void assert_bytes(enum row_type type, const char *charset,
			 const void *data, size_t len, const char *want)
{
	struct column column = {.name = "c", .type = type, .charset = charset};
	struct one one;

	begin(&one, &column, NULL);
	memcpy(batch_put_slice(&one.batch, 0, len), data, len);
	end(&one, want);
}

static void test_numbers(void **state)
{
	(void)state;
	assert_number(ROW_BOOL, 1, "1:1,");
	assert_number(ROW_INT32, 0, "1:0,");
	assert_number(ROW_INT64, INT64_MIN, "20:-9223372036854775808,");
	assert_number(ROW_UINT64, -1, "20:18446744073709551615,");
	assert_decimal(150, 2, "3:1.5,");
	assert_decimal(15000, 4, "3:1.5,");
	assert_decimal(0, 4, "1:0,");
	assert_decimal(-1, 3, "6:-0.001,");
	assert_decimal(700, 2, "1:7,");
	assert_decimal(7000, 0, "4:7000,");
	assert_float(0.1, "19:0.10000000000000001,");
	assert_float(0.1f, "19:0.10000000149011612,");
	assert_float(-0.0, "1:0,");
	assert_float(1e300, "23:1.0000000000000001e+300,");
	assert_float(NAN, "3:NaN,");
	assert_float(-INFINITY, "9:-Infinity,");
}

static void test_text_and_bytes(void **state)
{
	(void)state;
	assert_bytes(ROW_TEXT, NULL, "abc", 3, "3:abc,");
	assert_bytes(ROW_TEXT, NULL, "", 0, "0:,");
	assert_bytes(ROW_TEXT, NULL, "a  ", 3, "3:a  ,");
	/* The same characters in three encodings. */
	assert_bytes(ROW_TEXT, NULL, "\xc3\xa9", 2, "2:\xc3\xa9,");
	assert_bytes(ROW_TEXT, "CP1252", "\xe9", 1, "2:\xc3\xa9,");
	assert_bytes(ROW_TEXT, "UTF-16LE", "\xe9\0", 2, "2:\xc3\xa9,");
	/* And the same to the eye alone. */
	assert_bytes(ROW_TEXT, NULL, "e\xcc\x81", 3, "3:e\xcc\x81,");
	assert_bytes(ROW_BYTES, NULL, "\xff\0", 2, "4:ff00,");
	assert_bytes(ROW_BYTES, NULL, "", 0, "0:,");
}

static void test_null_is_not_empty(void **state)
{
	struct column column = {.name = "c", .type = ROW_TEXT};
	struct one one;

	(void)state;
	begin(&one, &column, NULL);
	batch_put_null(&one.batch, 0);
	end(&one, "-,");
}

static void assert_time(enum row_type type, int64_t ticks, bool coarse,
			bool other_coarse, const char *want)
{
	struct column column = {
		.name = "c",
		.type = type,
		.precision = coarse ? 3 : 7,
		.coarse = coarse,
	};
	struct column other = {
		.name = "c",
		.type = type,
		.precision = other_coarse ? 3 : 7,
		.coarse = other_coarse,
	};
	struct one one;

	begin(&one, &column, &other);
	batch_put_i64(&one.batch, 0, ticks);
	end(&one, want);
}

static void test_times(void **state)
{
	(void)state;
	assert_number(ROW_DATE, 0, "10:0001-01-01,");
	assert_number(ROW_DATE, row_date_join(1752, 9, 3), "10:1752-09-03,");
	assert_number(ROW_DATE, row_date_join(9999, 12, 31), "10:9999-12-31,");
	assert_time(ROW_TIME, 5000000, false, false, "10:00:00:00.5,");
	assert_time(ROW_TIMESTAMP, 0, false, false, "19:0001-01-01T00:00:00,");
	assert_time(ROW_TIMESTAMP, 1, false, false,
		    "27:0001-01-01T00:00:00.0000001,");
	/* 1/300 s, as the side says that has it. */
	assert_time(ROW_TIMESTAMP, 33333, true, false,
		    "23:0001-01-01T00:00:00.003,");
	assert_time(ROW_TIMESTAMP, 30000, false, true,
		    "23:0001-01-01T00:00:00.003,");
	assert_time(ROW_TIMESTAMP, 66667, true, true,
		    "23:0001-01-01T00:00:00.007,");
}

static void test_zones_and_uuids(void **state)
{
	struct column zoned = {
		.name = "c", .type = ROW_TIMESTAMPTZ, .precision = 7};
	struct column uuid = {.name = "c", .type = ROW_UUID};
	union row_wide *wide;
	struct one one;

	(void)state;
	begin(&one, &zoned, NULL);
	wide = batch_put_wide(&one.batch, 0);
	wide->timestamptz.utc = 8 * 3600 * ROW_TICKS_PER_SECOND;
	wide->timestamptz.offset_minutes = -90;
	end(&one, "26:0001-01-01T08:00:00Z-01:30,");
	begin(&one, &uuid, NULL);
	wide = batch_put_wide(&one.batch, 0);
	for (int i = 0; i < 16; i++)
		wide->uuid.bytes[i] = (unsigned char)(0xf0 + i);
	end(&one, "36:f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff,");
}

/* A side that keeps microseconds, and no offsets. */
static void assert_moment(enum row_type type, int64_t ticks, const char *want)
{
	struct column column = {.name = "c", .type = type, .precision = 7};
	struct column other = {
		.name = "c",
		.type = type,
		.precision = 6,
		.finest = true,
		.offsetless = true,
	};
	struct one one;

	begin(&one, &column, &other);
	if (type == ROW_TIMESTAMPTZ) {
		union row_wide *wide = batch_put_wide(&one.batch, 0);

		wide->timestamptz.utc = ticks;
		wide->timestamptz.offset_minutes = 120;
	} else {
		batch_put_i64(&one.batch, 0, ticks);
	}
	end(&one, want);
}

static void test_microseconds(void **state)
{
	(void)state;
	assert_moment(ROW_TIMESTAMP, 15, "26:0001-01-01T00:00:00.000002,");
	assert_moment(ROW_TIMESTAMP, 14, "26:0001-01-01T00:00:00.000001,");
	/* The last moments stay where they are. */
	assert_moment(ROW_TIMESTAMP, ROW_TICKS_END - 1,
		      "26:9999-12-31T23:59:59.999999,");
	assert_moment(ROW_TIME, ROW_TICKS_PER_DAY - 1, "15:23:59:59.999999,");
	assert_moment(ROW_TIMESTAMPTZ, 15,
		      "33:0001-01-01T00:00:00.000002Z+00:00,");
}

/* As the Python of docs/canonical.md works it out. */
static void test_md5s(void **state)
{
	static const struct column columns[] = {
		{.name = "a", .type = ROW_INT32},
		{.name = "b", .type = ROW_TEXT},
		{.name = "c", .type = ROW_TEXT},
	};
	static const size_t take[] = {0, 1, 2};
	struct error err = ERROR_INIT;
	struct row_sum sum = {0}, half = {0};
	struct canonical canonical;
	struct row_digest digest;
	char md5[ROW_SUM_MD5_MAX];
	struct table table;
	struct batch batch;

	(void)state;
	table_make(&table, "t", columns, 3, NULL);
	batch_make(&batch, &table);
	for (int i = 7; i < 9; i++) {
		batch_put_i64(&batch, 0, i);
		batch_put_null(&batch, 1);
		put_text(&batch, 2, "abc");
		batch_add_row(&batch, ROW_UPSERT);
	}
	MUST(canonical_init(&canonical, &table, NULL, take, 3, &err));
	MUST(canonical_digest(&canonical, &batch, 0, &digest, &err));
	row_sum_add(&sum, &digest);
	MUST(row_sum_md5(&sum, md5, &err));
	assert_string_equal(md5, "f1dc79acbc9aca3cc6d82ee7ba995fd4");
	MUST(canonical_digest(&canonical, &batch, 1, &digest, &err));
	row_sum_add(&half, &digest);
	row_sum_merge(&sum, &half);
	MUST(row_sum_md5(&sum, md5, &err));
	assert_string_equal(md5, "19e17cc91524d2e00b71f69651a39ccb");
	assert_false(row_sum_equal(&sum, &half));
	canonical_release(&canonical);
	batch_release(&batch);
	table_release(&table);
}

/* A long value goes into the digest in pieces, which makes no other one. */
static void test_long_values(void **state)
{
	static const char *const charsets[] = {NULL, "UTF-16LE", "CP932",
					       "CP1255", NULL};
	static const size_t lengths[] = {65535, 65536,	65537,
					 65538, 200001, 400000};
	static const size_t take[] = {0, 1, 2};
	struct column columns[] = {
		{.name = "a", .type = ROW_INT32},
		{.name = "long", .type = ROW_BYTES},
		{.name = "z", .type = ROW_TEXT},
	};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < 5 * 6; i++) {
		size_t len = lengths[i % 6];
		const struct strbuf *text;
		unsigned char md5[CANONICAL_MD5_BYTES];
		struct canonical canonical;
		struct row_digest digest;
		unsigned char *data;
		struct table table;
		struct batch batch;

		columns[1].type = i < 6 ? ROW_BYTES : ROW_TEXT;
		table_make(&table, "t", columns, 3, NULL);
		table.columns[1].charset = charsets[i / 6];
		batch_make(&batch, &table);
		batch_put_i64(&batch, 0, 5);
		data = batch_put_slice(&batch, 1, len);
		/* Much of which is no text in any of them. */
		for (size_t k = 0; k < len; k++)
			data[k] = (unsigned char)(k * k / 7 + k % 251);
		put_text(&batch, 2, "end");
		batch_add_row(&batch, ROW_UPSERT);
		MUST(canonical_init(&canonical, &table, NULL, take, 3, &err));
		MUST(canonical_text(&canonical, &batch, 0, &text, &err));
		assert_int_equal(EVP_Digest(text->data, text->len, md5, NULL,
					    EVP_md5(), NULL),
				 1);
		MUST(canonical_digest(&canonical, &batch, 0, &digest, &err));
		assert_memory_equal(digest.md5, md5, sizeof(md5));
		canonical_release(&canonical);
		batch_release(&batch);
		table_release(&table);
	}
}

/* What a server keeps although it is no text. */
static void test_broken_text(void **state)
{
	(void)state;
	assert_bytes(ROW_TEXT, "UTF-16LE", "\0\xd8", 2, "3:\xed\xa0\x80,");
	assert_bytes(ROW_TEXT, "CP1252", "a\x81", 2, "4:a\xed\xb2\x81,");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_text_and_bytes),
		cmocka_unit_test(test_null_is_not_empty),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_zones_and_uuids),
		cmocka_unit_test(test_microseconds),
		cmocka_unit_test(test_md5s),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_broken_text),
	};

	return cmocka_run_group_tests_name("canonical", tests, NULL, NULL);
}
