#include "unit/helper.h"

#include <string.h>

#include "base/endpoint.h"
#include "unit/rows.h"

static void test_good(void **state)
{
	static const struct {
		const char *text, *host;
		int port;
	} cases[] = {
		{"9187", "127.0.0.1", 9187},
		{" 9187 ", "127.0.0.1", 9187},
		{"1", "127.0.0.1", 1},
		{"65535", "127.0.0.1", 65535},
		{"0.0.0.0:80", "0.0.0.0", 80},
		{"localhost:80", "localhost", 80},
		{"my-host.example.com:80", "my-host.example.com", 80},
		{"[::1]:80", "::1", 80},
		{"[::]:80", "::", 80},
		{"[fe80::1%eth0]:80", "fe80::1%eth0", 80},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct endpoint got;

		if (!endpoint_parse(cases[i].text, &got))
			fail_msg("'%s' is not taken", cases[i].text);
		assert_string_equal(got.host, cases[i].host);
		assert_int_equal(got.port, cases[i].port);
	}
}

static void test_nowhere(void **state)
{
	static const char *const cases[] = {"", "  ", "off", " OFF "};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct endpoint got = {.port = 7};

		assert_true(endpoint_parse(cases[i], &got));
		assert_int_equal(got.port, 0);
	}
}

static void test_bad(void **state)
{
	static const char *const cases[] = {
		"0",
		"65536",
		"-1",
		"+80",
		"99999999999999999999",
		"80x",
		"host",
		":80",
		"host:",
		"host:0",
		"host: 80",
		"host :80",
		"::1:80", /* which is it? */
		"::1",
		"[::1]",
		"[::1]:",
		"[]:80",
		"[::1:80",
		"http://host:80",
		"host:80/metrics",
		"a b:80",
		"host\n:80",
		"\xc3\xa4:80",
		"0x50",
		"on",
	};
	struct endpoint got;
	char text[600];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (endpoint_parse(cases[i], &got))
			fail_msg("'%s' is taken", cases[i]);
	memset(text, 'a', sizeof(text));
	memcpy(text + 500, ":80", 4);
	assert_false(endpoint_parse(text, &got));
	memcpy(text + 258, ":80", 4);
	assert_false(endpoint_parse(text, &got));
	memcpy(text + 255, ":80", 4);
	assert_true(endpoint_parse(text, &got));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_nowhere),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
