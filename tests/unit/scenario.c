#include "unit/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "drivers/memory/memory.h"
#include "engine/check.h"
#include "engine/subject.h"
#include "engine/verify.h"
#include "engine/worker.h"
#include "unit/helper.h"

static struct rig rig;
static struct verify verify;

void (*scenario_aside)(bool aside);

static void check_same(bool done)
{
	if (done)
		assert_same(&rig);
}

static int run_attempt(struct error *err)
{
	return rig_attempt(&rig, err);
}

/* -------------------------------------------------------------------- loads */

static void one_thread(void)
{
	rig.settings.batch_rows = 1000;
}

static void two_threads(void)
{
	rig.settings.batch_rows = 3;
}

static void in_place(void)
{
	rig.settings.batch_rows = 3;
	rig.settings.truncate = 1;
}

static void in_parts(void)
{
	rig.settings.load_part_rows = 5;
	rig.settings.load_readers = 3;
	rig.settings.batch_rows = 2;
}

static void in_parts_without_changes(void)
{
	in_parts();
	rig.row.cdc_enabled = false;
}

static void with_a_trigger(void)
{
	rig.row.trigger_column = "sync";
}

static void prepare_load(void)
{
	rig_clear(&rig);
	rig_fill(&rig, 20);
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
	    link->src->ops->triggered(link->src, 9, &asked, NULL, err) < 0 ||
	    (asked && full_sync_run(link, &rows, &again, err) < 0)) {
		link_release(link);
		link_forget(link);
		return -1;
	}
	link_release(link);
	return rig_attempt(&rig, err);
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

/* ------------------------------------------------------------------ changes */

static void many_windows(void)
{
	rig.settings.batch_rows = 2;
	rig.settings.window_transactions = 1;
}

/* All of them in one transaction of the destination. */
static void gathered_windows(void)
{
	many_windows();
	rig.gather_ms = 60000;
}

static void small_batches(void)
{
	rig.settings.batch_rows = 50;
}

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

static void prepare_large_window(void)
{
	rig_clear(&rig);
	rig_fill(&rig, 3);
	rig_sync(&rig);
	rig_fill(&rig, 500);
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

/* A destination that is too narrow: the message names a row. */
static void prepare_narrow(void)
{
	struct table narrow;
	struct error err = ERROR_INIT;

	rig_clear(&rig);
	table_init(&narrow);
	MUST(table_copy(&narrow, &rig.table, &rig.dest, &err));
	table_column(&narrow, "name")->length = 4;
	MUST(memory_create_table(rig.dst, &rig.dest, &narrow, &err));
	table_release(&narrow);
	rig_change(&rig, "+1|ab +2|abcdef");
}

static int run_narrow(struct error *err)
{
	if (rig_attempt(&rig, err) == 0)
		fail_msg("what does not fit was loaded");
	return err->kind == ERROR_SCHEMA ? 0 : -1;
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
	bool only_looks = asked.kind == ORDER_VERIFY || asked.dry_run;

	if (!done)
		return;
	assert_string_equal(last->status, only_looks && asked.mismatches
						  ? "FAILED"
						  : "PASSED");
	assert_true(last->compared >= 3 || asked.condition);
	/* What a repair that failed has written, the next one need not. */
	if (only_looks)
		assert_int_equal(last->mismatches, asked.mismatches);
	else
		assert_same(&rig);
}

static void ask(enum order_kind kind, bool whole, uint64_t mismatches)
{
	memset(&asked, 0, sizeof(asked));
	asked.kind = kind;
	asked.whole = whole;
	asked.mismatches = mismatches;
	rig.settings.retry_delay_s = 0;
}

static void ask_verify_tail(void)
{
	ask(ORDER_VERIFY, false, 0);
}

static void ask_find_tail(void)
{
	ask(ORDER_VERIFY, false, 3);
}

static void ask_find_whole(void)
{
	ask(ORDER_VERIFY, true, 3);
}

static void ask_repair(void)
{
	ask(ORDER_REPAIR, true, 3);
}

static void ask_repair_tail(void)
{
	ask(ORDER_REPAIR, false, 3);
}

static void ask_dry_run(void)
{
	ask(ORDER_REPAIR, true, 3);
	asked.dry_run = true;
}

static void ask_resync(void)
{
	ask(ORDER_RESYNC, false, 3);
	asked.condition = "sync = 0";
}

/* Servers that cannot sum up rows: they are read. */
static void prepare_reading(void)
{
	prepare_different();
	rig.src_ops.digest = NULL;
	rig.link.src->ops = &rig.src_ops;
}

/* -------------------------------------------------------------------- check */

static unsigned found[FINDING_FAIL + 1];

static void prepare_check(void)
{
	prepare_load();
	rig_sync(&rig);
	store_exec(rig.spec.file,
		   "UPDATE source_servers SET connection_string = "
		   "'name=" SCENARIO_STORE "'; "
		   "UPDATE target_servers SET connection_string = "
		   "'name=" SCENARIO_STORE "'; "
		   "UPDATE table_mappings SET dest_database = 'db2', "
		   "dest_table = 'copy'");
}

static void take_finding(void *arg, const struct finding *finding)
{
	(void)arg;
	assert_true(finding->text && *finding->text);
	found[finding->level]++;
}

static int run_check(struct error *err)
{
	struct findings out = {.take = take_finding};
	struct check check = {
		.spec = &rig.spec,
		.cancel = &rig.cancel,
		.out = &out,
	};
	enum control_trouble trouble;
	int ret;

	memset(found, 0, sizeof(found));
	if (control_open(&rig.spec, NULL, &check.control, &trouble, err) < 0)
		return -1;
	ret = check_run(&check, err);
	control_close(check.control);
	if (ret == 0 && found[FINDING_FAIL])
		ret = error_set(err, ERROR_MEMORY, "told as a finding");
	return ret;
}

/* As many as when all went well, which comes first. */
static void check_findings(bool done)
{
	static unsigned fine;

	if (!done)
		return;
	fine = fine ? fine : found[FINDING_OK];
	assert_true(fine > 5);
	assert_int_equal(found[FINDING_OK] + found[FINDING_WARN], fine);
}

/* ------------------------------------------------------------------- worker */

static struct engine engine;
static struct worker *worker;

static void for_workers(void)
{
	rig.settings.retry_delay_s = 0;
	rig.settings.check_interval_s = 1;
	rig.settings.batch_rows = 2;
}

static void prepare_worker(void)
{
	struct error err = ERROR_INIT;

	rig_clear(&rig);
	rig_fill(&rig, 6);
	MUST(engine_init(&engine, &err));
	engine.reporter = rig.reporter;
	snprintf(engine.installation, sizeof(engine.installation), "other");
	MUST(engine_set_settings(&engine, &rig.settings, 1, &err));
}

static struct mapping *make_mapping(void)
{
	struct control_server server = {
		1, "s", "memory", "name=" SCENARIO_STORE, true, NULL};
	struct control_snapshot snapshot = {
		.sources = &server,
		.source_count = 1,
		.targets = &server,
		.target_count = 1,
	};
	static const struct mapping_default_target none = {NULL, NULL, NULL};

	return mapping_new(&rig.row, &snapshot, &none);
}

static bool is_same(void)
{
	struct error err = ERROR_INIT;
	char *source, *dest;
	struct batch batch;
	bool same;

	batch_make(&batch, &rig.table);
	same = memory_rows(rig.dst, &rig.dest, &batch, &err) == 0;
	batch_release(&batch);
	if (!same)
		return false;
	source = rig_source(&rig);
	dest = rig_dest(&rig);
	same = !strcmp(source, dest);
	free(source);
	free(dest);
	return same;
}

static void wait_until_same(void)
{
	for (int i = 0; i < 2000 && !is_same(); i++)
		pause_ms(5);
	assert_same(&rig);
}

static void order(int id, enum order_kind kind)
{
	struct order order = {.id = id, .kind = kind, .whole = true};

	worker_order(worker, &order);
}

static void stop_worker(void)
{
	worker_stop(worker, CANCEL_DRAIN);
	while (!worker_has_ended(worker))
		pause_ms(1);
	worker_free(worker);
	worker = NULL;
}

/*
 * All that a DBA may order. What is skipped a load brings back, whatever became
 * of the others; one that was refused is ordered again.
 */
static void order_all(void)
{
	int id = 0;

	order(++id, ORDER_SKIP_TO_NOW);
	order(++id, ORDER_VERIFY);
	order(++id, ORDER_REPAIR);
	rig_change(&rig, "-1 +2|x +9|y");
	for (int i = 0; i < 200 && !is_same(); i++) {
		order(++id, ORDER_FULL_SYNC);
		pause_ms(20);
	}
}

static void step_aside(bool aside)
{
	if (scenario_aside)
		scenario_aside(aside);
}

static int run_worker(struct error *err)
{
	struct mapping *mapping = make_mapping();

	if (!mapping)
		return error_memory(err, "a mapping");
	worker = worker_start(&engine, mapping, NULL, 1, err);
	if (!worker)
		return -1;
	step_aside(true);
	wait_until_same();
	order_all();
	wait_until_same();
	stop_worker();
	step_aside(false);
	return 0;
}

static void release_worker(void)
{
	engine_release(&engine);
}

/* ---------------------------------------------------------------------- all */

#define LOADS(name, configure)                                                \
	{                                                                     \
		name, configure, prepare_load, run_attempt, check_same, NULL, \
			100, false, false                                     \
	}
#define CHANGES(name, configure, prepare, least)                         \
	{                                                                \
		name, configure, prepare, run_attempt, check_same, NULL, \
			least, false, false                              \
	}
#define VERIFIES(name, configure, prepare, slow)                            \
	{                                                                   \
		name, configure, prepare, run_verification,                 \
			check_verification, release_verification, 50, true, \
			slow                                                \
	}

const struct scenario scenarios[] = {
	LOADS("load", one_thread),
	LOADS("load by two threads", two_threads),
	LOADS("load in place", in_place),
	LOADS("load in parts", in_parts),
	LOADS("load in parts without changes", in_parts_without_changes),
	{"load with a trigger", with_a_trigger, prepare_trigger, run_trigger,
	 check_same, NULL, 100, false, false},
	{"reload", two_threads, prepare_reload, run_reload, check_reload,
	 release_reload, 100, false, false},
	CHANGES("changes", one_thread, prepare_changes, 20),
	CHANGES("changes after a restart", one_thread, prepare_restart, 50),
	CHANGES("changes in many batches", two_threads, prepare_changes, 20),
	CHANGES("changes in many windows", many_windows, prepare_changes, 50),
	CHANGES("changes that are gathered", gathered_windows, prepare_changes,
		40),
	CHANGES("a large window", small_batches, prepare_large_window, 500),
	{"a gap", one_thread, prepare_gap, run_gap, check_same, NULL, 50, true,
	 false},
	{"a narrow destination", one_thread, prepare_narrow, run_narrow, NULL,
	 NULL, 5, true, false},
	{"isolation", one_thread, prepare_isolation, run_isolated,
	 check_isolation, release_isolation, 50, false, false},
	{"settling", one_thread, prepare_settling, run_attempt, check_settling,
	 NULL, 20, false, false},
	VERIFIES("verification of the newest rows", ask_verify_tail,
		 prepare_equal, false),
	VERIFIES("mismatches among the newest rows", ask_find_tail,
		 prepare_different, false),
	VERIFIES("mismatches in the whole table", ask_find_whole,
		 prepare_different, false),
	VERIFIES("mismatches in rows that are read", ask_find_whole,
		 prepare_reading, false),
	VERIFIES("mismatches in a large table", ask_find_whole, prepare_large,
		 true),
	VERIFIES("repair", ask_repair, prepare_different, false),
	VERIFIES("repair of the newest rows", ask_repair_tail,
		 prepare_different, false),
	VERIFIES("repair on probation", ask_dry_run, prepare_different, false),
	VERIFIES("resync", ask_resync, prepare_different, false),
	{"check", one_thread, prepare_check, run_check, check_findings, NULL,
	 100, true, false},
	{"a worker", for_workers, prepare_worker, run_worker, check_same,
	 release_worker, 300, true, true},
};

const size_t scenario_count = COUNT_OF(scenarios);

void scenario_begin(const struct scenario *scenario)
{
	/* What is made to fail is logged, thousands of times. */
	log_setup(LOG_ERROR + 1, false);
	rig_begin_unheard(&rig, SCENARIO_STORE, SCENARIO_STORE);
	if (scenario->configure)
		scenario->configure();
}

void scenario_end(void)
{
	rig_end(&rig);
}
