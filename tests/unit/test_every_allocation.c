/*
 * What a mapping does, with every request for memory refused in turn. The
 * attempt fails and says why, or has done all of its work in spite of it; the
 * next one succeeds and leaves equal tables. Under AddressSanitizer nothing may
 * be left over either.
 *
 * All ends of a mapping are one store, in this thread and those it starts; the
 * reporter has a thread of its own and enough memory.
 */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/memory/memory.h"
#include "engine/subject.h"
#include "engine/verify.h"
#include "unit/rig.h"
#include "unit/scarce/scarce.h"

/* Runs of a trial in a usual run of this program. */
#define MOST 80

static struct rig rig;
static struct verify verify;

static int setup(void **state)
{
	if (setup_folder(state) < 0)
		return -1;
	rig_begin(&rig, "scarce", "scarce");
	stderr_catch();
	return 0;
}

static int teardown(void **state)
{
	rig_end(&rig);
	stderr_release();
	return teardown_folder(state);
}

static void check_same(bool done)
{
	if (done)
		assert_same(&rig);
}

static int run_attempt(struct error *err)
{
	return rig_attempt(&rig, err);
}

static void try_it(const char *name, void (*prepare)(void), unsigned long least)
{
	struct scarce_trial trial = {
		.name = name,
		.prepare = prepare,
		.run = run_attempt,
		.check = check_same,
		.most = MOST,
	};

	scarce_try(&trial, least);
}

/* -------------------------------------------------------------------- loads */

static void prepare_load(void)
{
	rig_clear(&rig);
	rig_fill(&rig, 20);
}

static void test_load(void **state)
{
	(void)state;
	rig.settings.batch_rows = 1000;
	try_it("load", prepare_load, 100);
	rig.settings.batch_rows = 3;
	try_it("load by two threads", prepare_load, 100);
	rig.settings.truncate = 1;
	try_it("load in place", prepare_load, 100);
}

static void test_load_in_parts(void **state)
{
	(void)state;
	rig.settings.load_part_rows = 5;
	rig.settings.load_readers = 3;
	rig.settings.batch_rows = 2;
	try_it("load in parts", prepare_load, 100);
	rig.row.cdc_enabled = false;
	try_it("load in parts without changes", prepare_load, 100);
}

static void prepare_trigger(void)
{
	prepare_load();
	rig_change(&rig, "+2|asked|2|1");
}

/* The trigger column is reset in the end, whichever attempt loaded. */
static int run_trigger(struct error *err)
{
	struct link *link = &rig.link;
	uint64_t asked = 0, rows;
	bool again;

	link->settings = rig.settings;
	if (link_attach(link, false, err) < 0 ||
	    link_connect_source(link, err) < 0 ||
	    link->src->ops->triggered(link->src, 9, &asked, err) < 0 ||
	    (asked && full_sync_run(link, &rows, &again, err) < 0)) {
		link_release(link);
		link_forget(link);
		return -1;
	}
	link_release(link);
	return rig_attempt(&rig, err);
}

static void test_load_with_a_trigger(void **state)
{
	struct scarce_trial trial = {
		.name = "load with a trigger",
		.prepare = prepare_trigger,
		.run = run_trigger,
		.check = check_same,
		.most = MOST,
	};

	(void)state;
	rig.row.trigger_column = "sync";
	scarce_try(&trial, 100);
}

/* An existing copy, and its checkpoint, outlive a load that fails. */
static char *before;

static void prepare_reload(void)
{
	prepare_load();
	rig_sync(&rig);
	before = rig_dest(&rig);
	rig_change(&rig, "+1|newer -2 -3 +31|k");
}

static int run_reload(struct error *err)
{
	uint64_t rows;
	bool again;
	int rc;

	rig.link.settings = rig.settings;
	rc = full_sync_run(&rig.link, &rows, &again, err);
	link_release(&rig.link);
	if (rc < 0)
		link_forget(&rig.link);
	return rc;
}

static void check_reload(bool done)
{
	if (done)
		assert_same(&rig);
	else
		assert_dest(&rig, before);
}

static void release_reload(void)
{
	free(before);
	before = NULL;
}

static void test_failed_reload_changes_nothing(void **state)
{
	struct scarce_trial trial = {
		.name = "reload",
		.prepare = prepare_reload,
		.run = run_reload,
		.check = check_reload,
		.release = release_reload,
		.most = MOST,
	};

	(void)state;
	scarce_try(&trial, 100);
}

/* ------------------------------------------------------------------ changes */

static void prepare_changes(void)
{
	rig_clear(&rig);
	rig_fill(&rig, 6);
	rig_sync(&rig);
	rig_change(&rig, "+1|x -2 +7|new +3|y +8|more");
	rig_change_other(&rig);
	rig_change(&rig, "-7 +70|moved -1 +1|again");
	rig_change(&rig, "+2|back -3 +3|z +9|end");
	rig_change_other(&rig);
}

static void prepare_restart(void)
{
	prepare_changes();
	rig_reopen(&rig);
}

static void test_changes(void **state)
{
	(void)state;
	rig.settings.window_transactions = 5000;
	try_it("changes", prepare_changes, 20);
	try_it("changes after a restart", prepare_restart, 50);
	rig.settings.batch_rows = 2;
	try_it("changes in many batches", prepare_changes, 20);
	rig.settings.window_transactions = 1;
	try_it("changes in many windows", prepare_changes, 50);
}

static void prepare_large_window(void)
{
	rig_clear(&rig);
	rig_fill(&rig, 3);
	rig_sync(&rig);
	rig_fill(&rig, 500);
}

static void test_large_window(void **state)
{
	(void)state;
	rig.settings.batch_rows = 50;
	try_it("a large window", prepare_large_window, 500);
}

/* The log does not reach back: everything is loaded anew. */
static void prepare_gap(void)
{
	prepare_changes();
	memory_purge_log(rig.src);
}

static int run_gap(struct error *err)
{
	if (rig_attempt(&rig, err) == 0)
		return 0;
	return err->kind == ERROR_GAP ? run_reload(err) : -1;
}

static void test_gap(void **state)
{
	struct scarce_trial trial = {
		.name = "a gap",
		.prepare = prepare_gap,
		.run = run_gap,
		.check = check_same,
		.most = MOST,
	};

	(void)state;
	scarce_try(&trial, 50);
}

/* ---------------------------------------------------------------- isolation */

static void prepare_isolation(void)
{
	rig_clear(&rig);
	rig_fill(&rig, 6);
	rig_sync(&rig);
	rig_change(&rig, "+1|x -2 +7|bad|13 +3|y|13");
	memory_refuse(rig.src, "n", 13);
}

static int run_isolated(struct error *err)
{
	rig.link.isolate = rig.link.keep = true;
	return rig_attempt(&rig, err);
}

/* Whatever was refused stands once, and the others arrived. */
static void check_isolation(bool done)
{
	if (!done)
		return;
	assert_int_equal(rig.link.exceptions, 2);
	assert_dest(&rig, "+ 1|x|NULL|NULL\n+ 3|name 3|NULL|0\n"
			  "+ 4|name 4|40|0\n+ 5|name 5|50|0\n"
			  "+ 6|name 6|NULL|0\n");
}

static void release_isolation(void)
{
	memory_refuse(rig.src, NULL, 0);
}

static void test_isolation(void **state)
{
	struct scarce_trial trial = {
		.name = "isolation",
		.prepare = prepare_isolation,
		.run = run_isolated,
		.check = check_isolation,
		.release = release_isolation,
		.most = MOST,
	};

	(void)state;
	scarce_try(&trial, 50);
}

/* What was put aside is over when its rows come again. */
static void prepare_settling(void)
{
	struct error err = ERROR_INIT;

	prepare_isolation();
	MUST(run_isolated(&err));
	release_isolation();
	rig_change(&rig, "+7|good|7 -3");
}

static void check_settling(bool done)
{
	if (!done)
		return;
	assert_int_equal(rig.link.exceptions, 0);
	assert_same(&rig);
}

static void test_settling(void **state)
{
	struct scarce_trial trial = {
		.name = "settling",
		.prepare = prepare_settling,
		.run = run_attempt,
		.check = check_settling,
		.most = MOST,
	};

	(void)state;
	scarce_try(&trial, 20);
}

/* ------------------------------------------------------------- verification */

/* What is ordered, and the mismatches that it has to find. */
static struct {
	enum order_kind kind;
	bool whole, dry_run;
	const char *condition;
	uint64_t mismatches;
} asked;

static uint64_t results(void)
{
	uint64_t count = 0;

	for (size_t i = 0; i < COUNT_OF(rig.subject->verifications); i++)
		count += rig.subject->verifications[i];
	return count;
}

static void begin_verification(void)
{
	struct error err = ERROR_INIT;

	/* The rig makes a new mapping each time that it is opened. */
	MUST(verify_init(&verify, rig.mapping, rig.subject, rig.reporter, NULL,
			 &err));
	verify.last_tail_us = verify.last_whole_us = verify.born_us;
}

static void prepare_equal(void)
{
	prepare_load();
	rig_sync(&rig);
	begin_verification();
}

static void prepare_different(void)
{
	prepare_equal();
	rig_change_dest(&rig, "+7|other|1|0 -9 +60|extra|1|0");
}

/* One that is large enough to be halved. */
static void prepare_large(void)
{
	rig_clear(&rig);
	rig_fill(&rig, 2500);
	rig_sync(&rig);
	begin_verification();
	rig_change_dest(&rig, "+7|other -1500 +6000|extra");
}

static void release_verification(void)
{
	verify_release(&verify);
}

static int order_it(struct error *err)
{
	static int number;
	struct order order = {
		.id = ++number,
		.kind = asked.kind,
		.whole = asked.whole,
		.dry_run = asked.dry_run,
	};

	if (asked.condition) {
		order.condition = strdup(asked.condition);
		if (!order.condition)
			return error_memory(err, "an order");
	}
	return verify_order(&verify, &order, err);
}

/* As a worker does it: changes, then a slice. */
static int go_on(struct error *err)
{
	struct cdc_step step;

	rig.link.settings = rig.settings;
	do {
		if (link_attach(&rig.link, false, err) < 0 ||
		    cdc_run_step(&rig.link, &step, err) < 0)
			return -1;
		verify_saw(&verify, &step);
	} while (!step.caught_up);
	return verify_slice(&verify, &rig.link, err);
}

static int verify_all(struct error *err)
{
	int rc = 0;

	while (rc == 0 && (verify.running || verify.order_count)) {
		rc = go_on(err);
		link_release(&rig.link);
	}
	if (rc < 0) {
		verify_begin_anew(&verify);
		link_forget(&rig.link);
	}
	return rc;
}

/* Trouble is told as a result, of which a usual run has one or two. */
static int run_verification(struct error *err)
{
	uint64_t told = results();
	int rc = 0;

	if (!verify.running && !verify.order_count)
		rc = order_it(err);
	if (rc == 0)
		rc = verify_all(err);
	if (rc < 0)
		return -1;
	if (results() == told)
		fail_msg("a verification ended without a result");
	if (strcmp(rig.subject->verification.status, "PARTIAL") != 0)
		return 0;
	return error_set(err, ERROR_MEMORY, "told as a result");
}

static void check_verification(bool done)
{
	const struct overview_verification *last = &rig.subject->verification;
	bool failed = asked.mismatches && asked.kind == ORDER_VERIFY;

	if (!done)
		return;
	assert_string_equal(last->status, failed ? "FAILED" : "PASSED");
	assert_true(last->compared >= 3 || asked.condition);
	/* What a repair that failed has written, the next one need not. */
	if (asked.kind == ORDER_VERIFY || asked.dry_run)
		assert_int_equal(last->mismatches, asked.mismatches);
	else
		assert_same(&rig);
}

static void try_verification(const char *name, void (*prepare)(void),
			     unsigned long most)
{
	struct scarce_trial trial = {
		.name = name,
		.prepare = prepare,
		.run = run_verification,
		.check = check_verification,
		.release = release_verification,
		.most = most,
	};

	scarce_try(&trial, 50);
}

static void test_verification(void **state)
{
	(void)state;
	memset(&asked, 0, sizeof(asked));
	asked.kind = ORDER_VERIFY;
	try_verification("verification of the newest rows", prepare_equal,
			 MOST);
	asked.mismatches = 3;
	try_verification("mismatches among the newest rows", prepare_different,
			 MOST);
	asked.whole = true;
	try_verification("mismatches in the whole table", prepare_different,
			 MOST);
	try_verification("mismatches in a large table", prepare_large,
			 MOST / 8);
}

static void test_repair(void **state)
{
	(void)state;
	memset(&asked, 0, sizeof(asked));
	asked.kind = ORDER_REPAIR;
	asked.whole = true;
	asked.mismatches = 3;
	try_verification("repair", prepare_different, MOST);
	asked.whole = false;
	try_verification("repair of the newest rows", prepare_different, MOST);
	asked.kind = ORDER_RESYNC;
	asked.condition = "sync = 0";
	try_verification("resync", prepare_different, MOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_load),
		TEST(test_load_in_parts),
		TEST(test_load_with_a_trigger),
		TEST(test_failed_reload_changes_nothing),
		TEST(test_changes),
		TEST(test_large_window),
		TEST(test_gap),
		TEST(test_isolation),
		TEST(test_settling),
		TEST(test_verification),
		TEST(test_repair),
	};

	scarce_setup();
	alarm(getenv("SCARCE_ALL") ? 3600 : 240);
	return cmocka_run_group_tests_name("every allocation", tests, NULL,
					   NULL);
}
