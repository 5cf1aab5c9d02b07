#include "contract/sqlserver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "row/charset.h"
#include "tds/connection.h"

/* How long the capture job may take. */
#define SETTLE_MS 60000

static const char *connection_string;
static struct tds *connections[2]; /* by side; between begin and end */

/* One of the odder names that a table can have. */
static const char *const names[LAB_TABLES] = {"main table", "other", "pair",
					      "bare", "wide"};

static const char *const columns[LAB_TABLES][4] = {
	{"id", "name", "n", "sync"},
	{"id", "name", "n", "sync"},
	{"a", "b", "v"},
	{"id", "name", "n", "sync"},
	{"id", "body"},
};

static const char *const definitions[LAB_TABLES] = {
	"id bigint NOT NULL PRIMARY KEY, name nvarchar(50) NULL, n int NULL, "
	"sync bit NULL",
	"id bigint NOT NULL PRIMARY KEY, name nvarchar(50) NULL, n int NULL, "
	"sync bit NULL",
	"a int NOT NULL, b nvarchar(20) NOT NULL, v int NULL, "
	"PRIMARY KEY (b, a)",
	"id bigint NOT NULL, name nvarchar(50) NULL, n int NULL, sync bit NULL",
	"id bigint NOT NULL PRIMARY KEY, body nvarchar(max) NULL",
};

void sqlserver_lab_init(const char *string)
{
	connection_string = string;
}

/* ------------------------------------------------------------- connections */

static struct tds *log_in(const char *database, struct error *err)
{
	struct tds_login given = {.login_timeout_s = 15,
				  .query_timeout_s = 120};
	struct tds_login login;
	struct tds *conn = NULL;

	if (tds_login_parse(&given, connection_string, err) < 0)
		return NULL;
	if (tds_login_copy(&login, &given, database, err) == 0) {
		if (tds_open(&conn, &login, NULL, err) < 0)
			conn = NULL;
		tds_login_release(&login);
	}
	tds_login_release(&given);
	return conn;
}

struct tds *sqlserver_log_in(const char *database)
{
	struct error err = ERROR_INIT;
	struct tds *conn = log_in(database, &err);

	if (!conn)
		fail_msg("%s: %s", database, err.message);
	return conn;
}

static void exec(struct tds *conn, const char *sql)
{
	struct error err = ERROR_INIT;

	if (tds_exec(conn, sql, &err) < 0)
		fail_msg("%.2000s: %s", sql, err.message);
}

__attribute__((format(printf, 1, 0))) static char *format_sql(
	const char *format, va_list ap)
{
	char text[16384];
	int len = vsnprintf(text, sizeof(text), format, ap);

	assert_true(len >= 0 && (size_t)len < sizeof(text));
	return strdup(text);
}

void sqlserver_exec(enum lab_side side, const char *format, ...)
{
	char *sql;
	va_list ap;

	va_start(ap, format);
	sql = format_sql(format, ap);
	va_end(ap);
	exec(connections[side], sql);
	free(sql);
}

static int64_t number(struct tds *conn, const char *sql)
{
	struct error err = ERROR_INIT;
	int64_t value;
	int rc = tds_query_row(conn, sql, NULL, 0, &err);

	if (rc <= 0)
		fail_msg("%s: %s", sql, rc ? err.message : "no row");
	value = tds_get_int(conn, 0);
	MUST(tds_finish(conn, &err));
	return value;
}

int64_t sqlserver_number(enum lab_side side, const char *format, ...)
{
	int64_t value;
	char *sql;
	va_list ap;

	va_start(ap, format);
	sql = format_sql(format, ap);
	va_end(ap);
	value = number(connections[side], sql);
	free(sql);
	return value;
}

/* ------------------------------------------------------------ preparations */

static const char *const databases[] = {
	"IF DB_ID(N'" LAB_SOURCE_DATABASE "') IS NULL "
	"CREATE DATABASE " LAB_SOURCE_DATABASE,
	"IF DB_ID(N'" LAB_DEST_DATABASE "') IS NULL "
	"CREATE DATABASE " LAB_DEST_DATABASE,
	"ALTER DATABASE " LAB_SOURCE_DATABASE " SET ALLOW_SNAPSHOT_ISOLATION "
	"ON",
};

static const char *const captures[] = {
	"IF (SELECT CAST(is_cdc_enabled AS int) FROM sys.databases "
	"WHERE database_id = DB_ID()) = 0 EXEC sys.sp_cdc_enable_db",
	"IF OBJECT_ID(N'dbo.marker', N'U') IS NULL BEGIN "
	"CREATE TABLE dbo.marker (id int NOT NULL PRIMARY KEY); "
	"EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', "
	"@source_name = N'marker', @role_name = NULL; END",
};

static bool try_all(const char *database, const char *const *statements,
		    size_t count)
{
	struct error err = ERROR_INIT;
	struct tds *conn = log_in(database, &err);
	bool fine = conn != NULL;

	for (size_t i = 0; fine && i < count; i++)
		fine = tds_exec(conn, statements[i], &err) == 0;
	tds_close(conn);
	if (!fine)
		fprintf(stderr, "the laboratory: %s\n", err.message);
	return fine;
}

/* Make the databases; a word on stderr when that fails. */
static bool prepare(void)
{
	return try_all("master", databases, COUNT_OF(databases)) &&
	       try_all(LAB_SOURCE_DATABASE, captures, COUNT_OF(captures));
}

/* What is left in both databases goes, whoever made it. */
static const char clean_source[] =
	"DECLARE @sql nvarchar(max) = N''; "
	"SELECT @sql = @sql + N'EXEC sys.sp_cdc_disable_table "
	"@source_schema = N''dbo'', @source_name = N''' "
	"+ REPLACE(t.name, N'''', N'''''') + N''', "
	"@capture_instance = N''all''; ' "
	"FROM sys.tables AS t WHERE t.is_tracked_by_cdc = 1 "
	"AND t.name <> N'marker' AND t.schema_id = SCHEMA_ID(N'dbo'); "
	"EXEC sys.sp_executesql @sql";

static const char clean_tables[] =
	"DECLARE @sql nvarchar(max) = N''; "
	"SELECT @sql = @sql + N'ALTER TABLE ' "
	"+ QUOTENAME(SCHEMA_NAME(k.schema_id)) + N'.' "
	"+ QUOTENAME(OBJECT_NAME(k.parent_object_id)) "
	"+ N' DROP CONSTRAINT ' + QUOTENAME(k.name) + N'; ' "
	"FROM sys.foreign_keys AS k; "
	"SELECT @sql = @sql + N'DROP TABLE ' "
	"+ QUOTENAME(SCHEMA_NAME(t.schema_id)) + N'.' + QUOTENAME(t.name) "
	"+ N'; ' FROM sys.tables AS t WHERE t.is_ms_shipped = 0 "
	"AND t.name <> N'marker' "
	"AND SCHEMA_NAME(t.schema_id) IN (N'dbo', N'dataflow', N'other'); "
	"EXEC sys.sp_executesql @sql";

static void begin(void)
{
	static const char *const database[] = {LAB_SOURCE_DATABASE,
					       LAB_DEST_DATABASE};
	struct error err = ERROR_INIT;

	for (int side = 0; side < 2; side++) {
		connections[side] = log_in(database[side], &err);
		if (!connections[side])
			fail_msg("the laboratory: %s", err.message);
	}
	exec(connections[LAB_SOURCE], clean_source);
	exec(connections[LAB_SOURCE], clean_tables);
	exec(connections[LAB_DEST], clean_tables);
}

static void end(void)
{
	for (int side = 0; side < 2; side++) {
		tds_close(connections[side]);
		connections[side] = NULL;
	}
}

/* ------------------------------------------------------------------ tables */

static struct table_name name_of(enum lab_side side, enum lab_table table)
{
	struct table_name name = {side == LAB_SOURCE ? LAB_SOURCE_DATABASE
						     : LAB_DEST_DATABASE,
				  "dbo", names[table]};

	return name;
}

static void make(enum lab_side side, enum lab_table table)
{
	sqlserver_exec(side, "CREATE TABLE dbo.[%s] (%s)", names[table],
		       definitions[table]);
	if (side == LAB_SOURCE)
		sqlserver_exec(side,
			       "EXEC sys.sp_cdc_enable_table "
			       "@source_schema = N'dbo', @source_name = N'%s', "
			       "@role_name = NULL",
			       names[table]);
}

/* ----------------------------------------------------------------- changes */

/* One value as a literal. */
static void add_literal(struct strbuf *sql, enum lab_table table, size_t col,
			const char *text)
{
	const char *column = columns[table][col];
	bool is_text = !strcmp(column, "name") || !strcmp(column, "b") ||
		       !strcmp(column, "body");

	if (!text || !strcmp(text, "NULL")) {
		strbuf_addstr(sql, "NULL");
	} else if (!is_text) {
		strbuf_addstr(sql, text);
	} else {
		strbuf_addstr(sql, "N'");
		for (; *text; text++) {
			if (*text == '\'')
				strbuf_addch(sql, '\'');
			strbuf_addch(sql, *text == '~' ? ' ' : *text);
		}
		strbuf_addch(sql, '\'');
	}
}

/* Split at the bars; missing values become NULL. */
static void split(char *text, const char *values[4])
{
	for (size_t i = 0; i < 4; i++) {
		char *bar = text ? strchr(text, '|') : NULL;

		values[i] = text;
		if (bar)
			*bar++ = '\0';
		text = bar;
	}
}

static size_t column_count(enum lab_table table)
{
	size_t count = 0;

	while (count < 4 && columns[table][count])
		count++;
	return count;
}

static void add_list(struct strbuf *sql, enum lab_table table,
		     const char *values[4], const char *format,
		     const char *between, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		strbuf_addstr(sql, i > from ? between : "");
		for (const char *f = format; *f; f++) {
			if (*f == '@')
				strbuf_addstr(sql, columns[table][i]);
			else if (*f == '?')
				add_literal(sql, table, i, values[i]);
			else
				strbuf_addch(sql, *f);
		}
	}
}

static void add_change(struct strbuf *sql, enum lab_table table, char *text)
{
	size_t count = column_count(table), keys = table == LAB_PAIR ? 2 : 1;
	char *fresh = *text == '=' ? strchr(text, '>') : NULL;
	const char *values[4], *other[4];

	if (fresh)
		*fresh++ = '\0';
	split(text + 1, values);
	if (*text == '-') {
		strbuf_addf(sql, "DELETE FROM dbo.[%s] WHERE ", names[table]);
		add_list(sql, table, values, "@ = ?", " AND ", 0, keys);
	} else if (fresh) {
		split(fresh, other);
		strbuf_addf(sql, "UPDATE dbo.[%s] SET ", names[table]);
		add_list(sql, table, other, "@ = ?", ", ", 0, count);
		strbuf_addstr(sql, " WHERE ");
		add_list(sql, table, values, "@ = ?", " AND ", 0, keys);
	} else {
		if (table != LAB_BARE) {
			strbuf_addf(sql, "UPDATE dbo.[%s] SET ", names[table]);
			add_list(sql, table, values, "@ = ?", ", ", keys,
				 count);
			strbuf_addstr(sql, " WHERE ");
			add_list(sql, table, values, "@ = ?", " AND ", 0, keys);
			strbuf_addstr(sql, "; IF @@ROWCOUNT = 0 ");
		}
		strbuf_addf(sql, "INSERT INTO dbo.[%s] VALUES (", names[table]);
		add_list(sql, table, values, "?", ", ", 0, count);
		strbuf_addch(sql, ')');
	}
	strbuf_addstr(sql, "; ");
}

static void change(enum lab_table table, const char *changes)
{
	char *copy = strdup(changes), *text = copy;
	struct strbuf sql;

	assert_non_null(copy);
	strbuf_init(&sql);
	strbuf_addstr(&sql, "BEGIN TRANSACTION; ");
	for (char *next = text; next; text = next) {
		next = strchr(text, ' ');
		if (next)
			*next++ = '\0';
		if (*text)
			add_change(&sql, table, text);
	}
	strbuf_addstr(&sql, "COMMIT TRANSACTION");
	assert_int_equal(sql.failed, 0);
	exec(connections[LAB_SOURCE], sql.data);
	strbuf_release(&sql);
	free(copy);
}

static void refuse(bool refuse)
{
	sqlserver_exec(LAB_DEST,
		       refuse ? "ALTER TABLE dbo.[%s] WITH NOCHECK "
				"ADD CONSTRAINT not_13 CHECK (n <> 13)"
			      : "ALTER TABLE dbo.[%s] DROP CONSTRAINT not_13",
		       names[LAB_MAIN]);
}

/* -------------------------------------------------------------------- rows */

/* UTF-16 as it came, without any conversion of FreeTDS's. */
static void add_utf16(struct strbuf *out, const void *bytes, size_t len)
{
	long need = charset_utf8_length(bytes, len);
	char *to;

	if (need < 0)
		fail_msg("the server sent broken UTF-16");
	to = strbuf_reserve(out, (size_t)need);
	assert_non_null(to);
	charset_utf8_write(bytes, len, (unsigned char *)to);
	out->len += (size_t)need;
	out->data[out->len] = '\0';
}

static char *rows(enum lab_side side, enum lab_table table)
{
	struct tds *conn = connections[side];
	size_t count = column_count(table);
	struct error err = ERROR_INIT;
	struct strbuf sql, out;
	int rc;

	strbuf_init(&sql);
	strbuf_init(&out);
	strbuf_addstr(&sql, "SELECT ");
	for (size_t i = 0; i < count; i++)
		strbuf_addf(&sql,
			    "%sCONVERT(varbinary(max), CONVERT(nvarchar(max), "
			    "%s%s))",
			    i ? ", " : "", columns[table][i],
			    !strcmp(columns[table][i], "sync") ? " + 0" : "");
	strbuf_addf(&sql, " FROM dbo.[%s] ORDER BY %s, %s", names[table],
		    columns[table][0], columns[table][1]);
	if (tds_query(conn, sql.data, NULL, 0, &err) < 0)
		fail_msg("%s: %s", sql.data, err.message);
	while ((rc = tds_fetch(conn, &err)) > 0) {
		for (size_t i = 0; i < count; i++) {
			const void *bytes;
			size_t len;

			strbuf_addstr(&out, i ? "|" : "");
			bytes = tds_get_bytes(conn, i, &len);
			if (tds_null(conn, i))
				strbuf_addstr(&out, "NULL");
			else
				add_utf16(&out, bytes, len);
		}
		strbuf_addch(&out, '\n');
	}
	MUST(rc);
	MUST(tds_finish(conn, &err));
	strbuf_release(&sql);
	return strbuf_detach(&out);
}

/* ----------------------------------------------------------------- the log */

void sqlserver_settle(void)
{
	struct timespec pause = {0, 20000000};
	int64_t id;

	id = sqlserver_number(LAB_SOURCE,
			      "DECLARE @id int = 1 + COALESCE((SELECT MAX(id) "
			      "FROM dbo.marker), 0); "
			      "INSERT INTO dbo.marker VALUES (@id); "
			      "SELECT @id");
	for (int ms = 0; ms < SETTLE_MS; ms += 20) {
		if (sqlserver_number(LAB_SOURCE,
				     "SELECT COUNT(*) FROM cdc.dbo_marker_CT "
				     "WHERE id = %d",
				     (int)id))
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("nothing is captured: does SQL Server Agent run?");
}

static void purge_log(void)
{
	sqlserver_exec(LAB_SOURCE,
		       "DECLARE @lsn binary(10) = sys.fn_cdc_get_max_lsn(); "
		       "EXEC sys.sp_cdc_cleanup_change_table "
		       "@capture_instance = N'dbo_%s', "
		       "@low_water_mark = @lsn",
		       names[LAB_MAIN]);
}

static void far_ahead(struct position *position)
{
	position->bytes[0] |= 0x40;
}

const struct laboratory *sqlserver_lab(void)
{
	static struct laboratory lab = {
		.driver = "sqlserver",
		.prepare = prepare,
		.begin = begin,
		.end = end,
		.name = name_of,
		.make = make,
		.change = change,
		.refuse = refuse,
		.rows = rows,
		.settle = sqlserver_settle,
		.purge_log = purge_log,
		.far_ahead = far_ahead,
		.more = sqlserver_more,
	};

	lab.source_string = lab.target_string = connection_string;
	return &lab;
}
