#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tds/conf.h"

static int setup(void **state)
{
	struct error err = ERROR_INIT;

	setup_folder(state);
	setenv("TMPDIR", path_of(""), 1);
	setenv("TDSDUMP", path_of("dump"), 1);
	setenv("TDSVER", "4.2", 1);
	setenv("FREETDSCONF", path_of("other.conf"), 1);
	return tds_conf_init(&err);
}

static int teardown(void **state)
{
	tds_conf_release();
	return teardown_folder(state);
}

static void parse(struct tds_login *login, const char *text)
{
	struct error err = ERROR_INIT;

	memset(login, 0, sizeof(*login));
	login->login_timeout_s = 15;
	MUST(tds_login_parse(login, text, &err));
}

/* The section's name for a connection string. */
static void section(const char *text, char name[TDS_CONF_NAME_MAX])
{
	struct error err = ERROR_INIT;
	struct tds_login login;

	parse(&login, text);
	MUST(tds_conf_section(&login, name, &err));
	tds_login_release(&login);
}

/* The lines of a section, in the file as FreeTDS reads it. */
static char *body_of(const char *name)
{
	char *text = read_file(tds_conf_path(), NULL), *body, *end;
	char head[TDS_CONF_NAME_MAX + 4];

	snprintf(head, sizeof(head), "[%s]\n", name);
	body = strstr(text, head);
	assert_non_null(body);
	body += strlen(head);
	end = strstr(body, "\n[");
	if (end)
		end[1] = '\0';
	body = strdup(body);
	assert_non_null(body);
	free(text);
	return body;
}

static void test_what_overrides_is_gone(void **state)
{
	(void)state;
	assert_null(getenv("TDSDUMP"));
	assert_null(getenv("TDSVER"));
	assert_null(getenv("FREETDSCONF"));
}

static void test_file_is_private(void **state)
{
	char name[TDS_CONF_NAME_MAX];
	struct stat info;

	(void)state;
	section("server=h;uid=u;pwd=SECRET", name);
	assert_int_equal(stat(tds_conf_path(), &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
}

/* As systems do with what is old in a folder for temporary files. */
static void test_cleaned_up(void **state)
{
	char folder[512], name[TDS_CONF_NAME_MAX], *body;
	struct error err = ERROR_INIT;
	struct tds_login login;
	struct stat info;

	(void)state;
	section("server=h1;uid=u", name);
	assert_int_equal(unlink(tds_conf_path()), 0);
	section("server=h1;uid=u", name);
	body = body_of(name);
	assert_holds(body, "host = h1\n");
	free(body);

	snprintf(folder, sizeof(folder), "%s", tds_conf_path());
	*strrchr(folder, '/') = '\0';
	assert_int_equal(unlink(tds_conf_path()), 0);
	assert_int_equal(rmdir(folder), 0);
	section("server=h1;uid=u", name);
	body = body_of(name);
	assert_holds(body, "host = h1\n");
	free(body);
	assert_int_equal(stat(folder, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0700);

	/* What anybody can write to tells nobody where the server is. */
	assert_int_equal(chmod(folder, 0777), 0);
	parse(&login, "server=h1;uid=u");
	MUST_FAIL(tds_conf_section(&login, name, &err), ERROR_SYSTEM);
	assert_holds(err.message, folder);
	tds_login_release(&login);
	assert_int_equal(chmod(folder, 0700), 0);
}

static void test_sections_by_server(void **state)
{
	char a[TDS_CONF_NAME_MAX], b[TDS_CONF_NAME_MAX];

	(void)state;
	section("server=h;uid=u;pwd=SECRET", a);
	section("server=h,1433;uid=other;pwd=else;database=d", b);
	assert_string_equal(a, b); /* the same server */
	section("server=h,1434;uid=u", b);
	assert_string_not_equal(a, b);
	section("server=H2;uid=u", b);
	assert_string_not_equal(a, b);
	section("server=h;uid=u;encrypt=true", b);
	assert_string_not_equal(a, b);
	section("server=h;uid=u;applicationintent=readonly", b);
	assert_string_not_equal(a, b);
}

static void test_bodies(void **state)
{
	static const struct {
		const char *text;
		const char *has[4], *lacks;
	} cases[] = {
		{"server=h9;uid=u;encrypt=disable",
		 {"host = h9\n", "port = 1433\n", "encryption = off\n"},
		 "ca file"},
		{"server=h9\\inst;uid=u",
		 {"instance = inst\n", "encryption = request\n"},
		 "port"},
		{"server=h9\\inst,7;uid=u", {"port = 7\n"}, "instance"},
		{"server=h9;uid=u;encrypt=true",
		 {"encryption = require\n", "ca file = system\n",
		  "check certificate hostname = yes\n"},
		 "hostname = no"},
		{"server=h9;uid=u;encrypt=true;trustservercertificate=true",
		 {"encryption = require\n",
		  "check certificate hostname = no\n"},
		 "ca file"},
		{"server=h9;uid=u;encrypt=true;ca file=/x/y z.pem",
		 {"encryption = require\n", "ca file = /x/y z.pem\n",
		  "check certificate hostname = yes\n"},
		 "system"},
		/* An empty name must not mean that nobody is checked. */
		{"server=h9;uid=u;encrypt=true;ca file=",
		 {"encryption = require\n", "ca file = system\n"},
		 "hostname = no"},
		{"server=h9;uid=u;applicationintent=readonly",
		 {"read-only intent = yes\n"},
		 "intent = no"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char name[TDS_CONF_NAME_MAX];
		char *body;

		section(cases[i].text, name);
		body = body_of(name);
		for (size_t k = 0; k < 4 && cases[i].has[k]; k++)
			assert_holds(body, cases[i].has[k]);
		assert_lacks(body, cases[i].lacks);
		assert_holds(body, "tds version = 7.4\n");
		assert_holds(body, "client charset = UTF-8\n");
		free(body);
	}
}

static void test_no_secret_in_it(void **state)
{
	char name[TDS_CONF_NAME_MAX];
	char *text;

	(void)state;
	section("server=h3;uid=SECRETUSER;pwd=SECRET;database=SECRETDB", name);
	text = read_file(tds_conf_path(), NULL);
	assert_lacks(text, "SECRET");
	free(text);
}

/* Nothing gets in that FreeTDS would read as another line. */
static void test_hostile_values(void **state)
{
	/* What FreeTDS would read as another path, or as none. */
	static const char *const changed[] = {
		"server=h;uid=u;ca file='a;b'",	 "server=h;uid=u;ca file='a#b'",
		"server=h;uid=u;ca file='a  b'", "server=h;uid=u;ca file=' '",
		"server=h;uid=u;ca file=' a'",	 "server=h;uid=u;ca file='a '",
		"server=h;uid=u;ca file='a\vb'"};
	struct error err = ERROR_INIT;
	char name[TDS_CONF_NAME_MAX], host[300];
	struct tds_login login;

	(void)state;
	parse(&login, "server=h;uid=u;ca file='a\n[global]'");
	MUST_FAIL(tds_conf_section(&login, name, &err), ERROR_CONFIG);
	tds_login_release(&login);
	for (size_t i = 0; i < sizeof(changed) / sizeof(*changed); i++) {
		parse(&login, changed[i]);
		MUST_FAIL(tds_conf_section(&login, name, &err), ERROR_CONFIG);
		tds_login_release(&login);
	}
	memset(host, 'h', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	memset(&login, 0, sizeof(login));
	MUST(tds_login_set_server(&login, host, &err));
	MUST_FAIL(tds_conf_section(&login, name, &err), ERROR_CONFIG);
	tds_login_release(&login);
	memset(host, 'i', sizeof(host) - 1);
	host[0] = 'h';
	host[1] = '\\';
	memset(&login, 0, sizeof(login));
	MUST(tds_login_set_server(&login, host, &err));
	MUST_FAIL(tds_conf_section(&login, name, &err), ERROR_CONFIG);
	tds_login_release(&login);
}

static void test_release_removes_it(void **state)
{
	struct error err = ERROR_INIT;
	char path[1024];

	(void)state;
	snprintf(path, sizeof(path), "%s", tds_conf_path());
	assert_int_equal(access(path, F_OK), 0);
	tds_conf_release();
	assert_int_not_equal(access(path, F_OK), 0);
	*strrchr(path, '/') = '\0';
	assert_int_not_equal(access(path, F_OK), 0);
	MUST(tds_conf_init(&err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_overrides_is_gone),
		cmocka_unit_test(test_file_is_private),
		cmocka_unit_test(test_cleaned_up),
		cmocka_unit_test(test_sections_by_server),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_no_secret_in_it),
		cmocka_unit_test(test_hostile_values),
		cmocka_unit_test(test_release_removes_it),
	};

	return cmocka_run_group_tests_name("conf", tests, setup, teardown);
}
