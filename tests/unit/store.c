#include "unit/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "unit/helper.h"

struct control_spec store_make(const char *name)
{
	static char paths[8][160];
	static int next;
	struct error err = ERROR_INIT;
	struct control_spec spec = {.kind = CONTROL_SQLITE, .create = true};
	enum control_trouble trouble;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s", path_of(name));
	spec.file = path;
	MUST(control_init(&spec, &trouble, &err));
	assert_int_equal(trouble, CONTROL_FINE);
	return spec;
}

struct control *store_open(const struct control_spec *spec)
{
	struct error err = ERROR_INIT;
	enum control_trouble trouble;
	struct control *control;

	MUST(control_open(spec, NULL, &control, &trouble, &err));
	assert_int_equal(trouble, CONTROL_FINE);
	return control;
}

static sqlite3 *open_file(const char *file)
{
	sqlite3 *db;

	assert_int_equal(
		sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL),
		SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	return db;
}

void store_exec(const char *file, const char *sql)
{
	sqlite3 *db = open_file(file);
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why))
		fail_msg("%s: %s", sql, why);
	sqlite3_close(db);
}

char *store_query(const char *file, const char *sql)
{
	sqlite3 *db = open_file(file);
	sqlite3_stmt *stmt;
	struct strbuf out;

	strbuf_init(&out);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL))
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(stmt); i++) {
			const unsigned char *text =
				sqlite3_column_text(stmt, i);

			strbuf_addf(&out, "%s%s", i ? "|" : "",
				    text ? (const char *)text : "NULL");
		}
		strbuf_addch(&out, '\n');
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return strbuf_detach(&out);
}

void assert_query(const char *file, const char *sql, const char *want)
{
	char *got = store_query(file, sql);

	if (strcmp(got, want))
		fail_msg("%s\nanswers\n%sbut should\n%s", sql, got, want);
	free(got);
}

int64_t store_number(const char *file, const char *sql)
{
	char *got = store_query(file, sql);
	int64_t number = strtoll(got, NULL, 10);

	free(got);
	return number;
}

void store_add_mapping(const char *file)
{
	store_exec(file,
		   "INSERT INTO source_servers (server_name, server_type, "
		   "connection_string) VALUES ('src', 'memory', 'name=s');"
		   "INSERT INTO target_servers (target_name, target_type, "
		   "connection_string) VALUES ('dst', 'memory', 'name=d');"
		   "INSERT INTO table_mappings (server_id, target_id, "
		   "source_database, source_table, dest_database, dest_table, "
		   "cdc_enabled) VALUES (1, 1, 'db', 't', 'db', 't', 1)");
}
