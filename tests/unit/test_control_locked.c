/*
 * A control store that somebody else has locked, as `sqlite3` does while a DBA
 * has a transaction open. SQLite waits a few seconds, so that all of it is
 * tried at once, each on a store of its own.
 */
#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/reporter.h"
#include "unit/rows.h"
#include "unit/store.h"

enum { WRITE, OPEN, CREATE, LOAD, STOP, STORES };

static struct control_spec specs[STORES];
static sqlite3 *lockers[STORES];
static struct control *controls[STORES];
static struct reporter *reporter;

/* What one of the threads came to know. */
static struct result {
	int rc;
	enum control_trouble trouble;
	struct error err;
	struct control *control;
	int64_t ms;
} results[STORES];

static void run_sql(int store, const char *sql)
{
	assert_int_equal(sqlite3_exec(lockers[store], sql, NULL, NULL, NULL),
			 SQLITE_OK);
}

static void *attempt(void *arg)
{
	struct result *result = arg;
	int store = (int)(result - results);
	struct control_log log = {
		.mapping_id = 1,
		.level = LOG_INFO,
		.message = "waited",
		.created_us = 1,
	};
	struct control_snapshot snapshot;
	int64_t began = clock_ms();

	switch (store) {
	case WRITE:
		result->rc =
			control_add_log(controls[WRITE], &log, &result->err);
		break;
	case OPEN:
	case CREATE:
		result->rc = control_open(&specs[store], NULL, &result->control,
					  &result->trouble, &result->err);
		break;
	case LOAD:
		result->rc =
			control_load(controls[LOAD], &snapshot, &result->err);
		if (result->rc == 0)
			control_snapshot_release(&snapshot);
		break;
	default:
		reporter_stop(reporter, 300);
		break;
	}
	result->ms = clock_ms() - began;
	return NULL;
}

static int setup(void **state)
{
	static const char *const names[] = {"write.db", "open.db", "create.db",
					    "load.db", "stop.db"};
	struct error err = ERROR_INIT;
	struct report_subject *subject;
	pthread_t threads[STORES];

	if (setup_folder(state) < 0)
		return -1;
	for (int i = 0; i < STORES; i++) {
		specs[i] = store_make(names[i]);
		specs[i].create = i == CREATE;
		store_add_mapping(specs[i].file);
		sqlite3_open(specs[i].file, &lockers[i]);
		sqlite3_busy_timeout(lockers[i], 10000);
	}
	controls[WRITE] = store_open(&specs[WRITE]);
	controls[LOAD] = store_open(&specs[LOAD]);
	if (reporter_start(&reporter, &specs[STOP], "me:1", &err) < 0)
		return -1;
	subject = reporter_add_subject(reporter, 1);
	while (!store_number(specs[STOP].file, "SELECT COUNT(*) FROM daemons"))
		pause_ms(10); /* until it is connected */
	for (int i = 0; i < STORES; i++) {
		if (i == OPEN)
			run_sql(i, "PRAGMA locking_mode = EXCLUSIVE");
		run_sql(i, i == OPEN ? "BEGIN EXCLUSIVE; "
				       "UPDATE config SET config_value = '1'"
				     : "BEGIN IMMEDIATE");
	}
	report_log(subject, LOG_INFO, NULL, -1, -1, "too late");
	for (int i = 0; i < STORES; i++)
		if (pthread_create(&threads[i], NULL, attempt, &results[i]))
			return -1;
	for (int i = 0; i < STORES; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < STORES; i++) {
		run_sql(i, "ROLLBACK");
		sqlite3_close(lockers[i]);
	}
	reporter_remove_subject(reporter, subject);
	reporter_free(reporter);
	return 0;
}

static int teardown(void **state)
{
	control_close(controls[WRITE]);
	control_close(controls[LOAD]);
	control_close(results[OPEN].control);
	control_close(results[CREATE].control);
	return teardown_folder(state);
}

/* It may be repeated, and then works. */
static void test_write(void **state)
{
	struct result *result = &results[WRITE];
	struct control_log log = {
		.mapping_id = 1,
		.level = LOG_INFO,
		.message = "again",
		.created_us = 1,
	};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(result->rc, -1);
	assert_true(result->err.retryable);
	MUST(control_add_log(controls[WRITE], &log, &err));
	assert_query(specs[WRITE].file, "SELECT log_message FROM sync_logs",
		     "again\n");
}

static void test_open(void **state)
{
	struct result *result = &results[OPEN];

	(void)state;
	assert_int_equal(result->rc, -1);
	assert_int_equal(result->trouble, CONTROL_UNREACHABLE);
	assert_true(result->err.retryable);
	assert_holds(result->err.message, "open.db");
}

/*
 * Whoever would make the tables finds that they are there: either he does not
 * need to write, or is told that he may try again.
 */
static void test_create(void **state)
{
	struct result *result = &results[CREATE];

	(void)state;
	if (result->rc == 0)
		return;
	assert_true(result->err.retryable);
	assert_holds(result->err.message, "create.db");
}

/* Readers are not in each other's way, nor in a writer's. */
static void test_load(void **state)
{
	(void)state;
	if (results[LOAD].rc < 0)
		fail_msg("%s", results[LOAD].err.message);
	assert_true(results[LOAD].ms < 2000);
}

/* "for at most `ms`": the daemon has five seconds for all of its end. */
static void test_stop(void **state)
{
	(void)state;
	if (results[STOP].ms > 2000)
		fail_msg("reporter_stop(300) took %d ms",
			 (int)results[STOP].ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),  cmocka_unit_test(test_open),
		cmocka_unit_test(test_create), cmocka_unit_test(test_load),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests_name("control locked", tests, setup,
					   teardown);
}
