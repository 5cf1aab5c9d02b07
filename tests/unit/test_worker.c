/* Whole workers over the memory driver, and what a DBA sees of them. */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "drivers/memory/memory.h"
#include "engine/worker.h"
#include "unit/rig.h"

/* The rig makes tables and rows; its own link is not used here. */
static struct rig rig;
static struct engine engine;
static struct worker *worker;

static int setup(void **state)
{
	struct error err = ERROR_INIT;

	if (setup_folder(state) < 0)
		return -1;
	rig_begin(&rig, "worker_src", "worker_dst");
	/* Its subject's events must not mix with the worker's. */
	if (engine_init(&engine, &err) < 0)
		return -1;
	engine.reporter = rig.reporter;
	snprintf(engine.installation, sizeof(engine.installation),
		 "installation");
	rig.settings.check_interval_s = 1;
	rig.settings.retry_delay_s = 0;
	stderr_catch();
	return 0;
}

/* A DBA asks for a full sync. */
static void order_full_sync(int request_id)
{
	struct order order = {.id = request_id, .kind = ORDER_FULL_SYNC};

	worker_order(worker, &order);
}

static void start(void)
{
	struct error err = ERROR_INIT;
	struct control_server source = {
		1, "src", "memory", "name=worker_src", true, NULL};
	struct control_server target = {
		1, "dst", "memory", "name=worker_dst", true, NULL};
	struct control_snapshot snapshot = {
		.sources = &source,
		.source_count = 1,
		.targets = &target,
		.target_count = 1,
	};
	static const struct mapping_default_target none = {NULL, NULL, NULL};
	struct mapping *mapping = mapping_new(&rig.row, &snapshot, &none);

	assert_non_null(mapping);
	MUST(engine_set_settings(&engine, &rig.settings, 1, &err));
	worker = worker_start(&engine, mapping, NULL, 1, &err);
	if (!worker)
		fail_msg("%s", err.message);
	worker_go(worker);
	assert_int_equal(worker_mapping(worker)->id, 1);
}

static void wait_for_its_end(enum cancel_level level)
{
	int64_t began = clock_ms();

	worker_stop(worker, level);
	while (!worker_has_ended(worker) && clock_ms() - began < 10000)
		pause_ms(1);
	assert_true(worker_has_ended(worker));
}

static void stop(enum cancel_level level)
{
	wait_for_its_end(level);
	worker_free(worker);
	worker = NULL;
}

static int teardown(void **state)
{
	if (worker)
		stop(CANCEL_NOW);
	rig_end(&rig);
	engine_release(&engine);
	stderr_release();
	return teardown_folder(state);
}

static void wait_for(const char *sql, const char *want)
{
	for (int i = 0; i < 6000; i++) {
		char *got = store_query(rig.spec.file, sql);
		bool same = !strcmp(got, want);

		free(got);
		if (same)
			return;
		pause_ms(10);
	}
	assert_query(rig.spec.file, sql, want);
}

/* Until the destination holds what the source does. */
static void wait_until_same(void)
{
	for (int i = 0; i < 6000; i++) {
		struct error err = ERROR_INIT;
		struct batch batch;
		bool there;

		batch_make(&batch, &rig.table);
		there = memory_rows(rig.dst, &rig.dest, &batch, &err) == 0;
		batch_release(&batch);
		if (there) {
			char *source = rig_source(&rig);
			char *dest = rig_dest(&rig);
			bool same = !strcmp(source, dest);

			free(source);
			free(dest);
			if (same)
				return;
		}
		pause_ms(10);
	}
	assert_same(&rig);
}

static void test_loads_and_follows(void **state)
{
	(void)state;
	rig_fill(&rig, 50);
	start();
	wait_until_same();
	for (int i = 0; i < 10; i++) {
		char text[64];

		snprintf(text, sizeof(text), "+%d|x -%d +1|v%d", 100 + i,
			 10 + i, i);
		rig_change(&rig, text);
		if (i % 3 == 0)
			pause_ms(30);
	}
	wait_until_same();
	wait_for("SELECT state, is_consistent FROM mapping_state", "CDC|1\n");
	stop(CANCEL_DRAIN);
	wait_for("SELECT state FROM mapping_state", "STOPPED\n");
	wait_for("SELECT DISTINCT sync_type, status FROM sync_status "
		 "ORDER BY 1",
		 "CDC|COMPLETED\nFULL_SYNC|COMPLETED\n");
	assert_query(rig.spec.file,
		     "SELECT records_processed FROM sync_status "
		     "WHERE sync_type = 'FULL_SYNC'",
		     "50\n");
	assert_query(rig.spec.file, "SELECT COUNT(*) FROM error_logs", "0\n");
	wait_for("SELECT last_connected_at IS NOT NULL FROM source_servers "
		 "UNION ALL SELECT last_connected_at IS NOT NULL "
		 "FROM target_servers",
		 "1\n1\n");
}

/* A worker that has ended is told what the tables say until it is freed. */
static void test_seen_after_its_end(void **state)
{
	(void)state;
	start();
	wait_for_its_end(CANCEL_DRAIN);
	wait_for("SELECT state FROM mapping_state", "STOPPED\n");
	pause_ms(50); /* the reporter is through with it */
	worker_see(worker, &rig.row, clock_ms());
}

static void test_restart_goes_on(void **state)
{
	(void)state;
	rig_fill(&rig, 10);
	start();
	wait_until_same();
	stop(CANCEL_DRAIN);
	for (int i = 0; i < 3; i++) {
		rig_change(&rig, i % 2 ? "+1|odd -2" : "+2|even +30|c");
		start();
		wait_until_same();
		stop(i ? CANCEL_NOW : CANCEL_DRAIN);
	}
	/* One load in all: the rest came from the log. */
	wait_for("SELECT COUNT(*) FROM sync_status "
		 "WHERE sync_type = 'FULL_SYNC'",
		 "1\n");
}

static void test_waits_without_initial_sync(void **state)
{
	(void)state;
	rig.settings.initial_full_sync = 0;
	rig_fill(&rig, 5);
	start();
	wait_for("SELECT state FROM mapping_state", "WAITING\n");
	assert_query(rig.spec.file, "SELECT COUNT(*) FROM sync_status", "0\n");
	store_exec(rig.spec.file, "INSERT INTO sync_requests (mapping_id, "
				  "request_type) VALUES (1, 'FULL_SYNC')");
	order_full_sync(1);
	order_full_sync(1);
	wait_until_same();
	wait_for("SELECT state, answer LIKE '5 rows%' FROM sync_requests",
		 "COMPLETED|1\n");
	wait_for("SELECT COUNT(*) FROM sync_status "
		 "WHERE sync_type = 'FULL_SYNC'",
		 "1\n");
}

/* What cannot be done is refused, rather than tried again and again. */
static void test_orders_before_the_first_load(void **state)
{
	struct order verify = {.id = 1, .kind = ORDER_VERIFY};
	struct order skip = {.id = 2, .kind = ORDER_SKIP_TO_NOW};

	(void)state;
	rig.settings.initial_full_sync = 0;
	rig_fill(&rig, 5);
	store_exec(rig.spec.file, "INSERT INTO sync_requests (mapping_id, "
				  "request_type) VALUES (1, 'VERIFY'), "
				  "(1, 'SKIP_TO_NOW')");
	start();
	wait_for("SELECT state FROM mapping_state", "WAITING\n");
	worker_order(worker, &verify);
	worker_order(worker, &skip);
	wait_for("SELECT state, answer LIKE '%never loaded%' "
		 "FROM sync_requests ORDER BY request_id",
		 "FAILED|1\nFAILED|1\n");
}

static void test_without_capture(void **state)
{
	(void)state;
	rig.row.cdc_enabled = false;
	rig_fill(&rig, 5);
	start();
	wait_until_same();
	wait_for("SELECT state, lag_seconds FROM mapping_state", "IDLE|NULL\n");
	rig_change(&rig, "+99|later");
	pause_ms(100);
	stop(CANCEL_DRAIN);
	start(); /* it was loaded, so it is not loaded again */
	pause_ms(100);
	stop(CANCEL_DRAIN);
	wait_for("SELECT COUNT(*) FROM sync_status "
		 "WHERE sync_type = 'FULL_SYNC'",
		 "1\n");
	/* Switched on, it needs a load to know where to begin. */
	rig.row.cdc_enabled = true;
	start();
	wait_until_same();
}

static void test_trigger_column(void **state)
{
	(void)state;
	rig.row.trigger_column = "sync";
	rig_fill(&rig, 5);
	start();
	wait_until_same();
	wait_for("SELECT COUNT(*) FROM sync_status WHERE sync_type = "
		 "'FULL_SYNC' AND status = 'COMPLETED'",
		 "1\n");
	rig_change(&rig, "+3|asks|3|1");
	worker_poke(worker);
	wait_for("SELECT COUNT(*) FROM sync_status WHERE sync_type = "
		 "'FULL_SYNC' AND status = 'COMPLETED'",
		 "2\n");
	wait_until_same();
}

static void test_paused(void **state)
{
	(void)state;
	rig.row.paused = true;
	rig_fill(&rig, 5);
	start();
	wait_for("SELECT state FROM mapping_state", "PAUSED\n");
	assert_query(rig.spec.file, "SELECT COUNT(*) FROM sync_status", "0\n");
	stop(CANCEL_DRAIN);
}

/* Three attempts, then the error; resolved when it works again. */
static void test_retries_and_resolves(void **state)
{
	(void)state;
	rig_fill(&rig, 5);
	start();
	wait_until_same();
	for (int i = 0; i < 3; i++) {
		memory_fail(rig.src, 1, ERROR_CONNECTION);
		worker_poke(worker);
		for (int k = 0; k < 1000 && !memory_calls(rig.src); k++)
			pause_ms(5);
	}
	rig_change(&rig, "+6|f");
	wait_until_same();
	stop(CANCEL_DRAIN);
	wait_for("SELECT COUNT(*) FROM error_logs WHERE is_resolved = 0",
		 "0\n");
}

static void test_final_error(void **state)
{
	(void)state;
	rig.row.key_columns = "nope";
	rig_fill(&rig, 5);
	start();
	wait_for("SELECT mapping_id, server_id, error_type, retry_count, "
		 "is_resolved, error_message LIKE '%nope%' FROM error_logs",
		 "1|1|SCHEMA|0|0|1\n");
	wait_for("SELECT state FROM mapping_state", "ERROR\n");
	stop(CANCEL_DRAIN);
	rig.row.key_columns = NULL;
	start();
	wait_until_same();
	stop(CANCEL_DRAIN);
	assert_query(rig.spec.file, "SELECT COUNT(*) FROM error_logs", "1\n");
}

static void test_bad_row(void **state)
{
	(void)state;
	rig.row.server_id = 99;
	start();
	wait_for("SELECT error_type, is_resolved, error_message LIKE '%99%' "
		 "FROM error_logs",
		 "OTHER|0|1\n");
	wait_for("SELECT state FROM mapping_state", "ERROR\n");
	stop(CANCEL_DRAIN);
}

/* A gap is told, and healed when that is allowed. */
static void test_gap(void **state)
{
	(void)state;
	rig_fill(&rig, 5);
	start();
	wait_until_same();
	stop(CANCEL_DRAIN);
	rig_change(&rig, "+6|lost -1");
	memory_purge_log(rig.src);
	rig.settings.resync_on_gap = 0;
	start();
	wait_for("SELECT error_type, is_resolved FROM error_logs", "SYNC|0\n");
	stop(CANCEL_DRAIN);
	rig.settings.resync_on_gap = 1;
	start();
	wait_until_same();
	wait_for("SELECT DISTINCT is_resolved FROM error_logs", "1\n");
	wait_for("SELECT COUNT(*) FROM sync_status WHERE sync_type = "
		 "'FULL_SYNC' AND status = 'COMPLETED'",
		 "2\n");
}

/* A request that cannot be met is answered, with the reason. */
static void test_failed_request(void **state)
{
	(void)state;
	rig.settings.create_missing_tables = 0;
	rig.settings.initial_full_sync = 0;
	rig_fill(&rig, 5);
	store_exec(rig.spec.file, "INSERT INTO sync_requests (mapping_id, "
				  "request_type) VALUES (1, 'FULL_SYNC')");
	start();
	order_full_sync(1);
	wait_for("SELECT state, answer LIKE '%create_missing_tables%' "
		 "FROM sync_requests",
		 "FAILED|1\n");
	stop(CANCEL_DRAIN);
}

/* The same for a mapping whose row makes no sense. */
static void test_request_for_a_bad_row(void **state)
{
	(void)state;
	rig.row.server_id = 99;
	store_exec(rig.spec.file, "INSERT INTO sync_requests (mapping_id, "
				  "request_type) VALUES (1, 'FULL_SYNC')");
	start();
	order_full_sync(1);
	wait_for("SELECT state, answer LIKE '%99%' FROM sync_requests",
		 "FAILED|1\n");
	stop(CANCEL_DRAIN);
}

/* --------------------------------------------------------- error policy */

/* The mapping's row as the policy left it, for the scheduler to see. */
static void take_over_the_row(void)
{
	rig.row.suspended =
		store_number(rig.spec.file,
			     "SELECT is_suspended FROM table_mappings") != 0;
	rig.row.suspended_reason =
		rig.row.suspended ? "as the table says" : NULL;
}

static void begin_refusing(const char *action)
{
	rig.row.on_error[ERROR_CLASS_ROW] = action;
	rig_fill(&rig, 20);
	start();
	wait_until_same();
	memory_refuse(rig.dst, "n", 13);
}

static void test_rows_are_put_aside(void **state)
{
	(void)state;
	begin_refusing("PARK");
	rig_change(&rig, "+1|good|1 +2|bad|13 -3 +21|new|13 +22|new|2");
	wait_for("SELECT row_key, operation, error_number, is_resolved, "
		 "position LIKE '0x%' FROM apply_exceptions ORDER BY row_key",
		 "2|UPSERT|547|0|1\n21|UPSERT|547|0|1\n");
	wait_for("SELECT state, reason FROM mapping_state",
		 "CDC|2 rows are put aside: see apply_exceptions\n");
	wait_for("SELECT SUM(records_failed) FROM sync_status", "2\n");
	assert_query(rig.spec.file, "SELECT COUNT(*) FROM error_logs", "0\n");
	/* A newer daemon finds them; the next good change of a key ends one. */
	stop(CANCEL_NOW);
	store_exec(rig.spec.file, "DELETE FROM apply_exceptions "
				  "WHERE row_key = '21'");
	start();
	wait_for("SELECT row_key FROM apply_exceptions WHERE is_resolved = 0 "
		 "ORDER BY row_key",
		 "2\n21\n");
	rig_change(&rig, "+2|good|2");
	wait_for("SELECT row_key, resolved_at IS NULL FROM apply_exceptions "
		 "ORDER BY row_key",
		 "2|0\n21|1\n");
	/* And a full sync all the others. */
	memory_refuse(rig.dst, NULL, 0);
	order_full_sync(1);
	wait_until_same();
	wait_for("SELECT COUNT(*) FROM apply_exceptions WHERE is_resolved = 0",
		 "0\n");
	wait_for("SELECT reason FROM mapping_state", "NULL\n");
}

/* More than are told: the line to the control tables is for all mappings. */
static void test_a_great_many_rows(void **state)
{
	struct strbuf changes;

	(void)state;
	rig.settings.suspend_after_row_errors = 0;
	begin_refusing("PARK");
	strbuf_init(&changes);
	for (int at = 0; at < 2100; at += 300) {
		strbuf_reset(&changes);
		for (int i = at; i < at + 300; i++)
			strbuf_addf(&changes, "%s+%d|x|13", i > at ? " " : "",
				    1000 + i);
		rig_change(&rig, changes.data);
	}
	strbuf_release(&changes);
	wait_for("SELECT reason FROM mapping_state",
		 "2100 rows are put aside: see apply_exceptions\n");
	wait_for("SELECT COUNT(*), MAX(is_resolved) FROM apply_exceptions",
		 "2000|0\n");
	stop(CANCEL_DRAIN);
	start();
	wait_for("SELECT reason FROM mapping_state",
		 "2100 rows are put aside: see apply_exceptions\n");
	assert_query(rig.spec.file,
		     "SELECT COUNT(*), MAX(is_resolved) FROM apply_exceptions",
		     "2000|0\n");
	memory_refuse(rig.dst, NULL, 0);
	order_full_sync(1);
	wait_until_same();
	wait_for("SELECT MIN(is_resolved) FROM apply_exceptions", "1\n");
}

static void test_rows_are_left_out(void **state)
{
	(void)state;
	begin_refusing("LOG");
	rig_change(&rig, "+2|bad|13 +22|new|2");
	wait_for("SELECT COUNT(*) FROM sync_logs WHERE log_level = 'WARNING' "
		 "AND log_message LIKE 'left out the change of the row with "
		 "key 2:%'",
		 "1\n");
	assert_query(rig.spec.file, "SELECT COUNT(*) FROM apply_exceptions",
		     "0\n");
	rig_change(&rig, "+2|good|2");
	wait_until_same();
}

static void test_too_many_rows_suspend(void **state)
{
	(void)state;
	rig.settings.suspend_after_row_errors = 3;
	begin_refusing("PARK");
	rig_change(&rig, "+1|bad|13 +2|bad|13");
	wait_for("SELECT COUNT(*) FROM apply_exceptions", "2\n");
	rig_change(&rig, "+3|bad|13 +4|bad|13 +5|good|5");
	wait_for("SELECT is_suspended, suspended_reason LIKE "
		 "'%suspend_after_row_errors is 3, and 2 rows%' "
		 "FROM table_mappings",
		 "1|1\n");
	wait_for("SELECT state FROM mapping_state", "SUSPENDED\n");
	assert_true(worker_halted_ms(worker) > 0);
	pause_ms(100);
	wait_for("SELECT COUNT(*), MAX(is_resolved) FROM error_logs", "1|0\n");
	assert_query(rig.spec.file, "SELECT COUNT(*) FROM apply_exceptions",
		     "2\n");
	/* As the scheduler does when it sees the row, and after a RESUME. */
	stop(CANCEL_DRAIN);
	take_over_the_row();
	assert_true(rig.row.suspended);
	start();
	wait_for("SELECT state, reason FROM mapping_state",
		 "SUSPENDED|as the table says\n");
	assert_int_equal(worker_halted_ms(worker), 0);
	stop(CANCEL_DRAIN);
	report_paused(rig.reporter, 1, false);
	wait_for("SELECT is_suspended FROM table_mappings", "0\n");
	take_over_the_row();
	memory_refuse(rig.dst, NULL, 0);
	rig_change(&rig, "+1|x|13 +2|y|13");
	start();
	wait_until_same();
	wait_for("SELECT COUNT(*) FROM error_logs WHERE is_resolved = 0",
		 "0\n");
}

static void test_suspend_and_stop(void **state)
{
	(void)state;
	begin_refusing("SUSPEND");
	rig_change(&rig, "+2|bad|13");
	wait_for("SELECT is_suspended, is_enabled FROM table_mappings",
		 "1|1\n");
	wait_for("SELECT state FROM mapping_state", "SUSPENDED\n");
	stop(CANCEL_DRAIN);
	rig.row.on_error[ERROR_CLASS_ROW] = "STOP";
	start();
	wait_for("SELECT is_enabled FROM table_mappings", "0\n");
	wait_for("SELECT state, reason LIKE '%refused%' FROM mapping_state",
		 "STOPPED|1\n");
	assert_true(worker_halted_ms(worker) > 0);
}

static void test_failures_suspend(void **state)
{
	(void)state;
	rig.settings.suspend_after_failures = 2;
	rig.row.key_columns = "nope";
	rig_fill(&rig, 5);
	start();
	wait_for("SELECT is_suspended, suspended_reason LIKE '%nope%' "
		 "FROM table_mappings",
		 "1|1\n");
}

/* The published behaviour, and no row left out of a load. */
static void test_a_load_with_a_refused_row(void **state)
{
	(void)state;
	rig.row.on_error[ERROR_CLASS_ROW] = "PARK";
	memory_refuse(rig.dst, "n", 30);
	rig.row.trigger_column = NULL;
	rig_change(&rig, "+3|bad|30 +4|good|4");
	start();
	wait_for("SELECT error_type, error_message LIKE "
		 "'%no row is left out of a full sync%' FROM error_logs",
		 "SYNC|1\n");
	assert_query(rig.spec.file,
		     "SELECT is_suspended, is_enabled FROM table_mappings",
		     "0|1\n");
}

/* Whatever fails now and then, in the end both are equal. */
static void test_stormy_weather(void **state)
{
	(void)state;
	rig.settings.batch_rows = 5;
	rig.settings.retry_delay_s = 0;
	rig_fill(&rig, 30);
	start();
	for (unsigned i = 0; i < 60; i++) {
		char text[96];

		snprintf(text, sizeof(text), "+%u|s%u -%u +%u|t", i % 40, i,
			 (i * 7) % 40, (i * 3) % 50);
		rig_change(&rig, text);
		memory_fail(i % 2 ? rig.src : rig.dst, 1 + i % 17,
			    ERROR_CONNECTION);
		worker_poke(worker);
		if (i == 20 || i == 40) {
			stop(i == 20 ? CANCEL_NOW : CANCEL_DRAIN);
			start();
		}
		pause_ms(5);
	}
	memory_fail(rig.src, 0, ERROR_NONE);
	memory_fail(rig.dst, 0, ERROR_NONE);
	wait_until_same();
	stop(CANCEL_DRAIN);
	wait_for("SELECT COUNT(*) FROM error_logs WHERE is_resolved = 0",
		 "0\n");
	wait_for("SELECT COUNT(*) FROM sync_status WHERE status = 'RUNNING'",
		 "0\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_loads_and_follows),
		TEST(test_seen_after_its_end),
		TEST(test_restart_goes_on),
		TEST(test_waits_without_initial_sync),
		TEST(test_orders_before_the_first_load),
		TEST(test_without_capture),
		TEST(test_trigger_column),
		TEST(test_paused),
		TEST(test_retries_and_resolves),
		TEST(test_final_error),
		TEST(test_bad_row),
		TEST(test_gap),
		TEST(test_failed_request),
		TEST(test_request_for_a_bad_row),
		TEST(test_rows_are_put_aside),
		TEST(test_a_great_many_rows),
		TEST(test_rows_are_left_out),
		TEST(test_too_many_rows_suspend),
		TEST(test_suspend_and_stop),
		TEST(test_failures_suspend),
		TEST(test_a_load_with_a_refused_row),
		TEST(test_stormy_weather),
	};

	alarm(240);
	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
