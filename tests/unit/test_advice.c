#include "unit/helper.h"

#include <stdio.h>
#include <string.h>

#include "tds/advice.h"
#include "unit/rows.h"

#define BASE "user id=u;password=SECRET;server="

/* What a login that failed with this number is told. */
static void advise(struct error *err, const char *text, int number)
{
	struct tds_login login = {.login_timeout_s = 7};
	struct error bad = ERROR_INIT;

	if (tds_login_parse(&login, text, &bad) < 0)
		fail_msg("%s: %s", text, bad.message);
	error_set(err, ERROR_CONNECTION, "WORDS");
	err->native = number;
	tds_advise_login(&login, err);
	tds_login_release(&login);
}

static void test_logins(void **state)
{
	static const struct {
		const char *text;
		int number;
		const char *has, *lacks;
	} cases[] = {
		{"localhost,5", 18456, "'user id' and 'password'", "firewall"},
		{"localhost,5", 18470, "'user id' and 'password'", "firewall"},
		{"localhost,5", 18452, "mixed mode", "firewall"},
		{"localhost,5", 4060, "create that database, or a user",
		 "firewall"},
		{"localhost,5", 978, "application intent=ReadOnly", "firewall"},
		{"localhost,5", 20009, "check name and port", "Browser"},
		{"localhost\\i,5", 20009, "check name and port", "Browser"},
		{"localhost\\i", 20009, "SQL Server Browser", "check name"},
		{"localhost,5", 20003, "no answer within 7 s", "WORDS"},
		{"localhost\\i", 20003, "UDP port 1434", "WORDS"},
		{"localhost,5;encrypt=disable", 20002,
		 "leave encrypt=disable out", "certificate"},
		{"localhost,5;encrypt=disable", 20017,
		 "leave encrypt=disable out", "certificate"},
		{"localhost,5", 20002, "is it a SQL Server?", "certificate"},
		/* An instance is not probed, so nobody knows better. */
		{"localhost\\i;encrypt=true", 20002, "certificate",
		 "encrypt=disable"},
		{"localhost\\i;encrypt=true;trustservercertificate=1", 20002,
		 "is it a SQL Server?", "certificate"},
		{"localhost\\i;encrypt=false;ca file=f", 20017, "certificate",
		 "encrypt=disable"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = ERROR_INIT;
		char text[256];

		snprintf(text, sizeof(text), BASE "%s", cases[i].text);
		advise(&err, text, cases[i].number);
		assert_int_equal(err.kind, ERROR_CONNECTION);
		assert_int_equal(err.native, cases[i].number);
		assert_holds(err.message, cases[i].has);
		assert_lacks(err.message, cases[i].lacks);
		assert_holds(err.message,
			     strchr(cases[i].text, '\\') &&
					     !strchr(cases[i].text, ',')
				     ? "server 'localhost\\i', login 'u': "
				     : "server 'localhost,5', login 'u': ");
		assert_lacks(err.message, "SECRET");
	}
}

static void test_name_without_an_address(void **state)
{
	struct tds_login login = {.login_timeout_s = 7};
	struct error err = ERROR_INIT;

	(void)state;
	MUST(tds_login_parse(&login, BASE "no-such-host.invalid", &err));
	error_set(&err, ERROR_CONNECTION, "WORDS");
	err.native = 20009;
	tds_advise_login(&login, &err);
	assert_holds(err.message, "unknown host 'no-such-host.invalid'");
	assert_holds(err.message, "check the server's name");
	assert_lacks(err.message, "firewall");
	tds_login_release(&login);
}

static void test_sessions(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	error_set(&err, ERROR_CONNECTION, "WORDS");
	err.native = 20003;
	tds_advise_session("h,5", 9, &err);
	assert_holds(err.message, "server 'h,5': no answer within 9 s");
	assert_holds(err.message, "query_timeout_seconds");
	assert_int_equal(err.native, 20003);
	assert_true(err.retryable);
	error_set(&err, ERROR_CONNECTION, "WORDS");
	err.native = 20006;
	tds_advise_session("h,5", 9, &err);
	assert_holds(err.message, "server 'h,5': WORDS; if it happens again");
	/* What will not pass by itself has its reason in its words. */
	error_set(&err, ERROR_CONNECTION, "WORDS");
	err.retryable = false;
	tds_advise_session("h,5", 9, &err);
	assert_string_equal(err.message, "server 'h,5': WORDS");
}

/* What is no trouble of the connection stays as it is. */
static void test_others_stay(void **state)
{
	static const enum error_kind kinds[] = {ERROR_CANCELLED, ERROR_DATA,
						ERROR_SCHEMA, ERROR_SERVER,
						ERROR_CONFIG};
	struct tds_login login = {.login_timeout_s = 7};
	struct error err = ERROR_INIT;

	(void)state;
	MUST(tds_login_parse(&login, BASE "h", &err));
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		error_set(&err, kinds[i], "WORDS");
		tds_advise_session("h,5", 9, &err);
		tds_advise_login(&login, &err);
		assert_string_equal(err.message, "WORDS");
		assert_int_equal(err.kind, kinds[i]);
	}
	tds_login_release(&login);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logins),
		cmocka_unit_test(test_name_without_an_address),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_others_stay),
	};

	return cmocka_run_group_tests_name("advice", tests, NULL, NULL);
}
