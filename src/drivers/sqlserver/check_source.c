/*
 * A source before anything is read from it. What the server tells about the
 * whole database comes first, then the table; of both, what concerns a change
 * log goes with that log.
 */
#include "drivers/sqlserver/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "drivers/sqlserver/sql.h"

#define SHORT_S 86400 /* a night and a day: less is little for an outage */

/* The database's name, quoted. */
static int quote_database(const struct sqlserver_source *source,
			  struct strbuf *out, struct error *err)
{
	strbuf_init(out);
	sql_name(out, source->name.database);
	if (strbuf_check(out, err) == 0)
		return 0;
	strbuf_release(out);
	return -1;
}

/* ------------------------------------------------------------ the database */

static const char database_sql[] =
	"SELECT CASE WHEN d.snapshot_isolation_state = 1 "
	"OR d.is_read_committed_snapshot_on = 1 THEN 1 ELSE 0 END "
	"FROM sys.databases AS d WHERE d.database_id = DB_ID()";

static int check_isolation(struct sqlserver_source *source,
			   struct findings *out, struct error *err)
{
	struct strbuf database;
	bool snapshot;
	int rc;

	rc = check_ask(source->conn, out, "snapshot",
		       "let the login see the database in sys.databases",
		       database_sql, NULL, 0, err);
	if (rc <= 0)
		return rc;
	snapshot = tds_get_int(source->conn, 0) != 0;
	if (tds_finish(source->conn, err) < 0 ||
	    quote_database(source, &database, err) < 0)
		return -1;
	if (snapshot)
		finding_add(out, FINDING_OK, "snapshot",
			    "database %s is read without locks", database.data);
	else
		finding_add(out, FINDING_WARN, "snapshot",
			    "without snapshot isolation in database %s a load "
			    "and its applications wait for each "
			    "other" FINDING_REMEDY
			    "ALTER DATABASE %s SET ALLOW_SNAPSHOT_ISOLATION ON",
			    database.data, database.data);
	strbuf_release(&database);
	return 0;
}

static const char tracking_sql[] =
	"SELECT CAST(c.is_auto_cleanup_on AS int), "
	"CAST(c.retention_period AS bigint) * CASE c.retention_period_units "
	"WHEN 1 THEN 60 WHEN 2 THEN 3600 ELSE 86400 END "
	"FROM sys.change_tracking_databases AS c "
	"WHERE c.database_id = DB_ID()";

/* 1: it is on; `kept_s` is 0 when changes are never removed. */
static int ask_tracking(struct sqlserver_source *source, struct findings *out,
			int64_t *kept_s, struct error *err)
{
	int rc;

	rc = check_ask(source->conn, out, "retention",
		       "let the login see sys.change_tracking_databases",
		       tracking_sql, NULL, 0, err);
	if (rc <= 0)
		return rc; /* position() tells that tracking is off */
	*kept_s =
		tds_get_int(source->conn, 0) ? tds_get_int(source->conn, 1) : 0;
	return tds_finish(source->conn, err) < 0 ? -1 : 1;
}

static int check_tracking_database(struct sqlserver_source *source,
				   struct findings *out, struct error *err)
{
	struct strbuf database;
	int64_t kept_s;
	int rc = ask_tracking(source, out, &kept_s, err);

	if (rc <= 0)
		return rc;
	if (quote_database(source, &database, err) < 0)
		return -1;
	if (!kept_s)
		finding_add(out, FINDING_OK, "retention",
			    "tracked changes are never removed");
	else if (kept_s < SHORT_S)
		finding_add(out, FINDING_WARN, "retention",
			    "database %s keeps tracked changes for %" PRId64
			    " minutes only: a longer pause costs a full "
			    "sync" FINDING_REMEDY
			    "ALTER DATABASE %s SET CHANGE_TRACKING "
			    "(CHANGE_RETENTION = 3 DAYS)",
			    database.data, kept_s / 60, database.data);
	else
		finding_add(out, FINDING_OK, "retention",
			    "tracked changes are kept for %" PRId64 " hours",
			    kept_s / 3600);
	strbuf_release(&database);
	return 0;
}

static int check_tracking_table(struct sqlserver_source *source, int64_t lag_ms,
				struct findings *out, struct error *err)
{
	struct position position;
	int64_t kept_s;
	int rc;

	if (source->log->position(source, &position, err) < 0)
		return check_failed(source->conn, out, "changes", err);
	finding_add(out, FINDING_OK, "changes", "the table is tracked");
	rc = ask_tracking(source, out, &kept_s, err);
	if (rc > 0)
		check_lag(out, lag_ms, kept_s);
	return rc < 0 ? -1 : 0;
}

/* --------------------------------------------------------------- the table */

static const char rights_sql[] =
	"DECLARE @name nvarchar(517) = @table, @column sysname = @trigger; "
	"SELECT HAS_PERMS_BY_NAME(@name, N'OBJECT', N'SELECT'), "
	"CASE WHEN @column IS NULL THEN 1 ELSE HAS_PERMS_BY_NAME(@name, "
	"N'OBJECT', N'UPDATE', @column, N'COLUMN') END, "
	"CASE WHEN CONVERT(nvarchar(128), DATABASEPROPERTYEX(DB_NAME(), "
	"'Updateability')) = N'READ_ONLY' THEN 1 ELSE 0 END, "
	"QUOTENAME(USER_NAME())";

static void tell_rights(struct sqlserver_source *source, struct findings *out,
			const char *table, const char *column, const char *user)
{
	bool select = tds_get_int(source->conn, 0) == 1;
	bool update = tds_get_int(source->conn, 1) == 1;
	bool read_only = tds_get_int(source->conn, 2) == 1;
	const char *trigger = source->trigger_column;

	if (!select)
		finding_add(out, FINDING_FAIL, "rights",
			    "the login may not read the whole table "
			    "%s" FINDING_REMEDY
			    "GRANT SELECT ON %s TO %s" CHECK_SOURCE_SCRIPT,
			    table, table, user);
	if (trigger && read_only)
		finding_add(out, FINDING_FAIL, "rights",
			    "the trigger column '%s' cannot be reset, since "
			    "the database is read-only here" FINDING_REMEDY
			    "set full_sync_trigger_column to NULL, and use "
			    "sync_requests",
			    trigger);
	else if (!update)
		finding_add(out, FINDING_FAIL, "rights",
			    "the login may not reset the trigger column "
			    "'%s'" FINDING_REMEDY
			    "GRANT UPDATE (%s) ON %s TO %s" CHECK_SOURCE_SCRIPT,
			    trigger, column, table, user);
	if (select && (!trigger || (update && !read_only)))
		finding_add(out, FINDING_OK, "rights",
			    trigger ? "it can be read, and column '%s' reset"
				    : "it can be read",
			    trigger ? trigger : "");
}

static int check_trigger(struct sqlserver_source *source,
			 const struct table *table, struct findings *out)
{
	if (!source->trigger_column ||
	    table_column(table, source->trigger_column))
		return 0;
	finding_add(out, FINDING_FAIL, "trigger column",
		    "the table has no column '%s'" FINDING_REMEDY
		    "name another one in full_sync_trigger_column, or add it: "
		    "ALTER TABLE … ADD … bit NOT NULL DEFAULT 0",
		    source->trigger_column);
	return -1;
}

static int check_rights(struct sqlserver_source *source,
			const struct table *table, struct findings *out,
			struct error *err)
{
	struct tds_param params[2];
	struct arena arena;
	struct strbuf name, column;
	char *user;
	int rc;

	strbuf_init(&name);
	strbuf_init(&column);
	arena_init(&arena, 0);
	sql_name(&column, source->trigger_column ? source->trigger_column : "");
	sql_table(&name, source->name.schema, source->name.table);
	params[0] = tds_text("@table", name.data);
	params[1] = tds_text("@trigger", check_trigger(source, table, out) == 0
						 ? source->trigger_column
						 : NULL);
	rc = strbuf_check(&name, err);
	if (rc == 0)
		rc = strbuf_check(&column, err);
	if (rc == 0)
		rc = check_ask(source->conn, out, "rights",
			       "ask the server's administrator", rights_sql,
			       params, 2, err);
	if (rc > 0) {
		user = tds_get_text(source->conn, 3, &arena);
		tell_rights(source, out, name.data, column.data,
			    user ? user : "");
		rc = tds_finish(source->conn, err);
	}
	arena_release(&arena);
	strbuf_release(&column);
	strbuf_release(&name);
	return rc < 0 ? -1 : 0;
}

/* A load needs about as much in the destination. */
static int read_size(struct sqlserver_source *source, struct findings *out,
		     uint64_t *bytes, struct error *err)
{
	static const char sql[] =
		"SELECT SUM(a.total_pages) * 8192 FROM sys.partitions AS p "
		"INNER JOIN sys.allocation_units AS a "
		"ON a.container_id = p.partition_id "
		"OR (a.type IN (1, 3) AND a.container_id = p.hobt_id) "
		"WHERE p.object_id = @id";
	struct tds_param id = tds_int("@id", source->catalog.object_id);
	int rc = check_ask(source->conn, out, "space", NULL, sql, &id, 1, err);

	if (rc <= 0)
		return rc;
	*bytes = (uint64_t)tds_get_int(source->conn, 0);
	return tds_finish(source->conn, err);
}

static int check_table(struct sqlserver_source *source,
		       struct source_check *what, struct findings *out,
		       struct error *err)
{
	if (source_know_table(source, err) < 0)
		return check_failed(source->conn, out, "table", err);
	if (check_rights(source, what->table, out, err) < 0 ||
	    read_size(source, out, &what->bytes, err) < 0)
		return -1;
	if (!what->changes)
		return 0;
	return source->log == &cdc_log
		       ? check_capture_table(source, what, out, err)
		       : check_tracking_table(source, what->lag_ms, out, err);
}

int check_source(struct sqlserver_source *source, struct source_check *what,
		 struct findings *out, struct error *err)
{
	what->bytes = 0;
	if (what->table)
		return check_table(source, what, out, err);
	if (what->database && check_isolation(source, out, err) < 0)
		return -1;
	if (!what->changes)
		return 0;
	return source->log == &cdc_log
		       ? check_capture_database(source, out, err)
		       : check_tracking_database(source, out, err);
}
