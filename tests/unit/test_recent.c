#include "unit/helper.h"

#include <stdio.h>
#include <string.h>

#include "engine/recent.h"
#include "unit/rows.h"

static struct recent recent;

static int setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return recent_init(&recent, &err);
}

static int teardown(void **state)
{
	(void)state;
	recent_release(&recent);
	return 0;
}

static void add_found(int mapping_id, const char *message, const char *details)
{
	struct control_error error = {
		.mapping_id = mapping_id,
		.type = "VERIFICATION",
		.message = message,
		.details = details,
	};

	recent_add(&recent, &error);
}

static void add(int mapping_id, int server_id, const char *type,
		const char *message)
{
	struct control_error error = {
		.mapping_id = mapping_id,
		.server_id = server_id,
		.type = type,
		.message = message,
	};

	recent_add(&recent, &error);
}

/* "mapping type message count" each, a minus in front of what is resolved. */
static void assert_recent(const char *want)
{
	struct overview now;
	struct strbuf sb;

	overview_init(&now, 0);
	strbuf_init(&sb);
	assert_int_equal(recent_copy(&recent, &now), 0);
	for (size_t i = 0; i < now.recent_count; i++)
		strbuf_addf(&sb, "%s%d %s %s %lld|",
			    now.recent[i].resolved ? "-" : "",
			    now.recent[i].mapping_id, now.recent[i].type,
			    now.recent[i].message,
			    (long long)now.recent[i].count);
	assert_string_equal(sb.data, want);
	strbuf_release(&sb);
	overview_release(&now);
}

static void test_one_entry_a_trouble(void **state)
{
	(void)state;
	assert_recent("");
	add(1, 5, "SYNC", "a");
	add(2, 5, "SYNC", "b");
	assert_recent("2 SYNC b 1|1 SYNC a 1|");
	add(1, 6, "SYNC", "c"); /* a mapping's own, whatever the server */
	assert_recent("1 SYNC c 2|2 SYNC b 1|");
	add(1, 5, "SCHEMA", "d"); /* another trouble instead of it */
	assert_recent("1 SCHEMA d 1|-1 SYNC c 2|2 SYNC b 1|");
	recent_resolve(&recent, 1, 0);
	assert_recent("-1 SCHEMA d 1|-1 SYNC c 2|2 SYNC b 1|");
	add(1, 5, "SCHEMA", "e"); /* it is back: a new one */
	assert_recent("1 SCHEMA e 1|-1 SCHEMA d 1|-1 SYNC c 2|2 SYNC b 1|");
}

static void test_verification_is_another_matter(void **state)
{
	(void)state;
	add(1, 0, "VERIFICATION", "v");
	add(1, 0, "SYNC", "s");
	assert_recent("1 SYNC s 1|1 VERIFICATION v 1|");
	recent_resolve(&recent, 1, 0);
	assert_recent("-1 SYNC s 1|1 VERIFICATION v 1|");
	recent_resolve_verification(&recent, 2, true);
	assert_recent("-1 SYNC s 1|1 VERIFICATION v 1|");
	recent_resolve_verification(&recent, 1, false);
	assert_recent("-1 SYNC s 1|-1 VERIFICATION v 1|");
}

/* As in the tables: the newest rows say nothing of the whole table. */
static void test_the_whole_table_and_its_newest_rows(void **state)
{
	(void)state;
	add_found(1, "tail", "{\"scope\":\"TAIL\"}");
	assert_recent("1 VERIFICATION tail 1|");
	add_found(1, "whole", "{\"scope\":\"WHOLE\"}");
	add_found(1, "tail", "{\"scope\":\"TAIL\"}");
	assert_recent("1 VERIFICATION whole 3|");
	recent_resolve_verification(&recent, 1, false);
	assert_recent("1 VERIFICATION whole 3|");
	recent_resolve_verification(&recent, 1, true);
	assert_recent("-1 VERIFICATION whole 3|");
}

static void test_servers_and_the_daemon(void **state)
{
	(void)state;
	add(0, 1, "CONNECTION", "one");
	add(0, 2, "CONNECTION", "two");
	add(0, 0, "OTHER", "mine");
	recent_resolve(&recent, 0, 1);
	assert_recent("0 OTHER mine 1|0 CONNECTION two 1|"
		      "-0 CONNECTION one 1|");
}

static void test_bounded(void **state)
{
	struct overview now;
	char text[4000];

	(void)state;
	for (int i = 1; i <= 1000; i++)
		add(i, 0, "SYNC", "x");
	/* Cut whole, and what is not UTF-8 made so. */
	memset(text, 'a', sizeof(text));
	memcpy(text + RECENT_MESSAGE_MAX - 2, "\xc3\xa4", 2);
	text[3] = '\xff';
	text[sizeof(text) - 1] = '\0';
	add(1001, 0, "what", text);
	overview_init(&now, 0);
	assert_int_equal(recent_copy(&recent, &now), 0);
	assert_int_equal(now.recent_count, RECENT_MAX);
	assert_int_equal(now.recent[0].mapping_id, 1001);
	assert_int_equal(now.recent[RECENT_MAX - 1].mapping_id,
			 1002 - RECENT_MAX);
	assert_int_equal(strlen(now.recent[0].message), RECENT_MESSAGE_MAX - 2);
	assert_int_equal(now.recent[0].message[3], '?');
	assert_string_equal(now.recent[0].type, "OTHER");
	assert_int_equal(now.errors[OVERVIEW_SYNC], 1000);
	assert_int_equal(now.errors[OVERVIEW_OTHER], 1);
	overview_release(&now);
}

static void test_no_memory(void **state)
{
	struct overview now;

	(void)state;
	add(1, 0, "SYNC", "x");
	for (size_t cap = 1; cap < RECENT_MAX * sizeof(*now.recent);
	     cap += 100) {
		overview_init(&now, cap);
		assert_int_equal(recent_copy(&recent, &now), -1);
		overview_release(&now);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_one_entry_a_trouble),
		TEST(test_verification_is_another_matter),
		TEST(test_the_whole_table_and_its_newest_rows),
		TEST(test_servers_and_the_daemon),
		TEST(test_bounded),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests_name("recent", tests, NULL, NULL);
}
