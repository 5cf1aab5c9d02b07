#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"

static void assert_holds_text(const struct strbuf *sb, const char *want)
{
	assert_int_equal(sb->len, strlen(want));
	assert_string_equal(sb->data, want);
}

static void test_empty(void **state)
{
	struct error err = ERROR_INIT;
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	assert_non_null(sb.data);
	assert_holds_text(&sb, "");
	MUST(strbuf_check(&sb, &err));
	strbuf_add(&sb, NULL, 0);
	strbuf_addstr(&sb, "");
	assert_holds_text(&sb, "");
	strbuf_release(&sb);
	strbuf_release(&sb);
	assert_holds_text(&sb, "");
}

static void test_append(void **state)
{
	struct error err = ERROR_INIT;
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	strbuf_addstr(&sb, "ab");
	strbuf_addch(&sb, 'c');
	strbuf_add(&sb, "defg", 2);
	strbuf_addf(&sb, "-%d-%s", 42, "x");
	assert_holds_text(&sb, "abcde-42-x");
	strbuf_add(&sb, "\0y", 2);
	assert_int_equal(sb.len, 12);
	assert_memory_equal(sb.data, "abcde-42-x\0y", 13);
	MUST(strbuf_check(&sb, &err));
	strbuf_release(&sb);
}

static void test_growth(void **state)
{
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	for (int i = 0; i < 100000; i++) {
		strbuf_addch(&sb, (char)('a' + i % 26));
		assert_int_equal(sb.data[sb.len], '\0');
	}
	assert_int_equal(sb.len, 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(sb.data[i], 'a' + i % 26);
	strbuf_release(&sb);
}

static void test_max_is_exact_and_sticks(void **state)
{
	struct error err = ERROR_INIT;
	struct strbuf sb;

	(void)state;
	strbuf_init_max(&sb, 5);
	strbuf_addstr(&sb, "12345");
	MUST(strbuf_check(&sb, &err));
	strbuf_addstr(&sb, "");
	MUST(strbuf_check(&sb, &err));
	strbuf_addch(&sb, '6');
	MUST_FAIL(strbuf_check(&sb, &err), ERROR_MEMORY);
	assert_holds_text(&sb, "12345");
	strbuf_addstr(&sb, ""); /* what would fit does nothing either */
	MUST_FAIL(strbuf_check(&sb, &err), ERROR_MEMORY);
	assert_null(strbuf_reserve(&sb, 0));
	strbuf_reset(&sb);
	MUST(strbuf_check(&sb, &err));
	strbuf_addstr(&sb, "abc");
	strbuf_addstr(&sb, "def"); /* not even a part of it */
	assert_holds_text(&sb, "abc");
	MUST_FAIL(strbuf_check(&sb, &err), ERROR_MEMORY);
	strbuf_addf(&sb, "%s", "d");
	assert_holds_text(&sb, "abc");
	strbuf_release(&sb);
	strbuf_addf(&sb, "%05d", 7);
	MUST(strbuf_check(&sb, &err));
	strbuf_addf(&sb, "%d", 7);
	MUST_FAIL(strbuf_check(&sb, &err), ERROR_MEMORY);
	strbuf_release(&sb);
}

static void test_max_zero(void **state)
{
	struct error err = ERROR_INIT;
	struct strbuf sb;

	(void)state;
	strbuf_init_max(&sb, 0);
	strbuf_addstr(&sb, "");
	MUST(strbuf_check(&sb, &err));
	strbuf_addch(&sb, 'x');
	MUST_FAIL(strbuf_check(&sb, &err), ERROR_MEMORY);
	assert_holds_text(&sb, "");
	strbuf_release(&sb);
}

/* A wish that no machine can grant is refused; it must not wrap or spin. */
static void test_huge_requests(void **state)
{
	static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 64,
				       SIZE_MAX / 2 + 2};

	(void)state;
	alarm(5);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct error err = ERROR_INIT;
		struct strbuf sb;

		strbuf_init_max(&sb, SIZE_MAX);
		strbuf_addstr(&sb, "x");
		assert_null(strbuf_reserve(&sb, sizes[i]));
		MUST_FAIL(strbuf_check(&sb, &err), ERROR_MEMORY);
		assert_holds_text(&sb, "x");
		strbuf_release(&sb);
	}
	alarm(0);
}

static void test_reserve(void **state)
{
	struct strbuf sb;
	char *to;

	(void)state;
	strbuf_init(&sb);
	strbuf_addstr(&sb, "ab");
	to = strbuf_reserve(&sb, 1000);
	assert_ptr_equal(to, sb.data + 2);
	assert_holds_text(&sb, "ab");
	memset(to, 'z', 1000);
	sb.len += 1000;
	sb.data[sb.len] = '\0'; /* there is room for it */
	strbuf_addch(&sb, '!');
	assert_int_equal(sb.len, 1003);
	assert_int_equal(sb.data[1002], '!');
	strbuf_release(&sb);
}

static void test_reset_keeps_memory(void **state)
{
	struct strbuf sb;
	char *before;

	(void)state;
	strbuf_init(&sb);
	strbuf_reset(&sb);
	assert_holds_text(&sb, "");
	strbuf_addstr(&sb, "something");
	before = sb.data;
	strbuf_reset(&sb);
	assert_holds_text(&sb, "");
	strbuf_addstr(&sb, "else");
	assert_ptr_equal(sb.data, before);
	assert_holds_text(&sb, "else");
	strbuf_release(&sb);
}

static void test_detach(void **state)
{
	struct strbuf sb;
	char *text;

	(void)state;
	strbuf_init_max(&sb, 10);
	text = strbuf_detach(&sb); /* empty is a string, too */
	assert_string_equal(text, "");
	free(text);
	strbuf_addstr(&sb, "hello");
	text = strbuf_detach(&sb);
	assert_string_equal(text, "hello");
	assert_holds_text(&sb, "");
	strbuf_addstr(&sb, "again");
	assert_string_equal(text, "hello");
	free(text);
	strbuf_addstr(&sb, "and too much");
	assert_null(strbuf_detach(&sb));
	assert_holds_text(&sb, ""); /* usable, with the same limit */
	strbuf_addstr(&sb, "0123456789");
	assert_int_equal(sb.failed, 0);
	strbuf_addch(&sb, 'x');
	assert_int_equal(sb.failed, ERROR_MEMORY);
	strbuf_release(&sb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_max_is_exact_and_sticks),
		cmocka_unit_test(test_max_zero),
		cmocka_unit_test(test_huge_requests),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_reset_keeps_memory),
		cmocka_unit_test(test_detach),
	};

	return cmocka_run_group_tests_name("strbuf", tests, NULL, NULL);
}
