/* The promises of struct target_ops: checkpoints, and who may move them. */
#include "contract/contract_dest.h"

#include <string.h>

#define DST contract.dst
#define OPS contract.dst->ops

/* -------------------------------------------------------------- checkpoints */

static void test_checkpoint_round_trip(void **state)
{
	static const size_t lengths[] = {0, 1, 8, 10, 255, 256, POSITION_MAX};
	static const int64_t moments[] = {0, INT64_C(1769864459123456),
					  INT64_C(1769864459000000)};

	(void)state;
	dest_open(LAB_MAIN);
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		for (size_t k = 0; k < COUNT_OF(moments); k++) {
			unsigned char bytes[POSITION_MAX];
			struct checkpoint put_in = {.consistent_after_us =
							    moments[k]};
			struct checkpoint got;
			struct error err = ERROR_INIT;

			for (size_t b = 0; b < sizeof(bytes); b++)
				bytes[b] = (unsigned char)(b * 7 + i);
			MUST(position_set(&put_in.position, bytes, lengths[i],
					  &err));
			if (k % 2) {
				dest_begin(TARGET_APPLY);
				dest_commit(NULL, &put_in);
			} else {
				MUST(OPS->advance(DST, NULL, &put_in, &err));
			}
			assert_int_equal(OPS->checkpoint(DST, &got, &err), 1);
			assert_true(position_equal(&got.position,
						   &put_in.position));
			assert_true(got.consistent_after_us == moments[k]);
		}
	}
}

static void test_advance(void **state)
{
	struct checkpoint wrong = dest_point(9), at = dest_point(1),
			  next = dest_point(2);
	struct error err = ERROR_INIT;

	(void)state;
	dest_open(LAB_MAIN);
	MUST_FAIL(OPS->advance(DST, &at, &next, &err), ERROR_CONFLICT);
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	dest_assert_checkpoint(0);
	MUST(OPS->advance(DST, NULL, &at, &err));
	dest_assert_checkpoint(1);
	MUST_FAIL(OPS->advance(DST, &wrong, &next, &err), ERROR_CONFLICT);
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	dest_assert_checkpoint(1);
	MUST(OPS->advance(DST, &at, &next, &err));
	dest_assert_checkpoint(2);
	MUST(OPS->advance(DST, &next, &next, &err)); /* nothing happened */
	dest_assert_checkpoint(2);
	dest_assert("");
}

/* An empty position is a checkpoint, and may be moved on from. */
static void test_advance_from_no_position(void **state)
{
	struct checkpoint none = {.position = {.len = 0}}, next = dest_point(1);
	struct error err = ERROR_INIT;

	(void)state;
	dest_open(LAB_MAIN);
	MUST(OPS->advance(DST, NULL, &none, &err));
	MUST(OPS->advance(DST, &none, &next, &err));
	dest_assert_checkpoint(1);
	MUST_FAIL(OPS->advance(DST, &none, &next, &err), ERROR_CONFLICT);
}

/* What has another mapping's files is not written to. */
static void assert_refused(const char *installation, int mapping_id)
{
	struct error err = ERROR_INIT;
	struct target_spec spec = {
		.server = contract.to,
		.name = contract.dst_name,
		.installation = installation,
		.mapping_id = mapping_id,
		.origin = "origin",
		.epoch = 9,
	};
	struct target *other;

	MUST(contract.driver->target->open(&spec, &other, &err));
	MUST(other->ops->connect(other, &contract.cancel, &err));
	MUST_FAIL(other->ops->fence(other, &err), ERROR_CONFIG);
	other->ops->close(other);
}

/* Installations, mappings and origins are told apart. */
static void test_checkpoints_of_others(void **state)
{
	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|a", NULL, 1);
	if (contract.lab->one_mapping) {
		assert_refused("installation", 2);
		assert_refused("another", 1);
		dest_assert_checkpoint(1);
		return;
	}
	contract_open_target(LAB_MAIN, "installation", 2, "origin");
	dest_assert_checkpoint(0);
	contract_open_target(LAB_MAIN, "another", 1, "origin");
	dest_assert_checkpoint(0);
	contract_open_target(LAB_MAIN, "installation", 1, "elsewhere");
	dest_assert_checkpoint(0);
	contract_open_target(LAB_MAIN, "installation", 1, "origin");
	dest_assert_checkpoint(1);
}

/*
 * A mapping that was pointed at another source and back: what the table holds
 * is the other one's, so the first checkpoint must not come back to life.
 */
static void test_origin_changes(void **state)
{
	struct checkpoint at = dest_point(1), next = dest_point(3);
	struct error err = ERROR_INIT;
	struct target_counts counts;

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|a", NULL, 1);
	contract_open_target(LAB_MAIN, "installation", 1, "elsewhere");
	dest_look_anew();
	/* Its changes do not go on from the first one's position. */
	dest_begin(TARGET_APPLY);
	dest_put("+2|b");
	MUST_FAIL(OPS->commit(DST, &at, &next, &counts, &err), ERROR_CONFLICT);
	OPS->rollback(DST);
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	dest_look();
	dest_assert("1|a|NULL|NULL\n");
	dest_store(TARGET_REPLACE, "+7|other", NULL, 2);
	dest_assert_checkpoint(2);
	contract_open_target(LAB_MAIN, "installation", 1, "origin");
	dest_assert_checkpoint(0);
}

/*
 * A table that is made is empty, so nothing goes on from what is told of one that
 * was dropped. Where tables are none, to tell the shape of rows says nothing.
 */
static void test_made_anew(void **state)
{
	bool any_shape = contract.driver->abilities & TARGET_ANY_SHAPE;
	struct checkpoint at = dest_point(1), next = dest_point(2);
	struct error err = ERROR_INIT;

	(void)state;
	shape_of(&dest_shape, LAB_MAIN);
	contract_open_target(LAB_MAIN, "installation", 1, "origin");
	MUST(OPS->advance(DST, NULL, &at, &err));
	MUST(OPS->create(DST, &dest_shape, &err));
	dest_look();
	dest_assert_checkpoint(any_shape ? 1 : 0);
	if (any_shape)
		return;
	MUST_FAIL(OPS->advance(DST, &at, &next, &err), ERROR_CONFLICT);
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	MUST_FAIL(OPS->create(DST, &dest_shape, &err), err.kind);
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	dest_look();
	dest_store(TARGET_REPLACE, "+1|a", NULL, 2);
	dest_assert_checkpoint(2);
	MUST_FAIL(OPS->create(DST, &dest_shape, &err), err.kind);
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	dest_assert_checkpoint(2); /* it was not made */
}

/* ------------------------------------------------------------------ fences */

/* The same mapping as another daemon has it, which took it over. */
static struct target *open_in_epoch(int64_t epoch)
{
	struct error err = ERROR_INIT;
	struct target_spec spec = {
		.server = contract.to,
		.name = contract.dst_name,
		.installation = "installation",
		.mapping_id = 1,
		.origin = "origin",
		.epoch = epoch,
	};
	struct target *other;

	MUST(contract.driver->target->open(&spec, &other, &err));
	MUST(other->ops->connect(other, &contract.cancel, &err));
	return other;
}

static void fence_in_epoch(int64_t epoch)
{
	struct target *other = open_in_epoch(epoch);
	struct error err = ERROR_INIT;

	MUST(other->ops->fence(other, &err));
	other->ops->close(other);
}

static void test_fence_against_an_older_one(void **state)
{
	struct error err = ERROR_INIT;
	struct target *older;

	(void)state;
	dest_open(LAB_MAIN);
	fence_in_epoch(7);
	older = open_in_epoch(6);
	MUST_FAIL(older->ops->fence(older, &err), ERROR_FENCED);
	assert_false(err.retryable);
	older->ops->close(older);
	MUST_FAIL(OPS->fence(DST, &err), ERROR_FENCED);
	fence_in_epoch(7); /* again */
	fence_in_epoch(8);
}

/* Whatever it was doing when it lost the mapping, it does not get through. */
static void test_fenced_out(void **state)
{
	static const enum target_mode modes[] = {TARGET_REPLACE, TARGET_APPLY};
	struct checkpoint at = dest_point(1), next = dest_point(2);

	(void)state;
	dest_open(LAB_MAIN);
	for (size_t m = 0; m < COUNT_OF(modes); m++) {
		for (int with_from = 0; with_from < 2; with_from++) {
			struct error err = ERROR_INIT;
			struct target_counts counts;

			contract.epoch += 2;
			contract_open_target(LAB_MAIN, "installation", 1,
					     "origin");
			dest_look_anew();
			dest_store(TARGET_REPLACE, "+1|old", NULL, 1);
			dest_begin(modes[m]);
			dest_put("+2|stale");
			fence_in_epoch(contract.epoch + 1);
			MUST_FAIL(OPS->commit(DST, with_from ? &at : NULL,
					      &next, &counts, &err),
				  ERROR_CONFLICT);
			OPS->rollback(DST);
			dest_assert("1|old|NULL|NULL\n");
			OPS->release(DST);
			MUST(OPS->connect(DST, &contract.cancel, &err));
			MUST_FAIL(OPS->advance(DST, with_from ? &at : NULL,
					       &next, &err),
				  ERROR_CONFLICT);
			OPS->release(DST);
			MUST(OPS->connect(DST, &contract.cancel, &err));
			dest_assert_checkpoint(1);
		}
	}
}

/* Nor does it make a table, to which the other one's checkpoint would belong. */
static void test_fenced_out_of_making(void **state)
{
	struct checkpoint at = dest_point(1);
	struct error err = ERROR_INIT;
	struct table made;

	(void)state;
	if (contract.driver->abilities & TARGET_ANY_SHAPE)
		skip();
	shape_of(&dest_shape, LAB_MAIN);
	contract_open_target(LAB_MAIN, "installation", 1, "origin");
	MUST(OPS->advance(DST, NULL, &at, &err));
	fence_in_epoch(2);
	MUST_FAIL(OPS->create(DST, &dest_shape, &err), ERROR_CONFLICT);
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
	table_init(&made);
	assert_int_equal(OPS->describe(DST, &made, &err), 0);
	table_release(&made);
	dest_assert_checkpoint(1);
}

/* A refill that lost its mapping does not empty what the other one fills. */
static void test_fenced_out_of_a_refill(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	dest_open(LAB_MAIN);
	dest_store(TARGET_REPLACE, "+1|old", NULL, 1);
	fence_in_epoch(2);
	MUST_FAIL(OPS->begin(DST, TARGET_REFILL, &dest_shape, &err),
		  ERROR_CONFLICT);
	OPS->rollback(DST);
	dest_assert("1|old|NULL|NULL\n");
}

static void test_fenced_out_in_a_refill(void **state)
{
	struct checkpoint next = dest_point(2);
	struct error err = ERROR_INIT;
	struct target_counts counts;

	(void)state;
	dest_open(LAB_MAIN);
	dest_begin(TARGET_REFILL);
	dest_put("+2|stale");
	fence_in_epoch(2);
	MUST_FAIL(OPS->commit(DST, NULL, &next, &counts, &err), ERROR_CONFLICT);
	OPS->rollback(DST);
	dest_assert("");
}

int contract_run_checkpoint(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, dest_setup, dest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_checkpoint_round_trip),
		TEST(test_advance),
		TEST(test_advance_from_no_position),
		TEST(test_checkpoints_of_others),
		TEST(test_origin_changes),
		TEST(test_made_anew),
		TEST(test_fence_against_an_older_one),
		TEST(test_fenced_out),
		TEST(test_fenced_out_of_making),
		TEST(test_fenced_out_of_a_refill),
		TEST(test_fenced_out_in_a_refill),
	};

	return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
