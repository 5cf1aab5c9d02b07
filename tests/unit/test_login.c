#include "unit/helper.h"

#include <stdio.h>
#include <string.h>

#include "tds/login.h"
#include "unit/rows.h"

#define BASE "server=h;user id=u;password=SECRET;"

static void assert_text(const char *got, const char *want)
{
	if (!want)
		assert_null(got);
	else if (!got)
		fail_msg("NULL instead of '%s'", want);
	else
		assert_string_equal(got, want);
}

static void test_everything(void **state)
{
	static const char text[] =
		"Server=db1,1500;User ID=sa;Password='a;b';Database=shop;"
		"Encrypt=true;TrustServerCertificate=yes;"
		"CA File=/etc/ca.pem;Application Name=my app;"
		"ApplicationIntent=ReadOnly;Connect Timeout=7;"
		"Query Timeout=0";
	struct error err = ERROR_INIT;
	struct tds_login login = {.login_timeout_s = 1, .query_timeout_s = 2};

	(void)state;
	MUST(tds_login_parse(&login, text, &err));
	assert_string_equal(login.host, "db1");
	assert_int_equal(login.port, 1500);
	assert_null(login.instance);
	assert_string_equal(login.user, "sa");
	assert_string_equal(login.password, "a;b");
	assert_string_equal(login.database, "shop");
	assert_string_equal(login.app_name, "my app");
	assert_int_equal(login.encryption, TDS_ENCRYPT_REQUIRE);
	assert_true(login.trust_certificate);
	assert_string_equal(login.ca_file, "/etc/ca.pem");
	assert_true(login.read_only);
	assert_int_equal(login.login_timeout_s, 7);
	assert_int_equal(login.query_timeout_s, 0);
	tds_login_release(&login);
	tds_login_release(&login);
}

static void test_defaults(void **state)
{
	struct error err = ERROR_INIT;
	struct tds_login login = {.login_timeout_s = 15,
				  .query_timeout_s = 600};

	(void)state;
	MUST(tds_login_parse(&login, "server=h;uid=u", &err));
	assert_int_equal(login.port, 0);
	assert_null(login.password);
	assert_null(login.database);
	assert_null(login.ca_file);
	assert_true(login.app_name[0] != '\0');
	assert_int_equal(login.encryption, TDS_ENCRYPT_REQUEST);
	assert_false(login.trust_certificate);
	assert_false(login.read_only);
	assert_int_equal(login.login_timeout_s, 15);
	assert_int_equal(login.query_timeout_s, 600);
	tds_login_release(&login);
}

/* A second string overwrites all of the first one, but for time-outs. */
static void test_parse_twice(void **state)
{
	struct error err = ERROR_INIT;
	struct tds_login login = {.host = NULL};

	(void)state;
	MUST(tds_login_parse(&login,
			     "server=a\\i;uid=u;pwd=SECRET;database=d;"
			     "encrypt=true;trustservercertificate=1;"
			     "ca file=f;applicationintent=readonly;"
			     "connect timeout=9",
			     &err));
	MUST(tds_login_parse(&login, "server=b,2;uid=v", &err));
	assert_string_equal(login.host, "b");
	assert_int_equal(login.port, 2);
	assert_null(login.instance);
	assert_string_equal(login.user, "v");
	assert_null(login.password);
	assert_null(login.database);
	assert_null(login.ca_file);
	assert_int_equal(login.encryption, TDS_ENCRYPT_REQUEST);
	assert_false(login.trust_certificate);
	assert_false(login.read_only);
	assert_int_equal(login.login_timeout_s, 9);
	tds_login_release(&login);
}

static void test_aliases(void **state)
{
	static const char *const names[][8] = {
		{"server", "data source", "address", "addr", "network address",
		 "host"},
		{"user id", "uid", "user", "username"},
		{"password", "pwd"},
		{"database", "initial catalog"},
		{"application name", "app name", "app"},
	};

	(void)state;
	for (size_t what = 0; what < COUNT_OF(names); what++) {
		for (size_t i = 0; names[what][i]; i++) {
			struct error err = ERROR_INIT;
			struct tds_login login = {.host = NULL};
			char text[256];

			snprintf(text, sizeof(text), "%s%s%s=VALUE",
				 what == 0 ? "" : "server=h;",
				 what == 1 ? "" : "uid=u;", names[what][i]);
			if (tds_login_parse(&login, text, &err) < 0)
				fail_msg("%s: %s", text, err.message);
			assert_text(what == 0	? login.host
				    : what == 1 ? login.user
				    : what == 2 ? login.password
				    : what == 3 ? login.database
						: login.app_name,
				    "VALUE");
			tds_login_release(&login);
		}
	}
}

static void test_host_forms(void **state)
{
	static const struct {
		const char *text, *host;
		int port;
		const char *instance, *address;
	} cases[] = {
		{"h", "h", 0, NULL, "h,1433"},
		{"h,1", "h", 1, NULL, "h,1"},
		{"h,65535", "h", 65535, NULL, "h,65535"},
		{"h, 1433 ", "h", 1433, NULL, "h,1433"},
		{" h ", "h", 0, NULL, "h,1433"},
		{"h\\i", "h", 0, "i", "h\\i"},
		{"h\\i,5", "h", 5, "i", "h,5"},
		{"h\\", "h", 0, NULL, "h,1433"},
		{"tcp:h", "h", 0, NULL, "h,1433"},
		{"TCP:h,1", "h", 1, NULL, "h,1"},
		{"tcp:h\\i", "h", 0, "i", "h\\i"},
		{".", "localhost", 0, NULL, "localhost,1433"},
		{".,1500", "localhost", 1500, NULL, "localhost,1500"},
		{".\\SQLEXPRESS", "localhost", 0, "SQLEXPRESS",
		 "localhost\\SQLEXPRESS"},
		{"(local)", "localhost", 0, NULL, "localhost,1433"},
		{"(LOCAL)\\x", "localhost", 0, "x", "localhost\\x"},
		{"10.0.0.1,1433", "10.0.0.1", 1433, NULL, "10.0.0.1,1433"},
		{"db-1.example.com", "db-1.example.com", 0, NULL,
		 "db-1.example.com,1433"},
		{"::1", "::1", 0, NULL, "::1,1433"},
		{"fe80::1,99", "fe80::1", 99, NULL, "fe80::1,99"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct tds_login login = {.port = 77};
		struct error err = ERROR_INIT;
		char address[64];

		if (tds_login_set_server(&login, cases[i].text, &err) < 0)
			fail_msg("%s: %s", cases[i].text, err.message);
		assert_string_equal(login.host, cases[i].host);
		assert_int_equal(login.port, cases[i].port);
		assert_text(login.instance, cases[i].instance);
		tds_login_address(&login, address, sizeof(address));
		assert_string_equal(address, cases[i].address);
		tds_login_release(&login);
	}
}

static void test_bad_servers(void **state)
{
	static const char *const cases[] = {
		"h,",	   "h,x",    "h,0",	      "h,65536", "h,-1",
		"h,1433x", "h,1\\i", "h,99999999999", "h,1,2",	 "a b",
		"a;b",	   "a#b",    "a=b",	      "[a]",	 "a\nhost",
		"a\tb",	   "a\rb",   "a\x01",	      "h\\a b",	 "h\\a\nb",
		"h\\a;b",  "a\x7f",  "h\\i\\j",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct tds_login login = {.host = NULL};
		struct error err = ERROR_INIT;

		if (tds_login_set_server(&login, cases[i], &err) == 0)
			fail_msg("'%s' is taken for host '%s', port %d",
				 cases[i], login.host, login.port);
		assert_int_equal(err.kind, ERROR_CONFIG);
		tds_login_release(&login);
	}
}

static void test_long_server(void **state)
{
	struct tds_login login = {.host = NULL};
	struct error err = ERROR_INIT;
	char name[1000];

	(void)state;
	memset(name, 'h', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	MUST_FAIL(tds_login_set_server(&login, name, &err), ERROR_CONFIG);
	tds_login_release(&login);
}

static void test_port_key(void **state)
{
	struct error err = ERROR_INIT;
	struct tds_login login = {.host = NULL};

	(void)state;
	MUST(tds_login_parse(&login, BASE "port=1500", &err));
	assert_int_equal(login.port, 1500);
	tds_login_release(&login);
	MUST_FAIL(tds_login_parse(&login, BASE "port=x", &err), ERROR_CONFIG);
	MUST_FAIL(tds_login_parse(&login, BASE "port=0", &err), ERROR_CONFIG);
	MUST_FAIL(tds_login_parse(&login, BASE "port=", &err), ERROR_CONFIG);
}

static void test_encrypt(void **state)
{
	static const struct {
		const char *value;
		int want; /* -1: refused */
	} cases[] = {
		{"disable", TDS_ENCRYPT_OFF},
		{"Disable", TDS_ENCRYPT_OFF},
		{"false", TDS_ENCRYPT_REQUEST},
		{"no", TDS_ENCRYPT_REQUEST},
		{"0", TDS_ENCRYPT_REQUEST},
		{"optional", TDS_ENCRYPT_REQUEST},
		{"true", TDS_ENCRYPT_REQUIRE},
		{"TRUE", TDS_ENCRYPT_REQUIRE},
		{"yes", TDS_ENCRYPT_REQUIRE},
		{"1", TDS_ENCRYPT_REQUIRE},
		{"mandatory", TDS_ENCRYPT_REQUIRE},
		{"strict", -1},
		{"maybe", -1},
		{"", -1},
		{"2", -1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = ERROR_INIT;
		struct tds_login login = {.host = NULL};
		char text[128];

		snprintf(text, sizeof(text), BASE "encrypt=%s", cases[i].value);
		if (cases[i].want < 0) {
			MUST_FAIL(tds_login_parse(&login, text, &err),
				  ERROR_CONFIG);
			assert_holds(err.message, "encrypt");
			continue;
		}
		MUST(tds_login_parse(&login, text, &err));
		assert_int_equal(login.encryption, cases[i].want);
		tds_login_release(&login);
	}
}

/* Whatever is wrong: one clear reason, no secret, and nothing to release. */
static void test_bad_strings(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{"", "empty"},
		{"user id=u;password=SECRET", "server"},
		{"server=;user id=u;password=SECRET", "server"},
		{"server=h;password=SECRET", "user id"},
		{"server=h;user id=;password=SECRET", "user id"},
		{BASE "trust server certificate=perhaps",
		 "trust server certificate"},
		{BASE "application intent=write", "application intent"},
		{BASE "connect timeout=0", "connect timeout"},
		{BASE "connect timeout=abc", "connect timeout"},
		{BASE "connect timeout=99999", "connect timeout"},
		{BASE "query timeout=-1", "query timeout"},
		{"server=h;user id=u;colour=blue;password=SECRET", "'colour'"},
		{BASE "colour=blue", "at character 36, after the password"},
		{BASE "integrated security=sspi", "integratedsecurity"},
		{BASE "pwd=SECRET", "pwd"},
		{BASE "password=SECRET", "password"},
		{"server=h,x;user id=u;password=SECRET", "port"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = ERROR_INIT;
		struct tds_login login = {.login_timeout_s = 5};

		if (tds_login_parse(&login, cases[i].text, &err) == 0)
			fail_msg("'%s' is taken", cases[i].text);
		assert_int_equal(err.kind, ERROR_CONFIG);
		assert_holds(err.message, cases[i].part);
		assert_lacks(err.message, "SECRET");
		assert_null(login.host);
		assert_null(login.password);
	}
}

/* "On -1 nothing needs a release": not what an earlier string left either. */
static void test_bad_string_after_a_good_one(void **state)
{
	struct error err = ERROR_INIT;
	struct tds_login login = {.host = NULL};

	(void)state;
	MUST(tds_login_parse(&login, BASE, &err));
	MUST_FAIL(tds_login_parse(&login, "nonsense", &err), ERROR_CONFIG);
	assert_null(login.password);
	tds_login_release(&login);
	MUST(tds_login_parse(&login, BASE, &err));
	MUST_FAIL(tds_login_parse(&login, "server=h", &err), ERROR_CONFIG);
	assert_null(login.password);
	tds_login_release(&login);
}

static void test_copy(void **state)
{
	struct error err = ERROR_INIT;
	struct tds_login login = {.login_timeout_s = 3, .query_timeout_s = 4};
	struct tds_login same, other;

	(void)state;
	MUST(tds_login_parse(&login,
			     "server=h\\i;port=5;uid=u;pwd=p;database=one;"
			     "encrypt=true;ca file=f;app=a;"
			     "trustservercertificate=yes;"
			     "applicationintent=readonly",
			     &err));
	MUST(tds_login_copy(&same, &login, NULL, &err));
	MUST(tds_login_copy(&other, &login, "two", &err));
	tds_login_release(&login);
	assert_string_equal(same.database, "one");
	assert_string_equal(other.database, "two");
	assert_string_equal(other.host, "h");
	assert_int_equal(other.port, 5);
	assert_string_equal(other.instance, "i");
	assert_string_equal(other.user, "u");
	assert_string_equal(other.password, "p");
	assert_string_equal(other.app_name, "a");
	assert_string_equal(other.ca_file, "f");
	assert_int_equal(other.encryption, TDS_ENCRYPT_REQUIRE);
	assert_true(other.trust_certificate);
	assert_true(other.read_only);
	assert_int_equal(other.login_timeout_s, 3);
	assert_int_equal(other.query_timeout_s, 4);
	tds_login_release(&same);
	tds_login_release(&other);
	/* From one that has next to nothing. */
	MUST(tds_login_parse(&login, "server=h;uid=u", &err));
	MUST(tds_login_copy(&same, &login, NULL, &err));
	assert_null(same.database);
	assert_null(same.password);
	tds_login_release(&same);
	tds_login_release(&login);
}

static void test_address_is_cut(void **state)
{
	struct error err = ERROR_INIT;
	struct tds_login login = {.host = NULL};
	char out[6];

	(void)state;
	MUST(tds_login_set_server(&login, "longname,1", &err));
	tds_login_address(&login, out, sizeof(out));
	assert_string_equal(out, "longn");
	tds_login_release(&login);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_parse_twice),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_host_forms),
		cmocka_unit_test(test_bad_servers),
		cmocka_unit_test(test_long_server),
		cmocka_unit_test(test_port_key),
		cmocka_unit_test(test_encrypt),
		cmocka_unit_test(test_bad_strings),
		cmocka_unit_test(test_bad_string_after_a_good_one),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_address_is_cut),
	};

	return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
