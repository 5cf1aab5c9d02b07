#include "drivers/sqlserver/capture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/clock.h"
#include "base/text.h"
#include "drivers/sqlserver/sql.h"

/* A capture job that scans has done so within this time. */
#define SCAN_MAX_MS 10000 /* of one that finds nothing */

#define SCAN_SILENCE_S 600

/* Without capture in the database the schema cdc does not even exist. */
int capture_check_enabled(struct sqlserver_source *source, struct error *err)
{
	static const char sql[] =
		"SELECT CAST(d.is_cdc_enabled AS int), "
		"(SELECT CAST(t.is_tracked_by_cdc AS int) FROM sys.tables AS t "
		"WHERE t.object_id = @id) "
		"FROM sys.databases AS d WHERE d.name = DB_NAME()";
	struct tds_param id = tds_int("@id", source->catalog.object_id);
	char name[TABLE_NAME_TEXT_MAX];
	bool database, table;
	int rc;

	rc = tds_query_row(source->conn, sql, &id, 1, err);
	if (rc < 0)
		return -1;
	database = rc > 0 && tds_get_int(source->conn, 0);
	table = rc > 0 && tds_get_int(source->conn, 1);
	if (rc > 0 && tds_finish(source->conn, err) < 0)
		return -1;
	if (!database)
		return error_set(
			err, ERROR_SCHEMA,
			"change data capture is not enabled in source "
			"database '%s'; run EXEC sys.sp_cdc_enable_db "
			"there, then EXEC sys.sp_cdc_enable_table "
			"@source_schema = N'%s', @source_name = N'%s', "
			"@role_name = NULL",
			source->name.database, source->name.schema,
			source->name.table);
	if (!table)
		return error_set(
			err, ERROR_SCHEMA,
			"change data capture is not enabled for source "
			"table '%s'; run EXEC sys.sp_cdc_enable_table "
			"@source_schema = N'%s', @source_name = N'%s', "
			"@role_name = NULL",
			table_name_format(name, &source->name),
			source->name.schema, source->name.table);
	return 0;
}

void capture_forget(struct sqlserver_source *source)
{
	free(source->instance);
	source->instance = NULL;
}

static int keep_instance(struct sqlserver_source *source, struct error *err)
{
	const void *name;
	size_t len;

	name = tds_get_bytes(source->conn, 0, &len);
	capture_forget(source);
	source->instance = strndup(name ? name : "", len);
	return source->instance ? 0 : error_memory(err, "a capture instance");
}

/*
 * The newest instance that has all changes after `from`. A clean-up makes the
 * instances of a table begin at the same LSN; the one that was made last has the
 * columns that were added last.
 */
int capture_choose(struct sqlserver_source *source, const struct position *from,
		   struct error *err)
{
	static const char sql[] =
		"SELECT TOP (1) c.capture_instance "
		"FROM cdc.change_tables AS c "
		"WHERE c.source_object_id = @id "
		"ORDER BY CASE WHEN @from IS NULL "
		"OR sys.fn_cdc_get_min_lsn(c.capture_instance) "
		"<= sys.fn_cdc_increment_lsn(@from) THEN 0 ELSE 1 END, "
		"CASE WHEN @from IS NULL "
		"OR sys.fn_cdc_get_min_lsn(c.capture_instance) "
		"<= sys.fn_cdc_increment_lsn(@from) "
		"THEN c.start_lsn END DESC, c.start_lsn, c.create_date DESC";
	struct tds_param params[] = {
		tds_int("@id", source->catalog.object_id),
		tds_bytes("@from", from ? from->bytes : NULL,
			  from ? from->len : 0),
	};
	int rc;

	rc = tds_query_row(source->conn, sql, params, 2, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return error_set(
			err, ERROR_PERMISSION,
			"the login may not see a capture instance of "
			"'%s.%s'; GRANT SELECT ON SCHEMA::cdc to it, or "
			"run least-privilege-source.sql",
			source->name.schema, source->name.table);
	if (keep_instance(source, err) < 0) {
		tds_abandon(source->conn);
		return -1;
	}
	return tds_finish(source->conn, err);
}

int capture_no_minimum(const struct sqlserver_source *source, struct error *err)
{
	return error_set(err, ERROR_PERMISSION,
			 "capture instance '%s' is unknown to "
			 "sys.fn_cdc_get_min_lsn, or the login may not see it; "
			 "GRANT SELECT on the captured columns to it, and let "
			 "it join the instance's gating role, if there is one: "
			 "least-privilege-source.sql does both",
			 source->instance);
}

/*
 * An instance goes on with the columns that there were when it was made, by
 * their numbers, which are never given again. Of one that was dropped it has
 * NULL, also when there is another one of that name by now.
 */
static bool is_captured(const struct sqlserver_source *source, const char *name,
			int64_t column_id)
{
	const struct catalog_column *now =
		catalog_column(&source->catalog, name);

	return now && now->column_id == column_id;
}

int capture_columns(struct sqlserver_source *source, const struct table *shape,
		    int *ordinals, bool *has_command, struct error *err)
{
	static const char sql[] =
		"SELECT k.column_ordinal, k.column_name, "
		"CASE WHEN COL_LENGTH(N'cdc.' + QUOTENAME(@instance + N'_CT'), "
		"N'__$command_id') IS NULL THEN 0 ELSE 1 END, k.column_id "
		"FROM cdc.captured_columns AS k "
		"INNER JOIN cdc.change_tables AS c "
		"ON k.object_id = c.object_id "
		"WHERE c.capture_instance = @instance";
	struct tds_param instance = tds_text("@instance", source->instance);
	struct arena arena;
	int rc;

	arena_init(&arena, 0);
	rc = tds_query(source->conn, sql, &instance, 1, err);
	while (rc >= 0 && (rc = tds_fetch(source->conn, err)) > 0) {
		char *name = tds_get_text(source->conn, 1, &arena);
		struct column *column = name ? table_column(shape, name) : NULL;

		if (!name) {
			rc = error_memory(err, "captured columns");
			break;
		}
		*has_command = tds_get_int(source->conn, 2) != 0;
		if (column && is_captured(source, column->name,
					  tds_get_int(source->conn, 3)))
			ordinals[column - shape->columns] =
				(int)tds_get_int(source->conn, 0);
	}
	if (rc < 0)
		tds_abandon(source->conn);
	else
		rc = tds_finish(source->conn, err);
	arena_release(&arena);
	return rc;
}

/*
 * The history has the text of each ALTER TABLE. One that names the column may
 * be the one that added it; if none does, nobody knows when it came.
 */
int capture_missed(struct sqlserver_source *source, const char *column,
		   const struct position *from, const struct position *to,
		   struct error *err)
{
	static const char head[] =
		"DECLARE @added binary(10) = (SELECT MIN(h.ddl_lsn) "
		"FROM cdc.ddl_history AS h INNER JOIN cdc.change_tables AS c "
		"ON h.object_id = c.object_id "
		"WHERE c.capture_instance = @instance "
		"AND h.ddl_lsn > c.start_lsn "
		"AND CHARINDEX(@column, h.ddl_command) > 0); "
		"SELECT CASE WHEN EXISTS (SELECT 1 FROM ";
	struct tds_param params[] = {
		tds_text("@instance", source->instance),
		tds_text("@column", column),
		tds_bytes("@from", from->bytes, from->len),
		tds_bytes("@to", to->bytes, to->len),
	};
	struct strbuf sql;
	int rc = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql, head);
	sql_change_table(&sql, source->instance);
	strbuf_addstr(&sql, " AS t WHERE t.[__$start_lsn] > @from "
			    "AND t.[__$start_lsn] <= @to "
			    "AND (@added IS NULL OR t.[__$start_lsn] > @added)"
			    ") THEN 1 ELSE 0 END");
	if (strbuf_check(&sql, err) == 0)
		rc = tds_query_row(source->conn, sql.data, params, 4, err);
	strbuf_release(&sql);
	if (rc <= 0)
		return rc;
	rc = tds_get_int(source->conn, 0) != 0;
	return tds_finish(source->conn, err) < 0 ? -1 : rc;
}

/* ---------------------------------------------------------------- diagnosis */

/*
 * The last scan of the log, in seconds ago, and the last error of the job if
 * that came later. Row 0 of the sessions is a sum of all.
 */
static const char scans_sql[] =
	"DECLARE @scanned datetime = (SELECT MAX(COALESCE(s.end_time, "
	"s.start_time)) FROM sys.dm_cdc_log_scan_sessions AS s "
	"WHERE s.session_id <> 0); "
	"SELECT DATEDIFF(SECOND, @scanned, GETDATE()), e.error_number, "
	"e.error_message FROM (SELECT 1 AS one) AS o LEFT JOIN ("
	"SELECT TOP (1) x.error_number, CONVERT(nvarchar(400), "
	"x.error_message) AS error_message FROM sys.dm_cdc_errors AS x "
	"WHERE @scanned IS NULL OR x.entry_time >= @scanned "
	"ORDER BY x.entry_time DESC) AS e ON 1 = 1";

static enum capture_scans tell_scans(struct sqlserver_source *source,
				     char *note, size_t size)
{
	enum capture_scans scans = CAPTURE_SCANS;

	bool never = tds_null(source->conn, 0);
	int64_t ago_s = tds_get_int(source->conn, 0);
	const char *message;
	size_t len;

	note[0] = '\0';
	if (!tds_null(source->conn, 1)) {
		scans = CAPTURE_FAILS;
		message = tds_get_bytes(source->conn, 2, &len);
		snprintf(note, size,
			 "the capture job of database '%s' fails: error "
			 "%" PRId64 ": %.*s",
			 source->name.database, tds_get_int(source->conn, 1),
			 (int)len, message ? message : "");
	} else if (never) {
		scans = CAPTURE_RESTS;
		snprintf(note, size,
			 "the capture job of database '%s' has not scanned the "
			 "log since the server started: is SQL Server Agent "
			 "running?",
			 source->name.database);
	} else if (ago_s > SCAN_SILENCE_S) {
		scans = CAPTURE_RESTS;
		snprintf(
			note, size,
			"the capture job of database '%s' scanned the log %lld "
			"minutes ago and not since: is SQL Server Agent "
			"running?",
			source->name.database, (long long)ago_s / 60);
	}
	text_trim_partial_utf8(note);
	return scans;
}

int capture_scans(struct sqlserver_source *source, char *note, size_t size,
		  enum capture_scans *scans, struct error *err)
{
	int rc = tds_query_row(source->conn, scans_sql, NULL, 0, err);

	if (rc <= 0)
		return rc < 0 ? -1
			      : error_set(err, ERROR_SERVER,
					  "the server does not tell of scans");
	*scans = tell_scans(source, note, size);
	tds_abandon(source->conn);
	return 0;
}

void capture_diagnose(struct sqlserver_source *source, char *note, size_t size)
{
	struct error err = ERROR_INIT;
	enum capture_scans scans;

	if (capture_scans(source, note, size, &scans, &err) == 0)
		return;
	log_debug("capture of '%s': %s", source->name.database, err.message);
	snprintf(note, size,
		 "nothing was captured in database '%s' for a long time: is "
		 "SQL Server Agent running? With VIEW DATABASE STATE the login "
		 "could see why",
		 source->name.database);
}

/*
 * A scan of the log that has found nothing has seen everything that was
 * committed before it began. Scans in a row that find nothing are one row of
 * the view, which tells when the first of them began and the last one ended;
 * SCAN_MAX_MS is longer than such a scan takes. With no right to look there is
 * no way but to wait for the job's next entry, up to five minutes.
 */
int capture_until(struct sqlserver_source *source, int64_t *until_us,
		  struct error *err)
{
	static const char sql[] =
		"SELECT TOP (1) "
		"DATEDIFF_BIG(MILLISECOND, s.start_time, GETDATE()), "
		"DATEDIFF_BIG(MILLISECOND, s.end_time, GETDATE()), "
		"CASE WHEN s.tran_count = 0 AND s.error_count = 0 "
		"THEN 1 ELSE 0 END "
		"FROM sys.dm_cdc_log_scan_sessions AS s "
		"WHERE s.session_id <> 0 AND s.end_time IS NOT NULL "
		"ORDER BY s.session_id DESC";
	int64_t now = clock_us(), began, ended;
	int rc;

	*until_us = 0;
	if (source->scans_hidden)
		return 0;
	rc = tds_query_row(source->conn, sql, NULL, 0, err);
	if (rc < 0 && tds_usable(source->conn)) {
		source->scans_hidden = true;
		log_debug("the scans of '%s' cannot be seen: %s",
			  source->name.database, err->message);
		error_clear(err);
		return 0;
	}
	if (rc <= 0)
		return rc;
	if (tds_get_int(source->conn, 2)) {
		began = now - tds_get_int(source->conn, 0) * 1000;
		ended = now - tds_get_int(source->conn, 1) * 1000;
		*until_us = ended - SCAN_MAX_MS * INT64_C(1000);
		/* Not if the server's clock was set back in between. */
		if (began > *until_us && began <= ended)
			*until_us = began;
	}
	return tds_finish(source->conn, err);
}
