/* What control.h writes, read back by SQLite itself. */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "unit/rows.h"
#include "unit/store.h"

#define SECOND INT64_C(1000000)
/* 2026-01-31T13:00:59.123456 */
#define THEN (INT64_C(1769864459) * SECOND + 123456)

static struct control_spec spec;
static struct control *control;

static int setup(void **state)
{
	if (setup_folder(state) < 0)
		return -1;
	spec = store_make("save.db");
	control = store_open(&spec);
	store_add_mapping(spec.file);
	store_exec(spec.file,
		   "INSERT INTO table_mappings (server_id, target_id, "
		   "source_database, source_table, dest_database, dest_table) "
		   "VALUES (1, 1, 'db', 't2', 'db', 't2')");
	return 0;
}

static int teardown(void **state)
{
	control_close(control);
	return teardown_folder(state);
}

static void save_exception(const char *id, int64_t mirrored_us)
{
	struct error err = ERROR_INIT;
	struct control_exception row = {
		.mapping_id = 1,
		.id = id,
		.operation = "DELETE",
		.key = "7, x",
		.position = "0x01",
		.number = 547,
		.reason = "a check",
		.created_us = THEN,
		.mirrored_us = mirrored_us,
	};

	MUST(control_save_exception(control, &row, &err));
}

static void test_exceptions(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	save_exception("a", THEN);
	save_exception("a", THEN); /* the answer was lost */
	save_exception("b", THEN);
	assert_query(spec.file,
		     "SELECT exception_id, mapping_id, operation, row_key, "
		     "position, error_number, reason, is_resolved, created_at, "
		     "resolved_at FROM apply_exceptions ORDER BY exception_id",
		     "a|1|DELETE|7, x|0x01|547|a check|0|"
		     "2026-01-31T13:00:59.123456|NULL\n"
		     "b|1|DELETE|7, x|0x01|547|a check|0|"
		     "2026-01-31T13:00:59.123456|NULL\n");
	/* Only b was there the next time; another mapping's are not asked. */
	save_exception("b", THEN + 1);
	MUST(control_settle_exceptions(control, 2, THEN + 1, &err));
	assert_query(spec.file, "SELECT SUM(is_resolved) FROM apply_exceptions",
		     "0\n");
	MUST(control_settle_exceptions(control, 1, THEN + 1, &err));
	assert_query(spec.file,
		     "SELECT exception_id, is_resolved, resolved_at IS NULL "
		     "FROM apply_exceptions ORDER BY exception_id",
		     "a|1|0\nb|0|1\n");
	/* What stands is kept, however old; what is over goes. */
	MUST(control_purge(control, clock_utc_us() + SECOND, &err));
	assert_query(spec.file, "SELECT exception_id FROM apply_exceptions",
		     "b\n");
	MUST(control_settle_exceptions(control, 1, THEN + 2, &err));
	save_exception("b", THEN + 3); /* it stands after all */
	assert_query(spec.file,
		     "SELECT is_resolved, resolved_at FROM apply_exceptions",
		     "0|NULL\n");
}

static void test_suspension(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	MUST(control_suspend(control, 2, "why", &err));
	assert_query(spec.file,
		     "SELECT is_suspended, suspended_reason, is_paused "
		     "FROM table_mappings ORDER BY mapping_id",
		     "0|NULL|0\n1|why|0\n");
	/* A pause is another matter; resuming ends both. */
	MUST(control_set_paused(control, 2, true, &err));
	assert_query(spec.file,
		     "SELECT is_suspended, suspended_reason, is_paused "
		     "FROM table_mappings WHERE mapping_id = 2",
		     "1|why|1\n");
	MUST(control_set_paused(control, 2, false, &err));
	assert_query(spec.file,
		     "SELECT is_suspended, suspended_reason, is_paused "
		     "FROM table_mappings WHERE mapping_id = 2",
		     "0|NULL|0\n");
	MUST(control_switch_off(control, 2, &err));
	assert_query(spec.file,
		     "SELECT is_enabled FROM table_mappings "
		     "ORDER BY mapping_id",
		     "1\n0\n");
}

static void test_run(void **state)
{
	struct error err = ERROR_INIT;
	struct control_run run = {
		.id = "0f0e0d0c-0b0a-4908-8706-050403020100",
		.mapping_id = 1,
		.sync_type = "FULL_SYNC",
		.status = "RUNNING",
		.started_us = THEN,
		.updated_us = THEN,
	};

	(void)state;
	MUST(control_save_run(control, &run, &err));
	MUST(control_save_run(control, &run, &err)); /* the answer was lost */
	assert_query(spec.file,
		     "SELECT mapping_id, sync_type, status, records_processed, "
		     "records_failed, records_total, started_at, completed_at, "
		     "updated_at, error_message, last_processed_pk, "
		     "rows_per_second FROM sync_status",
		     "1|FULL_SYNC|RUNNING|0|0|NULL|2026-01-31T13:00:59.123456|"
		     "NULL|2026-01-31T13:00:59.123456|NULL|NULL|0.0\n");
	run.status = "ERROR";
	run.processed = INT64_C(5000000000);
	run.failed = 2;
	run.total = INT64_C(6000000000);
	run.rows_per_second = 1234.5678;
	run.last_key = "it's ';-- \xe2\x82\xac";
	run.error = "why\nnot";
	run.updated_us = THEN + SECOND;
	run.completed_us = THEN + 2 * SECOND;
	MUST(control_save_run(control, &run, &err));
	MUST(control_save_run(control, &run, &err));
	assert_query(spec.file,
		     "SELECT status, records_processed, records_failed, "
		     "records_total, started_at, updated_at, completed_at, "
		     "error_message, last_processed_pk, "
		     "round(rows_per_second, 2) FROM sync_status",
		     "ERROR|5000000000|2|6000000000|2026-01-31T13:00:59.123456|"
		     "2026-01-31T13:01:00.123456|2026-01-31T13:01:01.123456|"
		     "why\nnot|it's ';-- \xe2\x82\xac|1234.57\n");
}

static void test_end_stale_runs(void **state)
{
	struct error err = ERROR_INIT;
	struct control_run run = {
		.mapping_id = 1,
		.sync_type = "CDC",
		.started_us = THEN,
	};
	static const char *const status[] = {"RUNNING", "COMPLETED", "PAUSED",
					     "RUNNING", "RUNNING"};

	(void)state;
	store_exec(spec.file, "DELETE FROM sync_status");
	for (int i = 0; i < 5; i++) {
		snprintf(run.id, sizeof(run.id), "run-%d", i);
		run.status = status[i];
		run.mapping_id = i == 4 ? 2 : 1;
		run.updated_us = i == 3 ? 0 : THEN + SECOND;
		MUST(control_save_run(control, &run, &err));
	}
	/* Meanwhile another daemon has it. */
	store_exec(spec.file,
		   "INSERT INTO mapping_leases (mapping_id, daemon, epoch, "
		   "taken_at) VALUES (1, 'me', 1, '2026-01-31')");
	MUST(control_end_stale_runs(control, "another", 1, &err));
	assert_query(spec.file,
		     "SELECT COUNT(*) FROM sync_status WHERE status = 'ERROR'",
		     "0\n");
	MUST(control_end_stale_runs(control, "me", 1, &err));
	assert_query(spec.file,
		     "SELECT run_id, status, completed_at = updated_at, "
		     "error_message IS NOT NULL, completed_at IS NOT NULL "
		     "FROM sync_status ORDER BY run_id",
		     "run-0|ERROR|1|1|1\n"
		     "run-1|COMPLETED|NULL|0|0\n"
		     "run-2|PAUSED|NULL|0|0\n"
		     "run-3|ERROR|NULL|1|1\n"
		     "run-4|RUNNING|NULL|0|0\n");
}

static void test_log(void **state)
{
	struct error err = ERROR_INIT;
	struct control_log log = {
		.mapping_id = 1,
		.level = LOG_WARNING,
		.message = "a 'message'",
		.sync_type = "CDC",
		.records = 7,
		.duration_ms = INT64_C(9000000000),
		.created_us = THEN,
	};

	(void)state;
	MUST(control_add_log(control, &log, &err));
	log.level = LOG_INFO;
	log.sync_type = NULL;
	log.records = -1;
	log.duration_ms = -1;
	MUST(control_add_log(control, &log, &err));
	log.records = 0;
	log.duration_ms = 0;
	log.level = LOG_ERROR;
	MUST(control_add_log(control, &log, &err));
	assert_query(spec.file,
		     "SELECT mapping_id, log_level, log_message, sync_type, "
		     "records_count, execution_time_ms, created_at "
		     "FROM sync_logs ORDER BY log_id",
		     "1|WARNING|a 'message'|CDC|7|2147483647|"
		     "2026-01-31T13:00:59.123456\n"
		     "1|INFO|a 'message'|NULL|NULL|NULL|"
		     "2026-01-31T13:00:59.123456\n"
		     "1|ERROR|a 'message'|NULL|0|0|"
		     "2026-01-31T13:00:59.123456\n");
	/* A mapping that is gone: refused for good, not to be repeated. */
	log.mapping_id = 99;
	MUST_FAIL(control_add_log(control, &log, &err), ERROR_DATA);
	assert_false(err.retryable);
	assert_query(spec.file, "SELECT COUNT(*) FROM sync_logs", "3\n");
}

/* Save an error; 0 stands for no mapping, no server. */
static void save_error(int mapping, int server, const char *type,
		       const char *message, int retries)
{
	struct error err = ERROR_INIT;
	struct control_error error = {
		.mapping_id = mapping,
		.server_id = server,
		.type = type,
		.message = message,
		.retry_count = retries,
		.created_us = THEN,
	};

	MUST(control_save_error(control, &error, &err));
}

static const char errors_sql[] =
	"SELECT mapping_id, server_id, error_type, error_message, retry_count, "
	"is_resolved, resolved_at IS NOT NULL FROM error_logs ORDER BY "
	"error_id";

/* One row for each trouble, however often it is told. */
static void test_error_is_one_row(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	save_error(1, 1, "CONNECTION", "first", 3);
	save_error(1, 1, "CONNECTION", "second", 4);
	assert_query(spec.file, errors_sql, "1|1|CONNECTION|second|4|0|0\n");
	save_error(1, 1, "CONNECTION", "third", 1); /* never counts down */
	assert_query(spec.file, errors_sql, "1|1|CONNECTION|third|4|0|0\n");
	/* Another kind of trouble of the same mapping takes its place. */
	save_error(1, 1, "SCHEMA", "fourth", 0);
	assert_query(spec.file, errors_sql,
		     "1|1|CONNECTION|third|4|1|1\n"
		     "1|1|SCHEMA|fourth|0|0|0\n");
	/* Another mapping, the server, the daemon: rows of their own. */
	save_error(2, 1, "SCHEMA", "of 2", 0);
	save_error(0, 1, "SCHEMA", "of server", 0);
	save_error(0, 2, "SCHEMA", "of server 2", 0);
	save_error(0, 0, "OTHER", "of daemon", 0);
	save_error(0, 0, "OTHER", "of daemon again", 0);
	assert_query(spec.file, errors_sql,
		     "1|1|CONNECTION|third|4|1|1\n"
		     "1|1|SCHEMA|fourth|0|0|0\n"
		     "2|1|SCHEMA|of 2|0|0|0\n"
		     "NULL|1|SCHEMA|of server|0|0|0\n"
		     "NULL|2|SCHEMA|of server 2|0|0|0\n"
		     "NULL|NULL|OTHER|of daemon again|0|0|0\n");
	MUST(control_resolve_errors(control, 1, 0, &err));
	MUST(control_resolve_errors(control, 0, 2, &err));
	assert_query(spec.file,
		     "SELECT error_message FROM error_logs "
		     "WHERE is_resolved = 0 ORDER BY error_id",
		     "of 2\nof server\nof daemon again\n");
	MUST(control_resolve_errors(control, 0, 0, &err));
	MUST(control_resolve_errors(control, 0, 0, &err));
	assert_query(spec.file,
		     "SELECT error_message FROM error_logs "
		     "WHERE is_resolved = 0 ORDER BY error_id",
		     "of 2\nof server\n");
	/* The same trouble after it was resolved is a new row. */
	save_error(1, 1, "SCHEMA", "back", 0);
	assert_query(spec.file,
		     "SELECT COUNT(*) FROM error_logs WHERE mapping_id = 1 "
		     "AND error_type = 'SCHEMA'",
		     "2\n");
	assert_query(spec.file, "SELECT DISTINCT created_at FROM error_logs",
		     "2026-01-31T13:00:59.123456\n");
}

/* What nobody else would ever resolve; nothing of what is there. */
static void test_errors_of_what_is_gone(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	store_exec(spec.file,
		   "DELETE FROM error_logs; INSERT INTO error_logs "
		   "(mapping_id, server_id, error_type, error_message, subject)"
		   " VALUES (1, 1, 'SYNC', 'a', NULL), (77, 1, 'SYNC', 'b', "
		   "NULL), (77, NULL, 'VERIFICATION', 'c', NULL), "
		   "(NULL, 1, 'CONNECTION', 'd', NULL), "
		   "(NULL, 77, 'CONNECTION', 'e', NULL), "
		   "(NULL, NULL, 'OTHER', 'f', NULL), "
		   "(NULL, NULL, 'OTHER', 'g', 'channel 77')");
	MUST(control_resolve_gone(control, &err));
	assert_query(spec.file,
		     "SELECT error_message, resolved_at IS NOT NULL "
		     "FROM error_logs WHERE is_resolved = 1 ORDER BY 1",
		     "b|1\nc|1\ne|1\n");
}

static void test_error_details(void **state)
{
	struct error err = ERROR_INIT;
	struct control_error error = {
		.mapping_id = 1,
		.type = "SYNC",
		.message = "m",
		.details = "line 1\nline 2",
		.created_us = THEN,
	};

	(void)state;
	store_exec(spec.file, "DELETE FROM error_logs");
	MUST(control_save_error(control, &error, &err));
	assert_query(spec.file, "SELECT error_details FROM error_logs",
		     "line 1\nline 2\n");
	error.details = NULL;
	MUST(control_save_error(control, &error, &err));
	assert_query(spec.file, "SELECT error_details FROM error_logs",
		     "NULL\n");
}

static void test_state(void **state)
{
	struct error err = ERROR_INIT;
	struct control_state row = {
		.mapping_id = 1,
		.state = "CDC",
		.lag_ms = -1,
		.updated_us = THEN,
	};

	(void)state;
	MUST(control_save_state(control, &row, &err));
	assert_query(spec.file,
		     "SELECT mapping_id, state, reason, lag_seconds, "
		     "is_consistent, position, rows_applied, next_attempt_at, "
		     "daemon, updated_at FROM mapping_state",
		     "1|CDC|NULL|NULL|0|NULL|0|NULL|NULL|"
		     "2026-01-31T13:00:59.123456\n");
	row.state = "ERROR";
	row.reason = "because";
	row.lag_ms = 1500;
	row.consistent = true;
	row.position = "0x00AB";
	row.rows_applied = INT64_C(5000000000);
	row.next_attempt_us = THEN + SECOND;
	row.daemon = "host:1";
	row.updated_us = THEN + 2 * SECOND;
	MUST(control_save_state(control, &row, &err));
	MUST(control_save_state(control, &row, &err));
	assert_query(spec.file,
		     "SELECT mapping_id, state, reason, lag_seconds, "
		     "is_consistent, position, rows_applied, next_attempt_at, "
		     "daemon, updated_at FROM mapping_state",
		     "1|ERROR|because|1.5|1|0x00AB|5000000000|"
		     "2026-01-31T13:01:00.123456|host:1|"
		     "2026-01-31T13:01:01.123456\n");
	/* Where the copy stands is not forgotten. */
	row.current_us = THEN;
	MUST(control_save_state(control, &row, &err));
	row.current_us = 0;
	MUST(control_save_state(control, &row, &err));
	assert_query(spec.file, "SELECT current_at FROM mapping_state",
		     "2026-01-31T13:00:59.123456\n");
	row.mapping_id = 99;
	MUST_FAIL(control_save_state(control, &row, &err), ERROR_DATA);
	assert_false(err.retryable);
}

static void test_mirrors(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	MUST(control_mirror_position(control, 1,
				     "\x00\x00\x00\x27\x00\x00\x01\xf4\x00\x03",
				     10, &err));
	MUST(control_mirror_position(control, 2, "12345678", 8, &err));
	MUST(control_mirror_position(control, 1, NULL, 0, &err));
	MUST(control_mirror_full_sync(control, 1, THEN, &err));
	assert_query(spec.file,
		     "SELECT hex(last_cdc_lsn), last_full_sync_at "
		     "FROM table_mappings ORDER BY mapping_id",
		     "00000027000001F40003|2026-01-31T13:00:59.123456\n"
		     "|NULL\n");
	assert_query(spec.file,
		     "SELECT last_cdc_lsn IS NULL FROM table_mappings "
		     "WHERE mapping_id = 2",
		     "1\n");
	MUST(control_set_paused(control, 2, true, &err));
	assert_query(spec.file,
		     "SELECT is_paused FROM table_mappings "
		     "ORDER BY mapping_id",
		     "0\n1\n");
	MUST(control_set_paused(control, 2, false, &err));
	assert_query(spec.file,
		     "SELECT is_paused FROM table_mappings "
		     "ORDER BY mapping_id",
		     "0\n0\n");
	MUST(control_mark_connected(control, false, 1, &err));
	assert_query(spec.file,
		     "SELECT last_connected_at IS NULL FROM source_servers "
		     "UNION ALL SELECT last_connected_at IS NULL "
		     "FROM target_servers",
		     "0\n1\n");
	MUST(control_mark_connected(control, true, 1, &err));
	assert_query(spec.file,
		     "SELECT last_connected_at IS NULL FROM target_servers",
		     "0\n");
	assert_query(spec.file,
		     "SELECT abs(strftime('%s', last_connected_at) - "
		     "strftime('%s', 'now')) < 60 FROM target_servers",
		     "1\n");
}

static void test_requests(void **state)
{
	struct error err = ERROR_INIT;
	char *started, *again;

	(void)state;
	store_exec(spec.file, "INSERT INTO sync_requests (mapping_id, "
			      "request_type) VALUES (1, 'FULL_SYNC'), "
			      "(1, 'PAUSE')");
	MUST(control_answer_request(control, 1, "RUNNING", NULL, &err));
	assert_query(spec.file,
		     "SELECT state, answer, started_at IS NULL, completed_at "
		     "FROM sync_requests ORDER BY request_id",
		     "RUNNING|NULL|0|NULL\nPENDING|NULL|1|NULL\n");
	started = store_query(spec.file, "SELECT started_at FROM sync_requests "
					 "WHERE request_id = 1");
	pause_ms(5);
	MUST(control_answer_request(control, 1, "COMPLETED", "7 rows", &err));
	MUST(control_answer_request(control, 2, "REJECTED", "no", &err));
	assert_query(spec.file,
		     "SELECT state, answer, started_at IS NULL, "
		     "completed_at IS NULL FROM sync_requests "
		     "ORDER BY request_id",
		     "COMPLETED|7 rows|0|0\nREJECTED|no|0|0\n");
	again = store_query(spec.file, "SELECT started_at FROM sync_requests "
				       "WHERE request_id = 1");
	assert_string_equal(started, again);
	free(started);
	free(again);
}

static void test_heartbeat(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	MUST(control_heartbeat(control, "host:1", false, &err));
	MUST(control_heartbeat(control, "host:2", false, &err));
	pause_ms(5);
	MUST(control_heartbeat(control, "host:1", false, &err));
	assert_query(spec.file,
		     "SELECT daemon, heartbeat_at > started_at, stopped_at, "
		     "version <> '' FROM daemons ORDER BY daemon",
		     "host:1|1|NULL|1\nhost:2|0|NULL|1\n");
	MUST(control_heartbeat(control, "host:1", true, &err));
	assert_query(spec.file,
		     "SELECT daemon, stopped_at = heartbeat_at FROM daemons "
		     "ORDER BY daemon",
		     "host:1|1\nhost:2|NULL\n");
	/* The same process name again: it runs. */
	MUST(control_heartbeat(control, "host:1", false, &err));
	assert_query(spec.file,
		     "SELECT stopped_at FROM daemons WHERE daemon = 'host:1'",
		     "NULL\n");
}

static void test_purge(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	store_exec(
		spec.file,
		"DELETE FROM sync_logs; DELETE FROM sync_status; DELETE FROM "
		"error_logs; DELETE FROM sync_requests; DELETE FROM daemons;"
		"INSERT INTO sync_logs (mapping_id, log_level, log_message, "
		"created_at) VALUES (1, 'INFO', 'old', '2026-01-31T12:00:00'), "
		"(1, 'INFO', 'new', '2026-01-31T14:00:00');"
		"INSERT INTO sync_status (mapping_id, sync_type, status, "
		"run_id, completed_at) VALUES "
		"(1, 'CDC', 'COMPLETED', 'old', '2026-01-31T12:00:00'), "
		"(1, 'CDC', 'COMPLETED', 'new', '2026-01-31T14:00:00'), "
		"(1, 'CDC', 'RUNNING', 'runs', NULL);"
		"INSERT INTO error_logs (error_type, error_message, "
		"is_resolved, created_at, resolved_at) VALUES "
		"('OTHER', 'open', 0, '2020-01-01T00:00:00', NULL), "
		"('OTHER', 'old', 1, '2020-01-01T00:00:00', "
		"'2026-01-31T12:00:00'), "
		"('OTHER', 'new', 1, '2020-01-01T00:00:00', "
		"'2026-01-31T14:00:00');"
		"INSERT INTO verification_logs (mapping_id, verification_type, "
		"verification_status, verification_details, verified_at) "
		"VALUES (1, 'TAIL', 'PASSED', 'old', '2026-01-31T12:00:00'), "
		"(1, 'TAIL', 'PASSED', 'new', '2026-01-31T14:00:00');"
		"INSERT INTO sync_requests (mapping_id, request_type, "
		"requested_by, state, completed_at) VALUES "
		"(1, 'X', 'old', 'COMPLETED', '2026-01-31T12:00:00'), "
		"(1, 'X', 'new', 'COMPLETED', '2026-01-31T14:00:00'), "
		"(1, 'X', 'open', 'PENDING', NULL);"
		"INSERT INTO daemons (daemon, version, started_at, "
		"heartbeat_at, stopped_at) VALUES "
		"('old', '1', '2026-01-01', '2026-01-31T12:00:00', NULL), "
		"('new', '1', '2026-01-01', '2026-01-31T14:00:00', NULL)");
	MUST(control_purge(control, THEN, &err));
	assert_query(spec.file, "SELECT log_message FROM sync_logs", "new\n");
	assert_query(spec.file,
		     "SELECT run_id FROM sync_status ORDER BY status_id",
		     "new\nruns\n");
	assert_query(spec.file,
		     "SELECT error_message FROM error_logs ORDER BY error_id",
		     "open\nnew\n");
	assert_query(spec.file,
		     "SELECT verification_details FROM verification_logs",
		     "new\n");
	assert_query(spec.file,
		     "SELECT requested_by FROM sync_requests "
		     "ORDER BY request_id",
		     "new\nopen\n");
	assert_query(spec.file, "SELECT daemon FROM daemons", "new\n");
}

/* A purge takes a limited number, but comes to an end when repeated. */
static void test_purge_of_many(void **state)
{
	struct error err = ERROR_INIT;
	int64_t before, left;

	(void)state;
	store_exec(spec.file,
		   "DELETE FROM sync_logs;"
		   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
		   "FROM n WHERE i < 12000) INSERT INTO sync_logs (mapping_id, "
		   "log_level, log_message, created_at) SELECT 1, 'INFO', 'x', "
		   "'2026-01-31T12:00:00' FROM n");
	left = 12000;
	do {
		before = left;
		MUST(control_purge(control, THEN, &err));
		left = store_number(spec.file,
				    "SELECT COUNT(*) FROM sync_logs");
		assert_true(before - left <= 5000);
	} while (left < before && left);
	assert_int_equal(left, 0);
}

/* ----------------------------------------------------------------- report */

static void test_report(void **state)
{
	struct error err = ERROR_INIT;
	struct control_report report;
	const struct control_report_mapping *row;

	(void)state;
	store_exec(spec.file,
		   "DELETE FROM mapping_state; DELETE FROM error_logs; DELETE "
		   "FROM sync_status; DELETE FROM daemons;"
		   "INSERT INTO mapping_state (mapping_id, state, reason, "
		   "lag_seconds, is_consistent, rows_applied, updated_at) "
		   "VALUES (1, 'CDC', 'r', 2.5, 1, 77, "
		   "'2026-01-31T13:00:59.123456');"
		   "INSERT INTO error_logs (mapping_id, error_type, "
		   "error_message, retry_count, is_resolved) VALUES "
		   "(1, 'SYNC', 'older', 1, 0), (1, 'SCHEMA', 'newer', 2, 0), "
		   "(1, 'OTHER', 'resolved', 3, 1);"
		   "INSERT INTO sync_status (mapping_id, sync_type, status, "
		   "records_processed, records_total, rows_per_second) VALUES "
		   "(1, 'FULL_SYNC', 'RUNNING', 50, 200, 12.5), "
		   "(1, 'CDC', 'COMPLETED', 1, 1, 1)");
	MUST(control_heartbeat(control, "host:7", false, &err));
	MUST(control_report(control, &report, &err));
	assert_int_equal(report.mapping_count, 2);
	row = &report.mappings[0];
	assert_int_equal(row->mapping.id, 1);
	assert_string_equal(row->server_name, "src");
	assert_string_equal(row->mapping.source_table, "t");
	assert_string_equal(row->mapping.dest_database, "db");
	assert_true(row->mapping.enabled);
	assert_true(row->mapping.cdc_enabled);
	assert_false(row->mapping.paused);
	assert_string_equal(row->state, "CDC");
	assert_string_equal(row->reason, "r");
	assert_int_equal(row->lag_ms, 2500);
	assert_true(row->consistent);
	assert_int_equal(row->rows_applied, 77);
	assert_true(row->updated_us == THEN);
	assert_string_equal(row->running, "FULL_SYNC");
	assert_int_equal(row->processed, 50);
	assert_int_equal(row->total, 200);
	assert_int_equal(row->rows_per_second, 12);
	assert_string_equal(row->error_type, "SCHEMA");
	assert_string_equal(row->error_message, "newer");
	assert_int_equal(row->retry_count, 2);
	row = &report.mappings[1];
	assert_null(row->state);
	assert_int_equal(row->lag_ms, -1);
	assert_null(row->running);
	assert_null(row->error_type);
	assert_int_equal(row->total, 0);
	assert_string_equal(report.daemon, "host:7");
	assert_int_equal(report.stopped_us, 0);
	assert_true(llabs(report.heartbeat_us - clock_utc_us()) < 60 * SECOND);
	control_report_release(&report);
	control_report_release(&report);
}

/* A lag comes back as it was told, to the millisecond. */
static void test_report_lag(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	for (int lag = 0; lag < 1500; lag += 7) {
		struct control_state row = {
			.mapping_id = 1,
			.state = "CDC",
			.lag_ms = lag,
			.updated_us = THEN,
		};
		struct control_report report;

		MUST(control_save_state(control, &row, &err));
		MUST(control_report(control, &report, &err));
		if (report.mappings[0].lag_ms != lag)
			fail_msg("a lag of %d ms is reported as %d", lag,
				 (int)report.mappings[0].lag_ms);
		control_report_release(&report);
	}
}

static void test_views(void **state)
{
	(void)state;
	store_exec(spec.file,
		   "DELETE FROM error_logs; DELETE FROM sync_status;"
		   "INSERT INTO error_logs (mapping_id, server_id, error_type, "
		   "error_message, is_resolved, created_at) VALUES "
		   "(1, 1, 'SYNC', 'a', 0, '2026-01-01'), "
		   "(NULL, 1, 'OTHER', 'b', 0, '2026-01-02'), "
		   "(99, NULL, 'OTHER', 'c', 0, '2026-01-03'), "
		   "(1, 1, 'SYNC', 'resolved', 1, '2026-01-04');"
		   "INSERT INTO sync_status (mapping_id, sync_type, status, "
		   "records_processed, records_total, rows_per_second, "
		   "started_at, completed_at) VALUES "
		   "(1, 'FULL_SYNC', 'RUNNING', 50, 200, 10.0, "
		   "'2026-01-01T00:00:00', NULL), "
		   "(1, 'FULL_SYNC', 'RUNNING', 300, 200, 10.0, "
		   "'2026-01-01T00:00:00', NULL), "
		   "(1, 'FULL_SYNC', 'RUNNING', 0, NULL, NULL, "
		   "'2026-01-01T00:00:00', NULL), "
		   "(1, 'CDC', 'ERROR', 5, 10, 1, '2026-01-01T00:00:00', "
		   "'2026-01-01T00:01:00'), "
		   "(1, 'CDC', 'COMPLETED', 5, 10, 1, '2026-01-01T00:00:00', "
		   "'2026-01-01T00:01:00')");
	assert_query(spec.file,
		     "SELECT error_message, server_name, source_table "
		     "FROM v_recent_errors",
		     "c|NULL|NULL\nb|src|NULL\na|src|t\n");
	assert_query(spec.file,
		     "SELECT sync_type, status, percent_done, seconds_left, "
		     "CASE status WHEN 'ERROR' THEN duration_seconds END "
		     "FROM v_sync_summary ORDER BY records_processed",
		     "FULL_SYNC|RUNNING|NULL|NULL|NULL\n"
		     "CDC|ERROR|NULL|NULL|60\n"
		     "FULL_SYNC|RUNNING|25.0|15|NULL\n"
		     "FULL_SYNC|RUNNING|100.0|NULL|NULL\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_suspension),
		cmocka_unit_test(test_end_stale_runs),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_error_is_one_row),
		cmocka_unit_test(test_errors_of_what_is_gone),
		cmocka_unit_test(test_error_details),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_mirrors),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_heartbeat),
		cmocka_unit_test(test_purge),
		cmocka_unit_test(test_purge_of_many),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_report_lag),
		cmocka_unit_test(test_views),
	};

	return cmocka_run_group_tests_name("control save", tests, setup,
					   teardown);
}
