/* Verification and repair on the memory driver, step by step. */
#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "drivers/memory/memory.h"
#include "engine/verify.h"
#include "unit/rig.h"

#define HOUR_US (INT64_C(3600) * 1000000)

static struct rig rig;
static struct verify verify;

static int setup(void **state)
{
	struct error err = ERROR_INIT;

	if (setup_folder(state) < 0)
		return -1;
	rig_begin(&rig, "verify_src", "verify_dst");
	rig.settings.retry_delay_s = 0;
	MUST(verify_init(&verify, rig.mapping, rig.subject, rig.reporter, NULL,
			 &err));
	stderr_catch();
	return 0;
}

static int teardown(void **state)
{
	verify_release(&verify);
	rig_end(&rig);
	return teardown_folder(state);
}

/* -------------------------------------------------------------- by the step */

static void order(int id, enum order_kind kind, bool whole, bool dry_run)
{
	struct order order = {
		.id = id, .kind = kind, .whole = whole, .dry_run = dry_run};
	struct error err = ERROR_INIT;

	MUST(verify_order(&verify, &order, &err));
}

static void order_resync(int id, const char *condition)
{
	struct order resync = {.id = id, .kind = ORDER_RESYNC};
	struct error err = ERROR_INIT;

	resync.condition = strdup(condition);
	MUST(verify_order(&verify, &resync, &err));
}

static void slice(void)
{
	struct error err = ERROR_INIT;

	rig.link.settings = rig.settings;
	MUST(link_attach(&rig.link, false, &err));
	MUST(verify_slice(&verify, &rig.link, &err));
	link_release(&rig.link);
}

static void follow_changes(void)
{
	struct error err = ERROR_INIT;
	struct cdc_step step;

	do {
		MUST(link_attach(&rig.link, false, &err));
		MUST(cdc_run_step(&rig.link, &step, &err));
		verify_saw(&verify, &step);
	} while (!step.caught_up);
	link_release(&rig.link);
}

static bool is_done(void)
{
	return !verify.running && !verify.order_count;
}

/* As a worker does it, until all that was ordered is done. */
static void finish(void)
{
	for (int i = 0; i < 1000 && !is_done(); i++) {
		follow_changes();
		slice();
	}
	assert_true(is_done());
}

/* What the last row of verification_logs says, once it is there. */
static void assert_result(int count, const char *want)
{
	char sql[400];

	snprintf(sql, sizeof(sql), "SELECT COUNT(*) FROM verification_logs");
	for (int i = 0; i < 500 && store_number(rig.spec.file, sql) < count;
	     i++)
		pause_ms(10);
	assert_int_equal(store_number(rig.spec.file, sql), count);
	assert_query(rig.spec.file,
		     "SELECT verification_type, verification_status, "
		     "records_compared, mismatches_found, "
		     "source_md5 = dest_md5 FROM verification_logs "
		     "ORDER BY verification_id DESC LIMIT 1",
		     want);
}

static void assert_keys(const char *want)
{
	assert_query(rig.spec.file,
		     "SELECT j.value ->> '$.key', j.value ->> '$.difference' "
		     "FROM verification_logs, json_each(verification_details, "
		     "'$.mismatches') AS j WHERE verification_id = (SELECT "
		     "MAX(verification_id) FROM verification_logs) ORDER BY "
		     "CAST(j.value ->> '$.key' AS INT)",
		     want);
}

/* A row of error_logs that is like this. */
static void wait_for_error(const char *like)
{
	char sql[400];

	snprintf(sql, sizeof(sql),
		 "SELECT COUNT(*) FROM error_logs WHERE error_type = "
		 "'VERIFICATION' AND is_resolved = 0 AND error_message LIKE "
		 "'%s'",
		 like);
	for (int i = 0; i < 500 && !store_number(rig.spec.file, sql); i++)
		pause_ms(10);
	assert_query(rig.spec.file, sql, "1\n");
}

/* ------------------------------------------------------------------- results */

static void test_passes(void **state)
{
	(void)state;
	rig_fill(&rig, 50);
	rig_sync(&rig);
	order(1, ORDER_VERIFY, false, false);
	finish();
	assert_result(1, "TAIL|PASSED|50|0|1\n");
	order(2, ORDER_VERIFY, true, false);
	finish();
	assert_result(2, "WHOLE|PASSED|50|0|1\n");
}

static void test_finds_and_repairs(void **state)
{
	(void)state;
	rig_fill(&rig, 50);
	rig_sync(&rig);
	rig_change_dest(&rig, "+7|other -9 +60|extra");
	order(1, ORDER_VERIFY, false, false);
	finish();
	assert_result(1, "TAIL|FAILED|50|3|0\n");
	assert_keys("7|DIFFERENT\n9|MISSING\n60|EXTRA\n");
	order(2, ORDER_REPAIR, false, true);
	finish();
	assert_result(3, "DRY_RUN|FAILED|50|3|0\n");
	order(3, ORDER_REPAIR, false, false);
	finish();
	assert_same(&rig);
	assert_result(5, "REPAIR|PASSED|50|3|0\n");
	order(4, ORDER_VERIFY, false, false);
	finish();
	assert_result(6, "TAIL|PASSED|50|0|1\n");
}

static void test_large_table_is_halved(void **state)
{
	(void)state;
	rig_fill(&rig, 5000);
	rig_sync(&rig);
	rig_change_dest(&rig, "+1|x -2500 +5000|y");
	order(1, ORDER_VERIFY, true, false);
	finish();
	assert_result(1, "WHOLE|FAILED|5000|3|0\n");
	assert_keys("1|DIFFERENT\n2500|MISSING\n5000|DIFFERENT\n");
	order(2, ORDER_REPAIR, true, false);
	finish();
	assert_same(&rig);
}

static void test_destination_with_many_more_rows(void **state)
{
	char change[64];

	(void)state;
	rig_fill(&rig, 10);
	rig_sync(&rig);
	for (int i = 0; i < 12000; i += 4) {
		snprintf(change, sizeof(change), "+%d|x +%d|x +%d|x +%d|x",
			 100 + i, 101 + i, 102 + i, 103 + i);
		rig_change_dest(&rig, change);
	}
	order(1, ORDER_REPAIR, true, false);
	finish();
	assert_same(&rig);
	assert_result(2, "REPAIR|PASSED|10|12000|0\n");
}

/* ------------------------------------------------ sides that sort otherwise */

/* The source has the largest key first, the destination the smallest. */
static void sort_apart(void)
{
	struct error err = ERROR_INIT;

	verify_release(&verify);
	rig.table.columns[0].sorting = "";
	rig_clear(&rig);
	MUST(verify_init(&verify, rig.mapping, rig.subject, rig.reporter, NULL,
			 &err));
}

static void test_other_order(void **state)
{
	(void)state;
	sort_apart();
	rig_fill(&rig, 4000);
	rig_sync(&rig);
	order(1, ORDER_VERIFY, true, false);
	finish();
	assert_result(1, "WHOLE|PASSED|4000|0|1\n");
	rig_change_dest(&rig, "+7|other -9 +4001|extra +3990|other -3991 "
			      "-1");
	order(2, ORDER_VERIFY, true, false);
	finish();
	assert_result(2, "WHOLE|FAILED|4000|6|0\n");
	assert_keys("1|MISSING\n7|DIFFERENT\n9|MISSING\n3990|DIFFERENT\n"
		    "3991|MISSING\n4001|EXTRA\n");
	order(3, ORDER_REPAIR, true, false);
	finish();
	assert_same(&rig);
	assert_result(4, "REPAIR|PASSED|4000|6|0\n");
}

/* Of either side its own newest rows; those that are both count once. */
static void test_other_order_tail(void **state)
{
	(void)state;
	sort_apart();
	rig.settings.verification_rows = 100;
	rig_fill(&rig, 1000);
	rig_sync(&rig);
	order(1, ORDER_VERIFY, false, false);
	finish();
	assert_result(1, "TAIL|PASSED|200|0|1\n");
	/* 1 to 100 are the source's newest, 901 to 1000 the destination's. */
	rig_change_dest(&rig, "+7|other -9 +500|other -501 +1001|extra "
			      "+990|other -991");
	order(2, ORDER_VERIFY, false, false);
	finish();
	assert_result(2, "TAIL|FAILED|199|4|0\n");
	assert_keys("7|DIFFERENT\n9|MISSING\n990|DIFFERENT\n1001|EXTRA\n");
	rig.settings.verification_rows = 5000;
	order(3, ORDER_VERIFY, false, false);
	finish();
	assert_result(3, "TAIL|FAILED|1000|7|0\n");
}

static void test_other_order_resync(void **state)
{
	(void)state;
	sort_apart();
	rig_fill(&rig, 100);
	rig_sync(&rig);
	rig_change_dest(&rig, "+7|other|1 +9|other|1");
	rig_change(&rig, "+8|new|1");
	follow_changes();
	rig_change_dest(&rig, "-8");
	order_resync(1, "n = 1");
	finish();
	assert_same(&rig);
}

/* ----------------------------------------------------- what changes meanwhile */

static void go_to(enum verify_step step)
{
	for (int i = 0; i < 100 && verify.step != step; i++)
		slice();
	assert_int_equal(verify.step, step);
}

static void test_changes_on_their_way_are_no_mismatch(void **state)
{
	(void)state;
	rig_fill(&rig, 20);
	rig_sync(&rig);
	/* Not applied yet when the two sides are compared: */
	rig_change(&rig, "+1|changed -2 +21|new");
	rig_change_dest(&rig, "+9|by_hand");
	order(1, ORDER_VERIFY, false, false);
	go_to(VERIFY_CONFIRM);
	assert_int_equal(compare_found(&verify.compare), 4);
	finish();
	assert_result(1, "TAIL|FAILED|20|1|0\n");
	assert_keys("9|DIFFERENT\n");
}

static void test_changes_between_the_two_looks(void **state)
{
	(void)state;
	rig_fill(&rig, 20);
	rig_sync(&rig);
	rig_change_dest(&rig, "+1|by_hand +2|by_hand -3 +9|by_hand");
	order(1, ORDER_VERIFY, false, false);
	go_to(VERIFY_CONFIRM);
	/* These are written anew by what is applied now. */
	rig_change(&rig, "+1|again -2 +3|again");
	finish();
	assert_result(1, "TAIL|FAILED|20|1|0\n");
	assert_keys("9|DIFFERENT\n");
}

static void test_repair_leaves_out_what_changes(void **state)
{
	(void)state;
	rig_fill(&rig, 20);
	rig_sync(&rig);
	rig_change_dest(&rig, "+1|by_hand +2|by_hand +3|by_hand -4");
	order(1, ORDER_REPAIR, false, false);
	go_to(VERIFY_CONFIRM);
	follow_changes();
	go_to(VERIFY_REPAIR);
	rig_change(&rig, "+1|newer -2");
	finish();
	assert_same(&rig);
}

static void test_it_waits_for_changes(void **state)
{
	(void)state;
	rig_fill(&rig, 5);
	rig_sync(&rig);
	rig_change_dest(&rig, "+1|by_hand");
	order(1, ORDER_VERIFY, false, false);
	go_to(VERIFY_CONFIRM);
	for (int i = 0; i < 5; i++)
		slice();
	assert_true(verify.running);
	finish();
	assert_result(1, "TAIL|FAILED|5|1|0\n");
}

/* What was said of a time before the look, by whatever clock, tells nothing. */
static void test_it_waits_whatever_the_clock_was(void **state)
{
	struct cdc_step step = {.complete_us = clock_us() + HOUR_US};

	(void)state;
	rig_fill(&rig, 5);
	rig_sync(&rig);
	rig_change_dest(&rig, "+1|by_hand");
	verify_saw(&verify, &step);
	order(1, ORDER_VERIFY, false, false);
	go_to(VERIFY_CONFIRM);
	for (int i = 0; i < 5; i++)
		slice();
	assert_int_equal(verify.step, VERIFY_CONFIRM);
	finish();
	assert_result(1, "TAIL|FAILED|5|1|0\n");
}

/* A clock that was ahead, and is set back: the intervals begin now. */
static void test_times_in_the_future(void **state)
{
	int64_t now = clock_utc_us();

	(void)state;
	rig.mapping->verification_interval_min = 5;
	verify.born_us = now + HOUR_US;
	verify.last_tail_us = now + HOUR_US;
	verify.last_whole_us = now + 2 * HOUR_US;
	assert_false(verify_is_due(&verify, &rig.settings));
	assert_in_range(verify.born_us, now, clock_utc_us());
	assert_in_range(verify.last_tail_us, now, clock_utc_us());
	assert_in_range(verify.last_whole_us, now, clock_utc_us());
	verify.born_us -= HOUR_US;
	verify.last_tail_us -= HOUR_US;
	assert_true(verify_is_due(&verify, &rig.settings));
}

/* What was confirmed is told, though the rest of it never was. */
static void test_told_though_it_did_not_end(void **state)
{
	(void)state;
	rig_fill(&rig, 20);
	rig_sync(&rig);
	rig_change_dest(&rig, "+1|by_hand");
	order(1, ORDER_VERIFY, true, false);
	go_to(VERIFY_CONFIRM);
	verify.tally.mismatches = 1; /* as if of an earlier stretch */
	verify.looked_us -= HOUR_US;
	slice();
	assert_result(1, "WHOLE|PARTIAL|20|1|1\n");
	wait_for_error("%1 of 20 rows differ%REPAIR%have not arrived%");
	assert_query(rig.spec.file,
		     "SELECT mismatches_found FROM v_verification_failures",
		     "1\n");
}

/* ----------------------------------------------------------------- interrupted */

static void test_whole_table_steps_aside(void **state)
{
	(void)state;
	rig_fill(&rig, 5000);
	rig_sync(&rig);
	order(1, ORDER_VERIFY, true, false);
	/* A first stretch of it. */
	for (int i = 0; i < 50 && verify.step != VERIFY_SCAN; i++)
		slice();
	if (verify.running) {
		order(2, ORDER_VERIFY, false, false);
		assert_true(verify_has_order(&verify, 1));
		assert_true(verify_has_order(&verify, 2));
	}
	finish();
	while (verify.aside)
		slice();
	finish();
	assert_query(rig.spec.file, "SELECT COUNT(*) FROM table_mappings",
		     "1\n");
}

static void test_goes_on_after_a_restart(void **state)
{
	struct tally tally;
	struct control_mapping row = {.id = rig.row.id};
	struct error err = ERROR_INIT;
	char *saved;

	(void)state;
	rig_fill(&rig, 3000);
	rig_sync(&rig);
	MUST(tally_init(&tally, TALLY_WHOLE, &err));
	tally.compared = 1234;
	tally.sums[COMPARE_SOURCE].rows = 1234;
	tally.sums[COMPARE_DEST].rows = 1234;
	saved = tally_format(&tally);
	tally_release(&tally);
	verify_release(&verify);
	row.progress = saved;
	MUST(verify_init(&verify, rig.mapping, rig.subject, rig.reporter, &row,
			 &err));
	free(saved);
	for (int i = 0; i < 100 && (i == 0 || !is_done() || verify.aside);
	     i++) {
		follow_changes();
		slice();
	}
	assert_result(1, "WHOLE|PASSED|4234|0|1\n");
}

static void test_broken_progress_begins_anew(void **state)
{
	struct control_mapping row = {.id = rig.row.id,
				      .progress = "{\"kind\": \"WHAT\"}"};
	struct error err = ERROR_INIT;

	(void)state;
	rig_fill(&rig, 30);
	rig_sync(&rig);
	verify_release(&verify);
	MUST(verify_init(&verify, rig.mapping, rig.subject, rig.reporter, &row,
			 &err));
	slice();
	finish();
	assert_result(1, "WHOLE|PASSED|30|0|1\n");
}

/* One attempt in which a call fails; whether it ever came to that call. */
static bool fail_at(const char *store, unsigned long call, enum error_kind kind)
{
	struct error err = ERROR_INIT;
	unsigned long calls;

	memory_fail(store, call, kind);
	for (int i = 0; i < 200 && !is_done(); i++) {
		struct cdc_step step;

		rig.link.settings = rig.settings;
		if (link_attach(&rig.link, false, &err) < 0 ||
		    cdc_run_step(&rig.link, &step, &err) < 0) {
			verify_begin_anew(&verify);
			link_release(&rig.link);
			link_forget(&rig.link);
			continue;
		}
		verify_saw(&verify, &step);
		if (verify_slice(&verify, &rig.link, &err) < 0)
			fail_msg("%s", err.message);
		link_release(&rig.link);
	}
	assert_true(is_done());
	calls = memory_calls(store);
	memory_fail(store, 0, ERROR_NONE);
	return calls >= call;
}

static void fail_everywhere(const char *store, enum error_kind kind)
{
	unsigned long call = 1;
	int id = 0;

	for (bool more = true; more; call++) {
		rig_change_dest(&rig, "+1|by_hand -2 +30|extra");
		order(++id, ORDER_REPAIR, call % 2 == 0, false);
		more = fail_at(store, call, kind);
		order(++id, ORDER_REPAIR, false, false);
		finish();
		assert_same(&rig);
	}
	assert_true(call > 10);
}

static void test_every_call_fails(void **state)
{
	(void)state;
	rig_fill(&rig, 12);
	rig_sync(&rig);
	fail_everywhere("verify_src", ERROR_CONNECTION);
	fail_everywhere("verify_dst", ERROR_CONNECTION);
	fail_everywhere("verify_src", ERROR_SERVER);
	fail_everywhere("verify_dst", ERROR_SERVER);
}

/* In either turn: what was looked at counts, and once. */
static void test_other_order_goes_on(void **state)
{
	const char *const stores[] = {"verify_src", "verify_dst"};
	int id = 0;

	(void)state;
	sort_apart();
	rig_fill(&rig, 12);
	rig_sync(&rig);
	rig_change_dest(&rig, "+1|by_hand -2 +30|extra");
	for (int i = 0; i < 2; i++) {
		bool more = true;

		for (unsigned long call = 1; more; call++) {
			order(++id, ORDER_VERIFY, true, false);
			more = fail_at(stores[i], call, ERROR_CONNECTION);
			assert_result(id, "WHOLE|FAILED|12|3|0\n");
		}
	}
	assert_true(id > 20);
}

/* ------------------------------------------------------------------- refusals */

static void test_resync(void **state)
{
	(void)state;
	rig_fill(&rig, 12);
	rig_sync(&rig);
	rig_change_dest(&rig, "+1|by_hand|10 +2|by_hand|20 +50|extra|10");
	order_resync(1, "n = 10");
	finish();
	assert_result(1, "RESYNC|PASSED|0|2|1\n");
	rig_change(&rig, "+99|x");
	order(2, ORDER_VERIFY, false, false);
	finish();
	assert_result(2, "TAIL|FAILED|13|1|0\n");
	assert_keys("2|DIFFERENT\n");
	order_resync(3, "nonsense");
	finish();
	wait_for_error("%WHERE condition%");
}

static void test_orders_are_taken_once(void **state)
{
	(void)state;
	rig_fill(&rig, 3);
	rig_sync(&rig);
	order(5, ORDER_VERIFY, false, false);
	order(5, ORDER_VERIFY, false, false);
	assert_int_equal(verify.order_count, 1);
	finish();
	order(5, ORDER_VERIFY, false, false);
	assert_int_equal(verify.order_count, 0);
	order(6, ORDER_VERIFY, false, false);
	verify_refuse_orders(&verify, "something is wrong", false);
	assert_int_equal(verify.order_count, 0);
	assert_true(verify_has_order(&verify, 6));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_passes),
		TEST(test_finds_and_repairs),
		TEST(test_large_table_is_halved),
		TEST(test_destination_with_many_more_rows),
		TEST(test_other_order),
		TEST(test_other_order_tail),
		TEST(test_other_order_resync),
		TEST(test_other_order_goes_on),
		TEST(test_changes_on_their_way_are_no_mismatch),
		TEST(test_changes_between_the_two_looks),
		TEST(test_repair_leaves_out_what_changes),
		TEST(test_it_waits_for_changes),
		TEST(test_it_waits_whatever_the_clock_was),
		TEST(test_times_in_the_future),
		TEST(test_told_though_it_did_not_end),
		TEST(test_whole_table_steps_aside),
		TEST(test_goes_on_after_a_restart),
		TEST(test_broken_progress_begins_anew),
		TEST(test_every_call_fails),
		TEST(test_resync),
		TEST(test_orders_are_taken_once),
	};

	return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
