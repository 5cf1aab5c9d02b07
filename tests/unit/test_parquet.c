/*
 * The parts of a Parquet file, against bytes worked out by hand from the
 * specification; what they are for, and other readers, are in tests/format.
 */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/parquet_decode.h"
#include "format/parquet_encode.h"
#include "format/thrift.h"
#include "unit/rows.h"

static void assert_hex(const struct strbuf *got, const char *want)
{
	char hex[4096] = "";

	assert_true(got->len * 2 < sizeof(hex));
	assert_int_equal(got->failed, 0);
	for (size_t i = 0; i < got->len; i++)
		snprintf(hex + 2 * i, 3, "%02x",
			 (unsigned)(unsigned char)got->data[i]);
	assert_string_equal(hex, want);
}

/* ------------------------------------------------------------------- hybrid */

static void test_bit_packing(void **state)
{
	static const uint32_t numbers[] = {0, 1, 2, 3, 4, 5, 6, 7};
	struct strbuf out;

	(void)state;
	strbuf_init(&out);
	parquet_put_indices(&out, numbers, COUNT_OF(numbers), 3);
	assert_hex(&out, "0388c6fa"); /* the specification's own example */
	strbuf_release(&out);
}

static void test_runs(void **state)
{
	uint32_t numbers[300];
	struct strbuf out;

	(void)state;
	strbuf_init(&out);
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		numbers[i] = i < 200 ? 300 : 1;
	parquet_put_indices(&out, numbers, COUNT_OF(numbers), 9);
	/* 200 × 300 in two bytes, 100 × 1 */
	assert_hex(&out, "90032c01c8010100");
	strbuf_release(&out);
}

static void assert_indices(const uint32_t *numbers, size_t count, int width)
{
	struct parquet_hybrid hybrid;
	struct strbuf out;
	uint32_t got;

	strbuf_init(&out);
	parquet_put_indices(&out, numbers, count, width);
	parquet_hybrid_init(&hybrid, out.data, out.len, width);
	for (size_t i = 0; i < count; i++) {
		assert_true(parquet_hybrid_next(&hybrid, &got));
		assert_int_equal(got, numbers[i]);
	}
	/* One byte less is not enough. */
	parquet_hybrid_init(&hybrid, out.data, out.len ? out.len - 1 : 0,
			    width);
	for (size_t i = 0; i < count; i++)
		if (!parquet_hybrid_next(&hybrid, &got))
			count = 0;
	assert_int_equal(count, 0);
	strbuf_release(&out);
}

/* Chance, with runs in it; the same each time. */
static uint32_t next_chance(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void test_indices_of_every_width(void **state)
{
	static uint32_t numbers[5000];
	uint32_t seed = 1;

	(void)state;
	for (int width = 1; width <= 32; width++) {
		uint32_t most = width < 32 ? (1U << width) - 1 : UINT32_MAX;
		size_t count = 1 + next_chance(&seed) % COUNT_OF(numbers);

		for (size_t i = 0; i < count; i++)
			numbers[i] = i && next_chance(&seed) % 3
					     ? numbers[i - 1]
					     : next_chance(&seed) * 257 & most;
		numbers[count - 1] = most;
		assert_int_equal(parquet_bit_width(most), width);
		assert_indices(numbers, count, width);
	}
}

static void assert_levels(const char *levels, const char *want)
{
	unsigned char bits[600] = {0};
	size_t rows = strlen(levels);
	struct parquet_hybrid hybrid;
	struct strbuf out;
	uint32_t got;

	for (size_t i = 0; i < rows; i++)
		bits[i / 8] |= (unsigned char)((levels[i] - '0') << i % 8);
	strbuf_init(&out);
	parquet_put_levels(&out, bits, rows);
	if (want)
		assert_hex(&out, want);
	parquet_hybrid_init(&hybrid, out.data, out.len, 1);
	for (size_t i = 0; i < rows; i++) {
		assert_true(parquet_hybrid_next(&hybrid, &got));
		assert_int_equal(got, levels[i] - '0');
	}
	strbuf_release(&out);
}

static void test_levels(void **state)
{
	char chance[4000];
	uint32_t seed = 7;

	(void)state;
	assert_levels("1", "0201");
	assert_levels("0000000", "0e00");
	assert_levels("10", "0301");
	assert_levels("11111111111111111111111111111111", "4001");
	assert_levels("1010101001", "03550302");
	assert_levels("111111111111111111111111111111110", "40010300");
	for (size_t len = 1; len < sizeof(chance); len += 97) {
		for (size_t i = 0; i < len; i++)
			chance[i] =
				i && next_chance(&seed) % 20
					? chance[i - 1]
					: (char)('0' + next_chance(&seed) % 2);
		chance[len] = '\0';
		assert_levels(chance, NULL);
	}
}

/* -------------------------------------------------------------------- delta */

static void test_delta(void **state)
{
	static const int64_t rising[] = {1, 2, 3, 4, 5};
	static const int64_t both[] = {7, 5, 3, 1, 2, 3, 4, 5};
	struct strbuf out;

	(void)state;
	strbuf_init(&out);
	/* The specification's examples, with our blocks: 128 values in 4 */
	parquet_put_delta(&out, rising, COUNT_OF(rising), 8);
	assert_hex(&out, "80010405020200000000");
	strbuf_reset(&out);
	parquet_put_delta(&out, both, COUNT_OF(both), 4);
	assert_hex(&out, "800104080e0302000000c03f000000000000");
	strbuf_reset(&out);
	parquet_put_delta(&out, both, 1, 8);
	assert_hex(&out, "800104010e");
	strbuf_release(&out);
}

static void assert_delta(const int64_t *values, size_t count, size_t width)
{
	struct parquet_delta delta;
	struct strbuf out;
	int64_t got;

	strbuf_init(&out);
	parquet_put_delta(&out, values, count, width);
	assert_true(parquet_delta_init(&delta, out.data, out.len, width));
	for (size_t i = 0; i < count; i++) {
		assert_true(parquet_delta_next(&delta, &got));
		assert_int_equal(got, values[i]);
	}
	assert_false(parquet_delta_next(&delta, &got));
	strbuf_release(&out);
}

static void test_delta_of_every_width(void **state)
{
	static int64_t values[1000];
	uint32_t seed = 3;

	(void)state;
	for (int width = 1; width <= 64; width++) {
		size_t count = 1 + next_chance(&seed) % COUNT_OF(values);

		for (size_t i = 0; i < count; i++) {
			uint64_t chance = (uint64_t)next_chance(&seed) << 48 ^
					  (uint64_t)next_chance(&seed) << 24 ^
					  next_chance(&seed);

			values[i] = (int64_t)(chance >> (64 - width));
		}
		values[count / 2] = INT64_MIN;
		assert_delta(values, count, 8);
		for (size_t i = 0; i < count; i++)
			values[i] = (int32_t)(uint32_t)values[i];
		values[count / 2] = INT32_MIN;
		assert_delta(values, count, 4);
	}
}

/* A miniblock that is not there, widths that cannot be, no end of values. */
static void test_damaged_delta(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} damaged[] = {
		{"", 0},
		{"\x80\x01\x04", 3},
		{"\x00\x04\x05\x02", 4},	 /* no values in a block */
		{"\x80\x01\x00\x05\x02", 5},	 /* no parts */
		{"\x80\x01\x03\x05\x02", 5},	 /* that do not fit */
		{"\x80\x01\x04\x05\x02\x02", 6}, /* no widths */
		{"\x80\x01\x04\x05\x02\x02\x41\0\0\0", 10}, /* 65 bits */
		{"\x80\x01\x04\x05\x02\x02\x08\0\0\0\1\2", 12},
	};
	struct parquet_delta delta;
	int64_t got;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(damaged); i++) {
		if (!parquet_delta_init(&delta, damaged[i].bytes,
					damaged[i].len, 8))
			continue;
		assert_true(parquet_delta_next(&delta, &got));
		assert_false(parquet_delta_next(&delta, &got));
		assert_false(parquet_delta_next(&delta, &got));
	}
}

/* ------------------------------------------------------------------- Thrift */

static void test_thrift(void **state)
{
	struct thrift_writer writer;
	struct strbuf out;

	(void)state;
	strbuf_init(&out);
	thrift_writer_init(&writer, &out);
	thrift_begin(&writer);
	thrift_put_i32(&writer, 1, -1);
	thrift_put_bool(&writer, 2, true);
	thrift_put_i64(&writer, 20, 300);
	thrift_put_string(&writer, 21, "ab");
	thrift_put_list(&writer, 22, THRIFT_I32, 2);
	thrift_add_int(&writer, 1);
	thrift_add_int(&writer, -2);
	thrift_put_struct(&writer, 23);
	thrift_put_byte(&writer, 16, -7);
	thrift_end(&writer);
	thrift_end(&writer);
	assert_hex(&out, "15011106"
			 "28d804"
			 "18026162"
			 "19250203"
			 "1c0320f900"
			 "00");
	strbuf_release(&out);
}

static void put_many(struct thrift_writer *writer)
{
	thrift_begin(writer);
	thrift_put_list(writer, 3, THRIFT_TRUE, 100);
	for (int i = 0; i < 100; i++)
		thrift_add_bool(writer, i % 3 == 0);
	thrift_put_list(writer, 4, THRIFT_STRUCT, 2);
	for (int i = 0; i < 2; i++) {
		thrift_begin(writer);
		thrift_put_i16(writer, 1, i);
		thrift_end(writer);
	}
	thrift_put_i64(writer, 200, INT64_MIN);
	thrift_put_i64(writer, 201, INT64_MAX);
	thrift_put_binary(writer, 202, "", 0);
	thrift_end(writer);
}

static void test_thrift_is_read_back(void **state)
{
	struct thrift_field field = {0};
	struct thrift_writer writer;
	struct thrift_reader reader;
	struct error err = ERROR_INIT;
	struct strbuf out;
	size_t len = 9;

	(void)state;
	strbuf_init(&out);
	thrift_writer_init(&writer, &out);
	put_many(&writer);
	thrift_reader_init(&reader, out.data, out.len);
	for (int id = 3; id <= 4; id++) {
		assert_true(thrift_next(&reader, &field));
		assert_int_equal(field.id, id);
		thrift_skip(&reader, &field);
	}
	assert_true(thrift_next(&reader, &field));
	assert_int_equal(field.id, 200);
	assert_true(thrift_get_int(&reader, &field, INT64_MIN, INT64_MAX) ==
		    INT64_MIN);
	assert_true(thrift_next(&reader, &field));
	assert_true(thrift_get_int(&reader, &field, 0, INT64_MAX) == INT64_MAX);
	assert_true(thrift_next(&reader, &field));
	thrift_get_binary(&reader, &field, &len);
	assert_int_equal(len, 0);
	assert_false(thrift_next(&reader, &field));
	MUST(thrift_check(&reader, "it", &err));
	strbuf_release(&out);
}

/* Every beginning of it is damaged, and says so. */
static void test_cut_off_thrift(void **state)
{
	struct error err = ERROR_INIT;
	struct thrift_writer writer;
	struct thrift_reader reader;
	struct strbuf out;

	(void)state;
	strbuf_init(&out);
	thrift_writer_init(&writer, &out);
	put_many(&writer);
	for (size_t len = 0; len < out.len; len++) {
		struct thrift_field field = {0};

		thrift_reader_init(&reader, out.data, len);
		while (thrift_next(&reader, &field))
			thrift_skip(&reader, &field);
		MUST_FAIL(thrift_check(&reader, "it", &err), ERROR_DATA);
	}
	strbuf_release(&out);
}

static void test_damaged_thrift(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} damaged[] = {
		{"\x1d", 1},				 /* no such type */
		{"\x10", 1},				 /* an end with an id */
		{"\x05\x01", 2},			 /* a negative id */
		{"\x18\xff\xff\xff\xff\x0f", 6},	 /* too long */
		{"\x19\xf5\xff\xff\xff\xff\xff\x01", 8}, /* too many */
		{"\x16\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11},
		{"\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c"
		 "\x1c\x1c\x1c\x1c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
		 39}, /* too deep */
	};
	struct error err = ERROR_INIT;
	struct thrift_reader reader;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(damaged); i++) {
		struct thrift_field field = {0};

		thrift_reader_init(&reader, damaged[i].bytes, damaged[i].len);
		while (thrift_next(&reader, &field))
			thrift_skip(&reader, &field);
		MUST_FAIL(thrift_check(&reader, "it", &err), ERROR_DATA);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bit_packing),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_indices_of_every_width),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_delta),
		cmocka_unit_test(test_delta_of_every_width),
		cmocka_unit_test(test_damaged_delta),
		cmocka_unit_test(test_thrift),
		cmocka_unit_test(test_thrift_is_read_back),
		cmocka_unit_test(test_cut_off_thrift),
		cmocka_unit_test(test_damaged_thrift),
	};

	return cmocka_run_group_tests_name("parquet", tests, NULL, NULL);
}
