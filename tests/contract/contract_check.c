/* The promises of check(): it tells, it changes nothing, it can be cut short. */
#include "contract/contract_dest.h"

#include <stdio.h>
#include <string.h>

/* What was told. Everything but an OK comes with its remedy. */
struct heard {
	unsigned count, bad;
};

static void take(void *arg, const struct finding *finding)
{
	struct heard *heard = arg;

	heard->count++;
	assert_string_equal(finding->subject, "it");
	assert_true(finding->check && *finding->check);
	assert_true(finding->text && *finding->text);
	if (finding->level == FINDING_OK) {
		assert_null(finding->remedy);
		return;
	}
	assert_true(finding->remedy && *finding->remedy);
	heard->bad += finding->level == FINDING_FAIL;
	if (finding->level == FINDING_FAIL)
		print_message("%s: %s\n", finding->check, finding->text);
}

static struct findings listen(struct heard *heard)
{
	struct findings out = {.take = take, .arg = heard, .subject = "it"};

	memset(heard, 0, sizeof(*heard));
	return out;
}

static void test_check_server(void **state)
{
	struct error err = ERROR_INIT;
	struct heard heard;
	struct findings out = listen(&heard);

	(void)state;
	MUST(contract.driver->check(contract.from, &contract.cancel, &out,
				    &err));
	MUST(contract.driver->check(contract.to, &contract.cancel, &out, &err));
	assert_true(heard.count >= 2);
	assert_int_equal(heard.bad, 0);
}

/* Before a table is described and after; the source is as it was. */
static void test_check_source(void **state)
{
	struct source_check what = {
		.database = true, .changes = true, .lag_ms = 1000};
	struct error err = ERROR_INIT;
	struct heard heard;
	struct findings out = listen(&heard);
	struct table shape;

	(void)state;
	if (!contract.driver->source)
		skip();
	contract.lab->make(LAB_SOURCE, LAB_MAIN);
	contract.lab->change(LAB_MAIN, "+1|a +2|b");
	contract_open_source(LAB_MAIN, NULL, false);
	MUST(contract.src->ops->check(contract.src, &what, &out, &err));
	describe_source(&shape);
	what.table = &shape;
	what.database = false;
	MUST(contract.src->ops->check(contract.src, &what, &out, &err));
	assert_true(heard.count >= 1);
	assert_int_equal(heard.bad, 0);
	table_release(&shape);
	assert_lab(LAB_SOURCE, LAB_MAIN, "1|a|NULL|NULL\n2|b|NULL|NULL\n");
}

/* A table that is not there yet, then one that is. */
static void test_check_target(void **state)
{
	struct target_check what = {.rights = true, .space = true};
	struct error err = ERROR_INIT;
	struct heard heard;
	struct findings out = listen(&heard);
	struct table dest;

	(void)state;
	contract_open_target(LAB_MAIN, "installation", 1, "origin");
	MUST(contract.dst->ops->check(contract.dst, &what, &out, &err));
	shape_of(&dest_shape, LAB_MAIN);
	what.source = &dest_shape;
	MUST(contract.dst->ops->check(contract.dst, &what, &out, &err));
	table_init(&dest);
	assert_int_equal(contract.dst->ops->describe(contract.dst, &dest, &err),
			 0);
	MUST(contract.dst->ops->create(contract.dst, &dest_shape, &err));
	assert_int_equal(contract.dst->ops->describe(contract.dst, &dest, &err),
			 1);
	what.dest = &dest;
	what.bytes = 1000;
	MUST(contract.dst->ops->check(contract.dst, &what, &out, &err));
	assert_true(heard.count >= 1);
	assert_int_equal(heard.bad, 0);
	table_release(&dest);
	dest_assert_checkpoint(0);
}

int contract_run_check(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, dest_setup, dest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_check_server),
		TEST(test_check_source),
		TEST(test_check_target),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
