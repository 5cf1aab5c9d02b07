/*
 * What SQL Server's driver has to get right beyond the contract: its
 * ways to refuse something, and what a DBA may do to the tables meanwhile.
 */
#include "contract/sqlserver_pair.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define MANY 1000000u

/* ------------------------------------------------------- what is refused */

/* Loading fails for a value; what was there stays. */
static void refuse(const char *from, const char *to, const char *value,
		   const char *column)
{
	struct error err = ERROR_INIT;

	pair_make(LAB_SOURCE, from);
	pair_make(LAB_DEST, to);
	sqlserver_exec(LAB_DEST, "INSERT INTO dbo.t (id) VALUES (77)");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, %s)", value);
	pair_open_both(false);
	pair_describe_both();
	assert_int_equal(pair_load(TARGET_REPLACE, NULL, &err), -1);
	if (err.kind != ERROR_DATA)
		fail_msg("it is %s: %s", error_kind_name(err.kind),
			 err.message);
	assert_non_null(strstr(err.message, column));
	assert_false(err.retryable);
	assert_int_equal(
		sqlserver_number(LAB_DEST, "SELECT SUM(id) FROM dbo.t"), 77);
	pair.dst->ops->release(pair.dst);
	pair.src->ops->release(pair.src);
}

static void test_character_that_is_lacking(void **state)
{
	(void)state;
	refuse("id int NOT NULL PRIMARY KEY, c nvarchar(10) NULL",
	       "id int NOT NULL PRIMARY KEY, c varchar(10) NULL",
	       "N'\xe8\xa1\xa8'", "'c'");
}

/* One that came to FreeTDS would end the process for most of these. */
static void test_null_into_not_null(void **state)
{
	static const struct {
		const char *type, *value;
	} cases[] = {
		{"bit", "1"},
		{"tinyint", "1"},
		{"smallint", "1"},
		{"int", "1"},
		{"bigint", "1"},
		{"real", "1"},
		{"float", "1"},
		{"money", "1"},
		{"smallmoney", "1"},
		{"decimal(9, 2)", "1"},
		{"datetime", "'20200101'"},
		{"smalldatetime", "'20200101'"},
		{"date", "'20200101'"},
		{"time", "'12:00'"},
		{"datetime2", "'20200101'"},
		{"datetimeoffset", "'20200101'"},
		{"uniqueidentifier", "NEWID()"},
		{"binary(4)", "0x01"},
		{"varbinary(4)", "0x01"},
		{"varbinary(max)", "0x01"},
		{"char(4)", "'a'"},
		{"varchar(4)", "'a'"},
		{"varchar(max)", "'a'"},
		{"nchar(4)", "N'a'"},
		{"nvarchar(4)", "N'a'"},
		{"nvarchar(max)", "N'a'"},
	};
	char from[100], to[100];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		snprintf(from, sizeof(from),
			 "id int NOT NULL PRIMARY KEY, c %s NULL",
			 cases[i].type);
		snprintf(to, sizeof(to),
			 "id int NOT NULL PRIMARY KEY, c %s NOT NULL DEFAULT "
			 "%s",
			 cases[i].type, cases[i].value);
		refuse(from, to, "NULL", "'c'");
		sqlserver_exec(LAB_SOURCE,
			       "EXEC sys.sp_cdc_disable_table "
			       "@source_schema = N'dbo', "
			       "@source_name = N't', "
			       "@capture_instance = N'all'; DROP TABLE dbo.t");
		sqlserver_exec(LAB_DEST, "DROP TABLE dbo.t");
	}
}

static void test_too_long_a_text(void **state)
{
	(void)state;
	refuse("id int NOT NULL PRIMARY KEY, c varchar(10) NULL",
	       "id int NOT NULL PRIMARY KEY, c varchar(3) NULL", "'SECRET'",
	       "'c'");
}

/* The message of the server repeats the key's value: ours does not. */
static void test_duplicate_key(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	pair_make(LAB_SOURCE,
		  "id int NOT NULL PRIMARY KEY, c varchar(10) NULL");
	pair_make(LAB_DEST, "id int NOT NULL PRIMARY KEY, c varchar(10) NULL "
			    "UNIQUE");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 'SECRET'), "
				   "(2, 'SECRET')");
	pair_open_both(true);
	pair_describe_both();
	assert_int_equal(pair_load(TARGET_REPLACE, NULL, &err), -1);
	assert_int_equal(err.kind, ERROR_DATA);
	assert_null(strstr(err.message, "SECRET"));
}

static void test_capture_is_off(void **state)
{
	struct error err = ERROR_INIT;
	struct position at;

	(void)state;
	sqlserver_exec(LAB_SOURCE,
		       "CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY)");
	pair_make(LAB_DEST, "id int NOT NULL PRIMARY KEY");
	pair_open_both(true);
	MUST_FAIL(pair.src->ops->position(pair.src, &at, &err), ERROR_SCHEMA);
	assert_non_null(strstr(err.message, "sp_cdc_enable_table"));
	assert_false(err.retryable);
}

static void test_capture_lacks_a_column(void **state)
{
	struct error err = ERROR_INIT;
	struct position at;

	(void)state;
	pair_make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, a int NULL");
	pair_open_both(true);
	pair_describe_both();
	pair_must_load(TARGET_REPLACE, &at);
	sqlserver_exec(LAB_SOURCE, "ALTER TABLE dbo.t ADD b int NULL");
	sqlserver_exec(LAB_DEST, "ALTER TABLE dbo.t ADD b int NULL");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 2, 3)");
	pair_describe_both();
	assert_int_equal(pair_apply(&at, &err), -1);
	assert_int_equal(err.kind, ERROR_SCHEMA);
	assert_non_null(strstr(err.message, "'b'"));
}

/* ----------------------------------------------------- tables of all sorts */

static void test_identity(void **state)
{
	struct position at;

	(void)state;
	pair_make(LAB_SOURCE, "id int IDENTITY(10, 10) NOT NULL PRIMARY KEY, "
			      "c int NULL");
	pair_make(LAB_DEST, "id int IDENTITY(1, 1) NOT NULL PRIMARY KEY, "
			    "c int NULL");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t (c) VALUES (1), (2), "
				   "(3)");
	pair_open_both(true);
	pair_describe_both();
	pair_must_load(TARGET_REPLACE, &at);
	pair_assert_same("c");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t (c) VALUES (4); "
				   "DELETE FROM dbo.t WHERE id = 10; "
				   "UPDATE dbo.t SET c = 9 WHERE id = 20");
	pair_must_apply(&at);
	pair_assert_same("c");
	pair_must_load(TARGET_REFILL, &at);
	pair_assert_same("c");
	/* Nobody else finds IDENTITY_INSERT switched on. */
	sqlserver_exec(LAB_DEST, "INSERT INTO dbo.t (c) VALUES (5)");
}

/* An identity that is no part of the key cannot be updated: made anew. */
static void test_identity_beside_the_key(void **state)
{
	struct position at;

	(void)state;
	pair_make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, c int NULL, "
			      "n int IDENTITY(1, 1) NOT NULL");
	pair_make(LAB_DEST, "id int NOT NULL PRIMARY KEY, c int NULL, "
			    "n int IDENTITY(1, 1) NOT NULL");
	sqlserver_exec(LAB_SOURCE,
		       "INSERT INTO dbo.t (id, c) VALUES (1, 1), (2, 2)");
	pair_open_both(true);
	pair_describe_both();
	pair_must_load(TARGET_REPLACE, &at);
	sqlserver_exec(LAB_SOURCE,
		       "DELETE FROM dbo.t WHERE id = 1; "
		       "INSERT INTO dbo.t (id, c) VALUES (1, 5), (3, 3)");
	pair_must_apply(&at);
	pair_assert_same("c");
	pair_assert_same("n");
}

/* A key that others refer to: SWITCH and TRUNCATE are both out. */
static void test_referenced_table(void **state)
{
	struct position at;

	(void)state;
	pair_make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, c int NULL");
	pair_make(LAB_DEST, "id int NOT NULL PRIMARY KEY, c int NULL");
	sqlserver_exec(LAB_DEST,
		       "CREATE TABLE dbo.child (id int NOT NULL PRIMARY KEY, "
		       "t int NULL CONSTRAINT fk_child REFERENCES dbo.t (id))");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 1), (2, 2), "
				   "(3, 3)");
	pair_open_both(true);
	pair_describe_both();
	pair_must_load(TARGET_REPLACE, &at);
	sqlserver_exec(LAB_DEST, "INSERT INTO dbo.child VALUES (1, 2)");
	sqlserver_exec(LAB_SOURCE, "UPDATE dbo.t SET c = 20 WHERE id = 2; "
				   "DELETE FROM dbo.t WHERE id = 3; "
				   "INSERT INTO dbo.t VALUES (4, 4)");
	pair_must_load(TARGET_REPLACE, &at);
	pair_assert_same("c");
}

/* Columns that only the destination has, and those that it works out. */
static void test_more_columns_in_the_destination(void **state)
{
	struct error err = ERROR_INIT;
	struct position at;

	(void)state;
	pair_make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, c int NULL");
	pair_make(LAB_DEST,
		  "made datetime2 NOT NULL DEFAULT SYSUTCDATETIME(), "
		  "c int NULL, twice AS c * 2, "
		  "id int NOT NULL PRIMARY KEY, v rowversion NOT NULL");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 1), (2, 2)");
	pair_open_both(true);
	pair_describe_both();
	MUST(pair_load(TARGET_REPLACE, NULL, &err));
	pair_must_load(TARGET_REPLACE, &at);
	pair_assert_same("c");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (3, 3)");
	pair_must_apply(&at);
	pair_assert_same("c");
	assert_int_equal(
		sqlserver_number(LAB_DEST, "SELECT SUM(twice) FROM dbo.t"), 12);
}

/* What depends on the table is still there after a load. */
static void test_load_keeps_what_hangs_on_the_table(void **state)
{
	struct position at;

	(void)state;
	pair_make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, c int NULL");
	pair_make(LAB_DEST, "id int NOT NULL CONSTRAINT pk_t PRIMARY KEY, "
			    "c int NULL CONSTRAINT df_c DEFAULT 7 "
			    "CONSTRAINT ck_c CHECK (c > 0)");
	sqlserver_exec(LAB_DEST, "CREATE UNIQUE INDEX ix_c ON dbo.t (c DESC) "
				 "INCLUDE (id) WHERE c IS NOT NULL");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 1), (2, 2)");
	pair_open_both(true);
	pair_describe_both();
	pair_must_load(TARGET_REPLACE, &at);
	pair_must_load(TARGET_REPLACE, &at);
	pair_assert_same("c");
	assert_int_equal(
		sqlserver_number(LAB_DEST,
				 "SELECT COUNT(*) FROM sys.objects WHERE name "
				 "IN (N'pk_t', N'df_c', N'ck_c')"),
		3);
	assert_int_equal(
		sqlserver_number(LAB_DEST,
				 "SELECT COUNT(*) FROM sys.indexes WHERE "
				 "object_id = OBJECT_ID(N'dbo.t') AND "
				 "name = N'ix_c' AND is_unique = 1 AND "
				 "is_disabled = 0"),
		1);
	assert_int_equal(
		sqlserver_number(LAB_DEST,
				 "SELECT COUNT(*) FROM sys.tables WHERE "
				 "schema_id = SCHEMA_ID(N'dataflow') AND "
				 "name LIKE N'load[_]%%[_]%%'"),
		0);
}

static void test_another_schema(void **state)
{
	struct error err = ERROR_INIT;
	struct target_spec to = {
		.server = contract.to,
		.name = {LAB_DEST_DATABASE, "other", "o]dd 'na\"me"},
		.installation = "installation",
		.mapping_id = 3,
		.origin = "it's [an] origin",
		.epoch = 1,
	};
	struct checkpoint next = {.position = {.len = 1, .bytes = {7}}}, got;

	(void)state;
	pair_make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, [c]]'\"] int NULL");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 1)");
	pair_open_both(true);
	pair.dst->ops->close(pair.dst);
	MUST(contract.driver->target->open(&to, &pair.dst, &err));
	MUST(pair.dst->ops->connect(pair.dst, &contract.cancel, &err));
	MUST(pair.dst->ops->fence(pair.dst, &err));
	pair_describe_both();
	MUST(pair_load(TARGET_REPLACE, &next.position, &err));
	assert_int_equal(sqlserver_number(LAB_DEST, "SELECT [c]]'\"] FROM "
						    "other.[o]]dd 'na\"me]"),
			 1);
	assert_int_equal(pair.dst->ops->checkpoint(pair.dst, &got, &err), 1);
	assert_true(position_equal(&got.position, &next.position));
}

/* A DBA drops the instance and makes another one: the first one is a gap. */
static void test_second_capture_instance(void **state)
{
	struct position at;

	(void)state;
	pair_make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, a int NULL");
	pair_open_both(true);
	pair_describe_both();
	pair_must_load(TARGET_REPLACE, &at);
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 1)");
	sqlserver_exec(LAB_SOURCE, "EXEC sys.sp_cdc_enable_table "
				   "@source_schema = N'dbo', "
				   "@source_name = N't', @role_name = NULL, "
				   "@capture_instance = N'dbo_t_second'");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (2, 2)");
	pair_must_apply(&at);
	pair_assert_same("a");
	/* The first one goes: the second covers what comes. */
	sqlserver_exec(LAB_SOURCE, "EXEC sys.sp_cdc_disable_table "
				   "@source_schema = N'dbo', "
				   "@source_name = N't', "
				   "@capture_instance = N'dbo_t'");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (3, 3)");
	pair_open_both(true);
	pair_describe_both();
	pair_must_apply(&at);
	pair_assert_same("a");
}

/* ------------------------------------------------- servers that do not answer */

static void expect_refused(const char *string, enum error_kind kind,
			   bool retryable)
{
	struct error err = ERROR_INIT;
	struct server_spec spec = {
		.id = 9,
		.name = "bad",
		.connection_string = string,
		.login_timeout_s = 5,
		.query_timeout_s = 5,
		.pool = &contract.pool,
	};
	struct source_spec from = {.name = {LAB_SOURCE_DATABASE, "dbo", "t"}};
	struct server *server;
	struct source *bad;

	MUST(contract.driver->server_new(&spec, &server, &err));
	from.server = server;
	MUST(contract.driver->source->open(&from, &bad, &err));
	assert_int_equal(bad->ops->connect(bad, &contract.cancel, &err), -1);
	if (err.kind != kind || err.retryable != retryable)
		fail_msg("%s, retryable %d: %s", error_kind_name(err.kind),
			 err.retryable, err.message);
	assert_null(strstr(err.message, "SECRET"));
	bad->ops->release(bad);
	bad->ops->close(bad);
	contract.driver->server_free(server);
}

static void test_logins_that_fail(void **state)
{
	const char *server = getenv("DATAFLOW_TEST_SQLSERVER");
	char string[512];

	(void)state;
	snprintf(string, sizeof(string), "server=%s;user id=sa;password=SECRET",
		 server);
	expect_refused(string, ERROR_CONNECTION, false);
	expect_refused("server=127.0.0.1,1;user id=sa;password=SECRET",
		       ERROR_CONNECTION, true);
	expect_refused("server=no-such-host.invalid;user id=sa;"
		       "password=SECRET",
		       ERROR_CONNECTION, true);
}

static void test_missing_database(void **state)
{
	struct error err = ERROR_INIT;
	struct source_spec from = {
		.server = contract.from,
		.name = {"contract_absent", "dbo", "t"},
	};

	(void)state;
	MUST(contract.driver->source->open(&from, &pair.src, &err));
	MUST_FAIL(pair.src->ops->connect(pair.src, &contract.cancel, &err),
		  ERROR_CONNECTION);
	assert_false(err.retryable);
	assert_int_equal(err.native, 4060);
	assert_non_null(strstr(err.message, "contract_absent"));
}

/* The sessions of the driver, but not the laboratory's own. */
#define MAKE_SPIDS                                   \
	"CREATE TABLE dbo.spids (id int NOT NULL); " \
	"INSERT INTO dbo.spids VALUES (@@SPID)"
#define FROM_SESSIONS                                                         \
	"FROM sys.dm_exec_sessions WHERE session_id <> @@SPID "               \
	"AND database_id = DB_ID() AND program_name = N'dbaops-dataflow' "    \
	"AND session_id NOT IN (SELECT CONVERT(int, x.id) FROM dbo.spids AS " \
	"x)"

static const char kill_sql[] =
	"DECLARE @sql nvarchar(max) = N''; "
	"SELECT @sql = @sql + N'KILL ' + CONVERT(nvarchar(10), session_id) "
	"+ N'; ' " FROM_SESSIONS "; "
	"EXEC sys.sp_executesql @sql";

/* Until the server has noticed that nobody is there any more. */
static void wait_until_gone(void)
{
	const struct timespec pause = {0, 20000000};

	for (int ms = 0; ms < 30000; ms += 20) {
		if (!sqlserver_number(LAB_DEST,
				      "SELECT COUNT(*) " FROM_SESSIONS))
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("the driver's session does not end");
}

/* A session is killed while it is used: the next connection is a new one. */
static void test_killed_session(void **state)
{
	struct error err = ERROR_INIT;
	struct position at;

	(void)state;
	pair_make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, c int NULL");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 1)");
	sqlserver_exec(LAB_DEST, MAKE_SPIDS);
	pair_open_both(true);
	pair_describe_both();
	pair_must_load(TARGET_REPLACE, &at);
	MUST(pair.dst->ops->begin(pair.dst, TARGET_APPLY, &pair.shape, &err));
	sqlserver_exec(LAB_DEST, "%s", kill_sql);
	{
		struct checkpoint next = {.position = at};
		struct target_counts counts;
		int rc = pair.dst->ops->commit(pair.dst, NULL, &next, &counts,
					       &err);

		assert_int_equal(rc, -1);
		if (err.kind != ERROR_CONNECTION || !err.retryable)
			fail_msg("%s: %s", error_kind_name(err.kind),
				 err.message);
	}
	pair.dst->ops->rollback(pair.dst);
	pair.dst->ops->release(pair.dst);
	MUST(pair.dst->ops->connect(pair.dst, &contract.cancel, &err));
	pair_describe_both();
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (2, 2)");
	pair_must_apply(&at);
	pair_assert_same("c");
}

static void *cancel_later(void *arg)
{
	struct timespec pause = {0, 300000000};

	(void)arg;
	nanosleep(&pause, NULL);
	cancel_request(&contract.cancel, CANCEL_NOW);
	return NULL;
}

/* Waiting for a lock is cut short; the commit has not happened. */
static void test_cancel_cuts_a_wait_short(void **state)
{
	struct checkpoint next = {.position = {.len = 1, .bytes = {9}}};
	struct error err = ERROR_INIT;
	struct target_counts counts;
	struct position at;
	pthread_t thread;
	int64_t began;
	int rc;

	(void)state;
	pair_make(LAB_SOURCE, "id int NOT NULL PRIMARY KEY, c int NULL");
	sqlserver_exec(LAB_SOURCE, "INSERT INTO dbo.t VALUES (1, 1), (2, 2)");
	pair_open_both(true);
	pair_describe_both();
	pair_must_load(TARGET_REPLACE, &at);
	sqlserver_exec(LAB_SOURCE, "UPDATE dbo.t SET c = 5");
	sqlserver_settle();
	{
		struct window window;

		assert_int_equal(
			pair.src->ops->changes_begin(pair.src, &pair.shape, &at,
						     MANY, &window, &err),
			1);
	}
	MUST(pair.dst->ops->begin(pair.dst, TARGET_APPLY, &pair.shape, &err));
	MUST(pair_move(&pair.shape, &err));
	sqlserver_exec(LAB_DEST, MAKE_SPIDS);
	sqlserver_exec(LAB_DEST, "BEGIN TRANSACTION; "
				 "UPDATE dbo.t SET c = c WHERE id = 1");
	assert_int_equal(pthread_create(&thread, NULL, cancel_later, NULL), 0);
	began = clock_ms();
	rc = pair.dst->ops->commit(pair.dst, NULL, &next, &counts, &err);
	pthread_join(thread, NULL);
	assert_int_equal(rc, -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	assert_true(clock_ms() - began < 10000);
	pair.dst->ops->rollback(pair.dst);
	pair.dst->ops->release(pair.dst);
	wait_until_gone();
	sqlserver_exec(LAB_DEST, "ROLLBACK TRANSACTION");
	assert_int_equal(sqlserver_number(LAB_DEST, "SELECT SUM(c) FROM dbo.t"),
			 3);
}

int sqlserver_more(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(test_character_that_is_lacking),
		PAIR_TEST(test_null_into_not_null),
		PAIR_TEST(test_too_long_a_text),
		PAIR_TEST(test_duplicate_key),
		PAIR_TEST(test_capture_is_off),
		PAIR_TEST(test_capture_lacks_a_column),
		PAIR_TEST(test_identity),
		PAIR_TEST(test_identity_beside_the_key),
		PAIR_TEST(test_referenced_table),
		PAIR_TEST(test_more_columns_in_the_destination),
		PAIR_TEST(test_load_keeps_what_hangs_on_the_table),
		PAIR_TEST(test_another_schema),
		PAIR_TEST(test_second_capture_instance),
		PAIR_TEST(test_logins_that_fail),
		PAIR_TEST(test_missing_database),
		PAIR_TEST(test_killed_session),
		PAIR_TEST(test_cancel_cuts_a_wait_short),
	};

	return sqlserver_types() + sqlserver_session() +
	       cmocka_run_group_tests_name("sqlserver", tests, NULL, NULL);
}
