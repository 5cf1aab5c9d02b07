/* Values as a binary COPY takes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/postgresql/encode.h"

#define ROOM ((size_t)1 << 20)

static struct strbuf sent;

static int take(void *context, const void *data, size_t len, struct error *err)
{
	(void)context;
	(void)err;
	strbuf_add(&sent, data, len);
	return 0;
}

/* A column of one type and one value of it, on its way into another. */
struct trial {
	struct column column;
	struct table shape;
	struct batch batch;
	struct pg_dest_column to;
	struct pg_sink sink;
	struct error err;
};

static void begin(struct trial *trial, enum row_type type, const char *receive,
		  int typmod)
{
	memset(trial, 0, sizeof(*trial));
	trial->column.name = "c";
	trial->column.type = type;
	trial->column.nullable = true;
	trial->shape.columns = &trial->column;
	trial->shape.column_count = 1;
	trial->to.name = "c";
	trial->to.receive = receive;
	trial->to.typmod = typmod;
	trial->to.built_in = true;
	assert_int_equal(
		batch_init(&trial->batch, &trial->shape, 4, ROOM, &trial->err),
		0);
	assert_int_equal(pg_sink_init(&trial->sink, &trial->err), 0);
	trial->sink.write = take;
	strbuf_init_max(&sent, ROOM * 4);
}

static int put(struct trial *trial, bool nulls)
{
	struct encoder_pg *encoder = encoder_pg_new(
		&trial->shape, 0, &trial->to, false, nulls, &trial->err);
	int rc;

	assert_non_null(encoder);
	trial->sink.pieces = encode_is_long(&trial->batch, 0);
	rc = encoder_pg_put(encoder, &trial->batch, 0, &trial->sink,
			    &trial->err);
	if (rc == 0)
		assert_int_equal(pg_sink_flush(&trial->sink, &trial->err), 0);
	encoder_pg_free(encoder);
	return rc;
}

static void end(struct trial *trial)
{
	batch_release(&trial->batch);
	pg_sink_release(&trial->sink);
	strbuf_release(&sent);
}

/* It is sent as these bytes, given as hexadecimal digits. */
static void expect(struct trial *trial, const char *want)
{
	struct strbuf got;

	if (put(trial, false) < 0)
		fail_msg("%s", trial->err.message);
	strbuf_init(&got);
	for (size_t i = 0; i < sent.len; i++)
		strbuf_addf(&got, "%02x", (unsigned char)sent.data[i]);
	assert_string_equal(got.data, want);
	strbuf_release(&got);
	end(trial);
}

static void refuse(struct trial *trial, const char *why)
{
	assert_int_equal(put(trial, false), -1);
	assert_int_equal(trial->err.kind, ERROR_DATA);
	if (!strstr(trial->err.message, why) ||
	    !strstr(trial->err.message, "column 'c'"))
		fail_msg("%s", trial->err.message);
	assert_int_equal(sent.len, 0);
	end(trial);
}

static void put_i64(struct trial *trial, int64_t value)
{
	batch_put_i64(&trial->batch, 0, value);
	batch_add_row(&trial->batch, ROW_UPSERT);
}

static void put_text(struct trial *trial, const void *data, size_t len)
{
	unsigned char *to = batch_put_slice(&trial->batch, 0, len);

	assert_non_null(to);
	memcpy(to, data, len);
	batch_add_row(&trial->batch, ROW_UPSERT);
}

static void put_decimal(struct trial *trial, row_int128 value, int scale)
{
	trial->column.precision = 38;
	trial->column.scale = scale;
	batch_put_wide(&trial->batch, 0)->decimal = value;
	batch_add_row(&trial->batch, ROW_UPSERT);
}

/* As the server keeps numeric(precision, scale) in a typmod. */
static int numeric_typmod(int precision, int scale)
{
	return (precision << 16 | (scale & 0x7ff)) + 4;
}

/* ---------------------------------------------------------------- integers */

static void check_integer(const char *receive, enum row_type type,
			  int64_t value, const char *want)
{
	struct trial trial;

	begin(&trial, type, receive, -1);
	put_i64(&trial, value);
	if (want)
		expect(&trial, want);
	else
		refuse(&trial, "out of the range");
}

static void test_integers(void **state)
{
	(void)state;
	check_integer("boolrecv", ROW_BOOL, 1, "0000000101");
	check_integer("boolrecv", ROW_BOOL, 0, "0000000100");
	check_integer("int2recv", ROW_INT16, -2, "00000002fffe");
	check_integer("int2recv", ROW_INT32, 32768, NULL);
	check_integer("int2recv", ROW_UINT8, 255, "0000000200ff");
	check_integer("int4recv", ROW_INT32, INT32_MIN, "0000000480000000");
	check_integer("int4recv", ROW_INT64, INT64_C(1) << 31, NULL);
	check_integer("int8recv", ROW_INT64, INT64_MIN,
		      "000000088000000000000000");
	check_integer("int8recv", ROW_UINT64, -1, NULL);
	check_integer("oidrecv", ROW_INT64, UINT32_MAX, "00000004ffffffff");
	check_integer("oidrecv", ROW_INT64, -1, NULL);
}

/* ----------------------------------------------------------------- numbers */

static void check_decimal(row_int128 value, int scale, int typmod,
			  const char *want, const char *why)
{
	struct trial trial;

	begin(&trial, ROW_DECIMAL, "numeric_recv", typmod);
	put_decimal(&trial, value, scale);
	if (want)
		expect(&trial, want);
	else
		refuse(&trial, why);
}

static row_int128 power(int digits)
{
	row_int128 value = 1;

	while (digits-- > 0)
		value *= 10;
	return value;
}

static void test_numerics(void **state)
{
	(void)state;
	/* Length, groups, weight, sign, scale, and the groups. */
	check_decimal(0, 2, -1,
		      "00000008"
		      "0000"
		      "0000"
		      "0000"
		      "0002",
		      NULL);
	check_decimal(12345, 2, -1,
		      "0000000c"
		      "0002"
		      "0000"
		      "0000"
		      "0002"
		      "007b"
		      "1194",
		      NULL);
	check_decimal(-5, 1, -1,
		      "0000000a"
		      "0001"
		      "ffff"
		      "4000"
		      "0001"
		      "1388",
		      NULL);
	check_decimal(5, 9, -1,
		      "0000000a"
		      "0001"
		      "fffd"
		      "0000"
		      "0009"
		      "1388",
		      NULL);
	check_decimal(power(8), 0, -1,
		      "0000000a"
		      "0001"
		      "0002"
		      "0000"
		      "0000"
		      "0001",
		      NULL);
	check_decimal(power(38) - 1, 0, -1,
		      "0000001c"
		      "000a"
		      "0009"
		      "0000"
		      "0000"
		      "0063"
		      "270f"
		      "270f"
		      "270f"
		      "270f"
		      "270f"
		      "270f"
		      "270f"
		      "270f"
		      "270f",
		      NULL);
	check_decimal(1 - power(38), 38, -1,
		      "0000001c"
		      "000a"
		      "ffff"
		      "4000"
		      "0026"
		      "270f"
		      "270f"
		      "270f"
		      "270f"
		      "270f"
		      "270f"
		      "270f"
		      "270f"
		      "270f"
		      "26ac",
		      NULL);
}

/* What the server would round, or not take, is found before. */
static void test_numerics_that_do_not_fit(void **state)
{
	static const char fits[] = "0000000c"
				   "0002"
				   "0000"
				   "0000"
				   "0004"
				   "0001"
				   "09c4";

	(void)state;
	check_decimal(12500, 4, numeric_typmod(5, 2), fits, NULL);
	check_decimal(12550, 4, numeric_typmod(5, 2), NULL, "more decimals");
	check_decimal(100000, 2, numeric_typmod(5, 2), NULL,
		      "out of the range");
	check_decimal(1234, 0, numeric_typmod(3, -2), NULL, "more decimals");
	check_decimal(power(38) - 1, 0, numeric_typmod(38, 1), NULL,
		      "out of the range");
}

static void test_nan(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial, ROW_DECIMAL, "numeric_recv", -1);
	trial.column.extended = true;
	put_decimal(&trial, ROW_DECIMAL_NAN, 2);
	expect(&trial, "00000008"
		       "00000000"
		       "c0000000");
}

/* ------------------------------------------------------------------- times */

static void check_time(enum row_type type, const char *receive, int typmod,
		       int64_t ticks, bool extended, const char *want,
		       const char *why)
{
	struct trial trial;

	begin(&trial, type, receive, typmod);
	trial.column.precision = 7;
	trial.column.extended = extended;
	put_i64(&trial, ticks);
	if (want)
		expect(&trial, want);
	else
		refuse(&trial, why);
}

#define EPOCH (INT64_C(730119) * ROW_TICKS_PER_DAY) /* 2000-01-01 */

static void test_times(void **state)
{
	(void)state;
	check_time(ROW_DATE, "date_recv", -1, 730119, false, "0000000400000000",
		   NULL);
	check_time(ROW_DATE, "date_recv", -1, 0, false, "00000004fff4dbf9",
		   NULL);
	check_time(ROW_DATE, "date_recv", -1, 3652059, false, NULL,
		   "out of the range");
	check_time(ROW_DATE, "date_recv", -1, ROW_INFINITE_FUTURE, true,
		   "000000047fffffff", NULL);
	check_time(ROW_TIMESTAMP, "timestamp_recv", -1, EPOCH + 20, false,
		   "000000080000000000000002", NULL);
	/* Half a microsecond goes up, less does not. */
	check_time(ROW_TIMESTAMP, "timestamp_recv", -1, EPOCH + 25, false,
		   "000000080000000000000003", NULL);
	check_time(ROW_TIMESTAMP, "timestamp_recv", 6, EPOCH + 24, false,
		   "000000080000000000000002", NULL);
	/* timestamp(3) takes no microseconds. */
	check_time(ROW_TIMESTAMP, "timestamp_recv", 3, EPOCH + 10000, false,
		   "0000000800000000000003e8", NULL);
	check_time(ROW_TIMESTAMP, "timestamp_recv", 3, EPOCH + 10010, false,
		   NULL, "more digits of a second");
	check_time(ROW_TIMESTAMP, "timestamp_recv", -1, ROW_INFINITE_PAST, true,
		   "000000088000000000000000", NULL);
	check_time(ROW_TIME, "time_recv", -1, ROW_TICKS_PER_DAY - 1, false,
		   "00000008000000141dd75fff", NULL);
	check_time(ROW_TIME, "time_recv", -1, -1, false, NULL,
		   "out of the range");
}

/* ------------------------------------------------------------------- text */

static void check_text(const char *receive, int typmod, const char *text,
		       size_t len, const char *want, const char *why)
{
	struct trial trial;

	begin(&trial, ROW_TEXT, receive, typmod);
	put_text(&trial, text, len);
	if (want)
		expect(&trial, want);
	else
		refuse(&trial, why);
}

#define TEXT(s) s, sizeof(s) - 1

static void test_text(void **state)
{
	static const char *const broken[] = {
		"\x80",		"\xc0\x80",	    "\xe0\x80\x80",
		"\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82"};

	(void)state;
	check_text("textrecv", -1, TEXT(""), "00000000", NULL);
	check_text("textrecv", -1, TEXT("a\xc3\xbc"), "0000000361c3bc", NULL);
	check_text("jsonb_recv", -1, TEXT("{}"), "00000003017b7d", NULL);
	check_text("textrecv", -1, TEXT("12345678\0"), NULL, "number 0");
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		check_text("textrecv", -1, broken[i], strlen(broken[i]), NULL,
			   "not valid text");
	/* varchar(2) would cut blanks, and counts characters. */
	check_text("varcharrecv", 4 + 2, TEXT("\xc3\xbc\xc3\xbc"),
		   "00000004c3bcc3bc", NULL);
	check_text("varcharrecv", 4 + 2, TEXT("ab "), NULL, "longer");
	check_text("bpcharrecv", 4 + 2, TEXT("abc"), NULL, "longer");
	check_text("varbit_recv", 5, TEXT("101"), "0000000500000003a0", NULL);
	check_text("varbit_recv", 2, TEXT("101"), NULL, "longer");
	check_text("bit_recv", -1, TEXT("12"), NULL, "0s and 1s");
}

static void test_text_of_another_encoding(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial, ROW_TEXT, "textrecv", -1);
	trial.column.charset = "UTF-16LE";
	put_text(&trial, TEXT("\xfc\0\xac\x20"));
	expect(&trial, "00000005c3bce282ac");
	begin(&trial, ROW_TEXT, "textrecv", -1);
	trial.column.charset = "UTF-16LE";
	put_text(&trial, TEXT("\0\xd8"));
	refuse(&trial, "not valid text");
}

/* Long values go out as they are, in pieces, and none of a row that is bad. */
static void test_long_values(void **state)
{
	const size_t len = 700000;
	char *text = malloc(len);
	struct trial trial;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', len);
	begin(&trial, ROW_TEXT, "textrecv", -1);
	put_text(&trial, text, len);
	assert_true(encode_is_long(&trial.batch, 0));
	assert_int_equal(put(&trial, false), 0);
	assert_int_equal(sent.len, len + 4);
	assert_memory_equal(sent.data + 4, text, len);
	end(&trial);
	text[len - 1] = '\0';
	begin(&trial, ROW_TEXT, "textrecv", -1);
	put_text(&trial, text, len);
	refuse(&trial, "number 0");
	free(text);
}

static void test_null(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial, ROW_TEXT, "textrecv", -1);
	batch_put_null(&trial.batch, 0);
	batch_add_row(&trial.batch, ROW_UPSERT);
	expect(&trial, "ffffffff");
	begin(&trial, ROW_TEXT, "textrecv", -1);
	trial.to.not_null = true;
	batch_put_null(&trial.batch, 0);
	batch_add_row(&trial.batch, ROW_UPSERT);
	refuse(&trial, "NOT NULL");
	begin(&trial, ROW_TEXT, "textrecv", -1);
	trial.to.not_null = true;
	batch_put_null(&trial.batch, 0);
	batch_add_row(&trial.batch, ROW_UPSERT);
	assert_int_equal(put(&trial, true), 0);
	end(&trial);
}

/* Types whose binary form is their own affair go as text. */
static void test_casts(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial, ROW_TEXT, "inet_recv", -1);
	assert_true(encode_by_cast(&trial.column, &trial.to));
	put_text(&trial, TEXT("::1"));
	expect(&trial, "000000033a3a31");
	begin(&trial, ROW_DECIMAL, "cash_recv", -1);
	assert_true(encode_by_cast(&trial.column, &trial.to));
	put_decimal(&trial, -150, 2);
	expect(&trial, "000000052d312e3530");
	begin(&trial, ROW_TEXT, "enum_recv", -1);
	assert_false(encode_by_cast(&trial.column, &trial.to));
	assert_true(encode_staged_as_text(&trial.column, &trial.to));
	trial.to.receive = "textrecv";
	assert_false(encode_staged_as_text(&trial.column, &trial.to));
	trial.to.built_in = false; /* citext */
	assert_true(encode_staged_as_text(&trial.column, &trial.to));
	end(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_numerics),
		cmocka_unit_test(test_numerics_that_do_not_fit),
		cmocka_unit_test(test_nan),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_of_another_encoding),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_casts),
	};

	return cmocka_run_group_tests_name("pg_encode", tests, NULL, NULL);
}
