/*
 * Change data capture, which needs more than a switch: a job that SQL Server
 * Agent runs, a clean-up that leaves enough time, a limit of the server's for
 * large values, and columns in the code page of their database.
 */
#include "drivers/sqlserver/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/sqlserver/capture.h"
#include "drivers/sqlserver/sql.h"

#define SHORT_MIN     1440 /* a night and a day: less is little for an outage */
#define MINUTES_MAX   52494800 /* a century: the most that SQL Server takes */
#define AGENT_RUNNING 4	       /* in sys.dm_server_services */

/* --------------------------------------------------------------- the agent */

enum agent { AGENT_UNKNOWN, AGENT_RUNS, AGENT_RESTS };

/* Azure SQL Database has no Agent: it runs the job itself. */
static int ask_agent(struct sqlserver_source *source, struct findings *out,
		     enum agent *agent, struct error *err)
{
	static const char azure_sql[] =
		"SELECT CASE WHEN " CHECK_IS_AZURE " THEN 1 ELSE 0 END";
	static const char agent_sql[] =
		"SELECT CAST(s.status AS int) "
		"FROM sys.dm_server_services AS s "
		"WHERE s.servicename LIKE N'SQL Server Agent%'";
	int rc;

	*agent = AGENT_UNKNOWN;
	rc = check_ask(source->conn, out, "agent", NULL, azure_sql, NULL, 0,
		       err);
	if (rc > 0) {
		*agent = tds_get_int(source->conn, 0) ? AGENT_RUNS
						      : AGENT_UNKNOWN;
		rc = tds_finish(source->conn, err);
	}
	if (rc < 0 || *agent == AGENT_RUNS)
		return rc;
	rc = check_ask(source->conn, out, "agent", NULL, agent_sql, NULL, 0,
		       err);
	if (rc <= 0)
		return rc;
	*agent = tds_get_int(source->conn, 0) == AGENT_RUNNING ? AGENT_RUNS
							       : AGENT_RESTS;
	return tds_finish(source->conn, err);
}

static void tell_scans(struct findings *out, enum agent agent,
		       enum capture_scans scans, const char *note)
{
	/* One that was started a moment ago has not scanned yet. */
	bool may_pass = scans == CAPTURE_RESTS && agent == AGENT_RUNS;

	if (scans == CAPTURE_SCANS)
		finding_add(out, FINDING_OK, "agent",
			    "the capture job scans the log");
	else
		finding_add(out, may_pass ? FINDING_WARN : FINDING_FAIL,
			    "agent", "%s" FINDING_REMEDY "%s", note,
			    agent == AGENT_RUNS
				    ? "EXEC sys.sp_cdc_start_job N'capture'; "
				      "the job's history says why it rests"
				    : "start the service SQL Server Agent; the "
				      "history of the capture job says more");
}

/* What the service says counts for more than when the job ran last. */
static int check_agent(struct sqlserver_source *source, struct findings *out,
		       struct error *err)
{
	char note[WINDOW_NOTE_MAX];
	enum capture_scans scans;
	enum agent agent;
	bool known;

	if (ask_agent(source, out, &agent, err) < 0)
		return -1;
	known = capture_scans(source, note, sizeof(note), &scans, err) == 0;
	if (!known &&
	    (err->kind == ERROR_CANCELLED || !tds_usable(source->conn)))
		return -1;
	if (agent == AGENT_RESTS)
		finding_add(out, FINDING_FAIL, "agent",
			    "SQL Server Agent is not running, so no change is "
			    "captured" FINDING_REMEDY
			    "start the service SQL Server Agent, and let it "
			    "start by itself");
	else if (known)
		tell_scans(out, agent, scans, note);
	else if (agent == AGENT_RUNS)
		finding_add(out, FINDING_OK, "agent",
			    "SQL Server Agent is running");
	else
		finding_add(out, FINDING_WARN, "agent",
			    "cannot tell whether SQL Server Agent runs the "
			    "capture job: %s" FINDING_REMEDY
			    "GRANT VIEW DATABASE STATE in the source database "
			    "to the login; least-privilege-source.sql does",
			    err->message);
	return 0;
}

/* ------------------------------------------------------------ the clean-up */

/* In Azure SQL Database the table lies in the database itself. */
static int ask_retention(struct sqlserver_source *source, struct findings *out,
			 bool tell, int64_t *minutes, struct error *err)
{
	static const char *const statements[] = {
		"SELECT CAST(j.retention AS bigint) "
		"FROM msdb.dbo.cdc_jobs AS j "
		"WHERE j.database_id = DB_ID() AND j.job_type = N'cleanup'",
		"SELECT CAST(j.retention AS bigint) FROM cdc.cdc_jobs AS j "
		"WHERE j.database_id = DB_ID() AND j.job_type = N'cleanup'",
	};
	static const char which_sql[] =
		"SELECT CASE WHEN " CHECK_IS_AZURE " THEN 1 ELSE 0 END";
	int which = 0, rc;

	*minutes = -1;
	rc = check_ask(source->conn, out, "retention", NULL, which_sql, NULL, 0,
		       err);
	if (rc > 0) {
		which = tds_get_int(source->conn, 0) != 0;
		rc = tds_finish(source->conn, err);
	}
	if (rc < 0)
		return -1;
	rc = check_ask(source->conn, out, "retention",
		       tell ? "in msdb: CREATE USER for the login, and GRANT "
			      "SELECT ON dbo.cdc_jobs to it; "
			      "least-privilege-source.sql does"
			    : NULL,
		       statements[which], NULL, 0, err);
	if (rc <= 0)
		return rc;
	*minutes = tds_get_int(source->conn, 0);
	if (*minutes > MINUTES_MAX)
		*minutes = MINUTES_MAX;
	return tds_finish(source->conn, err) < 0 ? -1 : 1;
}

static int check_retention(struct sqlserver_source *source,
			   struct findings *out, struct error *err)
{
	int64_t minutes;
	int rc = ask_retention(source, out, true, &minutes, err);

	if (rc <= 0)
		return rc;
	if (minutes < SHORT_MIN)
		finding_add(out, FINDING_WARN, "retention",
			    "captured changes are kept for %" PRId64
			    " minutes only: a longer pause costs a full "
			    "sync" FINDING_REMEDY
			    "EXEC sys.sp_cdc_change_job @job_type = "
			    "N'cleanup', @retention = 4320",
			    minutes);
	else
		finding_add(out, FINDING_OK, "retention",
			    "captured changes are kept for %" PRId64 " hours",
			    minutes / 60);
	return 0;
}

/* Is it enabled at all? For each table, position() says so if not. */
static int is_enabled(struct sqlserver_source *source, struct findings *out,
		      bool *enabled, struct error *err)
{
	static const char sql[] =
		"SELECT CAST(d.is_cdc_enabled AS int), "
		"CASE WHEN d.log_reuse_wait_desc = N'REPLICATION' THEN 1 "
		"ELSE 0 END "
		"FROM sys.databases AS d WHERE d.database_id = DB_ID()";
	int rc = check_ask(source->conn, out, "capture", NULL, sql, NULL, 0,
			   err);

	*enabled = false;
	if (rc <= 0)
		return rc;
	*enabled = tds_get_int(source->conn, 0) != 0;
	if (tds_get_int(source->conn, 1))
		finding_add(out, FINDING_WARN, "log",
			    "the log of database '%s' cannot be cut short, "
			    "because the capture job has not read it "
			    "yet" FINDING_REMEDY
			    "see that SQL Server Agent runs; the history of "
			    "the capture job tells why it is behind",
			    source->name.database);
	return tds_finish(source->conn, err);
}

int check_capture_database(struct sqlserver_source *source,
			   struct findings *out, struct error *err)
{
	struct strbuf database;
	bool enabled;

	if (is_enabled(source, out, &enabled, err) < 0)
		return -1;
	if (enabled)
		return check_agent(source, out, err) < 0
			       ? -1
			       : check_retention(source, out, err);
	strbuf_init(&database);
	sql_name(&database, source->name.database);
	if (strbuf_check(&database, err) < 0)
		return -1;
	finding_add(out, FINDING_FAIL, "capture",
		    "change data capture is not enabled in database "
		    "%s" FINDING_REMEDY "USE %s; EXEC sys.sp_cdc_enable_db",
		    database.data, database.data);
	strbuf_release(&database);
	return 0;
}

/* --------------------------------------------------------------- the table */

/* Computed columns are never in a change table; the others should be. */
static void tell_columns(struct sqlserver_source *source,
			 const struct table *table, const int *ordinals,
			 struct findings *out)
{
	struct strbuf missing;

	strbuf_init(&missing);
	for (size_t i = 0; i < table->column_count; i++)
		if (!ordinals[i] && !table->columns[i].computed &&
		    !table->columns[i].unsupported)
			strbuf_addf(&missing, "%s'%s'", missing.len ? ", " : "",
				    table->columns[i].name);
	if (missing.len)
		finding_add(out, FINDING_FAIL, "capture",
			    "capture instance '%s' lacks the column %s, which "
			    "came later" FINDING_REMEDY
			    "EXEC sys.sp_cdc_enable_table @source_schema = "
			    "N'%s', @source_name = N'%s', @capture_instance = "
			    "N'%s_2', @role_name = NULL",
			    source->instance, missing.data, source->name.schema,
			    source->name.table, source->instance);
	else
		finding_add(out, FINDING_OK, "capture",
			    "capture instance '%s' has all columns",
			    source->instance);
	strbuf_release(&missing);
}

/* A new instance is a table that nobody has granted yet. */
static int check_readable(struct sqlserver_source *source, struct findings *out,
			  struct error *err)
{
	static const char sql[] =
		"SELECT QUOTENAME(t.name), QUOTENAME(USER_NAME()) FROM ("
		"SELECT N'lsn_time_mapping' AS name UNION ALL "
		"SELECT N'ddl_history' UNION ALL "
		"SELECT @instance + N'_CT') AS t "
		"WHERE COALESCE(HAS_PERMS_BY_NAME(N'cdc.' + QUOTENAME(t.name), "
		"N'OBJECT', N'SELECT'), 0) = 0";
	struct tds_param instance = tds_text("@instance", source->instance);
	struct arena arena;
	int rc;

	arena_init(&arena, 0);
	rc = tds_query(source->conn, sql, &instance, 1, err);
	while (rc >= 0 && (rc = tds_fetch(source->conn, err)) > 0) {
		const char *table = tds_get_text(source->conn, 0, &arena);
		const char *user = tds_get_text(source->conn, 1, &arena);

		finding_add(out, FINDING_FAIL, "rights",
			    "the login may not read cdc.%s" FINDING_REMEDY
			    "GRANT SELECT ON cdc.%s TO %s" CHECK_SOURCE_SCRIPT,
			    table ? table : "", table ? table : "",
			    user ? user : "");
	}
	if (rc < 0)
		tds_abandon(source->conn);
	else
		rc = tds_finish(source->conn, err);
	arena_release(&arena);
	return rc;
}

/* An instance that lets partitions be switched sees none of their rows. */
static int check_switch(struct sqlserver_source *source, struct findings *out,
			struct error *err)
{
	static const char sql[] =
		"SELECT COUNT(*) FROM cdc.change_tables AS c "
		"INNER JOIN sys.indexes AS i "
		"ON c.source_object_id = i.object_id "
		"INNER JOIN sys.data_spaces AS d "
		"ON i.data_space_id = d.data_space_id "
		"WHERE c.capture_instance = @instance "
		"AND c.partition_switch = 1 AND i.index_id IN (0, 1) "
		"AND d.type = 'PS'";
	struct tds_param instance = tds_text("@instance", source->instance);
	int rc = tds_query_row(source->conn, sql, &instance, 1, err);

	if (rc <= 0)
		return rc;
	if (tds_get_int(source->conn, 0))
		finding_add(out, FINDING_WARN, "capture",
			    "the table is partitioned, and capture instance "
			    "'%s' does not see the rows that ALTER TABLE ... "
			    "SWITCH moves in or out" FINDING_REMEDY
			    "ask for a FULL_SYNC after each SWITCH, or make "
			    "an instance that forbids it: EXEC "
			    "sys.sp_cdc_enable_table with "
			    "@allow_partition_switch = 0",
			    source->instance);
	return tds_finish(source->conn, err);
}

static int check_instance(struct sqlserver_source *source,
			  const struct table *table, struct findings *out,
			  struct error *err)
{
	int *ordinals = calloc(table->column_count + 1, sizeof(*ordinals));
	struct position position;
	bool has_command;
	int rc;

	if (!ordinals)
		return error_memory(err, "a check");
	rc = capture_check_enabled(source, err);
	if (rc == 0)
		rc = capture_choose(source, NULL, err);
	if (rc == 0)
		rc = capture_columns(source, table, ordinals, &has_command,
				     err);
	if (rc == 0) {
		tell_columns(source, table, ordinals, out);
		rc = check_readable(source, out, err);
	}
	if (rc == 0)
		rc = check_switch(source, out, err);
	if (rc == 0)
		rc = source->log->position(source, &position, err);
	free(ordinals);
	return rc < 0 ? check_failed(source->conn, out, "capture", err) : 0;
}

/* What an application writes fails when it is longer than the limit. */
static int check_large(struct sqlserver_source *source, struct findings *out,
		       struct error *err)
{
	static const char sql[] = "SELECT CAST(c.value_in_use AS bigint) "
				  "FROM sys.configurations AS c "
				  "WHERE c.name = N'max text repl size (B)'";
	const struct catalog_column *large = NULL;
	int64_t limit;
	int rc;

	for (size_t i = 0; i < source->catalog.column_count; i++)
		if (source->catalog.columns[i].max_length < 0)
			large = &source->catalog.columns[i];
	if (!large)
		return 0;
	rc = check_ask(source->conn, out, "large values",
		       "let the login see sys.configurations", sql, NULL, 0,
		       err);
	if (rc <= 0)
		return rc;
	limit = tds_get_int(source->conn, 0);
	if (tds_finish(source->conn, err) < 0)
		return -1;
	if (limit >= 0)
		finding_add(out, FINDING_WARN, "large values",
			    "an application that writes more than %" PRId64
			    " bytes into column '%s' gets error 7139 ('max "
			    "text repl size')" FINDING_REMEDY
			    "EXEC sp_configure 'max text repl size', -1; "
			    "RECONFIGURE",
			    limit, large->name);
	else
		finding_add(out, FINDING_OK, "large values",
			    "'max text repl size' has no limit");
	return 0;
}

/* The capture job takes char for text of the database's own code page. */
static void check_collations(const struct sqlserver_source *source,
			     struct findings *out)
{
	struct strbuf odd;

	strbuf_init(&odd);
	for (size_t i = 0; i < source->catalog.column_count; i++) {
		const struct catalog_column *column =
			&source->catalog.columns[i];

		if (column->wire == WIRE_CHAR && !column->computed &&
		    column->code_page != source->catalog.code_page)
			strbuf_addf(&odd, "%s'%s' (%s)", odd.len ? ", " : "",
				    column->name, column->collation);
	}
	if (odd.len)
		finding_add(out, FINDING_WARN, "collation",
			    "not in the code page of the database, so that "
			    "change data capture may store other characters: "
			    "%s" FINDING_REMEDY
			    "make them nvarchar, or set change_source = "
			    "'change_tracking'",
			    odd.data);
	strbuf_release(&odd);
}

int check_capture_table(struct sqlserver_source *source,
			const struct source_check *what, struct findings *out,
			struct error *err)
{
	int64_t minutes;

	if (check_instance(source, what->table, out, err) < 0 ||
	    check_large(source, out, err) < 0)
		return -1;
	check_collations(source, out);
	if (what->lag_ms < 0)
		return 0;
	if (ask_retention(source, out, false, &minutes, err) < 0)
		return -1;
	if (minutes > 0)
		check_lag(out, what->lag_ms, minutes * 60);
	return 0;
}
