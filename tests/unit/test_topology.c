/* Mappings that cannot be together. */
#include "unit/helper.h"

#include <string.h>

#include "engine/topology.h"
#include "unit/rows.h"

#define MAX 8

static struct control_server servers[] = {
	{1, "one", "memory", "name=one", true, NULL},
	{2, "two", "memory", "name=two", true, NULL},
	{3, "two again", "memory", "name=TWO", true, NULL},
	{4, "nonsense", "memory", "name=", true, NULL},
};

static struct mapping *mappings[MAX];
static size_t count;

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < count; i++)
		mapping_free(mappings[i]);
	count = 0;
	return 0;
}

/* Table `from` of one server feeds table `to` of another. */
static void add(int source, const char *from, int target, const char *to)
{
	struct control_snapshot snapshot = {
		.sources = servers,
		.source_count = COUNT_OF(servers),
		.targets = servers,
		.target_count = COUNT_OF(servers),
	};
	static const struct mapping_default_target none = {NULL, NULL, NULL};
	struct control_mapping row = {
		.id = (int)count + 1,
		.server_id = source,
		.target_id = target,
		.enabled = true,
		.source_database = "db",
		.source_schema = "dbo",
		.source_table = from,
		.dest_database = "db",
		.dest_schema = "dbo",
		.dest_table = to,
	};

	struct error err = ERROR_INIT;

	assert_true(count < MAX);
	arena_init(&snapshot.arena, 0);
	MUST(mapping_find_addresses(&snapshot, &err));
	mappings[count] = mapping_new(&row, &snapshot, &none);
	assert_non_null(mappings[count]);
	count++;
	arena_release(&snapshot.arena);
}

/* Only mapping `id` has a problem, in which `part` is said; 0: none has. */
static void assert_problem(int id, const char *part)
{
	struct error err = ERROR_INIT;

	MUST(topology_check(mappings, count, &err));
	for (size_t i = 0; i < count; i++) {
		const struct error *problem = &mappings[i]->problem;

		if (mappings[i]->id != id) {
			assert_string_equal(problem->message, "");
			continue;
		}
		assert_int_equal(problem->kind, ERROR_CONFIG);
		assert_false(problem->retryable);
		assert_holds(problem->message, part);
	}
}

static void test_fine(void **state)
{
	(void)state;
	add(1, "a", 2, "a");
	add(1, "b", 2, "b");
	add(1, "a", 2, "another copy");
	add(2, "a", 1, "onward"); /* a chain is no circle */
	add(1, "onward", 2, "further");
	assert_problem(0, "");
}

static void test_onto_itself(void **state)
{
	(void)state;
	add(1, "a", 2, "b");
	add(2, "t", 3, "T"); /* the same server by another name */
	assert_problem(2, "its source and its destination");
}

static void test_one_destination_twice(void **state)
{
	(void)state;
	add(1, "a", 2, "x");
	add(1, "b", 3, "X");
	assert_problem(2, "mapping 1 too");
}

/* A system that tells names apart: both tables are there. */
static void test_exact_names(void **state)
{
	static struct driver exact;

	(void)state;
	add(1, "Orders", 2, "Orders");
	add(1, "orders", 2, "orders");
	add(2, "t", 3, "T");
	exact = *mappings[0]->to.driver;
	exact.abilities |= NAMES_EXACT;
	for (size_t i = 0; i < count; i++) {
		mappings[i]->from.driver = &exact;
		mappings[i]->to.driver = &exact;
	}
	assert_problem(0, "");
	add(3, "o", 2, "orders"); /* but a server's name is as it is */
	mappings[3]->to.driver = &exact;
	assert_problem(4, "mapping 2 too");
}

static void test_circle_of_two(void **state)
{
	(void)state;
	add(1, "a", 2, "b");
	add(2, "b", 1, "a");
	assert_problem(2, "closes a circle");
}

static void test_circle_of_four(void **state)
{
	(void)state;
	add(1, "c", 2, "d");
	add(1, "a", 2, "b");
	add(2, "b", 1, "c");
	add(2, "d", 1, "a");
	assert_problem(4, "closes a circle");
}

/* One that is refused already does not refuse others. */
static void test_refused_ones_do_not_count(void **state)
{
	(void)state;
	add(1, "a", 2, "b");
	add(1, "other", 2, "b"); /* refused */
	add(2, "b", 1, "other");
	assert_problem(2, "mapping 1 too");
}

static void test_unknown_address(void **state)
{
	(void)state;
	add(4, "a", 4, "a");
	add(4, "a", 4, "a");
	assert_problem(0, "");
}

/* Names that would be the same if they were just put together. */
static void test_odd_names(void **state)
{
	(void)state;
	add(1, "a", 2, "b\nc");
	add(1, "x", 2, "b");
	add(1, "b.a", 2, "c]");
	assert_problem(0, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_fine),
		TEST(test_onto_itself),
		TEST(test_one_destination_twice),
		TEST(test_exact_names),
		TEST(test_circle_of_two),
		TEST(test_circle_of_four),
		TEST(test_refused_ones_do_not_count),
		TEST(test_unknown_address),
		TEST(test_odd_names),
	};

	return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}
