/* Connection strings of PostgreSQL. */
#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>

#include "base/connstr.h"
#include "pg/login.h"
#include "unit/rows.h"

struct expected {
	const char *keyword, *value;
};

static void assert_login(const char *text, const struct expected *want)
{
	struct pg_login login = {.login_timeout_s = 15, .query_timeout_s = 600};
	struct error err = ERROR_INIT;
	size_t count = 0;

	if (pg_login_parse(&login, text, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	for (; want[count].keyword; count++) {
		const char *got = pg_login_value(&login, want[count].keyword);

		if (!got)
			fail_msg("%s: no %s", text, want[count].keyword);
		assert_string_equal(got, want[count].value);
	}
	while (login.keywords[count])
		fail_msg("%s: %s as well", text, login.keywords[count]);
	pg_login_release(&login);
	pg_login_release(&login);
}

static void test_lists(void **state)
{
	static const struct expected all[] = {
		{"host", "db1"},
		{"port", "5433"},
		{"user", "repl"},
		{"password", "a;b"},
		{"dbname", "shop"},
		{"sslmode", "verify-full"},
		{"sslrootcert", "/etc/ca.pem"},
		{"sslcert", "/etc/c.pem"},
		{"sslkey", "/etc/k.pem"},
		{"application_name", "my app"},
		{"passfile", "/p"},
		{"service", "s"},
		{"target_session_attrs", "read-write"},
		{NULL, NULL},
	};
	static const struct expected two_hosts[] = {
		{"host", "a,b"}, {"port", "1,2"}, {NULL, NULL}};
	static const struct expected socket[] = {
		{"host", "/var/run/postgresql"}, {NULL, NULL}};

	(void)state;
	assert_login("Server=db1,5433;User ID=repl;Password={a;b};"
		     "Database=shop;SSL Mode=verify-full;"
		     "SSL Root Cert=/etc/ca.pem;ssl_cert=/etc/c.pem;"
		     "sslkey=/etc/k.pem;Application Name=my app;passfile=/p;"
		     "service=s;target session attrs=read-write",
		     all);
	assert_login("server=tcp:db1;port=5433;uid=repl;pwd='a;b';"
		     "initial catalog=shop;sslmode=verify-full;"
		     "sslrootcert=/etc/ca.pem;sslcert=/etc/c.pem;"
		     "sslkey=/etc/k.pem;app=my app;passfile=/p;service=s;"
		     "target_session_attrs=read-write",
		     all);
	assert_login("host=a,b;port={1,2}", two_hosts);
	assert_login("host=/var/run/postgresql", socket);
}

static void test_urls(void **state)
{
	static const struct expected plain[] = {
		{"host", "h"},		 {"port", "5433"}, {"user", "u"},
		{"password", "p@ss/%:"}, {"dbname", "d"},  {NULL, NULL}};

	(void)state;
	assert_login("postgresql://u:p%40ss%2F%25%3A@h:5433/d", plain);
	setenv("UNIT_PASSWORD", "p@ss/%:", 1);
	assert_login("postgres://u:${env:UNIT_PASSWORD}@h:5433/d", plain);
	assert_login("postgresql://h:5433/d?user=u&password="
		     "${env:UNIT_PASSWORD}",
		     plain);
}

static void test_url_with_address(void **state)
{
	static const struct expected want[] = {
		{"host", "::1"}, {"sslmode", "verify-ca"}, {NULL, NULL}};

	(void)state;
	assert_login("postgresql://[::1]/?sslmode=verify-ca", want);
}

static void test_time_outs(void **state)
{
	struct pg_login login = {.login_timeout_s = 15, .query_timeout_s = 600};
	struct error err = ERROR_INIT;

	(void)state;
	MUST(pg_login_parse(&login, "host=h", &err));
	assert_int_equal(login.login_timeout_s, 15);
	assert_int_equal(login.query_timeout_s, 600);
	pg_login_release(&login);
	MUST(pg_login_parse(&login, "host=h;connect timeout=7;query timeout=0",
			    &err));
	assert_int_equal(login.login_timeout_s, 7);
	assert_int_equal(login.query_timeout_s, 0);
	pg_login_release(&login);
	MUST(pg_login_parse(&login, "postgresql://h/?connect_timeout=9", &err));
	assert_int_equal(login.login_timeout_s, 9);
	pg_login_release(&login);
}

/* What is wrong is named, the rest of the string is not. */
static void test_refused(void **state)
{
	static const struct {
		const char *text, *word;
	} cases[] = {
		{"host=h;passwrod=SECRET", "'passwrod'"},
		{"host=h;password=SECRET;replication=true", "the key at"},
		{"host=h;client encoding=latin1", "'clientencoding'"},
		{"host=h,70000;password=SECRET", "port"},
		{"host=h,1;port=2;password=SECRET", "twice"},
		{"password=SECRET;connect timeout=0", "'connect timeout'"},
		{"", "empty"},
		{"user id=u;password=SECRET", "'server' is missing"},
		{"mysql://u:SECRET@h/", "postgresql://"},
		{"postgresql://u:SECRET@h/d?sslmoed=x", "'sslmoed'"},
		{"postgresql://u:SEC%zzSECRET@h/d", "%40 for @"},
		{"postgresql://u:SEC@RET?SECRET@h/d", "taken apart"},
		{"postgresql://u:x@SECRET@h/d", "%40 for @"},
		{"postgresql://u:x@@SECRET@h:1/d", "%40 for @"},
		{"postgresql://u:SECRET/x@h/d", "%2F for /"},
		{"postgresql://u:1234/SECRET@h/d", "%2F for /"},
		{"postgresql://u:SECRET/@h", "%2F for /"},
		{"postgresql://h:SECRET/d", "taken apart"},
		{"postgresql://h/d?replication=database", "'replication'"},
		{"postgresql://h/d?connect_timeout=x", "'connect_timeout'"},
		{"postgresql://u:${env:UNIT_NOWHERE}@h/", "UNIT_NOWHERE"},
		{"postgresql://u:${file:/nowhere/x}@h/", "/nowhere/x"},
	};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct pg_login login = {.login_timeout_s = 1};

		MUST_FAIL(pg_login_parse(&login, cases[i].text, &err),
			  ERROR_CONFIG);
		assert_holds(err.message, cases[i].word);
		assert_lacks(err.message, "SECRET");
		assert_null(login.keywords);
	}
}

static void assert_address(const char *text, const char *want)
{
	struct pg_login login = {.login_timeout_s = 1};
	struct error err = ERROR_INIT;
	char address[64];

	MUST(pg_login_parse(&login, text, &err));
	pg_login_address(&login, address, sizeof(address));
	assert_string_equal(address, want);
	pg_login_release(&login);
}

static void test_address(void **state)
{
	(void)state;
	unsetenv("PGHOST");
	unsetenv("PGPORT");
	unsetenv("PGSERVICE");
	assert_address("host=h", "h,5432");
	assert_address("server=h,99", "h,99");
	assert_address("postgresql://u:p@h:77/d", "h,77");
	assert_address("hostaddr=10.0.0.1", "10.0.0.1,5432");
	assert_address("postgresql:///d", "localhost,5432");
	assert_address("service=prod", "service prod");
	setenv("PGHOST", "e", 1);
	setenv("PGPORT", "88", 1);
	assert_address("user=u", "e,88");
	unsetenv("PGHOST");
	unsetenv("PGPORT");
}

/* What stands for something else in a URL. */
static void test_expanded_urls(void **state)
{
	struct connstr_entry found = {.key = NULL};
	struct error err = ERROR_INIT;
	struct strbuf out;

	(void)state;
	setenv("UNIT_VALUE", "a b&${env:UNIT_VALUE}\xc3\xbc", 1);
	strbuf_init(&out);
	MUST(connstr_expand_url("x://${env:UNIT_VALUE}/${other}/${env:open",
				&found, &out, &err));
	assert_string_equal(out.data,
			    "x://a%20b%26%24%7Benv%3AUNIT_VALUE%7D%C3%BC/"
			    "${other}/${env:open");
	assert_null(found.exposed);
	strbuf_release(&out);
	assert_true(connstr_is_url("postgres://x"));
	assert_false(connstr_is_url("server=a://b"));
	assert_false(connstr_is_url("://b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_url_with_address),
		cmocka_unit_test(test_time_outs),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_expanded_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
