/* Findings: text and remedy apart, and remedies out of errors. */
#include "unit/helper.h"

#include <stdio.h>
#include <string.h>

#include "drivers/finding.h"

static char last[20000];

static void take(void *arg, const struct finding *finding)
{
	assert_null(arg);
	snprintf(last, sizeof(last), "%s|%s|%s|%s|%s",
		 finding_level_name(finding->level), finding->subject,
		 finding->check, finding->text,
		 finding->remedy ? finding->remedy : "none");
}

static struct findings out = {.take = take, .subject = "mapping 1"};

static void test_add(void **state)
{
	(void)state;
	finding_add(&out, FINDING_OK, "key", "%d columns", 2);
	assert_string_equal(last, "OK|mapping 1|key|2 columns|none");
	finding_add(&out, FINDING_WARN, "key", "a; b" FINDING_REMEDY "do %s",
		    "this; then that");
	assert_string_equal(last, "WARN|mapping 1|key|a; b|do this; then that");
}

static void test_errors(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	error_set(&err, ERROR_CONNECTION, "gone; check the name; or the port");
	finding_error(&out, FINDING_FAIL, "connection", &err);
	assert_string_equal(
		last,
		"FAIL|mapping 1|connection|gone|check the name; or the port");
	/* Each kind has some remedy. */
	for (int kind = ERROR_CONNECTION; kind <= ERROR_INTERNAL; kind++) {
		error_set(&err, (enum error_kind)kind, "it broke");
		finding_error(&out, FINDING_FAIL, "x", &err);
		assert_holds(last, "FAIL|mapping 1|x|it broke|");
		assert_lacks(last, "|none");
		assert_true(last[strlen(last) - 1] != '|');
	}
}

/* However much there is to say, the remedy is not cut off. */
static void test_long(void **state)
{
	char text[9001];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	finding_add(&out, FINDING_WARN, "key", "%s" FINDING_REMEDY "r", text);
	assert_int_equal(strlen(last), 9000 + strlen("WARN|mapping 1|key||r"));
	assert_holds(last, "x|r");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests_name("finding", tests, NULL, NULL);
}
