/* Opening, installing and reading a control store in a SQLite file. */
#include "unit/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/settings.h"
#include "unit/rows.h"
#include "unit/store.h"

/* Opening has to fail in this way; the error's text is in `err`. */
static void refuse(const char *file, bool create, enum control_trouble want,
		   struct error *err)
{
	struct control_spec spec = {
		.kind = CONTROL_SQLITE, .file = file, .create = create};
	enum control_trouble trouble = CONTROL_FINE;
	struct control *control = NULL;

	error_clear(err);
	if (control_open(&spec, NULL, &control, &trouble, err) == 0)
		fail_msg("'%s' was opened", file);
	if (trouble != want)
		fail_msg("'%s' is trouble %d: %s", file, trouble, err->message);
	assert_true(err->kind != ERROR_NONE);
	assert_holds(err->message, file);
}

static void test_init_twice(void **state)
{
	struct control_spec spec = store_make("twice.db");
	struct error err = ERROR_INIT;
	enum control_trouble trouble;
	char *before, *after;

	(void)state;
	store_add_mapping(spec.file);
	store_exec(spec.file, "UPDATE config SET config_value = '77' "
			      "WHERE config_key = 'batch_size';"
			      "DELETE FROM config "
			      "WHERE config_key = 'batch_memory_mb'");
	before = store_query(spec.file, "SELECT installation_id, created_at, "
					"schema_version FROM installation");
	MUST(control_init(&spec, &trouble, &err));
	MUST(control_init(&spec, &trouble, &err));
	assert_int_equal(trouble, CONTROL_FINE);
	after = store_query(spec.file, "SELECT installation_id, created_at, "
				       "schema_version FROM installation");
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_query(spec.file,
		     "SELECT config_key, config_value FROM config "
		     "WHERE config_key LIKE 'batch%' ORDER BY 1",
		     "batch_memory_mb|4\nbatch_size|77\n");
	assert_query(spec.file, "SELECT COUNT(*) FROM table_mappings", "1\n");
	control_close(store_open(&spec));
}

static void test_installation_ids_differ(void **state)
{
	struct control_spec a = store_make("a.db"), b = store_make("b.db");
	char *first, *second;

	(void)state;
	first = store_query(a.file, "SELECT installation_id FROM installation");
	second =
		store_query(b.file, "SELECT installation_id FROM installation");
	assert_string_not_equal(first, second);
	assert_int_equal(strlen(first), 37); /* a UUID and a line break */
	free(first);
	free(second);
}

static void test_open_creates_when_asked(void **state)
{
	struct control_spec spec = {.kind = CONTROL_SQLITE, .create = true};
	struct error err = ERROR_INIT;
	const char *file = path_of("new.db");

	(void)state;
	refuse(file, false, CONTROL_UNREACHABLE, &err);
	assert_int_not_equal(access(file, F_OK), 0); /* not made by looking */
	spec.file = file;
	control_close(store_open(&spec));
	assert_int_equal(access(file, F_OK), 0);
	spec.create = false;
	control_close(store_open(&spec));
	control_close(NULL);
}

/* It holds passwords; one that is there already stays as it is. */
static void test_new_file_is_private(void **state)
{
	struct control_spec spec = store_make("private.db");
	struct stat info;

	(void)state;
	assert_int_equal(stat(spec.file, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(chmod(spec.file, 0640), 0);
	control_close(store_open(&spec));
	assert_int_equal(stat(spec.file, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0640);
}

static void test_default_target(void **state)
{
	struct control_spec spec = {.kind = CONTROL_SQLITE,
				    .connection_string = "server=h"};
	const char *type, *text;

	(void)state;
	control_default_target(&spec, &type, &text);
	assert_null(type);
	assert_null(text);
	spec.kind = CONTROL_SQLSERVER;
	control_default_target(&spec, &type, &text);
	assert_string_equal(type, "sqlserver");
	assert_string_equal(text, "server=h");
}

static void test_versions(void **state)
{
	struct control_spec spec = store_make("version.db");
	struct error err = ERROR_INIT;

	(void)state;
	store_exec(spec.file, "UPDATE installation SET schema_version = 0");
	refuse(spec.file, false, CONTROL_NO_TABLES, &err);
	assert_holds(err.message, "init");
	store_exec(spec.file, "DELETE FROM installation");
	refuse(spec.file, false, CONTROL_NO_TABLES, &err);
	store_exec(spec.file, "DROP TABLE installation");
	refuse(spec.file, false, CONTROL_NO_TABLES, &err);
	assert_holds(err.message, "init");
	/* Making them anew heals all of it. */
	control_close(store_open(&spec));
}

/* A store of a later version is left alone, also by one who would create. */
static void test_newer_version(void **state)
{
	struct control_spec spec = store_make("newer.db");
	struct error err = ERROR_INIT;
	enum control_trouble trouble;
	char *before, *after;

	(void)state;
	store_exec(spec.file,
		   "UPDATE installation SET schema_version = 99;"
		   "DROP VIEW v_recent_errors;"
		   "CREATE VIEW v_recent_errors AS SELECT 1 AS later;"
		   "DELETE FROM config WHERE config_key = 'batch_size'");
	before = store_query(spec.file, "SELECT name, sql FROM sqlite_master "
					"UNION ALL SELECT config_key, "
					"config_value FROM config ORDER BY 1");
	refuse(spec.file, false, CONTROL_TOO_NEW, &err);
	assert_holds(err.message, "99");
	refuse(spec.file, true, CONTROL_TOO_NEW, &err);
	/* `init` has to say no, too. */
	if (control_init(&spec, &trouble, &err) == 0)
		fail_msg("init took a newer store for its own");
	assert_int_equal(trouble, CONTROL_TOO_NEW);
	after = store_query(spec.file, "SELECT name, sql FROM sqlite_master "
				       "UNION ALL SELECT config_key, "
				       "config_value FROM config ORDER BY 1");
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void test_not_a_database(void **state)
{
	struct error err = ERROR_INIT;
	const char *file = path_of("text.db");

	(void)state;
	write_file(file, "This is a text of a length that SQLite looks at, "
			 "but it is no database, and never was one, really.");
	refuse(file, false, CONTROL_UNREACHABLE, &err);
	assert_false(err.retryable);
	refuse(file, true, CONTROL_UNREACHABLE, &err);
}

static void test_another_database(void **state)
{
	struct error err = ERROR_INIT;
	const char *file = path_of("other.db");
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	sqlite3_exec(db,
		     "CREATE TABLE installation (a INT); "
		     "INSERT INTO installation VALUES (1)",
		     NULL, NULL, NULL);
	sqlite3_close(db);
	refuse(file, false, CONTROL_NO_TABLES, &err);
}

static void test_impossible_places(void **state)
{
	struct error err = ERROR_INIT;
	char file[200];

	(void)state;
	refuse(path_of(""), true, CONTROL_UNREACHABLE, &err);
	snprintf(file, sizeof(file), "%s", path_of("no/such/folder/x.db"));
	refuse(file, true, CONTROL_UNREACHABLE, &err);
	assert_true(err.retryable); /* the disk may come back */
	refuse(file, false, CONTROL_UNREACHABLE, &err);
}

/* As somebody who may read the file and no more. */
static void test_not_writable(void **state)
{
	struct control_spec spec = store_make("readonly.db");
	struct error err = ERROR_INIT;
	char folder[160];
	bool root = geteuid() == 0;

	(void)state;
	snprintf(folder, sizeof(folder), "%s", path_of(""));
	chmod(spec.file, 0444);
	chmod(folder, 0555);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	error_clear(&err);
	{
		enum control_trouble trouble = CONTROL_FINE;
		struct control *control = NULL;
		int rc = control_open(&spec, NULL, &control, &trouble, &err);

		if (root)
			assert_int_equal(seteuid(0), 0);
		chmod(folder, 0700);
		chmod(spec.file, 0600);
		if (rc == 0)
			fail_msg("a store that cannot be written was opened");
		assert_int_equal(trouble, CONTROL_UNREACHABLE);
		assert_holds(err.message, "readonly.db");
	}
}

/* ------------------------------------------------------------------- load */

static void assert_text(const char *got, const char *want)
{
	if (!want)
		assert_null(got);
	else if (!got)
		fail_msg("NULL instead of '%s'", want);
	else
		assert_string_equal(got, want);
}

static void test_load_empty(void **state)
{
	struct control_spec spec = store_make("empty.db");
	struct control *control = store_open(&spec);
	struct control_snapshot s;
	struct error err = ERROR_INIT;
	char *id, text[16];
	int known = 0;

	(void)state;
	while (settings_key(known, text))
		known++;
	MUST(control_load(control, &s, &err));
	assert_int_equal(s.source_count, 0);
	assert_int_equal(s.target_count, 0);
	assert_int_equal(s.mapping_count, 0);
	assert_int_equal(s.request_count, 0);
	assert_int_equal(s.setting_count, known);
	id = store_query(spec.file, "SELECT installation_id FROM installation");
	id[strlen(id) - 1] = '\0';
	assert_string_equal(s.installation_id, id);
	free(id);
	control_snapshot_release(&s);
	control_snapshot_release(&s);
	control_close(control);
}

static void test_load_everything(void **state)
{
	struct control_spec spec = store_make("full.db");
	struct control *control = store_open(&spec);
	struct error err = ERROR_INIT;
	struct control_snapshot s;

	(void)state;
	store_exec(
		spec.file,
		"INSERT INTO source_servers (server_name, connection_string, "
		"is_enabled) VALUES ('one', 'server=a', 1), "
		"('zw\xc3\xb6lf', '', 0);"
		"INSERT INTO target_servers (target_name, target_type, "
		"connection_string) VALUES ('t', 'memory', 'name=x');"
		"INSERT INTO table_mappings (server_id, source_database, "
		"source_table, dest_database, dest_table) "
		"VALUES (1, 'db', 't', 'ddb', 'dt');"
		"INSERT INTO table_mappings (server_id, target_id, "
		"source_database, source_schema, source_table, dest_database, "
		"dest_schema, dest_table, primary_key_column, "
		"full_sync_trigger_column, is_enabled, is_paused, "
		"cdc_enabled) VALUES (2, 1, 'a', 'b', 'c', 'd', 'e', 'f', "
		"'k1,k2', 'sync', 0, 1, 1);"
		"INSERT INTO sync_requests (mapping_id, request_type, state) "
		"VALUES (1, 'FULL_SYNC', 'PENDING'), (2, 'PAUSE', 'RUNNING'), "
		"(1, 'FULL_SYNC', 'COMPLETED'), (1, 'X', 'FAILED'), "
		"(9, '', 'PENDING')");
	MUST(control_load(control, &s, &err));
	assert_int_equal(s.source_count, 2);
	assert_int_equal(s.sources[0].id, 1);
	assert_text(s.sources[0].name, "one");
	assert_text(s.sources[0].type, "sqlserver");
	assert_text(s.sources[0].connection_string, "server=a");
	assert_true(s.sources[0].enabled);
	assert_text(s.sources[1].name, "zw\xc3\xb6lf");
	assert_text(s.sources[1].connection_string, "");
	assert_false(s.sources[1].enabled);
	assert_int_equal(s.target_count, 1);
	assert_text(s.targets[0].type, "memory");
	assert_int_equal(s.mapping_count, 2);
	assert_int_equal(s.mappings[0].id, 1);
	assert_int_equal(s.mappings[0].server_id, 1);
	assert_int_equal(s.mappings[0].target_id, 0);
	assert_true(s.mappings[0].enabled);
	assert_false(s.mappings[0].paused);
	assert_false(s.mappings[0].cdc_enabled);
	assert_text(s.mappings[0].source_database, "db");
	assert_text(s.mappings[0].source_schema, "dbo");
	assert_text(s.mappings[0].source_table, "t");
	assert_text(s.mappings[0].dest_database, "ddb");
	assert_text(s.mappings[0].dest_schema, "dbo");
	assert_text(s.mappings[0].dest_table, "dt");
	assert_text(s.mappings[0].key_columns, NULL);
	assert_text(s.mappings[0].trigger_column, NULL);
	assert_int_equal(s.mappings[1].server_id, 2);
	assert_int_equal(s.mappings[1].target_id, 1);
	assert_false(s.mappings[1].enabled);
	assert_true(s.mappings[1].paused);
	assert_true(s.mappings[1].cdc_enabled);
	assert_text(s.mappings[1].source_schema, "b");
	assert_text(s.mappings[1].dest_schema, "e");
	assert_text(s.mappings[1].key_columns, "k1,k2");
	assert_text(s.mappings[1].trigger_column, "sync");
	assert_int_equal(s.request_count, 3);
	assert_int_equal(s.requests[0].id, 1);
	assert_int_equal(s.requests[1].id, 2);
	assert_int_equal(s.requests[1].mapping_id, 2);
	assert_text(s.requests[1].type, "PAUSE");
	assert_int_equal(s.requests[2].id, 5);
	control_snapshot_release(&s);
	control_close(control);
}

/* More rows than any first guess, in order. */
static void test_load_many(void **state)
{
	struct control_spec spec = store_make("many.db");
	struct control *control = store_open(&spec);
	struct error err = ERROR_INIT;
	struct control_snapshot s;

	(void)state;
	store_exec(spec.file,
		   "INSERT INTO source_servers (server_name, "
		   "connection_string) VALUES ('s', 'server=h');"
		   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
		   "FROM n WHERE i < 3000) INSERT INTO table_mappings "
		   "(server_id, source_database, source_table, dest_database, "
		   "dest_table) SELECT 1, 'db', 't' || i, 'db', 'd' || i "
		   "FROM n");
	MUST(control_load(control, &s, &err));
	assert_int_equal(s.mapping_count, 3000);
	for (int i = 0; i < 3000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "t%d", i + 1);
		assert_int_equal(s.mappings[i].id, i + 1);
		assert_string_equal(s.mappings[i].source_table, name);
	}
	control_snapshot_release(&s);
	control_close(control);
}

/*
 * What a DBA can leave in a SQLite file, which checks no types: none of it may
 * crash, and no row may turn into another one.
 */
static void test_load_garbage(void **state)
{
	struct control_spec spec = store_make("garbage.db");
	struct control *control;
	struct error err = ERROR_INIT;
	struct control_snapshot s;

	(void)state;
	store_exec(
		spec.file,
		"PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = "
		"ON; INSERT INTO source_servers (server_name, "
		"connection_string) VALUES ('s', 'server=h');"
		"INSERT INTO table_mappings (server_id, target_id, "
		"source_database, source_table, dest_database, dest_table, "
		"cdc_enabled, is_enabled) VALUES "
		"('abc', 'xyz', x'00ff', 3.5, '', ' ', 'yes', 1),"
		"(4294967297, 4294967297, 'db', 't', 'db', 't', 0, 1),"
		"(-1, -1, 'db', 'caf' || x'e9', 'db', 't', 7, 1);"
		"INSERT INTO sync_requests (mapping_id, request_type) "
		"VALUES ('abc', x'00'), (4294967297, 'FULL_SYNC');"
		"INSERT INTO config VALUES ('k', x'ff', 1, 1)");
	control = store_open(&spec);
	MUST(control_load(control, &s, &err));
	assert_int_equal(s.mapping_count, 3);
	assert_int_not_equal(s.mappings[0].server_id, 1);
	/* Server 4294967297 is not server 1. */
	assert_int_not_equal(s.mappings[1].server_id, 1);
	assert_int_not_equal(s.mappings[1].target_id, 1);
	assert_int_not_equal(s.mappings[2].server_id, 1);
	assert_int_equal(s.request_count, 2);
	assert_int_not_equal(s.requests[1].mapping_id, 1);
	control_snapshot_release(&s);
	control_close(control);
}

/* SQL Server would not let a NULL in; an altered SQLite file may. */
/* SQLite takes any bytes for text; everybody else counts on UTF-8. */
static void test_load_broken_text(void **state)
{
	struct control_spec spec = store_make("broken.db");
	struct control *control = store_open(&spec);
	struct control_snapshot snapshot;
	struct error err = ERROR_INIT;

	(void)state;
	store_exec(spec.file, "INSERT INTO source_servers (server_name, "
			      "connection_string) VALUES "
			      "(CAST(x'61ff62eda080' AS TEXT), 'server=h')");
	MUST(control_load(control, &snapshot, &err));
	assert_int_equal(snapshot.source_count, 1);
	assert_string_equal(snapshot.sources[0].name, "a?b???");
	control_snapshot_release(&snapshot);
	control_close(control);
}

static void test_load_nulls(void **state)
{
	struct control_spec spec = store_make("nulls.db");
	struct control *control;
	struct error err = ERROR_INIT;
	struct control_snapshot s;

	(void)state;
	store_exec(spec.file,
		   "PRAGMA foreign_keys = OFF;"
		   "DROP VIEW v_recent_errors; DROP VIEW v_sync_summary;"
		   "DROP TABLE table_mappings; DROP TABLE source_servers;"
		   "DROP TABLE sync_requests; DROP TABLE config;"
		   "CREATE TABLE table_mappings (mapping_id, server_id, "
		   "source_database, source_schema, source_table, target_id, "
		   "dest_database, dest_schema, dest_table, "
		   "primary_key_column, full_sync_trigger_column, is_enabled, "
		   "is_paused, cdc_enabled, change_source, is_suspended, "
		   "suspended_reason, verification_interval_minutes, "
		   "verification_row_count, full_verification_hours, "
		   "full_verification_at, auto_repair, on_row_error, "
		   "on_table_error, on_connection_error, on_conflict_error);"
		   "CREATE TABLE source_servers (server_id, server_name, "
		   "server_type, connection_string, is_enabled);"
		   "CREATE TABLE sync_requests (request_id, mapping_id, "
		   "request_type, state, scope, where_condition, dry_run);"
		   "CREATE TABLE config (config_key, config_value);"
		   "INSERT INTO table_mappings DEFAULT VALUES;"
		   "INSERT INTO source_servers DEFAULT VALUES;"
		   "INSERT INTO sync_requests (state) VALUES ('PENDING');"
		   "INSERT INTO config DEFAULT VALUES");
	control = store_open(&(struct control_spec){.kind = CONTROL_SQLITE,
						    .file = spec.file});
	MUST(control_load(control, &s, &err));
	assert_int_equal(s.mapping_count, 1);
	assert_null(s.mappings[0].source_table);
	assert_null(s.mappings[0].dest_database);
	assert_false(s.mappings[0].enabled);
	assert_int_equal(s.source_count, 1);
	assert_null(s.sources[0].name);
	assert_null(s.sources[0].type);
	assert_null(s.sources[0].connection_string);
	assert_int_equal(s.request_count, 1);
	assert_null(s.requests[0].type);
	assert_int_equal(s.setting_count, 1);
	assert_null(s.settings[0].key);
	control_snapshot_release(&s);
	control_close(control);
}

static void test_load_after_a_table_went(void **state)
{
	struct control_spec spec = store_make("went.db");
	struct control *control = store_open(&spec);
	struct error err = ERROR_INIT;
	struct control_snapshot s;

	(void)state;
	store_exec(spec.file, "ALTER TABLE sync_requests RENAME TO elsewhere");
	MUST_FAIL(control_load(control, &s, &err), ERROR_SERVER);
	control_snapshot_release(&s);
	store_exec(spec.file, "ALTER TABLE elsewhere RENAME TO sync_requests;"
			      "DELETE FROM installation");
	MUST_FAIL(control_load(control, &s, &err), ERROR_CONFIG);
	control_close(control);
}

/* A changed row is seen by the next load, over the same connection. */
static void test_load_sees_changes(void **state)
{
	struct control_spec spec = store_make("changes.db");
	struct control *control = store_open(&spec);
	struct error err = ERROR_INIT;
	struct control_snapshot s;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		MUST(control_load(control, &s, &err));
		assert_int_equal(s.mapping_count, i);
		control_snapshot_release(&s);
		store_exec(spec.file,
			   "INSERT OR IGNORE INTO source_servers (server_id, "
			   "server_name, connection_string) "
			   "VALUES (1, 's', 'c');"
			   "INSERT INTO table_mappings (server_id, "
			   "source_database, source_table, dest_database, "
			   "dest_table) VALUES (1, 'a', 'b', 'c', 'd')");
	}
	control_close(control);
}

/* A file of an older version gets the columns that it lacks. */
static void test_upgrade(void **state)
{
	struct control_spec spec = store_make("older.db");
	enum control_trouble trouble;
	struct error err = ERROR_INIT;

	(void)state;
	store_add_mapping(spec.file);
	store_exec(spec.file,
		   "DROP VIEW v_sync_summary;"
		   "DROP VIEW v_running_loads;"
		   "DROP INDEX ix_sync_status_state;"
		   "CREATE INDEX ix_sync_status_mapping ON sync_status "
		   "(mapping_id, status, started_at DESC);"
		   "ALTER TABLE table_mappings DROP COLUMN change_source;"
		   "ALTER TABLE daemons DROP COLUMN beats;"
		   "ALTER TABLE sync_status DROP COLUMN rows_per_second;"
		   "DROP TABLE mapping_leases;"
		   "UPDATE installation SET schema_version = 0;"
		   "INSERT INTO daemons VALUES ('old', '0.1', 'x', 'y', NULL)");
	MUST(control_init(&spec, &trouble, &err));
	MUST(control_init(&spec, &trouble, &err)); /* nothing is left to do */
	assert_query(spec.file,
		     "SELECT mapping_id, change_source FROM table_mappings",
		     "1|cdc\n");
	assert_query(spec.file, "SELECT daemon, beats FROM daemons", "old|0\n");
	assert_query(spec.file,
		     "SELECT rows_per_second FROM sync_status UNION ALL "
		     "SELECT epoch FROM mapping_leases",
		     "");
	assert_query(spec.file,
		     "SELECT name FROM sqlite_master WHERE name IN ("
		     "'v_sync_summary', 'v_running_loads', "
		     "'ix_sync_status_state', 'ix_sync_status_mapping') "
		     "ORDER BY name",
		     "ix_sync_status_state\nv_running_loads\n"
		     "v_sync_summary\n");
	assert_query(spec.file, "SELECT COUNT(*) FROM v_mapping_health", "1\n");
	control_close(store_open(&spec));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init_twice),
		cmocka_unit_test(test_installation_ids_differ),
		cmocka_unit_test(test_open_creates_when_asked),
		cmocka_unit_test(test_new_file_is_private),
		cmocka_unit_test(test_default_target),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_newer_version),
		cmocka_unit_test(test_not_a_database),
		cmocka_unit_test(test_another_database),
		cmocka_unit_test(test_impossible_places),
		cmocka_unit_test(test_not_writable),
		cmocka_unit_test(test_load_empty),
		cmocka_unit_test(test_load_everything),
		cmocka_unit_test(test_load_many),
		cmocka_unit_test(test_load_garbage),
		cmocka_unit_test(test_load_broken_text),
		cmocka_unit_test(test_load_nulls),
		cmocka_unit_test(test_load_after_a_table_went),
		cmocka_unit_test(test_load_sees_changes),
		cmocka_unit_test(test_upgrade),
	};

	return cmocka_run_group_tests_name("control", tests, setup_folder,
					   teardown_folder);
}
