#include "unit/helper.h"

#include <errno.h>
#include <string.h>

static void fill(struct error *err)
{
	err->kind = ERROR_DATA;
	err->retryable = true;
	err->native = 1205;
	memcpy(err->sqlstate, "40001", 6);
	memcpy(err->message, "old", 4);
}

static void test_set_overwrites_everything(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	fill(&err);
	assert_int_equal(error_set(&err, ERROR_SCHEMA, "a %d '%s'", 7, "b"),
			 -1);
	assert_int_equal(err.kind, ERROR_SCHEMA);
	assert_false(err.retryable);
	assert_int_equal(err.native, 0);
	assert_string_equal(err.sqlstate, "");
	assert_string_equal(err.message, "a 7 'b'");
}

static void test_only_connection_errors_are_retryable(void **state)
{
	(void)state;
	for (int kind = ERROR_NONE; kind <= ERROR_INTERNAL; kind++) {
		struct error err = ERROR_INIT;

		error_set(&err, (enum error_kind)kind, "x");
		assert_int_equal(err.retryable, kind == ERROR_CONNECTION);
	}
}

static void test_clear(void **state)
{
	struct error err = ERROR_INIT, empty = ERROR_INIT;

	(void)state;
	assert_int_equal(empty.kind, ERROR_NONE);
	assert_string_equal(empty.message, "");
	fill(&err);
	error_clear(&err);
	assert_int_equal(err.kind, ERROR_NONE);
	assert_false(err.retryable);
	assert_int_equal(err.native, 0);
	assert_string_equal(err.sqlstate, "");
	assert_string_equal(err.message, "");
}

static void test_wrap_keeps_kind_and_number(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	fill(&err);
	assert_int_equal(error_wrap(&err, "table '%s'", "t"), -1);
	assert_int_equal(error_wrap(&err, "mapping %d", 3), -1);
	assert_string_equal(err.message, "mapping 3: table 't': old");
	assert_int_equal(err.kind, ERROR_DATA);
	assert_int_equal(err.native, 1205);
	assert_string_equal(err.sqlstate, "40001");
	assert_true(err.retryable);
}

static void test_cancelled_is_not_wrapped(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	error_set(&err, ERROR_CANCELLED, "asked to stop");
	assert_int_equal(error_wrap(&err, "full sync"), -1);
	assert_string_equal(err.message, "asked to stop");
	assert_int_equal(err.kind, ERROR_CANCELLED);
}

/* Cuts at every offset of a four-byte character must leave whole ones. */
static void test_cut_at_utf8_borders(void **state)
{
	static const char *const characters[] = {
		"x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	char text[2 * ERROR_MESSAGE_MAX];

	(void)state;
	for (size_t c = 0; c < 4; c++) {
		for (size_t lead = 0; lead < 5; lead++) {
			struct error err = ERROR_INIT;
			size_t size = strlen(characters[c]), at = lead, len;

			memset(text, '-', lead);
			for (; at + size < sizeof(text) - 1; at += size)
				memcpy(text + at, characters[c], size);
			text[at] = '\0';
			error_set(&err, ERROR_DATA, "%s", text);
			len = strlen(err.message);
			assert_true(len < ERROR_MESSAGE_MAX);
			assert_true(len > ERROR_MESSAGE_MAX - 1 - size);
			assert_int_equal((len - lead) % size, 0);
			assert_memory_equal(err.message, text, len);
			error_wrap(&err, "%s", "context");
			assert_true(is_utf8(err.message));
			assert_memory_equal(err.message, "context: ", 9);
		}
	}
}

/* What others wrote may be anything, a message never is. */
static void test_always_utf8(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	error_set(&err, ERROR_SCHEMA, "column '%s'", "a\xff\xc3");
	assert_string_equal(err.message, "column 'a\?\?'");
	error_wrap(&err, "table '%s'", "\xed\xa0\x80");
	assert_string_equal(err.message, "table '\?\?\?': column 'a\?\?'");
	error_errno(&err, ENOENT, "file '%s'", "\xc0\x80");
	assert_true(is_utf8(err.message));
}

static void test_wrap_with_a_context_that_fills_it(void **state)
{
	char context[2 * ERROR_MESSAGE_MAX];
	struct error err = ERROR_INIT;

	(void)state;
	memset(context, 'c', sizeof(context) - 1);
	context[sizeof(context) - 1] = '\0';
	error_set(&err, ERROR_SERVER, "reason");
	error_wrap(&err, "%s", context);
	assert_int_equal(strlen(err.message), ERROR_MESSAGE_MAX - 1);
	assert_int_equal(err.kind, ERROR_SERVER);
}

static void test_errno(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	fill(&err);
	assert_int_equal(error_errno(&err, ENOENT, "cannot open '%s'", "f"),
			 -1);
	assert_int_equal(err.kind, ERROR_SYSTEM);
	assert_false(err.retryable);
	assert_int_equal(err.native, ENOENT);
	assert_string_equal(err.message,
			    "cannot open 'f': No such file or directory");
	error_errno(&err, 99999, "odd");
	assert_holds(err.message, "odd: ");
	assert_holds(err.message, "99999");
}

static void test_memory(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(error_memory(&err, "a batch"), -1);
	assert_int_equal(err.kind, ERROR_MEMORY);
	assert_holds(err.message, "a batch");
}

static void test_kind_names(void **state)
{
	(void)state;
	for (int a = ERROR_NONE; a <= ERROR_INTERNAL; a++) {
		const char *name = error_kind_name((enum error_kind)a);

		assert_non_null(name);
		assert_true(*name != '\0');
		for (const char *s = name; *s; s++)
			assert_true(*s >= 'a' && *s <= 'z');
		for (int b = ERROR_NONE; b < a; b++)
			assert_string_not_equal(
				name, error_kind_name((enum error_kind)b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_overwrites_everything),
		cmocka_unit_test(test_only_connection_errors_are_retryable),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_wrap_keeps_kind_and_number),
		cmocka_unit_test(test_cancelled_is_not_wrapped),
		cmocka_unit_test(test_cut_at_utf8_borders),
		cmocka_unit_test(test_always_utf8),
		cmocka_unit_test(test_wrap_with_a_context_that_fills_it),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_kind_names),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
