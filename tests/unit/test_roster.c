/* The mappings of a server, as its driver is told them. */
#include "unit/helper.h"

#include <string.h>

#include "base/strbuf.h"
#include "engine/roster.h"

static struct control_server servers[2];
static struct control_mapping rows[5];
static struct control_snapshot snapshot;
static struct roster roster;

static int setup(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		servers[i] =
			(struct control_server){.id = i + 1, .enabled = true};
	for (int i = 0; i < 5; i++)
		rows[i] = (struct control_mapping){
			.id = 10 + i,
			.server_id = i == 4 ? 2 : 1,
			.enabled = true,
			.cdc_enabled = true,
			.source_database = "db",
			.source_schema = "public",
			.source_table = i % 2 ? "odd" : "even",
		};
	memset(&snapshot, 0, sizeof(snapshot));
	snapshot.sources = servers;
	snapshot.source_count = 2;
	snapshot.mappings = rows;
	snapshot.mapping_count = 5;
	roster_init(&roster);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	roster_release(&roster);
	return 0;
}

static void test_who_is_in_it(void **state)
{
	(void)state;
	rows[0].enabled = false;
	rows[1].cdc_enabled = false;
	rows[2].source_table = NULL;
	assert_true(roster_take(&roster, &snapshot, 1));
	assert_int_equal(roster.count, 2);
	assert_int_equal(roster.mappings[0].id, 10);
	assert_false(roster.mappings[0].enabled);
	assert_int_equal(roster.mappings[1].id, 13);
	assert_true(roster.mappings[1].enabled);
	assert_string_equal(roster.mappings[1].name.table, "odd");
	/* Switched off with its server. */
	servers[0].enabled = false;
	assert_true(roster_take(&roster, &snapshot, 1));
	assert_false(roster.mappings[1].enabled);
	assert_true(roster_take(&roster, &snapshot, 2));
	assert_int_equal(roster.count, 1);
	assert_true(roster_take(&roster, &snapshot, 3));
	assert_int_equal(roster.count, 0);
}

static void test_positions(void **state)
{
	(void)state;
	rows[0].position = "0x00FF10";
	rows[1].position = "";
	rows[2].position = "somewhere";
	assert_true(roster_take(&roster, &snapshot, 1));
	assert_int_equal(roster.count, 4);
	assert_non_null(roster.mappings[0].stored);
	assert_int_equal(roster.mappings[0].stored->len, 3);
	assert_memory_equal(roster.mappings[0].stored->bytes, "\0\377\20", 3);
	for (int i = 1; i < 4; i++)
		assert_null(roster.mappings[i].stored);
}

static bool prints_the_same(const struct strbuf *before)
{
	struct strbuf now;
	bool same;

	strbuf_init(&now);
	roster_print(&snapshot, 1, &now);
	same = now.len == before->len &&
	       !memcmp(now.data, before->data, now.len);
	strbuf_release(&now);
	return same;
}

/* Others are told at once; how far they are is not worth it, but that they have
 * begun is. */
static void test_what_makes_it_another_one(void **state)
{
	struct strbuf text;

	(void)state;
	strbuf_init(&text);
	roster_print(&snapshot, 1, &text);
	rows[4].source_table = "of another server";
	rows[0].enabled = false;
	assert_true(prints_the_same(&text));
	rows[0].source_table = "e";
	assert_false(prints_the_same(&text));
	rows[0].source_table = "even";
	rows[0].position = "0x01";
	assert_false(prints_the_same(&text));
	strbuf_reset(&text);
	roster_print(&snapshot, 1, &text);
	rows[0].position = "0x02";
	assert_true(prints_the_same(&text));
	rows[3].cdc_enabled = false;
	assert_false(prints_the_same(&text));
	strbuf_release(&text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_who_is_in_it),
		TEST(test_positions),
		TEST(test_what_makes_it_another_one),
	};

	return cmocka_run_group_tests_name("roster", tests, NULL, NULL);
}
