/*
 * The control tables are described twice, for SQL Server and for SQLite: here
 * the two are held against each other, against the published columns and
 * against the program's own list of settings.
 */
#include "unit/helper.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "control/settings.h"
#include "unit/rows.h"
#include "unit/store.h"
#include "unit/tsql.h"

static struct tsql_schema schema;
static const char *file;

static int setup(void **state)
{
	char *script;

	if (setup_folder(state) < 0)
		return -1;
	file = store_make("control.db").file;
	script = read_file("schema-dataflow.sql", NULL);
	tsql_read_schema(&schema, script);
	free(script);
	return 0;
}

static const struct tsql_table *find_table(const char *name)
{
	for (size_t i = 0; i < schema.table_count; i++)
		if (!strcmp(schema.tables[i].name, name))
			return &schema.tables[i];
	fail_msg("table '%s' is not in schema-dataflow.sql", name);
	return NULL;
}

static const struct tsql_column *find_column(const struct tsql_table *table,
					     const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (!strcmp(table->columns[i].name, name))
			return &table->columns[i];
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void test_same_tables(void **state)
{
	char names[TSQL_TABLES_MAX][64];
	struct strbuf want;

	(void)state;
	assert_true(schema.table_count >= 11);
	for (size_t i = 0; i < schema.table_count; i++)
		text_copy(names[i], sizeof(names[i]), schema.tables[i].name);
	qsort(names, schema.table_count, sizeof(names[0]), by_text);
	strbuf_init(&want);
	for (size_t i = 0; i < schema.table_count; i++)
		strbuf_addf(&want, "%s\n", names[i]);
	assert_query(file,
		     "SELECT name FROM sqlite_master WHERE type = 'table' AND "
		     "name NOT LIKE 'sqlite_%' ORDER BY name",
		     want.data);
	strbuf_release(&want);
}

/* The column as SQLite would have to describe it: name|type|notnull|pk. */
static void expect_column(struct strbuf *out, const struct tsql_column *column)
{
	char type[64];

	text_copy(type, sizeof(type), column->type);
	if (!strcmp(type, "NVARCHAR(MAX)"))
		text_copy(type, sizeof(type), "NTEXT");
	if (column->identity) {
		assert_true(!strcmp(type, "INT") || !strcmp(type, "BIGINT"));
		assert_true(column->primary_key);
		text_copy(type, sizeof(type), "INTEGER");
	}
	strbuf_addf(out, "%s|%s|%d|%d\n", column->name, type, column->not_null,
		    column->primary_key);
}

static void test_same_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < schema.table_count; i++) {
		const struct tsql_table *table = &schema.tables[i];
		struct strbuf want;
		char sql[256];

		strbuf_init(&want);
		for (size_t c = 0; c < table->count; c++)
			expect_column(&want, &table->columns[c]);
		snprintf(sql, sizeof(sql),
			 "SELECT name, type, \"notnull\", pk "
			 "FROM pragma_table_info('%s') ORDER BY cid",
			 table->name);
		assert_query(file, sql, want.data);
		strbuf_release(&want);
	}
}

/* SYSUTCDATETIME() is strftime(…); SUSER_SNAME() has no like in SQLite. */
static void expect_default(struct strbuf *out, const struct tsql_column *column)
{
	if (!strcmp(column->fallback, "SYSUTCDATETIME()"))
		strbuf_addf(out,
			    "%s|strftime('%%Y-%%m-%%dT%%H:%%M:%%f', "
			    "'now')\n",
			    column->name);
	else if (*column->fallback && strcmp(column->fallback, "SUSER_SNAME()"))
		strbuf_addf(out, "%s|%s\n", column->name, column->fallback);
}

static void test_same_defaults(void **state)
{
	(void)state;
	for (size_t i = 0; i < schema.table_count; i++) {
		const struct tsql_table *table = &schema.tables[i];
		struct strbuf want;
		char sql[256];

		strbuf_init(&want);
		for (size_t c = 0; c < table->count; c++)
			expect_default(&want, &table->columns[c]);
		snprintf(sql, sizeof(sql),
			 "SELECT name, dflt_value FROM pragma_table_info('%s') "
			 "WHERE dflt_value IS NOT NULL ORDER BY cid",
			 table->name);
		assert_query(file, sql, want.data);
		strbuf_release(&want);
	}
}

static void test_same_foreign_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < schema.table_count; i++) {
		const struct tsql_table *table = &schema.tables[i];

		for (size_t c = 0; c < table->count; c++) {
			const struct tsql_column *column = &table->columns[c];
			char sql[512], want[160];

			snprintf(want, sizeof(want), "%s%s", column->references,
				 *column->references ? "\n" : "");
			snprintf(sql, sizeof(sql),
				 "SELECT \"table\" || '(' || \"to\" || ')' || "
				 "CASE on_delete WHEN 'NO ACTION' THEN '' ELSE "
				 "' ' || on_delete END "
				 "FROM pragma_foreign_key_list('%s') "
				 "WHERE \"from\" = '%s'",
				 table->name, column->name);
			assert_query(file, sql, want);
		}
	}
}

static void test_same_unique_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < schema.table_count; i++) {
		const struct tsql_table *table = &schema.tables[i];
		struct strbuf want;
		char sql[400];

		strbuf_init(&want);
		for (size_t c = 0; c < table->count; c++)
			if (table->columns[c].unique)
				strbuf_addf(&want, "%s\n",
					    table->columns[c].name);
		snprintf(sql, sizeof(sql),
			 "SELECT x.name FROM pragma_index_list('%s') AS l, "
			 "pragma_index_info(l.name) AS x WHERE l.origin = 'u' "
			 "ORDER BY x.name",
			 table->name);
		assert_query(file, sql, want.data);
		strbuf_release(&want);
	}
}

static void test_same_indexes(void **state)
{
	struct strbuf want;

	(void)state;
	assert_true(schema.index_count > 0);
	qsort(schema.indexes, schema.index_count, sizeof(schema.indexes[0]),
	      by_text);
	strbuf_init(&want);
	for (size_t i = 0; i < schema.index_count; i++)
		strbuf_addf(&want, "%s\n", schema.indexes[i]);
	assert_query(file,
		     "SELECT name || replace(substr(sql, "
		     "instr(sql, ' ON ') + 3), ' (', '(') FROM ("
		     "SELECT name, replace(replace(sql, ', ', ','), ' DESC', "
		     "'DESC') AS sql FROM sqlite_master WHERE type = 'index' "
		     "AND sql IS NOT NULL) ORDER BY 1",
		     want.data);
	strbuf_release(&want);
}

/* What the first published version had: those names and meanings stay. */
static const struct {
	const char *table, *columns;
} published[] = {
	{"config", "config_key config_value description updated_at"},
	{"source_servers", "server_id server_name connection_string is_enabled "
			   "created_at updated_at last_connected_at notes"},
	{"table_mappings",
	 "mapping_id server_id source_database source_schema source_table "
	 "dest_database dest_schema dest_table primary_key_column "
	 "full_sync_trigger_column is_enabled cdc_enabled last_cdc_lsn "
	 "last_full_sync_at created_at updated_at"},
	{"sync_status", "status_id mapping_id sync_type status "
			"records_processed records_failed started_at "
			"completed_at error_message last_processed_pk"},
	{"sync_logs", "log_id mapping_id log_level log_message sync_type "
		      "records_count execution_time_ms created_at"},
	{"error_logs", "error_id mapping_id server_id error_type error_message "
		       "error_details stack_trace retry_count is_resolved "
		       "created_at resolved_at"},
	{"verification_logs",
	 "verification_id mapping_id verification_type source_md5 dest_md5 "
	 "source_row_count dest_row_count records_compared mismatches_found "
	 "verification_status verification_details verified_at"},
};

static bool is_listed(const char *list, const char *name)
{
	char padded[600], word[80];

	snprintf(padded, sizeof(padded), " %s ", list);
	snprintf(word, sizeof(word), " %s ", name);
	return strstr(padded, word) != NULL;
}

static void test_published_columns_are_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(published); i++) {
		const struct tsql_table *table = find_table(published[i].table);
		char list[600], *rest = list, *name;

		text_copy(list, sizeof(list), published[i].columns);
		while (rest) {
			name = rest;
			rest = strchr(rest, ' ');
			if (rest)
				*rest++ = '\0';
			if (!find_column(table, name))
				fail_msg("%s.%s is gone", table->name, name);
		}
	}
}

static void test_published_types(void **state)
{
	static const struct {
		const char *table, *column, *type;
		bool not_null;
	} types[] = {
		{"source_servers", "server_id", "INT", true},
		{"source_servers", "server_name", "NVARCHAR(255)", true},
		{"source_servers", "connection_string", "NVARCHAR(1000)", true},
		{"source_servers", "is_enabled", "BIT", true},
		{"table_mappings", "mapping_id", "INT", true},
		{"table_mappings", "last_cdc_lsn", "BINARY(10)", false},
		{"table_mappings", "primary_key_column", "NVARCHAR(255)",
		 false},
		{"table_mappings", "full_sync_trigger_column", "NVARCHAR(255)",
		 false},
		{"table_mappings", "cdc_enabled", "BIT", true},
		{"table_mappings", "last_full_sync_at", "DATETIME2", false},
		{"sync_status", "status", "NVARCHAR(50)", true},
		{"sync_status", "sync_type", "NVARCHAR(50)", true},
		{"sync_status", "last_processed_pk", "NVARCHAR(500)", false},
		{"sync_status", "records_processed", "BIGINT", true},
		{"sync_logs", "log_id", "BIGINT", true},
		{"sync_logs", "log_level", "NVARCHAR(20)", true},
		{"sync_logs", "log_message", "NVARCHAR(MAX)", true},
		{"error_logs", "error_id", "BIGINT", true},
		{"error_logs", "error_type", "NVARCHAR(50)", true},
		{"error_logs", "error_message", "NVARCHAR(MAX)", true},
		{"verification_logs", "source_md5", "NVARCHAR(32)", false},
		{"verification_logs", "verification_type", "NVARCHAR(50)",
		 true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		const struct tsql_column *column = find_column(
			find_table(types[i].table), types[i].column);

		assert_non_null(column);
		if (strcmp(column->type, types[i].type) ||
		    column->not_null != types[i].not_null)
			fail_msg("%s.%s is %s", types[i].table, types[i].column,
				 column->type);
	}
}

/* A published table gets every column that it had not by an ALTER TABLE. */
static void test_upgrade_adds_what_is_new(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(published); i++) {
		const struct tsql_table *table = find_table(published[i].table);

		for (size_t c = 0; c < table->count; c++) {
			const char *name = table->columns[c].name;
			bool added = is_listed(published[i].columns, name);

			for (size_t a = 0; a < schema.added_count; a++)
				added |= !strcmp(schema.added[a].table,
						 table->name) &&
					 !strcmp(schema.added[a].name, name);
			if (!added)
				fail_msg("%s.%s is new and never added to an "
					 "old table",
					 table->name, name);
		}
	}
}

static void test_added_columns_are_the_same(void **state)
{
	(void)state;
	assert_true(schema.added_count > 0);
	for (size_t a = 0; a < schema.added_count; a++) {
		const struct tsql_column *added = &schema.added[a];
		const struct tsql_column *made =
			find_column(find_table(added->table), added->name);

		assert_non_null(made);
		assert_string_equal(added->type, made->type);
		assert_int_equal(added->not_null, made->not_null);
		assert_string_equal(added->fallback, made->fallback);
		assert_string_equal(added->references, made->references);
		/* Rows that are there need a value for it. */
		assert_true(!added->not_null || *added->fallback);
	}
}

/* --------------------------------------------------------------- settings */

/* The rows that schema-dataflow.sql puts into config: key|value|description. */
static char *config_rows(void)
{
	char *script = read_file("schema-dataflow.sql", NULL);
	struct strbuf out;
	struct tsql t;

	strbuf_init(&out);
	tsql_begin(&t, strstr(script, "INSERT INTO dbo.config"));
	while (!tsql_skip(&t, "VALUES"))
		tsql_next(&t);
	do {
		tsql_need(&t, "(");
		for (int i = 0; i < 3; i++) {
			assert_int_equal(t.kind, TSQL_STRING);
			strbuf_addf(&out, "%s%s", i ? "|" : "", t.text);
			tsql_next(&t);
			tsql_need(&t, i < 2 ? "," : ")");
		}
		strbuf_addch(&out, '\n');
	} while (tsql_skip(&t, ","));
	free(script);
	return strbuf_detach(&out);
}

static void test_same_config_rows(void **state)
{
	char *want = config_rows();

	(void)state;
	assert_query(file,
		     "SELECT config_key, config_value, description FROM config "
		     "ORDER BY rowid",
		     want);
	free(want);
}

static void test_config_rows_are_the_settings(void **state)
{
	struct strbuf want;
	const char *key;
	char text[16];

	(void)state;
	strbuf_init(&want);
	for (int i = 0; (key = settings_key(i, text)); i++)
		strbuf_addf(&want, "%s|%s\n", key, text);
	assert_query(file,
		     "SELECT config_key, config_value FROM config "
		     "ORDER BY rowid",
		     want.data);
	assert_null(settings_key(-1, text));
	assert_null(settings_key(1000, text));
	strbuf_release(&want);
}

/* ------------------------------------------------------------------ views */

static void test_same_views(void **state)
{
	struct dirent *entry;
	DIR *dir = opendir("views");
	int count = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		const char *end = strrchr(entry->d_name, '.');
		char path[300], name[64], expect[80], sql[200];
		char *script, *want;

		if (!end || strcmp(end, ".sql"))
			continue;
		snprintf(path, sizeof(path), "views/%s", entry->d_name);
		script = read_file(path, NULL);
		want = tsql_view_columns(script, name);
		snprintf(expect, sizeof(expect), "%s.sql", name);
		assert_string_equal(entry->d_name, expect);
		snprintf(sql, sizeof(sql),
			 "SELECT name FROM pragma_table_info('%s') "
			 "ORDER BY cid",
			 name);
		assert_query(file, sql, want);
		snprintf(path, sizeof(path), "views/sqlite/%s", entry->d_name);
		free(read_file(path, NULL));
		free(script);
		free(want);
		count++;
	}
	closedir(dir);
	assert_true(count >= 2);
	assert_int_equal(store_number(file, "SELECT COUNT(*) FROM "
					    "sqlite_master WHERE type = "
					    "'view'"),
			 count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_tables),
		cmocka_unit_test(test_same_columns),
		cmocka_unit_test(test_same_defaults),
		cmocka_unit_test(test_same_foreign_keys),
		cmocka_unit_test(test_same_unique_columns),
		cmocka_unit_test(test_same_indexes),
		cmocka_unit_test(test_published_columns_are_there),
		cmocka_unit_test(test_published_types),
		cmocka_unit_test(test_upgrade_adds_what_is_new),
		cmocka_unit_test(test_added_columns_are_the_same),
		cmocka_unit_test(test_same_config_rows),
		cmocka_unit_test(test_config_rows_are_the_settings),
		cmocka_unit_test(test_same_views),
	};

	return cmocka_run_group_tests_name("control schema", tests, setup,
					   teardown_folder);
}
