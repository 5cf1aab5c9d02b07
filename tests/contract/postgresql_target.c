/* What a daemon that lost its mapping cannot do to the load of the next one. */
#include "contract/contract_dest.h"
#include "contract/postgresql.h"

#include <string.h>

static struct load_plan new_plan(void)
{
	struct error err = ERROR_INIT;
	struct load_plan plan;

	MUST(load_plan_init(&plan, 1, &err));
	plan.position = dest_point(2).position;
	return plan;
}

static int begin_plan(struct target *target, bool fresh, struct error *err)
{
	struct load_plan plan = new_plan();
	int rc =
		target->ops->plan_begin(target, &dest_shape, &plan, fresh, err);

	load_plan_release(&plan);
	return rc;
}

static void test_an_older_one_undoes_no_load(void **state)
{
	struct error err = ERROR_INIT;
	struct target *older;

	(void)state;
	dest_open(LAB_MAIN);
	older = contract.dst;
	contract.dst = NULL;
	contract.epoch = 2;
	contract_open_target(LAB_MAIN, "installation", 1, "origin");
	dest_look();
	assert_int_equal(begin_plan(contract.dst, false, &err), 0);
	MUST_FAIL(begin_plan(older, true, &err), ERROR_CONFLICT);
	older->ops->rollback(older);
	MUST_FAIL(older->ops->begin(older, TARGET_REPLACE, &dest_shape, &err),
		  ERROR_CONFLICT);
	older->ops->close(older);
	assert_int_equal(begin_plan(contract.dst, false, &err), 1);
	contract.dst->ops->rollback(contract.dst);
}

static void test_what_is_left_behind_is_dropped(void **state)
{
	(void)state;
	contract.epoch = 8;
	dest_open(LAB_MAIN);
	for (int epoch = 6; epoch <= 10; epoch += 2)
		postgresql_exec(LAB_DEST,
				"CREATE TABLE dataflow.load_installa_1_%d ()",
				epoch);
	dest_store(TARGET_REPLACE, "+1|a", NULL, 1);
	dest_assert("1|a|NULL|NULL\n");
	assert_string_equal(
		postgresql_text(LAB_DEST,
				"SELECT string_agg(tablename, ' ') "
				"FROM pg_tables WHERE schemaname = 'dataflow' "
				"AND tablename LIKE 'load\\_inst%%'"),
		"load_installa_1_10");
}

int postgresql_target(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, dest_setup, dest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_an_older_one_undoes_no_load),
		TEST(test_what_is_left_behind_is_dropped),
	};

	return cmocka_run_group_tests_name("targets of postgresql", tests, NULL,
					   NULL);
}
