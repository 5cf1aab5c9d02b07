/* Connection strings that name several PostgreSQL servers. */
#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>

#include "pg/hosts.h"

struct named {
	const char *host, *hostaddr, *port;
};

#define NAMED(...) (&(const struct named){__VA_ARGS__})

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static void assert_text(const char *got, const char *want)
{
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

/* `want` NULL: nothing is left out. */
static void assert_left(const struct named *given, const struct named *at,
			const struct named *want)
{
	struct pg_hosts hosts = {copy(given->host), copy(given->hostaddr),
				 copy(given->port)};
	bool out = pg_hosts_leave_out(&hosts, at->host, at->hostaddr, at->port);

	assert_int_equal(out, want != NULL);
	want = want ? want : given;
	assert_text(hosts.host, want->host);
	assert_text(hosts.hostaddr, want->hostaddr);
	assert_text(hosts.port, want->port);
	pg_hosts_release(&hosts);
	pg_hosts_release(&hosts);
}

static void test_names(void **state)
{
	(void)state;
	assert_left(NAMED("a,b,c", NULL, "5432"), NAMED("a", "1.1.1.1", "5432"),
		    NAMED("b,c", NULL, "5432"));
	assert_left(NAMED("a,b,c", NULL, NULL), NAMED("b", "1.1.1.1", "5432"),
		    NAMED("a,c", NULL, NULL));
	assert_left(NAMED("a,b,c", NULL, NULL), NAMED("c", "1.1.1.1", "5432"),
		    NAMED("a,b", NULL, NULL));
	assert_left(NAMED("aa,a", NULL, NULL), NAMED("a", NULL, "5432"),
		    NAMED("aa", NULL, NULL));
}

static void test_ports(void **state)
{
	(void)state;
	assert_left(NAMED("a,a", NULL, "1,2"), NAMED("a", NULL, "2"),
		    NAMED("a", NULL, "1"));
	assert_left(NAMED("a,a,b", NULL, "1,,3"), NAMED("a", NULL, "5432"),
		    NAMED("a,b", NULL, "1,3"));
	/* One for all is none that tells them apart. */
	assert_left(NAMED("a,b", NULL, "1"), NAMED("b", NULL, "5432"),
		    NAMED("a", NULL, "1"));
}

static void test_addresses(void **state)
{
	(void)state;
	assert_left(NAMED(NULL, "::1,::2", "1,2"), NAMED("::2", "::2", "2"),
		    NAMED(NULL, "::1", "1"));
	assert_left(NAMED("a,a", "::1,::2", NULL), NAMED("a", "::2", "5432"),
		    NAMED("a", "::1", NULL));
}

static void test_none_to_leave_out(void **state)
{
	(void)state;
	assert_left(NAMED(NULL, NULL, NULL), NAMED("/tmp", NULL, "5432"), NULL);
	assert_left(NAMED("a", NULL, "1"), NAMED("a", NULL, "1"), NULL);
	assert_left(NAMED("a,b", NULL, NULL), NAMED("c", NULL, "5432"), NULL);
	assert_left(NAMED("a,b", NULL, "1,2"), NAMED("a", NULL, "2"), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_none_to_leave_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
