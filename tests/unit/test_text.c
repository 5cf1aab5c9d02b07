#include "unit/helper.h"

#include <string.h>

#include "base/text.h"

static void test_copy_never_splits_a_character(void **state)
{
	static const struct {
		size_t size;
		const char *src, *want;
	} cases[] = {
		{1, "abc", ""},
		{2, "abc", "a"},
		{4, "abc", "abc"},
		{3, "abc", "ab"},
		{2, "\xc3\xa4", ""},
		{3, "\xc3\xa4", "\xc3\xa4"},
		{3, "a\xc3\xa4", "a"},
		{3, "\xe2\x82\xac", ""},
		{4, "\xe2\x82\xac", "\xe2\x82\xac"},
		{4, "\xf0\x9f\x98\x80", ""},
		{5, "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
		{7, "\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\x82\xac"},
		{1, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char out[16];

		memset(out, 'Z', sizeof(out));
		text_copy(out, cases[i].size, cases[i].src);
		assert_string_equal(out, cases[i].want);
		for (size_t at = cases[i].size; at < sizeof(out); at++)
			assert_int_equal(out[at], 'Z');
	}
}

static void test_append(void **state)
{
	char out[8] = "ab";

	(void)state;
	text_append(out, sizeof(out), "cd");
	assert_string_equal(out, "abcd");
	text_append(out, sizeof(out), "");
	assert_string_equal(out, "abcd");
	text_append(out, sizeof(out), "ef\xc3\xa4"); /* one byte too many */
	assert_string_equal(out, "abcdef");
	text_append(out, sizeof(out), "xyz");
	assert_string_equal(out, "abcdefx");
	text_append(out, sizeof(out), "more");
	assert_string_equal(out, "abcdefx");
}

static void test_trim_partial(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{"", ""},
		{"abc", "abc"},
		{"\xc3", ""},
		{"a\xc3", "a"},
		{"a\xc3\xa4", "a\xc3\xa4"},
		{"a\xe2", "a"},
		{"a\xe2\x82", "a"},
		{"a\xe2\x82\xac", "a\xe2\x82\xac"},
		{"a\xf0", "a"},
		{"a\xf0\x9f", "a"},
		{"a\xf0\x9f\x98", "a"},
		{"a\xf0\x9f\x98\x80", "a\xf0\x9f\x98\x80"},
		{"\xc3\xa4\xc3", "\xc3\xa4"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[16];

		memcpy(text, cases[i].in, strlen(cases[i].in) + 1);
		text_trim_partial_utf8(text);
		assert_string_equal(text, cases[i].want);
	}
}

/* Bytes that are no UTF-8 at all must not be read beyond their ends. */
static void test_trim_partial_of_garbage(void **state)
{
	char text[6] = "";

	(void)state;
	for (int len = 1; len <= 5; len++) {
		memset(text, '\x80', (size_t)len);
		text[len] = '\0';
		text_trim_partial_utf8(text);
		assert_true(strlen(text) <= (size_t)len);
		memset(text, '\xff', (size_t)len);
		text[len] = '\0';
		text_trim_partial_utf8(text);
		assert_true(strlen(text) <= (size_t)len);
	}
}

static void test_is_utf8(void **state)
{
	static const char *const good[] = {"",
					   "a",
					   "abcdefg",
					   "z\xc3\xbc",
					   "\xe2\x82\xac",
					   "\xf0\x9f\x98\x80",
					   "abcd\xf0\x9f\x98\x80"};
	static const char *const bad[] = {"\xff",
					  "abcd\xc3",
					  "\xc3",
					  "\xc0\x80",
					  "\xed\xa0\x80",
					  "abc\xe2\x82",
					  "\xf4\x90\x80\x80zzzzz"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(text_is_utf8(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(text_is_utf8(bad[i], strlen(bad[i])));
	/* What lies behind the end does not count; NULs are characters. */
	assert_false(text_is_utf8("\xc3\xbc", 1));
	assert_true(text_is_utf8("a\0b\0c\0d", 7));
}

static void test_iequal(void **state)
{
	(void)state;
	assert_true(text_iequal("Server", "sERVER"));
	assert_true(text_iequal("", ""));
	assert_false(text_iequal("a", "ab"));
	assert_false(text_iequal("ab", "a"));
	assert_false(text_iequal(NULL, "a"));
	assert_false(text_iequal("a", NULL));
	assert_false(text_iequal(NULL, NULL));
	/* Only ASCII folds: [ and { differ by the same bit. */
	assert_false(text_iequal("[", "{"));
	assert_false(text_iequal("\xc3\x84", "\xc3\xa4"));
}

static void test_istarts(void **state)
{
	(void)state;
	assert_true(text_istarts("TCP:host", "tcp:"));
	assert_true(text_istarts("x", ""));
	assert_true(text_istarts("tcp:", "tcp:"));
	assert_false(text_istarts("tcp", "tcp:"));
	assert_false(text_istarts("", "t"));
}

static void test_trim(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{"", ""},    {"   ", ""}, {"a", "a"}, {" \t a b \r\n", "a b"},
		{"a ", "a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[16];

		memcpy(text, cases[i].in, strlen(cases[i].in) + 1);
		assert_string_equal(text_trim(text), cases[i].want);
	}
}

static void test_to_long(void **state)
{
	static const struct {
		const char *in;
		bool ok;
		long want;
	} cases[] = {
		{"0", true, 0},
		{"42", true, 42},
		{" 42 ", true, 42},
		{"\t-7\n", true, -7},
		{"007", true, 7},
		{"9223372036854775807", true, INT64_MAX},
		{"-9223372036854775808", true, INT64_MIN},
		{"9223372036854775808", false, 0},
		{"-9223372036854775809", false, 0},
		{"99999999999999999999999", false, 0},
		{"", false, 0},
		{"   ", false, 0},
		{"abc", false, 0},
		{"12abc", false, 0},
		{"1 2", false, 0},
		{"1.5", false, 0},
		{"0x10", false, 0},
		{"-", false, 0},
		{"--1", false, 0},
		{"1e3", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		long value = -1;

		if (text_to_long(cases[i].in, &value) != cases[i].ok)
			fail_msg("'%s'", cases[i].in);
		if (cases[i].ok)
			assert_int_equal(value, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy_never_splits_a_character),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_trim_partial),
		cmocka_unit_test(test_trim_partial_of_garbage),
		cmocka_unit_test(test_is_utf8),
		cmocka_unit_test(test_iequal),
		cmocka_unit_test(test_istarts),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_to_long),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
