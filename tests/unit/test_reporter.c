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
	report_run_begin(subject, REPORT_MOVING, "FULL_SYNC", 1000);
	wait_for("SELECT status, records_processed, records_total, "
		 "completed_at FROM sync_status",
		 "RUNNING|0|1000|NULL\n");
	report_run_progress(subject, REPORT_MOVING, 400, "key 400");
	report_run_progress(subject, REPORT_MOVING, 100, NULL);
	/* Running counters come by themselves. */
	wait_for("SELECT status, records_processed, last_processed_pk "
		 "FROM sync_status",
		 "RUNNING|500|key 400\n");
	report_run_end(subject, REPORT_MOVING, "ERROR", "it broke");
	report_run_end(subject, REPORT_MOVING, "COMPLETED",
		       NULL); /* nothing is under way */
	wait_for("SELECT status, records_processed, error_message, "
		 "completed_at IS NOT NULL, last_processed_pk FROM sync_status",
		 "ERROR|500|it broke|1|key 400\n");
	report_run_continue(subject, REPORT_MOVING, "CDC", 0);
	report_run_progress(subject, REPORT_MOVING, 1, "k");
	report_run_continue(subject, REPORT_MOVING, "CDC", 0);
	report_run_progress(subject, REPORT_MOVING, 1, NULL);
	report_run_end(subject, REPORT_MOVING, "COMPLETED", NULL);
	report_applied(subject, 2); /* the load's rows never were */
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
		     "2\n");
}

static void test_rate(void **state)
{
	struct report_subject *subject;

	(void)state;
	start();
	subject = reporter_add_subject(reporter, 1);
	report_run_begin(subject, REPORT_MOVING, "FULL_SYNC", 0);
	for (int i = 0; i < 12; i++) {
		report_run_progress(subject, REPORT_MOVING, 100, NULL);
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
	report_run_begin(subject, REPORT_MOVING, "CDC", 0);
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
	report_run_begin(subject, REPORT_MOVING, "CDC", 0);
	report_run_progress(subject, REPORT_MOVING, 7, "k");
	report_run_end(subject, REPORT_MOVING, "COMPLETED", NULL);
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
	report_run_begin(gone, REPORT_MOVING, "CDC", 0);
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

/* ------------------------------------------------------ for those who look */

static void look(struct overview *now, int64_t grace_ms)
{
	overview_init(now, 0);
	assert_int_equal(reporter_look(reporter, grace_ms, now), 0);
}

static void tell_all(struct report_subject *subject)
{
	struct control_error error = {
		.mapping_id = 1, .type = "SYNC", .message = "it fails"};
	struct control_verification verification = {
		.mapping_id = 1,
		.type = "TAIL",
		.status = "FAILED",
		.source_md5 = "0123456789abcdef0123456789abcdef",
		.compared = 10,
		.mismatches = 2,
		.details = "{}",
		.verified_us = 5000000,
	};
	struct error err = ERROR_INIT;

	MUST(report_names(subject, "server", "a.b.c", "d.e\xff.f", &err));
	report_lag(subject, 1500, true);
	report_state(subject, "CDC", "why", 77);
	report_success(subject);
	report_run_begin(subject, REPORT_MOVING, "CDC", 40);
	report_run_progress(subject, REPORT_MOVING, 30, "secret key");
	report_applied(subject, 30);
	report_bytes(subject, 300);
	stderr_catch();
	report_error(reporter, &error);
	free(stderr_caught());
	report_verification(subject, &verification);
	verification.status = "PASSED";
	verification.mismatches = 0;
	verification.verified_us = 6000000;
	report_verification(subject, &verification);
}

static void test_look(void **state)
{
	struct report_subject *subject, *other;
	const struct overview_mapping *m;
	struct overview now;

	(void)state;
	start();
	other = reporter_add_subject(reporter, 3);
	subject = reporter_add_subject(reporter, 1);
	tell_all(subject);
	look(&now, 60000);
	assert_int_equal(now.mapping_count, 2);
	m = &now.mappings[0]; /* by id, not as they came */
	assert_int_equal(m->id, 1);
	assert_string_equal(m->server, "server");
	assert_string_equal(m->source, "a.b.c");
	assert_string_equal(m->dest, "d.e?.f");
	assert_string_equal(m->state, "CDC");
	assert_int_equal(m->health, OVERVIEW_ERROR);
	assert_string_equal(m->reason, "it fails"); /* not the state's: "why" */
	assert_true(m->lag_s == 1.5 && m->consistent);
	assert_int_equal(m->rows, 30);
	assert_int_equal(m->bytes, 300);
	assert_int_equal(m->next_attempt_us, 77);
	assert_true(clock_utc_us() - m->last_success_us < 60000000);
	assert_string_equal(m->run.sync_type, "CDC");
	assert_int_equal(m->run.processed, 30);
	assert_int_equal(m->run.expected, 40);
	assert_int_equal(m->errors[OVERVIEW_SYNC], 1);
	assert_int_equal(m->verifications[OVERVIEW_PASSED], 1);
	assert_int_equal(m->verifications[OVERVIEW_FAILED], 1);
	assert_string_equal(m->verification.status, "PASSED");
	assert_int_equal(m->verification.mismatches, 0);
	assert_int_equal(now.recent_count, 1);
	assert_string_equal(now.recent[0].message, "it fails");
	assert_int_equal(now.mappings[1].id, 3);
	assert_string_equal(now.mappings[1].state, "STARTING");
	assert_true(now.mappings[1].lag_s < 0);
	overview_release(&now);

	/* One whose worker has ended is not worked on. */
	report_run_end(subject, REPORT_MOVING, "COMPLETED", NULL);
	reporter_remove_subject(reporter, other);
	look(&now, 60000);
	assert_int_equal(now.mapping_count, 1);
	assert_null(now.mappings[0].run.sync_type);
	overview_release(&now);
	stop();
	assert_query(spec.file,
		     "SELECT verification_type, verification_status, "
		     "source_md5, dest_md5, records_compared, "
		     "mismatches_found, verification_details "
		     "FROM verification_logs ORDER BY verification_id",
		     "TAIL|FAILED|0123456789abcdef0123456789abcdef|NULL|10|2|"
		     "{}\n"
		     "TAIL|PASSED|0123456789abcdef0123456789abcdef|NULL|10|0|"
		     "{}\n");
}

/* A lag that nobody measures any more grows; unknown ones stay so. */
static void test_lags(void **state)
{
	struct report_subject *subject;
	struct overview now;

	(void)state;
	start();
	subject = reporter_add_subject(reporter, 1);
	reporter_sample(reporter, 60000);
	for (int i = 0; i < OVERVIEW_LAGS; i++) {
		report_lag(subject, i * 1000, true);
		reporter_sample(reporter, 60000);
	}
	look(&now, 60000);
	assert_int_equal(now.mappings[0].lag_count, OVERVIEW_LAGS);
	assert_true(now.mappings[0].lags[0] == 0);
	assert_true(now.mappings[0].lags[OVERVIEW_LAGS - 1] ==
		    OVERVIEW_LAGS - 1);
	overview_release(&now);
	pause_ms(150);
	look(&now, 50);
	assert_true(now.mappings[0].lag_s >= OVERVIEW_LAGS - 1 + 0.15);
	overview_release(&now);
	look(&now, 60000);
	assert_true(now.mappings[0].lag_s == OVERVIEW_LAGS - 1);
	overview_release(&now);
	report_lag(subject, -1, true);
	reporter_sample(reporter, 0);
	look(&now, 0);
	assert_true(now.mappings[0].lag_s < 0);
	assert_true(now.mappings[0].lags[OVERVIEW_LAGS - 1] < 0);
	overview_release(&now);
}

static void test_look_without_memory(void **state)
{
	struct overview now;

	(void)state;
	start();
	tell_all(reporter_add_subject(reporter, 1));
	for (size_t cap = 1; cap < 6000; cap += 10) {
		overview_init(&now, cap);
		(void)!reporter_look(reporter, 0, &now);
		overview_release(&now);
	}
	look(&now, 0);
	overview_release(&now);
}

static void test_look_at_the_store(void **state)
{
	char away[200];
	struct overview now;
	bool writable = true;

	(void)state;
	start();
	wait_for("SELECT COUNT(*) FROM daemons", "1\n");
	look(&now, 0);
	assert_true(now.control_writable);
	assert_int_equal(now.dropped, 0);
	overview_release(&now);
	stop();
	snprintf(away, sizeof(away), "%s.away", spec.file);
	spec.create = false;
	assert_int_equal(rename(spec.file, away), 0);
	start();
	for (int i = 0; i < 7; i++)
		report_full_sync(reporter, 1);
	pause_ms(100);
	look(&now, 0);
	writable = now.control_writable;
	assert_true(now.waiting >= 7);
	overview_release(&now);
	assert_false(writable);
}

/* Looking while mappings come, report and go. */
static void *come_and_go(void *arg)
{
	struct error err = ERROR_INIT;

	for (int i = 0; i < 200; i++) {
		struct report_subject *subject =
			reporter_add_subject(reporter, *(int *)arg);

		MUST(report_names(subject, "s", "a", "b", &err));
		report_lag(subject, i, true);
		report_state(subject, "CDC", NULL, i);
		report_run_begin(subject, REPORT_MOVING, "CDC", 0);
		report_run_progress(subject, REPORT_MOVING, 1, "k");
		report_run_end(subject, REPORT_MOVING, "COMPLETED", NULL);
		reporter_remove_subject(reporter, subject);
	}
	return NULL;
}

static void test_look_meanwhile(void **state)
{
	int ids[2] = {1, 2};
	pthread_t threads[2];
	struct overview now;

	(void)state;
	start();
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, come_and_go, &ids[i]),
			0);
	for (int i = 0; i < 200; i++) {
		look(&now, 0);
		assert_true(now.mapping_count <= 2);
		overview_release(&now);
		reporter_sample(reporter, 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
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
		TEST(test_look),
		TEST(test_lags),
		TEST(test_look_without_memory),
		TEST(test_look_at_the_store),
		TEST(test_look_meanwhile),
	};

	alarm(240);
	return cmocka_run_group_tests_name("reporter", tests, NULL, NULL);
}
