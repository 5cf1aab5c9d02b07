#include "unit/helper.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define FIRST  (INT64_C(-62135596800) * 1000000) /* 0001-01-01T00:00:00 */
#define LAST   (INT64_C(253402300800) * 1000000 - 1)

static void assert_text(int64_t us, const char *want)
{
	char text[CLOCK_TEXT_MAX];
	int64_t back = 1;

	clock_format(text, us);
	assert_string_equal(text, want);
	assert_int_equal(clock_parse(text, &back), 0);
	assert_true(back == us);
}

static void test_known_times(void **state)
{
	(void)state;
	assert_text(0, "1970-01-01T00:00:00.000000");
	assert_text(1, "1970-01-01T00:00:00.000001");
	assert_text(-1, "1969-12-31T23:59:59.999999");
	assert_text(-1000000, "1969-12-31T23:59:59.000000");
	assert_text(-DAY_US, "1969-12-31T00:00:00.000000");
	assert_text(-DAY_US - 1, "1969-12-30T23:59:59.999999");
	assert_text(INT64_C(951782400) * 1000000, "2000-02-29T00:00:00.000000");
	assert_text(INT64_C(4107542400) * 1000000,
		    "2100-03-01T00:00:00.000000");
	assert_text(INT64_C(1234567890) * 1000000 + 654321,
		    "2009-02-13T23:31:30.654321");
	assert_text(FIRST, "0001-01-01T00:00:00.000000");
	assert_text(LAST, "9999-12-31T23:59:59.999999");
}

static void put_digits(char *out, int count, int number)
{
	for (; count > 0; number /= 10)
		out[--count] = (char)('0' + number % 10);
}

/* Every day of ten thousand years, beside a calendar that counts by hand. */
static void test_every_day(void **state)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30,
				      31, 31, 30, 31, 30, 31};
	char text[CLOCK_TEXT_MAX], want[] = "YYYY-MM-DDT00:00:00.000005";
	int64_t us = FIRST, back;

	(void)state;
	for (int year = 1; year <= 9999; year++) {
		bool leap = year % 4 == 0 && (year % 100 || year % 400 == 0);

		for (int month = 1; month <= 12; month++) {
			int days = lengths[month - 1] + (leap && month == 2);

			for (int day = 1; day <= days; day++, us += DAY_US) {
				clock_format(text, us + 5);
				put_digits(want, 4, year);
				put_digits(want + 5, 2, month);
				put_digits(want + 8, 2, day);
				if (strcmp(text, want))
					fail_msg("%s is not %s", text, want);
				if (clock_parse(text, &back) || back != us + 5)
					fail_msg("%s does not come back", text);
			}
		}
	}
	assert_true(us == LAST + 1);
}

static void test_every_second_of_a_day(void **state)
{
	char text[CLOCK_TEXT_MAX], want[CLOCK_TEXT_MAX];
	int64_t back;

	(void)state;
	for (int s = 0; s < 86400; s++) {
		clock_format(text, s * INT64_C(1000000) - DAY_US);
		snprintf(want, sizeof(want), "1969-12-31T%02d:%02d:%02d.000000",
			 s / 3600, s / 60 % 60, s % 60);
		assert_string_equal(text, want);
		assert_int_equal(clock_parse(text, &back), 0);
		assert_true(back == s * INT64_C(1000000) - DAY_US);
	}
}

static void test_parse_other_spellings(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} cases[] = {
		{"1970-01-01T00:00:01", 1000000},
		{"1970-01-01 00:00:01", 1000000},
		{"1970-01-01 00:00:00.5", 500000},
		{"1970-01-01T00:00:00.123", 123000},
		{"1970-01-01T00:00:00.1234567", 123456}, /* DATETIME2(7) */
		{"1970-01-01T00:00:00.123456999", 123456},
		{"1970-01-01T00:00:00.000001", 1},
		{"1969-12-31 23:59:59.9", -100000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t us = 42;

		if (clock_parse(cases[i].text, &us) < 0)
			fail_msg("'%s' is refused", cases[i].text);
		assert_true(us == cases[i].want);
	}
}

static void test_parse_refuses_the_rest(void **state)
{
	static const char *const cases[] = {
		"",
		"now",
		"NULL",
		"1970-01-01",
		"1970-01-01T",
		"1970-01-01T00:00",
		"1970-01-01X00:00:00",
		"1970/01/01 00:00:00",
		"1970-01-01T00:00:00.5x",
		"1970-01-01T00:00:00 and more",
		"1970-01-01T00:00:00x",
		"1970-13-01T00:00:00",
		"1970-00-01T00:00:00",
		"1970-01-32T00:00:00",
		"1970-01-00T00:00:00",
		"1970-02-30T00:00:00",
		"2100-02-29T00:00:00",
		"1970-01-01T24:00:00",
		"1970-01-01T00:60:00",
		"1970-01-01T00:00:60",
		"1970-01-01T-1:00:00",
		"-970-01-01T00:00:00",
		"12345678901234567890",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t us = 42;

		if (clock_parse(cases[i], &us) == 0)
			fail_msg("'%s' is taken for a time", cases[i]);
	}
}

static void test_clocks_run(void **state)
{
	int64_t ms = clock_ms(), us = clock_utc_us();

	(void)state;
	pause_ms(20);
	assert_true(clock_ms() - ms >= 19);
	assert_true(clock_utc_us() - us >= 19000);
	assert_true(clock_utc_us() / 1000000 - (int64_t)time(NULL) <= 1);
}

static void test_from_one_clock_to_the_other(void **state)
{
	int64_t us = clock_us(), utc_us = clock_utc_us(), now;

	(void)state;
	assert_in_range(clock_to_utc(us) - utc_us + 1000000, 0, 2000000);
	assert_in_range(clock_from_utc(utc_us) - us + 1000000, 0, 2000000);
	assert_in_range(clock_from_utc(utc_us - 5000000) - us + 6000000, 0,
			2000000);
	/* In the future: now. */
	now = clock_from_utc(utc_us + 5000000);
	assert_in_range(now, us, clock_us());
}

static void test_timed_wait_ends(void **state)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond;
	int64_t began = clock_ms();

	(void)state;
	assert_int_equal(clock_cond_init(&cond), 0);
	pthread_mutex_lock(&lock);
	while (clock_ms() < began + 50)
		clock_cond_wait(&cond, &lock, began + 50);
	clock_cond_wait(&cond, &lock, began); /* long ago: at once */
	pthread_mutex_unlock(&lock);
	assert_true(clock_ms() - began >= 50);
	pthread_cond_destroy(&cond);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_times),
		cmocka_unit_test(test_every_day),
		cmocka_unit_test(test_every_second_of_a_day),
		cmocka_unit_test(test_parse_other_spellings),
		cmocka_unit_test(test_parse_refuses_the_rest),
		cmocka_unit_test(test_clocks_run),
		cmocka_unit_test(test_from_one_clock_to_the_other),
		cmocka_unit_test(test_timed_wait_ends),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
