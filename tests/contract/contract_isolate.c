/* The promises of struct target_ops about rows that are refused. */
#include "contract/contract_dest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DST contract.dst
#define OPS contract.dst->ops

/* What begin_isolated() told, or exceptions(), a line a row. */
static struct strbuf told;
static char told_id[EXCEPTION_ID_MAX];

static void note(void *context, const struct target_exception *row)
{
	assert_ptr_equal(context, &told);
	assert_true(row->reason && *row->reason);
	assert_true(row->position && !strncmp(row->position, "0x", 2));
	assert_true(row->created_us > 0);
	snprintf(told_id, sizeof(told_id), "%s", row->id);
	strbuf_addf(&told, "%c%s%s ", row->op == ROW_DELETE ? '-' : '+',
		    row->key, *row->id ? "!" : "");
}

static int isolate_setup(void **state)
{
	strbuf_init(&told);
	return dest_setup(state);
}

static int isolate_teardown(void **state)
{
	strbuf_release(&told);
	return dest_teardown(state);
}

static void open_main(void)
{
	struct error err = ERROR_INIT;

	dest_open(LAB_MAIN);
	if (!OPS->begin_isolated) {
		assert_null(OPS->exceptions);
		skip();
	}
	MUST(OPS->fence(DST, &err));
}

/* And go on, as the engine does after an error. */
static void roll_back(void)
{
	struct error err = ERROR_INIT;

	OPS->rollback(DST);
	OPS->release(DST);
	MUST(OPS->connect(DST, &contract.cancel, &err));
}

static struct isolation isolation(bool keep, uint64_t limit)
{
	return (struct isolation){
		.keep = keep,
		.limit = limit,
		.refused = note,
		.context = &told,
	};
}

/* A window of which rows may be left out. */
static struct target_counts apply(const char *changes, bool keep, int from,
				  int to)
{
	struct isolation how = isolation(keep, UINT64_MAX);
	struct checkpoint last = dest_point(from), next = dest_point(to);
	struct target_counts counts;
	struct error err = ERROR_INIT;

	strbuf_reset(&told);
	MUST(OPS->begin_isolated(DST, &dest_shape, &how, &err));
	dest_put(changes);
	counts = dest_commit(&last, &next);
	dest_assert_checkpoint(to);
	return counts;
}

static void assert_told(const char *want)
{
	assert_string_equal(told.data, want);
}

/* What stands; it is told as if each had been put aside. */
static void assert_stands(const char *want)
{
	struct error err = ERROR_INIT;

	strbuf_reset(&told);
	MUST(OPS->exceptions(DST, note, &told, &err));
	assert_told(want);
}

static void test_refused_rows_are_left_out(void **state)
{
	struct target_counts counts;

	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "+1|a|1 +2|b|2 +3|c|3", NULL, 1);
	contract.lab->refuse(true);
	counts = apply("+1|x|10 +2|y|13 -3 +4|z|13 +5|new|50", true, 1, 2);
	assert_told("+2! +4! ");
	assert_int_equal(counts.updated, 1);
	assert_int_equal(counts.inserted, 1);
	assert_int_equal(counts.deleted, 1);
	assert_int_equal(counts.settled, 0);
	dest_assert("1|x|10|NULL\n2|b|2|NULL\n5|new|50|NULL\n");
	assert_stands("+2! +4! ");
}

/* In a window without such rows nothing is different. */
static void test_nothing_refused(void **state)
{
	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "+1|a|1 +2|b|2", NULL, 1);
	apply("+1|x|13 -2 +7|n", true, 1, 2);
	assert_told("");
	dest_assert("1|x|13|NULL\n7|n|NULL|NULL\n");
	apply("", true, 2, 3);
	dest_assert("1|x|13|NULL\n7|n|NULL|NULL\n");
}

static void test_left_out_but_not_kept(void **state)
{
	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "+1|a|1", NULL, 1);
	contract.lab->refuse(true);
	apply("+1|x|13 +2|y|20", false, 1, 2);
	assert_told("+1 ");
	dest_assert("1|a|1|NULL\n2|y|20|NULL\n");
	assert_stands("");
}

/* One that was put aside stands as long as its row is not as it should be. */
static void test_left_out_ends_none(void **state)
{
	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "+1|a|1 +2|b|2", NULL, 1);
	contract.lab->refuse(true);
	apply("+1|x|13 +2|x|13", true, 1, 2);
	assert_stands("+1! +2! ");
	apply("+1|y|13 +2|good|2", false, 2, 3);
	assert_told("+1 ");
	assert_stands("+1! ");
}

/* Without it, one refused row is an error of the data and undoes the window. */
static void test_not_isolated(void **state)
{
	struct checkpoint last = dest_point(1), next = dest_point(2);
	struct target_counts counts;
	struct error err = ERROR_INIT;

	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "+1|a|1", NULL, 1);
	contract.lab->refuse(true);
	dest_begin(TARGET_APPLY);
	dest_put("+1|x|13 +2|y|20");
	MUST_FAIL(OPS->commit(DST, &last, &next, &counts, &err), ERROR_DATA);
	roll_back();
	dest_assert("1|a|1|NULL\n");
	dest_assert_checkpoint(1);
	apply("+1|x|13 +2|y|20", true, 1, 2);
	dest_assert("1|a|1|NULL\n2|y|20|NULL\n");
}

/* Of several changes of a key the last one counts, be it good or bad. */
static void test_last_change_counts(void **state)
{
	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "+1|a|1 +2|b|2 +3|c|3 +4|d|4", NULL, 1);
	contract.lab->refuse(true);
	apply("+1|x|13 +1|good|5 +2|good|6 +2|y|13 +3|z|13 -3 -4 +4|w|13", true,
	      1, 2);
	assert_told("+2! +4! ");
	dest_assert("1|good|5|NULL\n2|b|2|NULL\n4|d|4|NULL\n");
}

/* Every row, and more of them than statements could name. */
static void test_all_refused(void **state)
{
	struct strbuf changes;

	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "", NULL, 1);
	contract.lab->refuse(true);
	strbuf_init(&changes);
	for (int i = 1; i <= 40; i++)
		strbuf_addf(&changes, "%s+%d|bad|13", i > 1 ? " " : "", i);
	apply(changes.data, true, 1, 2);
	dest_assert("");
	assert_int_equal(strlen(told.data), 9 * 4 + 31 * 5);
	strbuf_release(&changes);
}

static void test_many_rows(void **state)
{
	struct strbuf changes, want, refused;
	int count = 0;

	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "", NULL, 1);
	contract.lab->refuse(true);
	strbuf_init(&changes);
	strbuf_init(&want);
	strbuf_init(&refused);
	for (int i = 1; i <= 900; i++) {
		bool bad = i == 1 || i == 500 || i == 501 || i == 900;

		strbuf_addf(&changes, "%s+%d|r%d|%d", i > 1 ? " " : "", i, i,
			    bad ? 13 : 7);
		if (bad)
			strbuf_addf(&refused, "+%d! ", i);
		else
			strbuf_addf(&want, "%d|r%d|7|NULL\n", i, i);
		count += !bad;
	}
	assert_int_equal(apply(changes.data, true, 1, 2).inserted, count);
	assert_told(refused.data);
	dest_assert(want.data);
	strbuf_release(&changes);
	strbuf_release(&want);
	strbuf_release(&refused);
}

static void test_too_many(void **state)
{
	struct isolation how = isolation(true, 2);
	struct checkpoint last = dest_point(1), next = dest_point(2);
	struct target_counts counts;
	struct error err = ERROR_INIT;

	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "+1|a|1", NULL, 1);
	contract.lab->refuse(true);
	MUST(OPS->begin_isolated(DST, &dest_shape, &how, &err));
	dest_put("+1|x|13 +2|y|13 +3|z|13 +4|w|4");
	MUST_FAIL(OPS->commit(DST, &last, &next, &counts, &err), ERROR_DATA);
	assert_true(how.count > how.limit);
	roll_back();
	dest_assert("1|a|1|NULL\n");
	dest_assert_checkpoint(1);
	assert_told("");
	assert_stands("");
	/* As many as there may be is not too many. */
	how = isolation(true, 3);
	MUST(OPS->begin_isolated(DST, &dest_shape, &how, &err));
	dest_put("+1|x|13 +2|y|13 +3|z|13 +4|w|4");
	dest_commit(&last, &next);
	assert_int_equal(how.count, 3);
	dest_assert("1|a|1|NULL\n4|w|4|NULL\n");
}

static void test_wrong_checkpoint(void **state)
{
	struct isolation how = isolation(true, UINT64_MAX);
	struct checkpoint last = dest_point(7), next = dest_point(8);
	struct target_counts counts;
	struct error err = ERROR_INIT;

	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "+1|a|1", NULL, 1);
	contract.lab->refuse(true);
	MUST(OPS->begin_isolated(DST, &dest_shape, &how, &err));
	dest_put("+1|x|13 +2|y|2");
	MUST_FAIL(OPS->commit(DST, &last, &next, &counts, &err),
		  ERROR_CONFLICT);
	roll_back();
	dest_assert("1|a|1|NULL\n");
	dest_assert_checkpoint(1);
	assert_stands("");
}

static void test_rolled_back(void **state)
{
	struct isolation how = isolation(true, UINT64_MAX);
	struct error err = ERROR_INIT;

	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "+1|a|1", NULL, 1);
	contract.lab->refuse(true);
	MUST(OPS->begin_isolated(DST, &dest_shape, &how, &err));
	dest_put("+1|x|13 +2|y|2");
	roll_back();
	dest_assert("1|a|1|NULL\n");
	assert_stands("");
}

/* A later change of the key that is applied ends it; one of another does not. */
static void test_settled_by_a_change(void **state)
{
	struct checkpoint last = dest_point(2);

	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "+1|a|1 +2|b|2 +3|c|3", NULL, 1);
	contract.lab->refuse(true);
	apply("+1|x|13 +2|y|13 +3|z|13", true, 1, 2);
	assert_stands("+1! +2! +3! ");
	assert_int_equal(
		dest_store(TARGET_APPLY, "+1|fine|1 +9|other|9", &last, 3)
			.settled,
		1);
	assert_stands("+2! +3! ");
	last = dest_point(3);
	assert_int_equal(dest_store(TARGET_APPLY, "-2", &last, 4).settled, 1);
	assert_stands("+3! ");
	/* Refused again: it stands once, as the newer one. */
	assert_int_equal(apply("+3|again|13 +4|d|4", true, 4, 5).settled, 1);
	assert_stands("+3! ");
	last = dest_point(5);
	assert_int_equal(dest_store(TARGET_APPLY, "+3|ok|3", &last, 6).settled,
			 1);
	assert_stands("");
	last = dest_point(6);
	assert_int_equal(dest_store(TARGET_APPLY, "+3|ok|4", &last, 7).settled,
			 0);
	dest_assert("1|fine|1|NULL\n3|ok|4|NULL\n4|d|4|NULL\n"
		    "9|other|9|NULL\n");
}

/* What a change leaves as it is may be what was put aside. */
static void test_settled_by_no_part(void **state)
{
	struct checkpoint last = dest_point(2);

	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "+1|a|1 +2|b|2", NULL, 1);
	contract.lab->refuse(true);
	apply("+1|x|13 +2|y|13 +3|z|13", true, 1, 2);
	assert_int_equal(
		dest_store(TARGET_APPLY, "+1|*|5 +2|*|6 +3|*|7", &last, 3)
			.settled,
		0);
	dest_assert("1|a|5|NULL\n2|b|6|NULL\n");
	assert_stands("+1! +2! +3! ");
	/* One that is refused itself takes its place. */
	assert_int_equal(apply("+1|*|13 +2|*|8 +4|d|4", true, 3, 4).settled, 1);
	assert_told("+1! ");
	assert_stands("+2! +3! +1! ");
	apply("+1|*|13 +2|*|9", false, 4, 5);
	assert_stands("+2! +3! +1! ");
	last = dest_point(5);
	assert_int_equal(dest_store(TARGET_APPLY, "+1|x|*|* +1|v|4|0 -2 +3|z|8",
				    &last, 6)
				 .settled,
			 3);
	assert_stands("");
	dest_assert("1|v|4|0\n3|z|8|NULL\n4|d|4|NULL\n");
}

/* Nor does a later change make up for what it leaves out. */
static void test_part_of_a_key_that_is_left_out(void **state)
{
#define LONG "123456789012345678901234567890123456789012345678901234567890"
	static const char changes[] =
		"+1|" LONG "|1 +1|" LONG "|2 +1|*|5 +2|" LONG "|1 +2|*|6 "
		"+2|c|7 +3|" LONG "|3 +3|*|8 +4|" LONG "|1 +4|*|13 "
		"+5|" LONG "|1 -5";

	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "+1|a|1 +2|b|2 +4|d|4 +5|e|5", NULL, 1);
	contract.lab->refuse(true);
	apply(changes, true, 1, 2);
	assert_told("+1! +3! +4! ");
	assert_stands("+1! +3! +4! ");
	dest_assert("1|a|5|NULL\n2|c|7|NULL\n4|d|4|NULL\n");
	apply("+1|" LONG "|1 +1|*|6", false, 2, 3);
	assert_told("+1 ");
	assert_stands("+1! +3! +4! ");
	assert_int_equal(apply("+1|" LONG "|1 +1|*|7", true, 3, 4).settled, 1);
	assert_stands("+3! +4! +1! ");
#undef LONG
}

static void settle_by_load(enum target_mode mode)
{
	open_main();
	dest_store(TARGET_REPLACE, "+1|a|1", NULL, 1);
	contract.lab->refuse(true);
	apply("+1|x|13 +2|y|13", true, 1, 2);
	contract.lab->refuse(false);
	dest_store(mode, "+1|x|13 +2|y|13", NULL, 3);
	assert_stands("");
	dest_assert("1|x|13|NULL\n2|y|13|NULL\n");
}

static void test_settled_by_a_load(void **state)
{
	(void)state;
	settle_by_load(TARGET_REPLACE);
}

static void test_settled_by_a_refill(void **state)
{
	(void)state;
	settle_by_load(TARGET_REFILL);
}

/* Another daemon finds them under the same id; another mapping does not. */
static void test_found_by_others(void **state)
{
	struct checkpoint last = dest_point(2);
	struct error err = ERROR_INIT;
	char id[EXCEPTION_ID_MAX];

	(void)state;
	open_main();
	dest_store(TARGET_REPLACE, "+1|a|1", NULL, 1);
	contract.lab->refuse(true);
	apply("+1|x|13", true, 1, 2);
	memcpy(id, told_id, sizeof(id));
	assert_true(*id != '\0');
	contract_open_target(LAB_MAIN, "installation", 2, "origin");
	MUST(OPS->fence(DST, &err));
	assert_stands("");
	contract_open_target(LAB_MAIN, "elsewhere", 1, "origin");
	MUST(OPS->fence(DST, &err));
	assert_stands("");
	contract_open_target(LAB_MAIN, "installation", 1, "origin");
	MUST(OPS->fence(DST, &err));
	dest_look();
	assert_stands("+1! ");
	assert_string_equal(told_id, id);
	/* And what it told of, it looks after. */
	assert_int_equal(dest_store(TARGET_APPLY, "+1|ok|1", &last, 3).settled,
			 1);
	assert_stands("");
}

int contract_run_isolate(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, isolate_setup, isolate_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_refused_rows_are_left_out),
		TEST(test_nothing_refused),
		TEST(test_left_out_but_not_kept),
		TEST(test_left_out_ends_none),
		TEST(test_not_isolated),
		TEST(test_last_change_counts),
		TEST(test_all_refused),
		TEST(test_many_rows),
		TEST(test_too_many),
		TEST(test_wrong_checkpoint),
		TEST(test_rolled_back),
		TEST(test_settled_by_a_change),
		TEST(test_settled_by_no_part),
		TEST(test_part_of_a_key_that_is_left_out),
		TEST(test_settled_by_a_load),
		TEST(test_settled_by_a_refill),
		TEST(test_found_by_others),
	};

	return cmocka_run_group_tests_name("isolate", tests, NULL, NULL);
}
