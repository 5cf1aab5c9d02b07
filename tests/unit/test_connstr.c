#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/connstr.h"

static void assert_value(struct connstr *cs, const char *names,
			 const char *want)
{
	const char *value = connstr_get(cs, names);

	if (!value)
		fail_msg("'%s' is missing", names);
	assert_string_equal(value, want);
}

/* One key `k` in a string, and the value it has to have. */
static void test_quoting(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"k=v", "v"},
		{"k=v;", "v"},
		{";;k=v;;", "v"},
		{"  k = v  ", "v"},
		{"k=a b", "a b"},
		{"k=a=b", "a=b"},
		{"k==", "="},
		{"k=", ""},
		{"k=;", ""},
		{"k=  ;", ""},
		{"k='v'", "v"},
		{"k=\"v\"", "v"},
		{"k={v}", "v"},
		{"k=''", ""},
		{"k=\"\"", ""},
		{"k={}", ""},
		{"k='a;b'", "a;b"},
		{"k=\"a;b=c\"", "a;b=c"},
		{"k={a;b}", "a;b"},
		{"k=' outer '", " outer "},
		{"k='it''s'", "it's"},
		{"k=\"say \"\"x\"\"\"", "say \"x\""},
		{"k={a}}b}", "a}b"},
		{"k={{}", "{"},
		{"k={a{b}", "a{b"},
		{"k=''''", "'"},
		{"k={}}}", "}"},
		{"k='a\"b'", "a\"b"},
		{"k=\"a'b\"", "a'b"},
		{"k='v'  ;  ", "v"},
		{"k= 'v'", "v"},
		{"k=a'b'c", "a'b'c"}, /* a quote inside is no quote */
		{"k=a{b", "a{b"},
		{"k=p\xc3\xa4ss", "p\xc3\xa4ss"},
		{"k=a\tb", "a\tb"},
		{"k='a\nb'", "a\nb"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = ERROR_INIT;
		struct connstr cs;

		if (connstr_parse(&cs, cases[i].text, &err) < 0)
			fail_msg("%s: %s", cases[i].text, err.message);
		assert_int_equal(cs.count, 1);
		assert_value(&cs, "k", cases[i].want);
		connstr_release(&cs);
		connstr_release(&cs);
	}
}

/* Whatever is wrong, the message never has the secret in it. */
static void test_bad_strings(void **state)
{
	static const char *const cases[] = {
		"k='SECRET",
		"k=\"SECRET",
		"k={SECRET",
		"k='SECRET''",
		"k={SECRET}}",
		"k='",
		"k='SECRET'x",
		"k={SECRET} SECRET",
		"k='SECRET' 'SECRET'",
		"k='SECRET'=1",
		"server=h;password='SECRET;x=1",
		"password=SECRET;password=SECRET",
		"Pass Word=SECRET;pass-WORD=x",
		"password=SECRET;noequals",
		"password=SECRET;=x",
		"password=SECRET; =x",
		"password=SECRET;__--=x",
		"just text",
		"=SECRET",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = ERROR_INIT;
		struct connstr cs;

		if (connstr_parse(&cs, cases[i], &err) == 0)
			fail_msg("'%s' is taken", cases[i]);
		assert_int_equal(err.kind, ERROR_CONFIG);
		assert_lacks(err.message, "SECRET");
		connstr_release(&cs); /* allowed, though not needed */
	}
}

static void test_errors_name_the_place(void **state)
{
	struct error err = ERROR_INIT;
	struct connstr cs;

	(void)state;
	MUST_FAIL(connstr_parse(&cs, "server=h;User ID=x;user_id=y", &err),
		  ERROR_CONFIG);
	assert_holds(err.message, "'userid'");
	MUST_FAIL(connstr_parse(&cs, "server=h;password='x", &err),
		  ERROR_CONFIG);
	assert_holds(err.message, "'password'");
	MUST_FAIL(connstr_parse(&cs, "a=1;bcd", &err), ERROR_CONFIG);
	assert_holds(err.message, "5");
}

/* A password with a semicolon falls apart into what looks like keys. */
static void test_pieces_of_a_password_are_not_named(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{"server=h;password=x;SECRET=1", "character 21, after"},
		{"server=h;pwd=x;SECRET=1", "character 16, after"},
		{"password=x;SECRET=1;SECRET=2", "character 21, after"},
		{"password=x;SECRET='1", "character 12, after"},
		{"password=x;SECRET=${env:CONNSTR_ABSENT}", "character 12"},
		/* These are words that everybody knows. */
		{"password=x;encrypt=1;Encrypt=2", "'encrypt'"},
		{"password=x;Integrated Security=SSPI", "'integratedsecurity'"},
		{"password=x;Trust Server Certificate='yes",
		 "'trustservercertificate'"},
		/* And this was there before the password. */
		{"colour=red;password=x", "'colour'"},
		{"password=x;a|b=1", "character 12"},
		{"password=x;|=1", "character 12"},
	};

	(void)state;
	unsetenv("CONNSTR_ABSENT");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = ERROR_INIT;
		struct connstr cs;
		int rc = connstr_parse(&cs, cases[i].text, &err);

		if (rc == 0) {
			connstr_get(&cs, "server");
			connstr_get(&cs, "password|pwd");
			rc = connstr_check_unused(&cs, &err);
			connstr_release(&cs);
		}
		assert_int_equal(rc, -1);
		assert_holds(err.message, cases[i].part);
		assert_lacks(err.message, "SECRET");
		assert_lacks(err.message, "secret");
	}
}

static void test_empty(void **state)
{
	static const char *const cases[] = {"",	  ";",	   ";;;",
					    "  ", " ; ; ", "\n;\t"};
	struct error err = ERROR_INIT;
	struct connstr cs;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		MUST_FAIL(connstr_parse(&cs, cases[i], &err), ERROR_CONFIG);
}

static void test_keys_and_aliases(void **state)
{
	struct error err = ERROR_INIT;
	struct connstr cs;

	(void)state;
	MUST(connstr_parse(&cs, "Data Source=h; USER_ID = u;p-w-d=p", &err));
	assert_value(&cs, "server|data source|address", "h");
	assert_value(&cs, "datasource", "h");
	assert_value(&cs, "user id|uid", "u");
	assert_value(&cs, "PWD", "p");
	assert_null(connstr_get(&cs, "data"));
	assert_null(connstr_get(&cs, "data sourc"));
	assert_null(connstr_get(&cs, "server|address"));
	connstr_release(&cs);
	/* The first name that is present, not the first entry. */
	MUST(connstr_parse(&cs, "b=2;a=1", &err));
	assert_value(&cs, "a|b", "1");
	assert_value(&cs, "b|a", "2");
	connstr_release(&cs);
}

static void test_unused(void **state)
{
	struct error err = ERROR_INIT;
	struct connstr cs;

	(void)state;
	MUST(connstr_parse(&cs, "a=1;typo=SECRET;c=3", &err));
	assert_non_null(connstr_get(&cs, "a"));
	assert_non_null(connstr_get(&cs, "x|c"));
	MUST_FAIL(connstr_check_unused(&cs, &err), ERROR_CONFIG);
	assert_holds(err.message, "'typo'");
	assert_lacks(err.message, "SECRET");
	assert_non_null(connstr_get(&cs, "typo"));
	MUST(connstr_check_unused(&cs, &err));
	connstr_release(&cs);
	/* An alias that is not looked at stays unused. */
	MUST(connstr_parse(&cs, "a=1;b=2", &err));
	assert_value(&cs, "a|b", "1");
	MUST_FAIL(connstr_check_unused(&cs, &err), ERROR_CONFIG);
	assert_holds(err.message, "'b'");
	connstr_release(&cs);
}

static void test_too_many_keys(void **state)
{
	struct error err = ERROR_INIT;
	char text[1024] = "";
	struct connstr cs;
	size_t len = 0;

	(void)state;
	for (int i = 0; i < CONNSTR_KEYS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"k%d=%d;", i, i);
	MUST(connstr_parse(&cs, text, &err));
	assert_int_equal(cs.count, CONNSTR_KEYS_MAX);
	assert_value(&cs, "k47", "47");
	connstr_release(&cs);
	snprintf(text + len, sizeof(text) - len, "more=SECRET");
	MUST_FAIL(connstr_parse(&cs, text, &err), ERROR_CONFIG);
	assert_lacks(err.message, "SECRET");
}

static void test_environment(void **state)
{
	struct error err = ERROR_INIT;
	struct connstr cs;

	(void)state;
	setenv("CONNSTR_TEST", "s;e'c\"r}et", 1);
	setenv("CONNSTR_EMPTY", "", 1);
	setenv("CONNSTR_NESTED", "${env:CONNSTR_TEST}", 1);
	MUST(connstr_parse(&cs,
			   "a=${env:CONNSTR_TEST};b='${env:CONNSTR_TEST}';"
			   "c={${env:CONNSTR_TEST}}};"
			   "d=<${env:CONNSTR_TEST}${env:CONNSTR_EMPTY}>;"
			   "e=${env:CONNSTR_EMPTY};f=${env:CONNSTR_NESTED};"
			   "g=a${b;h=${other:x};i=$;j=${};k=\"${env:\"",
			   &err));
	assert_value(&cs, "a", "s;e'c\"r}et");
	assert_value(&cs, "b", "s;e'c\"r}et");
	assert_value(&cs, "c", "s;e'c\"r}et");
	assert_value(&cs, "d", "<s;e'c\"r}et>");
	assert_value(&cs, "e", "");
	/* What came in is a value, not a text to look into again. */
	assert_value(&cs, "f", "${env:CONNSTR_TEST}");
	assert_value(&cs, "g", "a${b");
	assert_value(&cs, "h", "${other:x}");
	assert_value(&cs, "i", "$");
	assert_value(&cs, "j", "${}");
	assert_value(&cs, "k", "${env:");
	connstr_release(&cs);
}

static void test_missing_environment(void **state)
{
	struct error err = ERROR_INIT;
	struct connstr cs;

	(void)state;
	unsetenv("CONNSTR_ABSENT");
	MUST_FAIL(connstr_parse(&cs,
				"server=h;password=SECRET${env:CONNSTR_ABSENT}",
				&err),
		  ERROR_CONFIG);
	assert_holds(err.message, "CONNSTR_ABSENT");
	assert_holds(err.message, "password");
	assert_lacks(err.message, "SECRET");
}

static int parse_file_value(struct connstr *cs, const char *path,
			    struct error *err)
{
	char text[512];

	snprintf(text, sizeof(text), "server=h;password=${file:%s}", path);
	return connstr_parse(cs, text, err);
}

static void test_file(void **state)
{
	static const struct {
		const char *content, *want;
	} cases[] = {
		{"secret", "secret"},
		{"secret\n", "secret"},
		{"secret\r\n", "secret"},
		{"first;'\nsecond\n", "first;'"},
		{" blanks stay \n", " blanks stay "},
		{"", ""},
		{"\nsecond", ""},
	};
	struct error err = ERROR_INIT;
	struct connstr cs;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		write_file(path_of("secret"), cases[i].content);
		MUST(parse_file_value(&cs, path_of("secret"), &err));
		assert_value(&cs, "password", cases[i].want);
		connstr_release(&cs);
	}
	MUST_FAIL(parse_file_value(&cs, path_of("absent"), &err), ERROR_CONFIG);
	assert_holds(err.message, "absent");
	assert_holds(err.message, "password");
}

/* What cannot be read is an error, not an empty password. */
static void test_file_that_is_a_folder(void **state)
{
	struct error err = ERROR_INIT;
	struct connstr cs;

	(void)state;
	MUST_FAIL(parse_file_value(&cs, path_of(""), &err), ERROR_CONFIG);
}

/* A line is taken whole, or refused: never cut. */
static void test_file_with_a_long_line(void **state)
{
	struct error err = ERROR_INIT;
	char line[6001];
	struct connstr cs;

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (size_t len = 4090; len <= 6000; len += len < 4100 ? 1 : 1900) {
		char *content = strndup(line, len);

		write_file(path_of("long"), content);
		if (parse_file_value(&cs, path_of("long"), &err) == 0) {
			if (strcmp(connstr_get(&cs, "password"), content))
				fail_msg("a line of %zu bytes was cut", len);
			connstr_release(&cs);
		} else {
			assert_int_equal(err.kind, ERROR_CONFIG);
			assert_lacks(err.message, "xxxx");
		}
		free(content);
	}
}

static void test_bool(void **state)
{
	static const struct {
		const char *text;
		int want; /* -1: refused */
	} cases[] = {
		{"k=yes", 1},	{"k=YES", 1},	 {"k=true", 1},
		{"k=True", 1},	{"k=1", 1},	 {"k=no", 0},
		{"k=false", 0}, {"k=0", 0},	 {"k='no'", 0},
		{"k=", -1},	{"k=maybe", -1}, {"k=2", -1},
		{"k=on", -1},	{"k=01", -1},	 {"k=yes please", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = ERROR_INIT;
		struct connstr cs;
		bool value = cases[i].want != 1;

		MUST(connstr_parse(&cs, cases[i].text, &err));
		if (cases[i].want < 0) {
			MUST_FAIL(
				connstr_get_bool(&cs, "k|alias", &value, &err),
				ERROR_CONFIG);
			assert_holds(err.message, "'k'");
			assert_true(value);
		} else {
			MUST(connstr_get_bool(&cs, "alias|k", &value, &err));
			assert_int_equal(value, cases[i].want);
		}
		MUST(connstr_get_bool(&cs, "absent", &value, &err));
		connstr_release(&cs);
	}
}

static void test_int(void **state)
{
	static const struct {
		const char *text;
		int want; /* -1: refused */
	} cases[] = {
		{"k=1", 1},	      {"k=65535", 65535},
		{"k= 80 ", 80},	      {"k=0080", 80},
		{"k=0", -1},	      {"k=65536", -1},
		{"k=-5", -1},	      {"k=", -1},
		{"k=80x", -1},	      {"k=8.5", -1},
		{"k=4294967376", -1}, {"k=18446744073709551696", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = ERROR_INIT;
		struct connstr cs;
		int value = 7;

		MUST(connstr_parse(&cs, cases[i].text, &err));
		if (cases[i].want < 0) {
			MUST_FAIL(connstr_get_int(&cs, "k", 1, 65535, &value,
						  &err),
				  ERROR_CONFIG);
			assert_holds(err.message, "'k'");
			assert_holds(err.message, "65535");
			assert_int_equal(value, 7);
		} else {
			MUST(connstr_get_int(&cs, "k", 1, 65535, &value, &err));
			assert_int_equal(value, cases[i].want);
		}
		value = 7;
		MUST(connstr_get_int(&cs, "absent", 1, 2, &value, &err));
		assert_int_equal(value, 7);
		connstr_release(&cs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quoting),
		cmocka_unit_test(test_bad_strings),
		cmocka_unit_test(test_errors_name_the_place),
		cmocka_unit_test(test_pieces_of_a_password_are_not_named),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_keys_and_aliases),
		cmocka_unit_test(test_unused),
		cmocka_unit_test(test_too_many_keys),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_missing_environment),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_that_is_a_folder),
		cmocka_unit_test(test_file_with_a_long_line),
		cmocka_unit_test(test_bool),
		cmocka_unit_test(test_int),
	};

	return cmocka_run_group_tests_name("connstr", tests, setup_folder,
					   teardown_folder);
}
