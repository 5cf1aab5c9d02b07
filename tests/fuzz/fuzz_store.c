/*
 * What stands in the control tables of a SQLite file, whatever it is:
 * control/control.h. Such a file has values of any type in any column, and text
 * of any bytes.
 *
 * All of it is read, or the reading fails and says why; every text is UTF-8,
 * as all who show it count on. Of the rows settings and mappings are made as
 * the daemon makes them.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "base/cancel.h"
#include "cli/figures.h"
#include "control/settings.h"
#include "engine/mapping.h"
#include "unit/utf8.h"

#define COLUMNS_MAX 32
#define ROWS_MAX    24

static const char *const tables[] = {
	"config",	  "source_servers",	   "target_servers",
	"table_mappings", "sync_requests",	   "notification_channels",
	"error_logs",	  "verification_progress", "mapping_state",
	"daemons",	  "mapping_leases",	   "sync_logs",
	"sync_status",	  "installation",	   "verification_logs",
};

#define TABLES (sizeof(tables) / sizeof(*tables))

static char path[600];
static sqlite3 *db; /* of the one who writes strange things into it */
static struct cancel cancel;
static struct control *control;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct control_spec spec = {
		.kind = CONTROL_SQLITE, .file = path, .create = true};
	struct error err = ERROR_INIT;
	enum control_trouble trouble;

	(void)argc;
	(void)argv;
	snprintf(path, sizeof(path), "%s/control.db", private_folder());
	HOLDS(drivers_init(&err) == 0);
	HOLDS(cancel_init(&cancel, &err) == 0);
	HOLDS(control_open(&spec, &cancel, &control, &trouble, &err) == 0);
	HOLDS(sqlite3_open(path, &db) == SQLITE_OK);
	HOLDS(sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL) ==
	      SQLITE_OK);
	return 0;
}

/* ------------------------------------------------------------------ writing */

static void bind_anything(sqlite3_stmt *stmt, int i, struct input *in)
{
	char *text;

	switch (take_below(in, 6)) {
	case 0:
		sqlite3_bind_null(stmt, i);
		break;
	case 1:
		sqlite3_bind_int64(stmt, i, (int64_t)take_number(in, 8));
		break;
	case 2:
		sqlite3_bind_double(stmt, i, (double)take_number(in, 8) / 3);
		break;
	case 3:
		sqlite3_bind_int64(stmt, i, (int64_t)take_below(in, 4));
		break;
	default:
		text = take_text(in, 100);
		sqlite3_bind_text(stmt, i, text, -1, SQLITE_TRANSIENT);
		free(text);
		break;
	}
}

/* Rows that a constraint refuses are not there. */
static void write_row(struct input *in)
{
	const char *table = tables[take_below(in, TABLES)];
	sqlite3_stmt *stmt;
	char sql[400];
	int columns, len;

	snprintf(sql, sizeof(sql), "SELECT * FROM %s", table);
	HOLDS(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
	columns = sqlite3_column_count(stmt);
	sqlite3_finalize(stmt);
	HOLDS(columns <= COLUMNS_MAX);
	len = snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO %s VALUES (?",
		       table);
	for (int i = 1; i < columns; i++)
		len += snprintf(sql + len, sizeof(sql) - (size_t)len, ",?");
	snprintf(sql + len, sizeof(sql) - (size_t)len, ")");
	HOLDS(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
	for (int i = 1; i <= columns; i++)
		bind_anything(stmt, i, in);
	sqlite3_step(stmt);
	sqlite3_finalize(stmt);
}

static void write_rows(struct input *in)
{
	char sql[100];

	HOLDS(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK);
	for (size_t i = 0; i < TABLES; i++) {
		snprintf(sql, sizeof(sql), "DELETE FROM %s", tables[i]);
		HOLDS(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
	}
	for (int i = 0; i < ROWS_MAX && in->len; i++)
		write_row(in);
	HOLDS(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
}

/* ------------------------------------------------------------------ reading */

static bool worked(int rc, const struct error *err)
{
	if (rc < 0)
		check_error(err);
	return rc >= 0;
}

static void check_text(const char *text)
{
	HOLDS(!text || is_utf8(text));
}

static void check_mapping(const struct control_mapping *row,
			  const struct control_snapshot *snapshot)
{
	const struct mapping_default_target none = {.type = NULL};
	struct mapping *mapping;

	check_text(row->source_database);
	check_text(row->source_table);
	check_text(row->dest_table);
	check_text(row->key_columns);
	check_text(row->suspended_reason);
	check_text(row->error);
	if (!mapping_is_enabled(row, snapshot))
		return;
	mapping = mapping_new(row, snapshot, &none);
	HOLDS(mapping);
	check_text(mapping->name);
	check_text(mapping->origin);
	if (mapping->problem.kind != ERROR_NONE)
		check_error(&mapping->problem);
	mapping_free(mapping);
}

static void try_load(void)
{
	struct control_snapshot snapshot;
	struct error err = ERROR_INIT;
	struct settings settings;

	if (!worked(control_load(control, &snapshot, &err), &err))
		return;
	settings_init(&settings);
	(void)worked(settings_load(&settings, &snapshot, &err), &err);
	(void)worked(mapping_find_addresses(&snapshot, &err), &err);
	for (size_t i = 0; i < snapshot.mapping_count; i++)
		check_mapping(&snapshot.mappings[i], &snapshot);
	for (size_t i = 0; i < snapshot.request_count; i++)
		check_text(snapshot.requests[i].type);
	for (size_t i = 0; i < snapshot.channel_count; i++)
		check_text(snapshot.channels[i].name);
	control_snapshot_release(&snapshot);
}

static void check_figures(const struct control_report_mapping *row)
{
	char source[100];

	figures_source(source, sizeof(source), &row->mapping);
	check_text(source);
	HOLDS(figures_percent(row) >= -1 && figures_percent(row) <= 100);
	HOLDS(figures_seconds_left(row) >= -1);
	HOLDS(figures_state(row, true));
}

static void try_report(void)
{
	struct control_report report;
	struct control_orders orders;
	struct control_lines lines;
	struct error err = ERROR_INIT;

	if (worked(control_report(control, &report, &err), &err)) {
		for (size_t i = 0; i < report.mapping_count; i++)
			check_figures(&report.mappings[i]);
		control_report_release(&report);
	}
	if (worked(control_list_orders(control, 0, 0, 9, &orders, &err), &err))
		control_orders_release(&orders);
	if (worked(control_list_logs(control, 1, 0, 9, &lines, &err), &err)) {
		for (size_t i = 0; i < lines.count; i++)
			check_text(lines.lines[i].message);
		control_lines_release(&lines);
	}
}

static void try_leases(void)
{
	struct control_holders holders;
	struct control_lease *leases;
	struct error err = ERROR_INIT;
	size_t count;

	if (worked(control_read_holders(control, "d", &holders, &err), &err)) {
		for (size_t i = 0; i < holders.count; i++)
			check_text(holders.holders[i].daemon);
		control_holders_release(&holders);
	}
	if (worked(control_claim_leases(control, "d", &err), &err) &&
	    worked(control_read_leases(control, "d", &leases, &count, &err),
		   &err))
		free(leases);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	write_rows(&in);
	try_load();
	try_report();
	try_leases();
	return 0;
}
