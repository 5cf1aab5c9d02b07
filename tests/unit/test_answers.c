/* Answers that no server should give, as tests/fuzz/ found them. */
#include "unit/helper.h"

#include <string.h>

#include <sybfront.h>
#include <sybdb.h>

#include "drivers/sqlserver/decode.h"
#include "drivers/sqlserver/encode.h"
#include "fuzz/dblib.h"
#include "row/text.h"
#include "unit/rows.h"
#include "unit/sqltype.h"

static struct tds *conn;

static int setup(void **state)
{
	(void)state;
	conn = dblib_connection();
	return 0;
}

/* ------------------------------------------------------------------- values */

/* A column, and what db-lib holds out for it. */
struct answer {
	const char *type;
	int db_type;
	const void *data;
	size_t len;
};

/* Its text, or an error; a decimal's scale is the column's. */
static int decode(const struct answer *answer, struct strbuf *text,
		  struct error *err)
{
	struct catalog_column column = sqltype_column("c", answer->type);
	struct catalog_table catalog = {.columns = &column, .column_count = 1};
	struct decoder *decoder;
	struct table table;
	struct batch batch;
	int rc;

	sqltype_describe(&table, "t", &column, 1, NULL);
	batch_make(&batch, &table);
	dblib_show(conn, answer->db_type, column.precision, column.scale,
		   answer->data, answer->len);
	decoder = decoder_new(conn, 0, &catalog, &table, false, err);
	assert_non_null(decoder);
	rc = decoder_read(decoder, &batch, false, err);
	if (rc > 0)
		row_format(text, &batch, 0, 0);
	decoder_free(decoder);
	batch_release(&batch);
	table_release(&table);
	return rc;
}

static void must_decode(const struct answer *answer, const char *want)
{
	struct error err = ERROR_INIT;
	struct strbuf text;

	strbuf_init(&text);
	MUST(decode(answer, &text, &err));
	assert_string_equal(text.data, want);
	strbuf_release(&text);
}

static void must_refuse(const struct answer *answer)
{
	struct error err = ERROR_INIT;
	struct strbuf text;

	strbuf_init(&text);
	MUST_FAIL(decode(answer, &text, &err), ERROR_DATA);
	assert_holds(err.message, "'c'");
	strbuf_release(&text);
}

static void test_values_of_another_length(void **state)
{
	static const unsigned char bytes[64];
	static const struct answer cases[] = {
		{"bit", SYBBIT, bytes, 0},
		{"int", SYBINT4, bytes, 3},
		{"bigint", SYBINT8, bytes, 4},
		{"bigint", SYBINT8, bytes, 9},
		{"float", SYBFLT8, bytes, 4},
		{"decimal(9, 2)", SYBDECIMAL, bytes, sizeof(DBNUMERIC) - 1},
		{"datetime2(7)", SYBMSDATETIME2, bytes, 8},
		{"uniqueidentifier", 36, bytes, 15},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		must_refuse(&cases[i]);
}

static void test_bits_are_0_or_1(void **state)
{
	(void)state;
	must_decode(&(struct answer){"bit", SYBBIT, "\2", 1}, "1");
	must_decode(&(struct answer){"bit", SYBBIT, "\0", 1}, "0");
}

static void test_decimals(void **state)
{
	struct answer answer = {"decimal(38, 0)", SYBDECIMAL, NULL,
				sizeof(DBNUMERIC)};
	DBNUMERIC number = {.precision = 38};

	(void)state;
	answer.data = &number;
	/* 10^38 - 1, the largest there is, and one more */
	memcpy(number.array + 1,
	       "\x4b\x3b\x4c\xa8\x5a\x86\xc4\x7a\x09\x8a\x22\x3f\xff\xff\xff"
	       "\xff",
	       16);
	must_decode(&answer, "99999999999999999999999999999999999999");
	number.array[0] = 1;
	must_decode(&answer, "-99999999999999999999999999999999999999");
	memcpy(number.array + 12, "\x40\0\0\0\0", 5);
	must_refuse(&answer);
	memset(number.array + 1, 0xff, 16);
	must_refuse(&answer);
	memset(number.array, 0, sizeof(number.array));
	must_decode(&answer, "0");
	number.precision = 39;
	must_refuse(&answer);
	number.precision = 0;
	must_refuse(&answer);
}

/* Days from 1900; 0001-01-01 and 9999-12-31 are the ends of the calendar. */
static void test_moments(void **state)
{
	struct answer date = {"date", SYBMSDATE, NULL, sizeof(DBDATETIMEALL)};
	struct answer time = {"time(7)", SYBMSTIME, NULL,
			      sizeof(DBDATETIMEALL)};
	struct answer zoned = {"datetimeoffset(0)", SYBMSDATETIMEOFFSET, NULL,
			       sizeof(DBDATETIMEALL)};
	struct answer old = {"datetime", SYBDATETIME, NULL, sizeof(DBDATETIME)};
	DBDATETIMEALL value = {.date = -693595};
	DBDATETIME datetime = {.dtdays = 2958463, .dttime = 25919999};

	(void)state;
	date.data = time.data = zoned.data = &value;
	must_decode(&date, "0001-01-01");
	value.date = 2958463;
	must_decode(&date, "9999-12-31");
	value.date = 2958464;
	must_refuse(&date);
	value.date = -693596;
	must_refuse(&date);
	value.time = UINT64_C(863999999999);
	must_decode(&time, "23:59:59.9999999");
	value.time++;
	must_refuse(&time);
	value = (DBDATETIMEALL){.date = 0, .offset = 840};
	must_decode(&zoned, "1900-01-01T14:00:00+14:00");
	value.offset = 841;
	must_refuse(&zoned);
	value = (DBDATETIMEALL){.date = -693595, .offset = -1};
	must_refuse(&zoned); /* in the year 0 there */
	old.data = &datetime;
	must_decode(&old, "9999-12-31T23:59:59.997");
	datetime.dttime++;
	must_refuse(&old);
	datetime = (DBDATETIME){.dtdays = INT32_MIN};
	must_refuse(&old);
}

/* Ten times a number below the limit may not fit into 128 bits. */
static void test_decimals_that_outgrow_theirs(void **state)
{
	struct catalog_column from = sqltype_column("c", "bigint");
	struct catalog_column to = sqltype_column("c", "decimal(38, 20)");
	struct catalog_table dest = {.columns = &to, .column_count = 1};
	struct error err = ERROR_INIT;
	enum tds_host_type type;
	struct encoder *encoder;
	struct table table;
	struct batch batch;

	(void)state;
	sqltype_describe(&table, "t", &from, 1, NULL);
	batch_make(&batch, &table);
	encoder = encoder_new(conn, &dest, &table, 0, 0, true, &type, &err);
	assert_non_null(encoder);
	batch_put_i64(&batch, 0, INT64_C(999999999999999999));
	batch_add_row(&batch, ROW_UPSERT);
	batch_put_i64(&batch, 0, INT64_C(1000000000000000000));
	batch_add_row(&batch, ROW_UPSERT);
	batch_put_i64(&batch, 0, INT64_MIN);
	batch_add_row(&batch, ROW_UPSERT);
	MUST(encoder_set(encoder, &batch, 0, &err));
	MUST_FAIL(encoder_set(encoder, &batch, 1, &err), ERROR_DATA);
	MUST_FAIL(encoder_set(encoder, &batch, 2, &err), ERROR_DATA);
	encoder_free(encoder);
	batch_release(&batch);
	table_release(&table);
}

/* ------------------------------------------------------------------ results */

/* A result with fewer columns than the statement has. */
static void test_columns_that_are_not_there(void **state)
{
	struct arena arena;
	size_t len = 7;

	(void)state;
	dblib_show(conn, SYBINT4, 0, 0, "\5\0\0\0", 4);
	assert_int_equal(tds_get_int(conn, 0), 5);
	assert_int_equal(tds_get_int(conn, 1), 0);
	assert_true(tds_null(conn, 1));
	assert_null(tds_get_bytes(conn, 1, &len));
	assert_int_equal(len, 0);
	arena_init(&arena, 0);
	assert_string_equal(tds_get_text(conn, 1, &arena), "");
	arena_release(&arena);
}

/*
 * The catalog's answer for two int columns whose places in the key are these,
 * in the bytes that dblib reads: a result, its shape, then its rows. A 1 is
 * followed by a small number or by the number of a word.
 */
static int read_catalog(unsigned char first, unsigned char second,
			struct error *err)
{
	/* COLUMNS types, varchar is 1, int4 0; then two rows */
	enum { COLUMNS = 22, EACH = 2 * COLUMNS };
	unsigned char bytes[4 + COLUMNS + 2 * EACH] = {0, COLUMNS, 2,	   255,
						       1, 1,	   [9] = 1};
	const unsigned char ordinals[] = {first, second};
	struct catalog_table catalog;
	struct input in = {bytes, sizeof(bytes)};
	int rc;

	for (size_t row = 0; row < 2; row++) {
		unsigned char *at = bytes + 4 + COLUMNS + EACH * row;

		for (size_t i = 0; i < COLUMNS; i++)
			at[2 * i] = 1;
		at[1] = (unsigned char)row; /* "id" and "a" */
		at[3] = 3;		    /* "int" */
		at[5] = 4;		    /* bytes */
		at[25] = ordinals[row];
	}
	dblib_answer_from(&in);
	rc = catalog_read(conn, "dbo", "t", &catalog, err);
	dblib_answer_from(NULL);
	if (rc > 0)
		catalog_release(&catalog);
	return rc;
}

static void test_keys_in_no_order(void **state)
{
	static const unsigned char bad[][2] = {{1, 1}, {0, 2}, {1, 3}, {9, 0}};
	struct error err = ERROR_INIT;

	(void)state;
	MUST(read_catalog(1, 2, &err));
	MUST(read_catalog(2, 1, &err));
	MUST(read_catalog(0, 1, &err));
	MUST(read_catalog(0, 0, &err));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		MUST_FAIL(read_catalog(bad[i][0], bad[i][1], &err),
			  ERROR_SCHEMA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_of_another_length),
		cmocka_unit_test(test_bits_are_0_or_1),
		cmocka_unit_test(test_decimals),
		cmocka_unit_test(test_moments),
		cmocka_unit_test(test_decimals_that_outgrow_theirs),
		cmocka_unit_test(test_columns_that_are_not_there),
		cmocka_unit_test(test_keys_in_no_order),
	};

	return cmocka_run_group_tests_name("answers", tests, setup, NULL);
}
