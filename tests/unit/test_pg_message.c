/* What a PostgreSQL server says, and what we make of it. */
#include "unit/helper.h"

#include <string.h>

#include "pg/message.h"
#include "unit/rows.h"

static void test_kinds(void **state)
{
	static const struct {
		const char *sqlstate;
		enum error_kind kind;
		bool retryable;
	} cases[] = {
		{"08006", ERROR_CONNECTION, true},
		{"28P01", ERROR_CONNECTION, false},
		{"3D000", ERROR_CONNECTION, false},
		{"53300", ERROR_CONNECTION, true},
		{"57P01", ERROR_CONNECTION, true},
		{"57P04", ERROR_CONNECTION, false},
		{"57014", ERROR_SERVER, true},
		{"40001", ERROR_SERVER, true},
		{"40P01", ERROR_SERVER, true},
		{"55P03", ERROR_SERVER, true},
		{"55006", ERROR_SERVER, true},
		{"53100", ERROR_SERVER, true},
		{"53200", ERROR_SERVER, true},
		{"25006", ERROR_SERVER, true},
		{"42501", ERROR_PERMISSION, false},
		{"42P01", ERROR_SCHEMA, false},
		{"42703", ERROR_SCHEMA, false},
		{"3F000", ERROR_SCHEMA, false},
		{"42601", ERROR_SERVER, false},
		{"22001", ERROR_DATA, false},
		{"22P02", ERROR_DATA, false},
		{"23505", ERROR_DATA, false},
		{"54000", ERROR_DATA, false},
		{"XX000", ERROR_SERVER, false},
		{NULL, ERROR_SERVER, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = ERROR_INIT;

		pg_message_to_error(&err, cases[i].sqlstate, "text", "hint");
		assert_int_equal(err.kind, cases[i].kind);
		assert_int_equal(err.retryable, cases[i].retryable);
		assert_string_equal(err.sqlstate,
				    cases[i].sqlstate ? cases[i].sqlstate : "");
		assert_holds(err.message, "text");
	}
}

static void assert_said(const char *sqlstate, const char *text,
			const char *want)
{
	struct error err = ERROR_INIT;

	pg_message_to_error(&err, sqlstate, text, NULL);
	assert_string_equal(err.message, want);
}

static void test_values_are_hidden(void **state)
{
	(void)state;
	assert_said("22P02", "invalid input syntax for type integer: \"a\"b\"",
		    "invalid input syntax for type integer (PostgreSQL error "
		    "22P02)");
	assert_said("22003", "value \"9\" 9\" is out of range for type integer",
		    "value is out of range for type integer (PostgreSQL error "
		    "22003)");
	assert_said("22021",
		    "invalid byte sequence for encoding \"UTF8\": 0xff",
		    "invalid byte sequence for encoding \"UTF8\" (PostgreSQL "
		    "error 22021)");
	assert_said("22001", "value too long for type character varying(5)",
		    "value too long for type character varying(5) (PostgreSQL "
		    "error 22001)");
	assert_said("22003", "value \"9", "value  (PostgreSQL error 22003)");
	assert_said("23505",
		    "duplicate key value violates unique constraint "
		    "\"t_pkey\"",
		    "duplicate key value violates unique constraint \"t_pkey\" "
		    "(PostgreSQL error 23505)");
}

static void test_logins(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	pg_login_failed_to_error(
		&err, "connection to server at \"h\" (10.0.0.1), port 5432 "
		      "failed: FATAL:  28P01: password authentication failed "
		      "for user \"u\"\nLOCATION:  auth_failed, auth.c:326\n");
	assert_string_equal(
		err.message,
		"connection to server at \"h\" (10.0.0.1), port 5432 failed: "
		"FATAL: password authentication failed for user \"u\" "
		"(PostgreSQL error 28P01)");
	assert_int_equal(err.kind, ERROR_CONNECTION);
	assert_false(err.retryable);
	pg_login_failed_to_error(&err, "connection to server at \"h\" failed: "
				       "Connection refused\n\tIs the server "
				       "running?\n");
	assert_string_equal(err.message,
			    "connection to server at \"h\" failed: Connection "
			    "refused; Is the server running?");
	assert_true(err.retryable);
	assert_string_equal(err.sqlstate, "");
	pg_login_failed_to_error(&err, "");
	assert_holds(err.message, "without a reason");
	pg_login_failed_to_error(&err, NULL);
	assert_holds(err.message, "without a reason");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_values_are_hidden),
		cmocka_unit_test(test_logins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
