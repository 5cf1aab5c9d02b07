/* The promises of struct target_ops: loads in parts. */
#include "contract/contract_dest.h"

#include <string.h>

#define DST contract.dst
#define OPS contract.dst->ops

#define BATCH_BYTES ((size_t)1 << 20)

/* A plan of three parts, told apart by their ranges. */
static struct load_plan new_plan(int number)
{
	struct error err = ERROR_INIT;
	struct load_plan plan;

	MUST(load_plan_init(&plan, 3, &err));
	plan.position = dest_point(number).position;
	for (size_t i = 1; i < plan.count; i++) {
		struct position *low = &plan.parts[i].range.low;

		low->len = i;
		low->bytes[0] = (unsigned char)number;
		plan.parts[i - 1].range.high = *low;
	}
	return plan;
}

/* Begin it; 1 when it goes on with one that broke off, which it gets then. */
static int begin(struct load_plan *plan, bool fresh)
{
	struct error err = ERROR_INIT;
	int rc = OPS->plan_begin(DST, &dest_shape, plan, fresh, &err);

	MUST(rc);
	return rc;
}

static struct target *open_helper(void)
{
	struct error err = ERROR_INIT;
	struct target_spec spec = {
		.server = contract.to,
		.name = contract.dst_name,
		.installation = "installation",
		.mapping_id = 1,
		.origin = "origin",
		.epoch = contract.epoch,
	};
	struct target *helper;

	MUST(contract.driver->target->open(&spec, &helper, &err));
	MUST(helper->ops->connect(helper, &contract.cancel, &err));
	return helper;
}

static void put(struct target *helper, const char *changes)
{
	struct error err = ERROR_INIT;
	struct batch batch;

	MUST(batch_init(&batch, &dest_shape, 100, BATCH_BYTES, &err));
	put_changes(&batch, changes);
	MUST(helper->ops->write(helper, &batch, &err));
	batch_release(&batch);
}

static void write_part(size_t part, const char *changes)
{
	struct target *helper = open_helper();
	struct error err = ERROR_INIT;

	MUST(helper->ops->part_begin(helper, &dest_shape, part, &err));
	if (*changes)
		put(helper, changes);
	MUST(helper->ops->part_end(helper, part, &err));
	helper->ops->close(helper);
}

/* As after a crash, or a connection that broke. */
static void open_again(void)
{
	contract_open_target(LAB_MAIN, "installation", 1, "origin");
	dest_look();
}

static void test_load_in_parts(void **state)
{
	struct checkpoint next = dest_point(2);
	struct load_plan plan = new_plan(2);
	struct target_counts counts;

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|old", NULL, 1);
	assert_int_equal(begin(&plan, false), 0);
	write_part(2, "+5|e");
	write_part(0, "+1|a +2|b");
	write_part(1, "");
	dest_assert("1|old|NULL|NULL\n");
	counts = dest_commit(NULL, &next);
	assert_int_equal(counts.inserted, 3);
	dest_assert("1|a|NULL|NULL\n2|b|NULL|NULL\n5|e|NULL|NULL\n");
	dest_assert_checkpoint(2);
	load_plan_release(&plan);
	/* It is over: there is nothing to go on with. */
	plan = new_plan(3);
	assert_int_equal(begin(&plan, false), 0);
	OPS->rollback(DST);
	load_plan_release(&plan);
}

/* Two helpers at the same time, and one that takes several parts. */
static void test_parts_at_the_same_time(void **state)
{
	struct checkpoint next = dest_point(2);
	struct load_plan plan = new_plan(2);
	struct target *a, *b;
	struct error err = ERROR_INIT;

	(void)state;
	dest_open(LAB_MAIN);
	begin(&plan, false);
	a = open_helper();
	b = open_helper();
	MUST(a->ops->part_begin(a, &dest_shape, 0, &err));
	MUST(b->ops->part_begin(b, &dest_shape, 1, &err));
	put(a, "+1|a");
	put(b, "+2|b");
	put(a, "+3|c");
	MUST(b->ops->part_end(b, 1, &err));
	MUST(b->ops->part_begin(b, &dest_shape, 2, &err));
	MUST(a->ops->part_end(a, 0, &err));
	put(b, "+4|d");
	MUST(b->ops->part_end(b, 2, &err));
	a->ops->close(a);
	b->ops->close(b);
	dest_commit(NULL, &next);
	dest_assert("1|a|NULL|NULL\n2|b|NULL|NULL\n3|c|NULL|NULL\n"
		    "4|d|NULL|NULL\n");
	load_plan_release(&plan);
}

static void test_goes_on(void **state)
{
	struct checkpoint next = dest_point(2);
	struct load_plan plan = new_plan(2), want = new_plan(2);

	(void)state;
	dest_open(LAB_MAIN);
	begin(&plan, false);
	write_part(1, "+2|b +3|c");
	OPS->rollback(DST);
	load_plan_release(&plan);
	for (int times = 0; times < 2; times++) {
		open_again();
		plan = new_plan(9);
		assert_int_equal(begin(&plan, false), 1);
		assert_true(position_equal(&plan.position, &want.position));
		assert_int_equal(plan.count, want.count);
		for (size_t i = 0; i < plan.count; i++) {
			const struct load_part *got = &plan.parts[i];
			const struct key_range *range = &want.parts[i].range;

			assert_true(
				position_equal(&got->range.low, &range->low));
			assert_true(
				position_equal(&got->range.high, &range->high));
			assert_int_equal(got->done, i == 1);
			assert_int_equal(got->rows, i == 1 ? 2 : 0);
		}
		load_plan_release(&plan);
	}
	write_part(0, "+1|a");
	write_part(2, "");
	dest_commit(NULL, &next);
	dest_assert("1|a|NULL|NULL\n2|b|NULL|NULL\n3|c|NULL|NULL\n");
	load_plan_release(&want);
}

/* A part that is not ended leaves nothing behind. */
static void test_part_broken_off(void **state)
{
	struct checkpoint next = dest_point(2);
	struct load_plan plan = new_plan(2);
	struct error err = ERROR_INIT;
	struct target *helper;

	(void)state;
	dest_open(LAB_MAIN);
	begin(&plan, false);
	for (int how = 0; how < 2; how++) {
		helper = open_helper();
		MUST(helper->ops->part_begin(helper, &dest_shape, 0, &err));
		put(helper, "+7|lost");
		if (how)
			helper->ops->rollback(helper);
		helper->ops->close(helper);
	}
	write_part(0, "+1|a");
	write_part(1, "");
	write_part(2, "");
	dest_commit(NULL, &next);
	dest_assert("1|a|NULL|NULL\n");
	load_plan_release(&plan);
}

static void test_part_missing(void **state)
{
	struct checkpoint next = dest_point(2);
	struct load_plan plan = new_plan(2);
	struct error err = ERROR_INIT;
	struct target_counts counts;

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|old", NULL, 1);
	begin(&plan, false);
	write_part(0, "+2|b");
	write_part(2, "");
	assert_int_equal(OPS->commit(DST, NULL, &next, &counts, &err), -1);
	OPS->rollback(DST);
	dest_assert("1|old|NULL|NULL\n");
	open_again();
	dest_assert_checkpoint(1);
	load_plan_release(&plan);
}

/* Nothing is taken up that was made for something else, or is not wanted. */
static void test_starts_anew(void **state)
{
	struct load_plan plan;

	(void)state;
	dest_open(LAB_MAIN);
	for (int why = 0; why < 3; why++) {
		struct table other;

		plan = new_plan(2);
		begin(&plan, false);
		write_part(0, "+1|a");
		OPS->rollback(DST);
		load_plan_release(&plan);
		open_again();
		plan = new_plan(3);
		if (why == 0) {
			assert_int_equal(begin(&plan, true), 0);
		} else if (why == 1) {
			contract_open_target(LAB_MAIN, "installation", 1,
					     "elsewhere");
			dest_look();
			assert_int_equal(begin(&plan, false), 0);
		} else {
			struct error err = ERROR_INIT;
			bool keep[] = {true, true, false, false};

			table_init(&other);
			MUST(table_project(&other, &dest_shape, NULL, keep,
					   &err));
			assert_int_equal(OPS->plan_begin(DST, &other, &plan,
							 false, &err),
					 0);
			OPS->rollback(DST);
			table_release(&other);
		}
		for (size_t i = 0; i < plan.count; i++)
			assert_false(plan.parts[i].done);
		OPS->rollback(DST);
		load_plan_release(&plan);
		open_again();
	}
}

/* A plain load does away with what broke off. */
static void test_plain_load_between(void **state)
{
	struct load_plan plan = new_plan(2);

	(void)state;
	dest_open(LAB_MAIN);
	begin(&plan, false);
	write_part(0, "+1|a");
	OPS->rollback(DST);
	load_plan_release(&plan);
	open_again();
	dest_store(TARGET_REPLACE, "+9|plain", NULL, 3);
	plan = new_plan(4);
	assert_int_equal(begin(&plan, false), 0);
	OPS->rollback(DST);
	load_plan_release(&plan);
	dest_assert("9|plain|NULL|NULL\n");
}

static void test_part_fenced_out(void **state)
{
	struct load_plan plan = new_plan(2);
	struct error err = ERROR_INIT;
	struct target *helper;

	(void)state;
	dest_open(LAB_MAIN);
	begin(&plan, false);
	write_part(0, "+1|a");
	helper = open_helper();
	MUST(helper->ops->part_begin(helper, &dest_shape, 1, &err));
	put(helper, "+2|stale");
	contract.epoch = 2;
	open_again(); /* and fences */
	MUST_FAIL(helper->ops->part_end(helper, 1, &err), ERROR_CONFLICT);
	helper->ops->rollback(helper);
	helper->ops->close(helper);
	load_plan_release(&plan);
	/* The other one goes on with what was done before. */
	plan = new_plan(9);
	assert_int_equal(begin(&plan, false), 1);
	assert_true(plan.parts[0].done);
	assert_false(plan.parts[1].done);
	write_part(1, "+2|b");
	write_part(2, "");
	dest_commit(NULL, &(struct checkpoint){.position = plan.position});
	dest_assert("1|a|NULL|NULL\n2|b|NULL|NULL\n");
	load_plan_release(&plan);
}

int contract_run_plan(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, dest_setup, dest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_load_in_parts),
		TEST(test_parts_at_the_same_time),
		TEST(test_goes_on),
		TEST(test_part_broken_off),
		TEST(test_part_missing),
		TEST(test_starts_anew),
		TEST(test_plain_load_between),
		TEST(test_part_fenced_out),
	};
	struct error err = ERROR_INIT;

	if (!driver_find(contract.lab->driver, &err)->target->plan_begin)
		return 0; /* it cannot, and says so */
	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
