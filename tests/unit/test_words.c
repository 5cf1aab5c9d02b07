/* Values as text, and back. */
#include "unit/helper.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/words.h"
#include "unit/rows.h"

static char word[WORDS_MAX + 1];

/* What was written up to `end`. */
static const char *written(char *end)
{
	assert_true(end - word <= WORDS_MAX);
	*end = '\0';
	return word;
}

static void test_integers(void **state)
{
	static const int64_t values[] = {
		0,	   9,	      10,	 99,	    100, -1,
		1000,	   9999,      10000,	 123456789, -10, INT64_MAX,
		INT64_MIN, INT32_MIN, 100000000, 99999999};
	char want[WORDS_MAX];
	int64_t back;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		snprintf(want, sizeof(want), "%lld", (long long)values[i]);
		assert_string_equal(written(words_int(word, values[i])), want);
		assert_true(words_read_int(word, strlen(word), &back));
		assert_true(back == values[i]);
	}
	assert_string_equal(written(words_uint(word, UINT64_MAX)),
			    "18446744073709551615");
	for (const char *const *bad =
		     (const char *const[]){"", "-", "+1", " 1", "1 ", "1.0",
					   "0x1", "9223372036854775808",
					   "-9223372036854775809", NULL};
	     *bad; bad++)
		assert_false(words_read_int(*bad, strlen(*bad), &back));
}

static void test_decimals(void **state)
{
	static const struct {
		const char *digits;
		int scale;
		const char *want;
	} cases[] = {
		{"0", 0, "0"},
		{"0", 2, "0.00"},
		{"-5", 2, "-0.05"},
		{"150", 2, "1.50"},
		{"-150", 0, "-150"},
		{"1000000000000000000", 18, "1.000000000000000000"},
		{"99999999999999999999999999999999999999", 0,
		 "99999999999999999999999999999999999999"},
		{"-99999999999999999999999999999999999999", 38,
		 "-0.99999999999999999999999999999999999999"},
		{"1", 38, "0.00000000000000000000000000000000000001"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		row_int128 value, back;

		assert_true(words_read_decimal(cases[i].digits,
					       strlen(cases[i].digits), 38, 0,
					       &value));
		assert_string_equal(
			written(words_decimal(word, value, cases[i].scale)),
			cases[i].want);
		assert_true(words_read_decimal(word, strlen(word), 38,
					       cases[i].scale, &back));
		assert_true(back == value);
	}
}

static void test_decimals_that_are_none(void **state)
{
	static const char *const bad[] = {
		"",	    "-",
		".",	    "1.",
		".5",	    "1.234",
		"1000",	    "1e3",
		"--1",	    "1.2.3",
		"+1",	    "NaN",
		" 1",	    "1 ",
		"-100.001", "00000000000000000000000000000000000000000001"};
	row_int128 value;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_false(words_read_decimal(bad[i], strlen(bad[i]), 5, 2,
						&value));
	assert_true(words_read_decimal("999.99", 6, 5, 2, &value));
	assert_true(words_read_decimal("1.5", 3, 5, 2, &value));
	assert_true(value == 150);
}

/* ------------------------------------------------------------------- floats */

static void test_floats(void **state)
{
	static const struct {
		double value;
		const char *want;
	} cases[] = {
		{0.0, "0.0"},
		{-0.0, "-0.0"},
		{1.0, "1.0"},
		{0.1, "0.1"},
		{-1.5, "-1.5"},
		{100.0, "100.0"},
		{1e17, "1e+17"},
		{1e16, "10000000000000000.0"},
		{1e-5, "0.00001"},
		{1e-6, "1e-6"},
		{5e-324, "5e-324"},
		{1e22, "1e+22"},
		{1e23, "1e+23"},
		{4.35, "4.35"},
		{1.7976931348623157e308, "1.7976931348623157e+308"},
		{2.2250738585072014e-308, "2.2250738585072014e-308"},
		{2.225073858507201e-308, "2.225073858507201e-308"},
		{9007199254740993.0, "9007199254740992.0"},
		{123456.789, "123456.789"},
		{(double)INFINITY, "Infinity"},
		{-(double)INFINITY, "-Infinity"},
		{(double)NAN, "NaN"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		double back;

		assert_string_equal(written(words_double(word, cases[i].value)),
				    cases[i].want);
		assert_true(words_read_double(word, strlen(word), &back));
		assert_true(isnan(back) ? isnan(cases[i].value)
					: !memcmp(&back, &cases[i].value,
						  sizeof(back)));
	}
	assert_string_equal(written(words_float(word, 0.1F)), "0.1");
	assert_string_equal(written(words_float(word, 16777216.0F)),
			    "16777216.0");
	assert_string_equal(written(words_float(word, 1e-45F)), "1e-45");
	assert_string_equal(written(words_float(word, 3.4028235e38F)),
			    "3.4028235e+38");
}

/* Of its roundings, the one with the fewest digits that reads back as the same
 * number: another one may be shorter. */
static int fewest_digits(double value)
{
	char text[64];

	for (int digits = 1; digits < 17; digits++) {
		snprintf(text, sizeof(text), "%.*e", digits - 1, value);
		if (strtod(text, NULL) == value)
			return digits;
	}
	return 17;
}

static int count_digits(const char *s)
{
	char digits[64] = "";
	size_t len = 0, first = 0;

	for (; *s && *s != 'e'; s++)
		if (*s >= '0' && *s <= '9')
			digits[len++] = *s;
	while (len > 1 && digits[len - 1] == '0')
		len--;
	while (first < len && digits[first] == '0')
		first++;
	return (int)(len - first);
}

static void test_floats_are_as_short_as_can_be(void **state)
{
	uint64_t bits = 88172645463325252U;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t chance;
		double value;

		bits ^= bits << 13;
		bits ^= bits >> 7;
		bits ^= bits << 17;
		/* powers of two, and numbers of few digits, among them */
		chance = i % 5 ? bits : bits & ~((UINT64_C(1) << 52) - 1);
		memcpy(&value, &chance, sizeof(value));
		if (i % 7 == 0)
			value = (double)(int64_t)(bits >> 40) / 100;
		if (!isfinite(value) || value == 0)
			continue;
		written(words_double(word, value));
		assert_true(strtod(word, NULL) == value);
		assert_true(count_digits(word) <= fewest_digits(value));
		if (isfinite((float)value)) {
			written(words_float(word, (float)value));
			assert_true(strtof(word, NULL) == (float)value);
		}
	}
}

static void test_floats_that_are_none(void **state)
{
	static const char *const bad[] = {"",	"-",	 "nan", "inf", "0x1p3",
					  "1e", "1.2.3", " 1",	"1 ",  "1e999",
					  "+1", "e5",	 "--1", "1-2"};
	double value;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_false(words_read_double(bad[i], strlen(bad[i]), &value));
		assert_false(words_read_float(bad[i], strlen(bad[i]), &value));
	}
	assert_false(words_read_double("1\0", 2, &value));
	assert_false(words_read_float("1e39", 4, &value));
}

/* -------------------------------------------------------------------- times */

static void test_times(void **state)
{
	struct words_pattern german;
	struct row_timestamptz zoned;
	int64_t back;

	(void)state;
	words_pattern_init(&german, "DD.MM.YYYY");
	assert_string_equal(written(words_date(word, 0)), "0001-01-01");
	assert_string_equal(written(words_date(word, 3652058)), "9999-12-31");
	assert_string_equal(written(words_date_as(word, 738944, &german)),
			    "29.02.2024");
	assert_true(words_read_date_as(word, 10, &german, &back));
	assert_int_equal(back, 738944);
	assert_false(words_read_date_as("29.02.2023", 10, &german, &back));
	assert_false(words_read_date_as("29-02-2024", 10, &german, &back));
	assert_false(words_read_date_as("00.01.2024", 10, &german, &back));
	assert_string_equal(
		written(words_timestamp(word, ROW_TICKS_END - 1, 7, 'T')),
		"9999-12-31T23:59:59.9999999");
	assert_true(words_read_timestamp(word, strlen(word), 7, &back));
	assert_true(back == ROW_TICKS_END - 1);
	assert_false(words_read_timestamp(word, strlen(word), 6, &back));
	assert_string_equal(written(words_timestamp(word, 10000000, 0, ' ')),
			    "0001-01-01 00:00:01");
	assert_string_equal(written(words_offset(word, -330)), "-05:30");
	assert_true(words_read_timestamptz("2020-01-01T00:00:00-05:30", 25, 0,
					   &zoned));
	assert_int_equal(zoned.offset_minutes, -330);
	assert_false(words_read_timestamptz("0001-01-01T00:00:00+01:00", 25, 0,
					    &zoned));
	assert_false(words_read_timestamptz("2020-01-01T00:00:00+15:00", 25, 0,
					    &zoned));
	assert_false(words_read_time("24:00:00", 8, 0, &back));
	assert_false(words_read_time("23:60:00", 8, 0, &back));
	assert_false(words_read_time("23:00:00.", 9, 0, &back));
}

/* -------------------------------------------------------------------- bytes */

static void test_bytes(void **state)
{
	static const char *const base64[] = {
		"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	unsigned char back[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(base64); i++) {
		assert_string_equal(
			written(words_base64(
				word, (const unsigned char *)"foobar", i)),
			base64[i]);
		assert_true(words_read_base64(word, strlen(word), back, &len));
		assert_int_equal(len, i);
		assert_memory_equal(back, "foobar", i);
	}
	for (const char *const *bad =
		     (const char *const[]){"Zg=", "Z===", "====", "Zh==",
					   "Zm9=", "Zm 9", "Zg==Zg==", NULL};
	     *bad; bad++)
		assert_false(words_read_base64(*bad, strlen(*bad), back, &len));
	assert_true(words_read_hex("00fFa5", 6, back));
	assert_memory_equal(back, "\0\xff\xa5", 3);
	assert_false(words_read_hex("0", 1, back));
	assert_false(words_read_hex("0g", 2, back));
}

static void test_uuids(void **state)
{
	struct row_uuid uuid, back;

	(void)state;
	for (unsigned char i = 0; i < 16; i++)
		uuid.bytes[i] = (unsigned char)(i * 17);
	assert_string_equal(written(words_uuid(word, &uuid)),
			    "00112233-4455-6677-8899-aabbccddeeff");
	assert_true(words_read_uuid(word, 36, &back));
	assert_memory_equal(back.bytes, uuid.bytes, 16);
	word[8] = '0';
	assert_false(words_read_uuid(word, 36, &back));
	assert_false(words_read_uuid(word, 35, &back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_decimals),
		cmocka_unit_test(test_decimals_that_are_none),
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_floats_are_as_short_as_can_be),
		cmocka_unit_test(test_floats_that_are_none),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_uuids),
	};

	return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
