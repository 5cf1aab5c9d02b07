/* Values of PostgreSQL, in its binary form and as words, into a batch. */
#include "unit/helper.h"

#include <string.h>

#include "drivers/postgresql/decode.h"
#include "row/text.h"
#include "unit/rows.h"

#define BYTES(literal) (literal), sizeof(literal) - 1

/* A column, a plan for it and a batch. */
struct one {
	struct table table;
	struct batch batch;
	struct pg_column_plan plan;
};

static void begin(struct one *one, enum pg_form form, enum row_type type,
		  int precision, int scale, bool extended)
{
	struct column column = {
		.name = "v",
		.type = type,
		.precision = precision,
		.scale = scale,
		.extended = extended,
	};

	table_make(&one->table, "t", &column, 1, NULL);
	batch_make(&one->batch, &one->table);
	one->plan = (struct pg_column_plan){
		.name = "v",
		.form = form,
		.type = type,
		.precision = precision,
		.scale = scale,
		.end = 1,
		.extended = extended,
	};
	while (precision-- > 0)
		one->plan.end *= 10;
}

static void end(struct one *one)
{
	batch_release(&one->batch);
	table_release(&one->table);
}

/* `want` NULL: it is refused, as ERROR_DATA. */
static void look(struct one *one, int rc, const struct error *err,
		 const char *want)
{
	struct strbuf text;

	if (!want) {
		if (rc >= 0)
			fail_msg("it was not refused");
		assert_int_equal(err->kind, ERROR_DATA);
		assert_holds(err->message, "'v'");
		return;
	}
	if (rc != 1)
		fail_msg("%s: %s", want, err->message);
	strbuf_init(&text);
	row_format(&text, &one->batch, 0, 0);
	assert_string_equal(text.data, want);
	strbuf_release(&text);
}

static void words(struct one *one, const char *text, const char *want)
{
	struct error err = ERROR_INIT;

	look(one,
	     pg_decode_words(&one->plan, &one->batch, text, strlen(text), &err),
	     &err, want);
}

static void binary(struct one *one, const char *bytes, size_t len,
		   const char *want)
{
	struct error err = ERROR_INIT;

	look(one,
	     pg_decode_value(&one->plan, &one->batch,
			     (const unsigned char *)bytes, len, &err),
	     &err, want);
}

static void test_integers(void **state)
{
	struct one one;

	(void)state;
	begin(&one, PG_FORM_INT2, ROW_INT16, 0, 0, false);
	binary(&one, BYTES("\x80\x00"), "-32768");
	binary(&one, BYTES("\x00"), NULL);
	binary(&one, BYTES(""), NULL);
	words(&one, "-32768", "-32768");
	end(&one);
	begin(&one, PG_FORM_INT8, ROW_INT64, 0, 0, false);
	binary(&one, BYTES("\x7f\xff\xff\xff\xff\xff\xff\xff"),
	       "9223372036854775807");
	words(&one, "9223372036854775807", "9223372036854775807");
	words(&one, "-9223372036854775808", "-9223372036854775808");
	words(&one, "9223372036854775808", NULL);
	words(&one, "-9223372036854775809", NULL);
	words(&one, "", NULL);
	words(&one, "-", NULL);
	words(&one, "1x", NULL);
	one.plan.as_reset = true;
	words(&one, "1", "0");
	words(&one, "2", "2");
	binary(&one, BYTES("\0\0\0\0\0\0\0\1"), "0");
	end(&one);
	begin(&one, PG_FORM_OID, ROW_INT64, 0, 0, false);
	binary(&one, BYTES("\xff\xff\xff\xff"), "4294967295");
	words(&one, "4294967295", "4294967295");
	end(&one);
	begin(&one, PG_FORM_BOOL, ROW_BOOL, 0, 0, false);
	binary(&one, BYTES("\1"), "1");
	words(&one, "t", "1");
	words(&one, "f", "0");
	words(&one, "true", NULL);
	words(&one, "", NULL);
	one.plan.as_reset = true;
	words(&one, "t", "0");
	end(&one);
}

static void test_floats(void **state)
{
	struct one one;

	(void)state;
	begin(&one, PG_FORM_FLOAT4, ROW_FLOAT32, 0, 0, false);
	binary(&one, BYTES("\x3d\xcc\xcc\xcd"), "0.100000001");
	words(&one, "0.1", "0.100000001");
	words(&one, "-Infinity", "-inf");
	words(&one, "", NULL);
	words(&one, "0.1x", NULL);
	end(&one);
	begin(&one, PG_FORM_FLOAT8, ROW_FLOAT64, 0, 0, false);
	binary(&one, BYTES("\x3f\xf0\0\0\0\0\0\0"), "1");
	words(&one, "1e-300", "1e-300");
	words(&one, "NaN", "nan");
	end(&one);
}

static void test_numeric(void **state)
{
	static const char nan[] = "\0\0\0\0\xc0\0\0\0";
	struct one one;

	(void)state;
	begin(&one, PG_FORM_NUMERIC, ROW_DECIMAL, 12, 2, false);
	/* digits, weight, sign, scale; base 10000 */
	binary(&one, BYTES("\0\3\0\1\x40\0\0\2\x00\x7b\x11\xd7\x1e\xdc"),
	       "-1234567.79");
	binary(&one, BYTES("\0\0\0\0\0\0\0\2"), "0.00");
	binary(&one, BYTES("\0\1\xff\xff\0\0\0\2\x13\x88"), "0.50");
	binary(&one, BYTES("\0\1\xff\xff\0\0\0\2\x13\x89"), NULL);
	binary(&one, BYTES("\0\1\0\2\0\0\0\2\0\x63"), "9900000000.00");
	binary(&one, nan, 8, NULL);
	binary(&one, BYTES("\0\1\0\0\0\0\0\2"), NULL);
	binary(&one, BYTES("\0\0\0\0\xd0\0\0\2"), NULL);
	binary(&one, BYTES("\0\1\0\0\0\0\0\2\x27\x10"), NULL);
	words(&one, "-1234567.89", "-1234567.89");
	words(&one, "5", "5.00");
	words(&one, "0.5", "0.50");
	words(&one, "9999999999.99", "9999999999.99");
	words(&one, "10000000000.00", NULL);
	words(&one, "0.001", NULL);
	words(&one, "NaN", NULL);
	words(&one, "1.2.3", NULL);
	one.plan.extended = true;
	one.table.columns[0].extended = true;
	words(&one, "NaN", "NaN");
	binary(&one, nan, 8, "NaN");
	end(&one);
}

static void test_long_numeric(void **state)
{
	struct one one;

	(void)state;
	begin(&one, PG_FORM_NUMERIC, ROW_DECIMAL, 38, 38, false);
	words(&one, "0.99999999999999999999999999999999999999",
	      "0.99999999999999999999999999999999999999");
	/* 9999 nine times, then 9900 */
	binary(&one,
	       BYTES("\0\x0a\xff\xff\0\0\0\x26"
		     "\x27\x0f\x27\x0f\x27\x0f\x27\x0f\x27\x0f"
		     "\x27\x0f\x27\x0f\x27\x0f\x27\x0f\x26\xac"),
	       "0.99999999999999999999999999999999999999");
	end(&one);
	begin(&one, PG_FORM_NUMERIC, ROW_DECIMAL, 38, 0, false);
	/* 99, then 9999 nine times */
	binary(&one,
	       BYTES("\0\x0a\0\x09\0\0\0\0"
		     "\0\x63\x27\x0f\x27\x0f\x27\x0f\x27\x0f"
		     "\x27\x0f\x27\x0f\x27\x0f\x27\x0f\x27\x0f"),
	       "99999999999999999999999999999999999999");
	/* 100, and as many: one digit too many */
	binary(&one,
	       BYTES("\0\x0a\0\x09\0\0\0\0"
		     "\0\x64\x27\x0f\x27\x0f\x27\x0f\x27\x0f"
		     "\x27\x0f\x27\x0f\x27\x0f\x27\x0f\x27\x0f"),
	       NULL);
	/* 10^36 is one digit; 10^40 would be, too */
	binary(&one, BYTES("\0\1\0\x09\0\0\0\0\0\1"),
	       "1000000000000000000000000000000000000");
	binary(&one, BYTES("\0\1\0\x0a\0\0\0\0\0\1"), NULL);
	binary(&one, BYTES("\0\1\x7f\xff\0\0\0\0\0\1"), NULL);
	binary(&one, BYTES("\0\1\x80\0\0\0\0\0\0\1"), NULL);
	end(&one);
}

static void test_money(void **state)
{
	struct one one;

	(void)state;
	begin(&one, PG_FORM_MONEY, ROW_DECIMAL, 19, 2, false);
	binary(&one, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"), "-0.01");
	words(&one, "-$1,234.56", "-1234.56");
	words(&one, "1.234,56 \xe2\x82\xac", "1234.56");
	words(&one, "($5.00)", "-5.00");
	words(&one, "-$92,233,720,368,547,758.08", "-92233720368547758.08");
	words(&one, "$", NULL);
	words(&one, "99999999999999999999999", NULL);
	end(&one);
}

static void test_dates(void **state)
{
	struct one one;

	(void)state;
	begin(&one, PG_FORM_DATE, ROW_DATE, 0, 0, false);
	binary(&one, BYTES("\0\0\0\0"), "2000-01-01");
	binary(&one, BYTES("\xff\xff\xff\xff"), "1999-12-31");
	binary(&one, BYTES("\x7f\xff\xff\xff"), NULL);
	binary(&one, BYTES("\x80\0\0\0"), NULL);
	words(&one, "2000-02-29", "2000-02-29");
	words(&one, "0001-01-01", "0001-01-01");
	words(&one, "9999-12-31", "9999-12-31");
	words(&one, "10000-01-01", NULL);
	words(&one, "0001-12-31 BC", NULL);
	words(&one, "infinity", NULL);
	words(&one, "2000-13-01", NULL);
	words(&one, "2000-01-01x", NULL);
	words(&one, "", NULL);
	end(&one);
	begin(&one, PG_FORM_DATE, ROW_DATE, 0, 0, true);
	words(&one, "infinity", "infinity");
	words(&one, "-infinity", "-infinity");
	words(&one, "4713-11-24 BC", "4713-11-24 BC");
	words(&one, "0001-12-31 BC", "0001-12-31 BC");
	words(&one, "5874897-12-31", "5874897-12-31");
	binary(&one, BYTES("\x7f\xff\xff\xff"), "infinity");
	binary(&one, BYTES("\x80\0\0\0"), "-infinity");
	end(&one);
}

static void test_times(void **state)
{
	struct one one;

	(void)state;
	begin(&one, PG_FORM_TIME, ROW_TIME, 6, 0, false);
	words(&one, "23:59:59.999999", "23:59:59.999999");
	words(&one, "00:00:00", "00:00:00.000000");
	words(&one, "24:00:00", NULL);
	words(&one, "25:00:00", NULL);
	words(&one, "12:00", NULL);
	words(&one, "12:00:00.1234567", NULL);
	binary(&one, BYTES("\0\0\0\0\0\0\0\1"), "00:00:00.000001");
	binary(&one, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"), NULL);
	end(&one);
	begin(&one, PG_FORM_TIMESTAMP, ROW_TIMESTAMP, 6, 0, false);
	words(&one, "2020-02-29 12:34:56.5", "2020-02-29T12:34:56.500000");
	words(&one, "0001-01-01 00:00:00", "0001-01-01T00:00:00.000000");
	words(&one, "9999-12-31 23:59:59.999999", "9999-12-31T23:59:59.999999");
	words(&one, "10000-01-01 00:00:00", NULL);
	words(&one, "0044-03-15 00:00:00 BC", NULL);
	words(&one, "-infinity", NULL);
	words(&one, "2020-02-29", NULL);
	words(&one, "2020-02-29 12:34:56+00", NULL);
	binary(&one, BYTES("\0\0\0\0\0\0\0\0"), "2000-01-01T00:00:00.000000");
	binary(&one, BYTES("\x7f\xff\xff\xff\xff\xff\xff\xff"), NULL);
	binary(&one, BYTES("\x80\0\0\0\0\0\0\0"), NULL);
	end(&one);
	begin(&one, PG_FORM_TIMESTAMPTZ, ROW_TIMESTAMPTZ, 6, 0, false);
	words(&one, "2020-01-01 10:00:00+00",
	      "2020-01-01T10:00:00.000000+00:00");
	words(&one, "2020-01-01 10:00:00", NULL);
	words(&one, "2020-01-01 10:00:00+02", NULL);
	end(&one);
}

static void test_extended_times(void **state)
{
	struct one one;

	(void)state;
	begin(&one, PG_FORM_TIMESTAMP, ROW_TIMESTAMP, 6, 0, true);
	words(&one, "0044-03-15 12:00:00.5 BC", "0044-03-15T12:00:00.5 BC");
	words(&one, "294276-12-31 23:59:59.999999",
	      "294276-12-31T23:59:59.999999");
	words(&one, "4714-11-24 00:00:00 BC", "4714-11-24T00:00:00 BC");
	words(&one, "infinity", "infinity");
	words(&one, "999999-12-31 23:59:59", NULL);
	binary(&one, BYTES("\x80\0\0\0\0\0\0\0"), "-infinity");
	end(&one);
	begin(&one, PG_FORM_TIMESTAMPTZ, ROW_TIMESTAMPTZ, 6, 0, true);
	words(&one, "0044-03-15 12:00:00+00 BC", "0044-03-15T12:00:00Z BC");
	end(&one);
	begin(&one, PG_FORM_TIME, ROW_TIME, 6, 0, true);
	words(&one, "24:00:00", "24:00:00.000000");
	end(&one);
}

static void test_bytes_and_text(void **state)
{
	struct one one;

	(void)state;
	begin(&one, PG_FORM_BYTEA, ROW_BYTES, 0, 0, false);
	binary(&one, BYTES("\0\xff"), "0x00FF");
	words(&one, "\\x00fF", "0x00FF");
	words(&one, "\\x", "0x");
	words(&one, "\\x0", NULL);
	words(&one, "00", NULL);
	words(&one, "\\xzz", NULL);
	end(&one);
	begin(&one, PG_FORM_UUID, ROW_UUID, 0, 0, false);
	words(&one, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
	      "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
	words(&one, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", NULL);
	words(&one, "a0eebc99x9c0b-4ef8-bb6d-6bb9bd380a11", NULL);
	words(&one, "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", NULL);
	end(&one);
	begin(&one, PG_FORM_JSONB, ROW_JSON, 0, 0, false);
	binary(&one, BYTES("\1{}"), "{}");
	binary(&one, BYTES("\2{}"), NULL);
	binary(&one, BYTES(""), NULL);
	words(&one, "{}", "{}");
	end(&one);
	begin(&one, PG_FORM_TEXT, ROW_TEXT, 0, 0, false);
	binary(&one, BYTES(""), "");
	binary(&one, BYTES("z\xc3\xbc"), "z\xc3\xbc");
	binary(&one, BYTES("z\xff"), "z\xff");
	one.plan.checks_text = true;
	binary(&one, BYTES("z\xc3\xbc"), "z\xc3\xbc");
	binary(&one, BYTES("z\xc3"), NULL);
	binary(&one, BYTES("\xff zz"), NULL);
	end(&one);
}

/* ---------------------------------------------------------------------- rows */

static int decode(struct one *one, const char *bytes, size_t len,
		  struct error *err)
{
	return pg_decode_row(&one->plan, 1, &one->batch,
			     (const unsigned char *)bytes, len, err);
}

static void test_rows(void **state)
{
	struct error err = ERROR_INIT;
	struct one one;

	(void)state;
	begin(&one, PG_FORM_INT2, ROW_INT16, 0, 0, false);
	assert_int_equal(decode(&one, BYTES("\0\1\0\0\0\2\0\7"), &err), 1);
	batch_add_row(&one.batch, ROW_UPSERT);
	assert_int_equal(decode(&one, BYTES("\0\1\xff\xff\xff\xff"), &err), 1);
	batch_add_row(&one.batch, ROW_UPSERT);
	assert_rows(&one.batch, "+ 7\n+ NULL\n");
	assert_int_equal(decode(&one, BYTES("\xff\xff"), &err), 2);
	MUST_FAIL(decode(&one, BYTES(""), &err), ERROR_SERVER);
	MUST_FAIL(decode(&one, BYTES("\0\2\0\0\0\2\0\7"), &err), ERROR_SERVER);
	MUST_FAIL(decode(&one, BYTES("\0\1\0\0"), &err), ERROR_SERVER);
	MUST_FAIL(decode(&one, BYTES("\0\1\0\0\0\3\0\7"), &err), ERROR_SERVER);
	MUST_FAIL(decode(&one, BYTES("\0\1\x7f\xff\xff\xff\0\7"), &err),
		  ERROR_SERVER);
	MUST_FAIL(decode(&one, BYTES("\0\1\0\0\0\2\0\7\0"), &err),
		  ERROR_SERVER);
	end(&one);
}

static void test_headers(void **state)
{
	static const unsigned char plain[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
	static const unsigned char longer[] =
		"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\2xy";
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(pg_decode_header(plain, 19, &err), 19);
	assert_int_equal(pg_decode_header(longer, 21, &err), 21);
	MUST_FAIL(pg_decode_header(plain, 18, &err), ERROR_SERVER);
	MUST_FAIL(pg_decode_header(longer, 20, &err), ERROR_SERVER);
	MUST_FAIL(pg_decode_header((const unsigned char *)"PGCOPX", 6, &err),
		  ERROR_SERVER);
}

/* A row without room in the batch comes again, alone and borrowed. */
static void test_lone_rows(void **state)
{
	static char row[3000] = "\0\1\0\0\x0b\xb2";
	struct error err = ERROR_INIT;
	struct one one;

	(void)state;
	memset(row + 6, 'x', sizeof(row) - 6);
	begin(&one, PG_FORM_TEXT, ROW_TEXT, 0, 0, false);
	batch_release(&one.batch);
	MUST(batch_init(&one.batch, &one.table, 10, 1000, &err));
	assert_int_equal(decode(&one, row, sizeof(row), &err), 0);
	batch_make_lone(&one.batch);
	assert_int_equal(decode(&one, row, sizeof(row), &err), 1);
	assert_ptr_equal(one.batch.columns[0].slice[0].data, row + 6);
	end(&one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_numeric),
		cmocka_unit_test(test_long_numeric),
		cmocka_unit_test(test_money),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_extended_times),
		cmocka_unit_test(test_bytes_and_text),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_lone_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
