#include "unit/helper.h"

#include <string.h>

#include "row/position.h"

static void test_set_and_format(void **state)
{
	static const unsigned char lsn[] = {0x00, 0x00, 0x00, 0x27, 0x00,
					    0x00, 0x01, 0xf4, 0x00, 0x03};
	struct error err = ERROR_INIT;
	char text[POSITION_TEXT_MAX];
	struct position pos;

	(void)state;
	MUST(position_set(&pos, lsn, sizeof(lsn), &err));
	position_format(text, &pos);
	assert_string_equal(text, "0x00000027000001F40003");
	MUST(position_set(&pos, NULL, 0, &err));
	position_format(text, &pos);
	assert_string_equal(text, "");
}

static void test_longest(void **state)
{
	unsigned char bytes[POSITION_MAX + 1];
	struct error err = ERROR_INIT;
	char text[POSITION_TEXT_MAX];
	struct position pos;

	(void)state;
	memset(bytes, 0xab, sizeof(bytes));
	MUST(position_set(&pos, bytes, POSITION_MAX, &err));
	memset(text, 'x', sizeof(text));
	position_format(text, &pos);
	assert_int_equal(strlen(text), POSITION_TEXT_MAX - 1);
	assert_string_equal(text + POSITION_TEXT_MAX - 5, "ABAB");
	assert_int_equal(position_set(&pos, bytes, POSITION_MAX + 1, &err), -1);
	assert_int_equal(pos.len, POSITION_MAX); /* as it was */
}

static void test_equal(void **state)
{
	struct error err = ERROR_INIT;
	struct position a, b;

	(void)state;
	memset(&a, 1, sizeof(a));
	memset(&b, 2, sizeof(b)); /* what is beyond `len` means nothing */
	MUST(position_set(&a, "abc", 3, &err));
	MUST(position_set(&b, "abc", 3, &err));
	assert_true(position_equal(&a, &b));
	MUST(position_set(&b, "abd", 3, &err));
	assert_false(position_equal(&a, &b));
	MUST(position_set(&b, "ab", 2, &err));
	assert_false(position_equal(&a, &b));
	MUST(position_set(&a, "", 0, &err));
	assert_false(position_equal(&a, &b));
	MUST(position_set(&b, "x", 0, &err));
	assert_true(position_equal(&a, &b));
}

static void test_parse(void **state)
{
	static const char *const wrong[] = {"0x",   "0",     "00AB",  "0xA",
					    "0xAG", "0xab",  "0xABC", "0xAB ",
					    "x",    " 0xAB", "0x-1"};
	unsigned char bytes[POSITION_MAX];
	struct error err = ERROR_INIT;
	char text[POSITION_TEXT_MAX + 2];
	struct position pos, back;

	(void)state;
	for (size_t len = 0; len <= POSITION_MAX; len += 64) {
		memset(bytes, (int)(0x5a + len), sizeof(bytes));
		MUST(position_set(&pos, bytes, len, &err));
		position_format(text, &pos);
		assert_int_equal(position_parse(&back, text), 0);
		assert_true(position_equal(&pos, &back));
	}
	strcat(text, "AB"); /* one byte too many */
	assert_int_equal(position_parse(&back, text), -1);
	assert_int_equal(back.len, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_int_equal(position_parse(&back, wrong[i]), -1);
		assert_int_equal(back.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_format),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests_name("position", tests, NULL, NULL);
}
