/* What is reported gets into the control tables, and when it does not. */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/reporter.h"
#include "unit/rows.h"
#include "unit/store.h"

static struct control_spec spec;
static struct reporter *reporter;

static void start(void)
{
	struct error err = ERROR_INIT;

	MUST(reporter_start(&reporter, &spec, "host:1", &err));
}

static void stop(void)
{
	assert_true(reporter_stop(reporter, 60000));
	reporter_free(reporter);
	reporter = NULL;
}

static int setup(void **state)
{
	static int number;
	char name[32];

	log_setup(LOG_ERROR, false);
	if (setup_folder(state) < 0)
		return -1;
	snprintf(name, sizeof(name), "reporter%d.db", number++);
	spec = store_make(name);
	store_add_mapping(spec.file);
	return 0;
}

static int teardown(void **state)
{
	if (reporter)
		stop();
	stderr_release();
	return teardown_folder(state);
}

/* Until the query answers so, for ten seconds. */
static void wait_for(const char *sql, const char *want)
{
	for (int i = 0; i < 3000; i++) {
		char *got = store_query(spec.file, sql);
		bool same = !strcmp(got, want);

		free(got);
		if (same)
			return;
		pause_ms(10);
	}
	assert_query(spec.file, sql, want);
}

/* ----------------------------------------------------------- single events */

static void test_every_event(void **state)
{
	struct control_error error = {
		.mapping_id = 1,
		.server_id = 1,
		.type = "SCHEMA",
		.message = "it differs",
		.details = "line 1\nline 2",
		.retry_count = 2,
	};
	struct report_subject *subject;

	(void)state;
	store_exec(spec.file, "INSERT INTO sync_requests (mapping_id, "
			      "request_type) VALUES (1, 'FULL_SYNC')");
	start();
	subject = reporter_add_subject(reporter, 1);
	stderr_catch();
	report_log(subject, LOG_WARNING, "CDC", 5, 12, "a %s message", "log");
	report_error(reporter, &error);
	free(stderr_caught());
	report_full_sync(reporter, 1);
	report_connected(reporter, false, 1);
	report_connected(reporter, true, 1);
	report_request(reporter, 1, "REJECTED", "why");
	report_paused(reporter, 1, true);
	stop();
	assert_query(spec.file,
		     "SELECT log_level, log_message, sync_type, records_count, "
		     "execution_time_ms FROM sync_logs",
		     "WARNING|a log message|CDC|5|12\n");
	assert_query(spec.file,
		     "SELECT mapping_id, server_id, error_type, error_message, "
		     "error_details, retry_count, is_resolved FROM error_logs",
		     "1|1|SCHEMA|it differs|line 1\nline 2|2|0\n");
	assert_query(spec.file,
		     "SELECT last_full_sync_at IS NOT NULL, is_paused "
		     "FROM table_mappings",
		     "1|1\n");
	assert_query(spec.file,
		     "SELECT last_connected_at IS NOT NULL FROM source_servers "
		     "UNION ALL SELECT last_connected_at IS NOT NULL "
		     "FROM target_servers",
		     "1\n1\n");
	assert_query(spec.file, "SELECT state, answer FROM sync_requests",
		     "REJECTED|why\n");
	assert_query(spec.file,
		     "SELECT daemon, stopped_at IS NOT NULL FROM daemons",
		     "host:1|1\n");
	start();
	report_resolved(reporter, 1, 0);
	report_paused(reporter, 1, false);
	stop();
	assert_query(spec.file, "SELECT is_resolved FROM error_logs", "1\n");
	assert_query(spec.file, "SELECT is_paused FROM table_mappings", "0\n");
}

/* What was reported before the stop is written, however soon that comes. */
static void test_stop_at_once(void **state)
{
	struct control_error error = {
		.mapping_id = 1, .type = "OTHER", .message = "m"};
	int lost = 0;

	(void)state;
	for (int i = 0; i < 30; i++) {
		store_exec(spec.file, "DELETE FROM error_logs");
		stderr_catch();
		start();
		report_error(reporter, &error);
		stop();
		free(stderr_caught());
		lost += store_number(spec.file,
				     "SELECT COUNT(*) FROM error_logs") != 1;
	}
	if (lost)
		fail_msg("%d of 30 were lost", lost);
}

static void test_stop_with_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		start();
		stop();
	}
	start();
	assert_non_null(reporter_add_subject(reporter, 1));
	reporter_remove_subject(reporter, NULL);
}

/* ----------------------------------------------------------------- subjects */

static void test_states(void **state)
{
	struct report_subject *subject;
	struct position position = {.len = 10, .bytes = {1, 2, 3}};

	(void)state;
	start();
	subject = reporter_add_subject(reporter, 1);
	report_state(subject, "FULL_SYNC", "because", 0);
	report_lag(subject, 5000000, false);
	wait_for("SELECT lag_seconds, strftime('%s', 'now') - "
		 "strftime('%s', current_at) BETWEEN 5000 AND 5060 "
		 "FROM mapping_state",
		 "5000.0|1\n");
	report_lag(subject, 1500, false);
	wait_for("SELECT state, reason, lag_seconds, is_consistent, "
		 "position, rows_applied, next_attempt_at, daemon "
		 "FROM mapping_state",
		 "FULL_SYNC|because|1.5|0|NULL|0|NULL|host:1\n");
	report_position(subject, &position);
	report_lag(subject, -1, true); /* current_at stays */
	report_state(subject, "ERROR", NULL, 1000000);
	wait_for("SELECT state, reason, lag_seconds, is_consistent, position, "
		 "next_attempt_at FROM mapping_state",
		 "ERROR|NULL|NULL|1|0x01020300000000000000|"
		 "1970-01-01T00:00:01.000000\n");
	wait_for("SELECT strftime('%s', 'now') - strftime('%s', current_at) "
		 "BETWEEN 1 AND 60 FROM mapping_state",
		 "1\n");
	wait_for("SELECT hex(last_cdc_lsn) FROM table_mappings",
		 "01020300000000000000\n");
	/* The last state is still written. */
	report_state(subject, "STOPPED", NULL, 0);
	reporter_remove_subject(reporter, subject);
	stop();
	assert_query(spec.file, "SELECT state FROM mapping_state", "STOPPED\n");
}

static void test_long_reason_is_cut_whole(void **state)
{
	struct report_subject *subject;
	char reason[2000];

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(reason); i += 2)
		memcpy(reason + i, "\xc3\xa4", 3);
	start();
	subject = reporter_add_subject(reporter, 1);
	report_state(subject, "ERROR", reason, 0);
	stop();
	assert_query(spec.file,
		     "SELECT length(reason) > 200, length(CAST(reason AS "
		     "BLOB)) % 2 FROM mapping_state",
		     "1|0\n");
}

static void test_runs(void **state)
{
	struct report_subject *subject;

	(void)state;
	start();
	subject = reporter_add_subject(reporter, 1);
	report_run_begin(subject, "FULL_SYNC", 1000);
	wait_for("SELECT status, records_processed, records_total, "
		 "completed_at FROM sync_status",
		 "RUNNING|0|1000|NULL\n");
	report_run_progress(subject, 400, "key 400");
	report_run_progress(subject, 100, NULL);
	/* Running counters come by themselves. */
	wait_for("SELECT status, records_processed, last_processed_pk "
		 "FROM sync_status",
		 "RUNNING|500|key 400\n");
	report_run_end(subject, "ERROR", "it broke");
	report_run_end(subject, "COMPLETED", NULL); /* nothing is under way */
	wait_for("SELECT status, records_processed, error_message, "
		 "completed_at IS NOT NULL, last_processed_pk FROM sync_status",
		 "ERROR|500|it broke|1|key 400\n");
	report_run_continue(subject, "CDC");
	report_run_progress(subject, 1, "k");
	report_run_continue(subject, "CDC");
	report_run_progress(subject, 1, NULL);
	report_run_end(subject, "COMPLETED", NULL);
	report_state(subject, "CDC", NULL, 0);
	stop();
	assert_query(spec.file,
		     "SELECT sync_type, status, records_processed, "
		     "error_message FROM sync_status ORDER BY status_id",
		     "FULL_SYNC|ERROR|500|it broke\nCDC|COMPLETED|2|NULL\n");
	assert_query(spec.file,
		     "SELECT COUNT(DISTINCT run_id), MIN(length(run_id)) "
		     "FROM sync_status",
		     "2|36\n");
	assert_query(spec.file, "SELECT rows_applied FROM mapping_state",
		     "502\n");
}

static void test_rate(void **state)
{
	struct report_subject *subject;

	(void)state;
	start();
	subject = reporter_add_subject(reporter, 1);
	report_run_begin(subject, "FULL_SYNC", 0);
	for (int i = 0; i < 12; i++) {
		report_run_progress(subject, 100, NULL);
		pause_ms(100);
	}
	wait_for("SELECT rows_per_second BETWEEN 50 AND 5000, records_total "
		 "FROM sync_status",
		 "1|NULL\n");
}

/* Runs of a killed daemon end when its successor takes the mapping up. */
static void test_stale_runs(void **state)
{
	struct report_subject *subject;

	(void)state;
	store_exec(spec.file,
		   "INSERT INTO sync_status (mapping_id, sync_type, status, "
		   "run_id) VALUES (1, 'CDC', 'RUNNING', 'old')");
	start();
	subject = reporter_add_subject(reporter, 1);
	report_run_begin(subject, "CDC", 0);
	stop();
	assert_query(spec.file,
		     "SELECT status, completed_at IS NOT NULL FROM sync_status "
		     "ORDER BY status_id",
		     "ERROR|1\nRUNNING|0\n");
}

static void test_many_subjects_come_and_go(void **state)
{
	struct report_subject *subjects[20];

	(void)state;
	store_exec(spec.file,
		   "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 "
		   "FROM n WHERE i < 20) INSERT INTO table_mappings "
		   "(mapping_id, server_id, source_database, source_table, "
		   "dest_database, dest_table) SELECT i, 1, 'a', 'b', 'c', 'd' "
		   "FROM n");
	start();
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 20; i++) {
			subjects[i] = reporter_add_subject(reporter, i + 1);
			report_state(subjects[i], "CDC", NULL, 0);
		}
		pause_ms(20);
		for (int i = 0; i < 20; i++) {
			report_state(subjects[i], "STOPPED", NULL, 0);
			reporter_remove_subject(reporter, subjects[i]);
		}
	}
	stop();
	assert_query(spec.file,
		     "SELECT state, COUNT(*) FROM mapping_state GROUP BY state",
		     "STOPPED|20\n");
}

/* ------------------------------------------------------- the store is away */

/* The file is moved away, and comes back: nothing was lost, nor blocked. */
static void test_store_comes_back(void **state)
{
	struct report_subject *subject;
	char away[200];
	int64_t began;

	(void)state;
	snprintf(away, sizeof(away), "%s.away", spec.file);
	spec.create = false;
	assert_int_equal(rename(spec.file, away), 0);
	stderr_catch();
	start();
	subject = reporter_add_subject(reporter, 1);
	began = clock_ms();
	for (int i = 0; i < 200; i++)
		report_log(subject, LOG_INFO, "CDC", i, -1, "row %d", i);
	report_state(subject, "CDC", NULL, 0);
	report_run_begin(subject, "CDC", 0);
	report_run_progress(subject, 7, "k");
	report_run_end(subject, "COMPLETED", NULL);
	assert_true(clock_ms() - began < 2000);
	pause_ms(300);
	assert_int_equal(rename(away, spec.file), 0);
	report_connected(reporter, false, 1); /* it tries again at once */
	wait_for("SELECT COUNT(*) FROM sync_logs", "200\n");
	stop();
	free(stderr_caught());
	assert_query(spec.file,
		     "SELECT COUNT(*) FROM (SELECT records_count, log_id, "
		     "ROW_NUMBER() OVER (ORDER BY log_id) AS n FROM sync_logs) "
		     "WHERE records_count <> n - 1",
		     "0\n"); /* in order */
	assert_query(spec.file, "SELECT state FROM mapping_state", "CDC\n");
	assert_query(spec.file,
		     "SELECT status, records_processed FROM sync_status",
		     "COMPLETED|7\n");
}

/* It never comes back: the stop does not wait for it. */
static void test_stop_while_away(void **state)
{
	struct report_subject *subject;
	int64_t began;

	(void)state;
	spec.create = false;
	unlink(spec.file);
	stderr_catch();
	start();
	subject = reporter_add_subject(reporter, 1);
	report_log(subject, LOG_INFO, NULL, -1, -1, "lost");
	pause_ms(50);
	began = clock_ms();
	stop();
	free(stderr_caught());
	assert_true(clock_ms() - began < 4000);
}

/* More than the line holds: the oldest go, and how many is told. */
static void test_too_many_wait(void **state)
{
	struct report_subject *subject;
	char away[200];
	char *text;

	(void)state;
	snprintf(away, sizeof(away), "%s.away", spec.file);
	spec.create = false;
	assert_int_equal(rename(spec.file, away), 0);
	log_setup(LOG_WARNING, false);
	stderr_catch();
	start();
	subject = reporter_add_subject(reporter, 1);
	report_full_sync(reporter, 1);
	for (int i = 0; i < 10500; i++)
		report_log(subject, LOG_INFO, NULL, i, -1, "%d", i);
	assert_int_equal(rename(away, spec.file), 0);
	report_connected(reporter, false, 1);
	wait_for("SELECT MAX(records_count) FROM sync_logs", "10499\n");
	stop();
	text = stderr_caught();
	assert_holds(text, "dropped");
	free(text);
	assert_query(spec.file,
		     "SELECT MAX(records_count), MIN(records_count) > 400, "
		     "COUNT(*) = MAX(records_count) - MIN(records_count) + 1 "
		     "FROM sync_logs",
		     "10499|1|1\n");
	assert_query(spec.file,
		     "SELECT last_full_sync_at IS NOT NULL FROM table_mappings",
		     "1\n");
}

/* What the store refuses for good does not stop what comes after it. */
static void test_refused_rows(void **state)
{
	struct report_subject *gone, *subject;

	(void)state;
	start();
	gone = reporter_add_subject(reporter, 99);
	subject = reporter_add_subject(reporter, 1);
	report_log(gone, LOG_INFO, NULL, -1, -1, "of nobody");
	report_state(gone, "CDC", NULL, 0);
	report_run_begin(gone, "CDC", 0);
	report_log(subject, LOG_INFO, NULL, -1, -1, "of one");
	report_state(subject, "CDC", NULL, 0);
	wait_for("SELECT log_message FROM sync_logs", "of one\n");
	wait_for("SELECT state FROM mapping_state", "CDC\n");
}

static void test_names_line_breaks_and_quotes(void **state)
{
	struct report_subject *subject;

	(void)state;
	start();
	subject = reporter_add_subject(reporter, 1);
	report_log(subject, LOG_INFO, NULL, -1, -1, "%s",
		   "it's\n'); DROP TABLE sync_logs; --%s%n");
	stop();
	assert_query(spec.file, "SELECT log_message FROM sync_logs",
		     "it's\n'); DROP TABLE sync_logs; --%s%n\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_every_event),
		TEST(test_stop_at_once),
		TEST(test_stop_with_nothing),
		TEST(test_states),
		TEST(test_long_reason_is_cut_whole),
		TEST(test_runs),
		TEST(test_rate),
		TEST(test_stale_runs),
		TEST(test_many_subjects_come_and_go),
		TEST(test_store_comes_back),
		TEST(test_stop_while_away),
		TEST(test_too_many_wait),
		TEST(test_refused_rows),
		TEST(test_names_line_breaks_and_quotes),
	};

	alarm(240);
	return cmocka_run_group_tests_name("reporter", tests, NULL, NULL);
}
