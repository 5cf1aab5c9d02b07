/* Who may take how much, and what becomes of rows that are large. */
#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>

#include "engine/compare.h"
#include "engine/memory.h"

#define MB ((size_t)1 << 20)

static struct settings settings;
static struct budget budget;
static struct cancel cancel;
static int rooms, ends;

static int setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	rooms = ends = 0;
	settings_init(&settings);
	if (cancel_init(&cancel, &err) < 0)
		return -1;
	return budget_init(&budget, 100 * MB, &err);
}

static int teardown(void **state)
{
	(void)state;
	budget_release(&budget);
	cancel_release(&cancel);
	return 0;
}

/* All of it together is the limit, whatever the settings are. */
static void test_plan(void **state)
{
	static const int connections[] = {4, 50, 1000, 10000};
	struct error err = ERROR_INIT;
	struct memory_plan plan;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		size_t runs = (size_t)(connections[i] - 2) / 2;

		settings.max_connections = connections[i];
		for (int limit = 64; limit < 70000; limit *= 2) {
			settings.memory_limit_mb = limit;
			if (memory_plan_make(&plan, &settings, 100, &err) < 0)
				continue;
			assert_true(plan.own >= 64 * 1024);
			assert_true(plan.own * runs + plan.shared <
				    (size_t)limit * MB);
			assert_true(plan.shared >= 16 * MB);
		}
	}
}

/* The promise of the README: values of 100 MB with the defaults. */
static void test_defaults(void **state)
{
	struct error err = ERROR_INIT;
	struct memory_plan plan;

	(void)state;
	MUST(memory_plan_make(&plan, &settings, 10, &err));
	assert_true(plan.shared >= 2 * (size_t)100000000 + COMPARE_BYTES);
	MUST(memory_plan_make(&plan, &settings, 1000, &err));
}

static void test_too_small(void **state)
{
	struct error err = ERROR_INIT;
	struct memory_plan plan, least;
	char *number;

	(void)state;
	settings.memory_limit_mb = 64;
	MUST_FAIL(memory_plan_make(&plan, &settings, 5000, &err), ERROR_CONFIG);
	assert_holds(err.message, "'memory_limit_mb' is 64");
	assert_holds(err.message, "5000 mappings");
	/* The least that it names will do, and is what is gone on with. */
	number = strstr(err.message, "at least ");
	assert_non_null(number);
	settings.memory_limit_mb = atoi(number + strlen("at least "));
	MUST(memory_plan_make(&least, &settings, 5000, &err));
	assert_int_equal(plan.own, least.own);
	assert_int_equal(plan.shared, least.shared);
	settings.memory_limit_mb--;
	MUST_FAIL(memory_plan_make(&plan, &settings, 5000, &err), ERROR_CONFIG);
}

/* ---------------------------------------------------------------- large rows */

static int find_longer(struct source *src, const struct table *table,
		       const char *column, int length, struct strbuf *key,
		       struct error *err)
{
	(void)src;
	(void)table;
	(void)err;
	assert_int_equal(ends, 1);
	assert_string_equal(column, "doc");
	/* As of a text in units of two bytes. */
	if (length + 1 > (int)(40 * MB))
		return 0;
	strbuf_addstr(key, "id=7");
	return 1;
}

static void end(struct source *src)
{
	ends++;
	src->rows = (struct source_rows){.bytes = 0};
}

static void release(struct source *src)
{
	(void)src;
}

static int connect_again(struct source *src, struct cancel *with,
			 struct error *err)
{
	(void)src;
	(void)err;
	assert_ptr_equal(with, &cancel);
	return 0;
}

static const struct source_ops ops = {
	.find_longer = find_longer,
	.end = end,
	.release = release,
	.connect = connect_again,
};

static void make_room(void *arg)
{
	rooms++;
	budget_give(&budget, *(size_t *)arg);
	*(size_t *)arg = 0;
}

static void test_rows(void **state)
{
	struct memory memory = {.budget = &budget, .own = MB};
	struct source src = {.ops = &ops};
	struct target dst = {.held = 1};
	struct error err = ERROR_INIT;

	(void)state;
	/* Small ones have their place beside the batch. */
	src.rows.bytes = 1000;
	MUST(memory_for_rows(&memory, &src, &dst, NULL, &cancel, &err));
	assert_int_equal(memory.held, 0);
	assert_int_equal(memory_batch(&memory, &src, &dst), MB - 3000);
	/* Middling ones may lie in the target twice. */
	src.rows.bytes = MB;
	MUST(memory_for_rows(&memory, &src, &dst, NULL, &cancel, &err));
	assert_int_equal(memory.held, 3 * MB);
	assert_int_equal(memory_batch(&memory, &src, &dst), MB);
	/* Large ones come alone. */
	src.rows.bytes = 20 * MB;
	MUST(memory_for_rows(&memory, &src, &dst, NULL, &cancel, &err));
	assert_int_equal(memory.held, 40 * MB);
	assert_int_equal(budget.used, 40 * MB);
	dst.held = 3;
	MUST(memory_for_rows(&memory, &src, &dst, NULL, &cancel, &err));
	assert_int_equal(memory.held, 80 * MB);
	memory_give(&memory);
	memory_give(&memory);
	assert_int_equal(budget.used, 0);
}

static void test_room_is_made(void **state)
{
	size_t held = 30 * MB;
	struct memory memory = {
		.budget = &budget,
		.own = MB,
		.make_room = make_room,
		.arg = &held,
	};
	struct source src = {.ops = &ops, .rows = {.bytes = 45 * MB}};
	struct error err = ERROR_INIT;

	(void)state;
	assert_true(budget_try(&budget, held));
	MUST(memory_for_rows(&memory, &src, NULL, NULL, &cancel, &err));
	assert_int_equal(rooms, 1);
	assert_int_equal(memory.held, 90 * MB);
	memory_give(&memory);
}

static void test_too_large(void **state)
{
	struct memory memory = {.budget = &budget, .own = MB};
	struct source src = {
		.ops = &ops,
		.rows = {.bytes = 80 * MB, .column = "doc", .longest = 80 * MB},
	};
	struct error err = ERROR_INIT;

	(void)state;
	MUST_FAIL(memory_for_rows(&memory, &src, NULL, NULL, &cancel, &err),
		  ERROR_DATA);
	assert_string_equal(
		err.message,
		"column 'doc' has a value of 83886080 bytes in the row with "
		"key id=7, which takes 160 MB on its way; 'memory_limit_mb' "
		"leaves 100: raise it by 81 or more");
	assert_int_equal(budget.used, 0);
	src.rows.bytes = UINT64_MAX;
	MUST_FAIL(memory_for_rows(&memory, &src, NULL, NULL, &cancel, &err),
		  ERROR_DATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_small, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_room_is_made, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_too_large, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
