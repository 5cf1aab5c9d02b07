/*
 * A destination before anything is written to it: may we, is there room, and
 * do its columns hold what the source's do?
 */
#include "drivers/sqlserver/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "drivers/sqlserver/sql.h"

#define PAGE_BYTES 8192
#define BYTES_MAX  (INT64_C(1) << 60)
#define LITTLE	   (INT64_C(256) << 20) /* bytes that are few in any case */

/* ---------------------------------------------------------------- rights */

/* A right, and the column of the answer that says whether it is there. */
struct right {
	const char *name;
	size_t column;
};

/* "SELECT, INSERT": those that are missing. */
static void list_missing(struct tds *conn, const struct right *rights,
			 size_t count, struct strbuf *out)
{
	for (size_t i = 0; i < count; i++)
		if (tds_get_int(conn, rights[i].column) != 1)
			strbuf_addf(out, "%s%s", out->len ? ", " : "",
				    rights[i].name);
}

/*
 * In the database a schema of our own is needed; who owns it may do what he
 * likes in it, so only a schema that others made is looked into.
 */
static const char database_sql[] =
	"SELECT HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), N'DATABASE', "
	"N'CREATE TABLE'), "
	"CASE WHEN SCHEMA_ID(N'dataflow') IS NOT NULL THEN 1 "
	"ELSE HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), N'DATABASE', "
	"N'CREATE SCHEMA') END, "
	"CASE WHEN SCHEMA_ID(N'dataflow') IS NULL THEN 1 "
	"WHEN HAS_PERMS_BY_NAME(N'dataflow', N'SCHEMA', N'ALTER') = 1 "
	"AND HAS_PERMS_BY_NAME(N'dataflow', N'SCHEMA', N'SELECT') = 1 "
	"AND HAS_PERMS_BY_NAME(N'dataflow', N'SCHEMA', N'INSERT') = 1 "
	"AND HAS_PERMS_BY_NAME(N'dataflow', N'SCHEMA', N'UPDATE') = 1 "
	"AND HAS_PERMS_BY_NAME(N'dataflow', N'SCHEMA', N'DELETE') = 1 "
	"THEN 1 ELSE 0 END, "
	"CASE WHEN CONVERT(nvarchar(128), DATABASEPROPERTYEX(DB_NAME(), "
	"'Updateability')) = N'READ_ONLY' THEN 1 ELSE 0 END, "
	"QUOTENAME(USER_NAME()), QUOTENAME(DB_NAME())";

static void tell_database(struct tds *conn, const char *user,
			  const char *database, struct findings *out)
{
	static const struct right rights[] = {
		{"CREATE TABLE", 0},
		{"CREATE SCHEMA", 1},
	};
	bool schema = tds_get_int(conn, 2) == 1;
	struct strbuf missing;

	if (tds_get_int(conn, 3)) {
		finding_add(out, FINDING_FAIL, "rights",
			    "database %s is read-only" FINDING_REMEDY
			    "ALTER DATABASE %s SET READ_WRITE; of a secondary "
			    "replica, name the primary",
			    database, database);
		return;
	}
	strbuf_init(&missing);
	list_missing(conn, rights, 2, &missing);
	if (missing.len)
		finding_add(out, FINDING_FAIL, "rights",
			    "in database %s the login lacks %s" FINDING_REMEDY
			    "GRANT %s TO %s" CHECK_TARGET_SCRIPT,
			    database, missing.data, missing.data, user);
	if (!schema)
		finding_add(out, FINDING_FAIL, "rights",
			    "in database %s the login may not work in the "
			    "schema dataflow" FINDING_REMEDY
			    "GRANT ALTER, SELECT, INSERT, UPDATE, DELETE ON "
			    "SCHEMA::dataflow TO %s" CHECK_TARGET_SCRIPT,
			    database, user);
	if (!missing.len && schema)
		finding_add(out, FINDING_OK, "rights",
			    "tables can be made in database %s", database);
	strbuf_release(&missing);
}

static int check_database(struct sqlserver_target *target, struct findings *out,
			  struct error *err)
{
	char *user, *database;
	struct arena arena;
	int rc;

	rc = check_ask(target->conn, out, "rights",
		       "ask the server's administrator", database_sql, NULL, 0,
		       err);
	if (rc <= 0)
		return rc;
	arena_init(&arena, 0);
	user = tds_get_text(target->conn, 4, &arena);
	database = tds_get_text(target->conn, 5, &arena);
	if (user && database)
		tell_database(target->conn, user, database, out);
	arena_release(&arena);
	return tds_finish(target->conn, err);
}

/* A table that is not there yet needs a schema that we may alter. */
static const char table_sql[] =
	"DECLARE @name nvarchar(517) = @table, @owner sysname = @schema; "
	"SELECT HAS_PERMS_BY_NAME(@name, N'OBJECT', N'SELECT'), "
	"HAS_PERMS_BY_NAME(@name, N'OBJECT', N'INSERT'), "
	"HAS_PERMS_BY_NAME(@name, N'OBJECT', N'UPDATE'), "
	"HAS_PERMS_BY_NAME(@name, N'OBJECT', N'DELETE'), "
	"HAS_PERMS_BY_NAME(@name, N'OBJECT', N'ALTER'), "
	"CASE WHEN SCHEMA_ID(@owner) IS NULL "
	"THEN HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), N'DATABASE', "
	"N'CREATE SCHEMA') "
	"ELSE HAS_PERMS_BY_NAME(QUOTENAME(@owner), N'SCHEMA', N'ALTER') END, "
	"QUOTENAME(USER_NAME()), "
	"CASE WHEN SCHEMA_ID(@owner) IS NULL THEN 0 ELSE 1 END";

static bool has_identity(const struct catalog_table *table)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].identity)
			return true;
	return false;
}

static void tell_table(struct sqlserver_target *target, bool exists,
		       const char *table, const char *user,
		       struct findings *out)
{
	static const struct right rights[] = {
		{"SELECT", 0}, {"INSERT", 1}, {"UPDATE", 2},
		{"DELETE", 3}, {"ALTER", 4},
	};
	/* Without ALTER there are other ways, but not to fill an identity. */
	size_t needed = has_identity(&target->dest) ? 5 : 4;
	bool has_schema = tds_get_int(target->conn, 7) == 1;
	struct strbuf missing, schema;

	strbuf_init(&missing);
	strbuf_init(&schema);
	sql_name(&schema, target->name.schema);
	if (exists)
		list_missing(target->conn, rights, needed, &missing);
	if (missing.len)
		finding_add(out, FINDING_FAIL, "rights",
			    "on table %s the login lacks %s" FINDING_REMEDY
			    "GRANT %s ON %s TO %s" CHECK_TARGET_SCRIPT,
			    table, missing.data, missing.data, table, user);
	else if (exists && tds_get_int(target->conn, 4) != 1)
		finding_add(out, FINDING_WARN, "rights",
			    "without ALTER on table %s a full sync applies "
			    "what differs row by row, instead of swapping the "
			    "new rows in" FINDING_REMEDY
			    "GRANT ALTER ON %s TO %s" CHECK_TARGET_SCRIPT,
			    table, table, user);
	else if (exists)
		finding_add(out, FINDING_OK, "rights",
			    "table %s can be written", table);
	else if (tds_get_int(target->conn, 5) == 1)
		finding_add(out, FINDING_OK, "rights",
			    "table %s does not exist yet and can be made",
			    table);
	else if (has_schema)
		finding_add(
			out, FINDING_FAIL, "rights",
			"the login may not make table %s" FINDING_REMEDY
			"GRANT ALTER ON SCHEMA::%s TO %s" CHECK_TARGET_SCRIPT,
			table, schema.data, user);
	else
		finding_add(out, FINDING_FAIL, "rights",
			    "the login may not make the schema of table "
			    "%s" FINDING_REMEDY "CREATE SCHEMA %s",
			    table, schema.data);
	strbuf_release(&schema);
	strbuf_release(&missing);
}

static int check_table(struct sqlserver_target *target, bool exists,
		       struct findings *out, struct error *err)
{
	struct tds_param params[2];
	struct arena arena;
	struct strbuf name;
	char *user;
	int rc;

	strbuf_init(&name);
	sql_table(&name, target->name.schema, target->name.table);
	params[0] = tds_text("@table", name.data);
	params[1] = tds_text("@schema", target->name.schema);
	rc = strbuf_check(&name, err);
	if (rc == 0)
		rc = check_ask(target->conn, out, "rights",
			       "ask the server's administrator", table_sql,
			       params, 2, err);
	if (rc > 0) {
		arena_init(&arena, 0);
		user = tds_get_text(target->conn, 6, &arena);
		if (user)
			tell_table(target, exists, name.data, user, out);
		arena_release(&arena);
		rc = tds_finish(target->conn, err);
	}
	strbuf_release(&name);
	return rc < 0 ? -1 : 0;
}

/* ----------------------------------------------------------------- space */

/* What is free in the data files, and what they may still grow by. */
struct room {
	int64_t in_files;
	bool grows;	  /* at least one of them */
	bool limited;	  /* all that grow have a limit: `growth` is it */
	int64_t growth;	  /* bytes up to their limits */
	int64_t on_disks; /* under those that grow; -1: not known */
};

/* 268435456 pages, 2 TB, is what "unlimited" is called for a log. */
static const char files_sql[] =
	"SELECT SUM(CAST(f.size AS bigint) - CAST(COALESCE("
	"FILEPROPERTY(f.name, 'SpaceUsed'), f.size) AS bigint)), "
	"SUM(CASE WHEN f.growth > 0 THEN 1 ELSE 0 END), "
	"SUM(CASE WHEN f.growth > 0 AND f.max_size IN (-1, 268435456) "
	"THEN 1 ELSE 0 END), "
	"SUM(CASE WHEN f.growth > 0 AND f.max_size > f.size "
	"THEN CAST(f.max_size AS bigint) - f.size ELSE 0 END) "
	"FROM sys.database_files AS f WHERE f.type = 0";

static const char disks_sql[] =
	"SELECT SUM(d.available_bytes) FROM (SELECT DISTINCT "
	"v.volume_mount_point, CAST(v.available_bytes AS bigint) "
	"AS available_bytes FROM sys.database_files AS f "
	"CROSS APPLY sys.dm_os_volume_stats(DB_ID(), f.file_id) AS v "
	"WHERE f.type = 0 AND f.growth > 0) AS d";

/* What a server says is not more than can be added up. */
static int64_t at_most(int64_t number, int64_t most)
{
	return number < 0 ? 0 : number > most ? most : number;
}

static int64_t bytes_of(int64_t pages)
{
	return at_most(pages, BYTES_MAX / PAGE_BYTES) * PAGE_BYTES;
}

static int ask_room(struct sqlserver_target *target, struct findings *out,
		    struct room *room, struct error *err)
{
	int rc;

	memset(room, 0, sizeof(*room));
	room->on_disks = -1;
	rc = check_ask(target->conn, out, "space",
		       "let the login see sys.database_files", files_sql, NULL,
		       0, err);
	if (rc <= 0)
		return rc;
	room->in_files = bytes_of(tds_get_int(target->conn, 0));
	room->grows = tds_get_int(target->conn, 1) > 0;
	room->limited = tds_get_int(target->conn, 2) == 0;
	room->growth = bytes_of(tds_get_int(target->conn, 3));
	if (tds_finish(target->conn, err) < 0)
		return -1;
	rc = check_ask(target->conn, out, "space", NULL, disks_sql, NULL, 0,
		       err);
	if (rc < 0)
		return -1;
	if (rc > 0) {
		if (!tds_null(target->conn, 0))
			room->on_disks = at_most(tds_get_int(target->conn, 0),
						 BYTES_MAX);
		if (tds_finish(target->conn, err) < 0)
			return -1;
	}
	return 1;
}

/* Bytes that can be written; -1: as far as we know there is no end to it. */
static int64_t room_left(const struct room *room)
{
	int64_t growth = room->limited ? room->growth : room->on_disks;

	if (!room->grows)
		return room->in_files;
	if (growth < 0)
		return -1;
	if (room->on_disks >= 0 && growth > room->on_disks)
		growth = room->on_disks;
	return room->in_files + growth;
}

static void tell_room(const struct room *room, uint64_t needed, bool database,
		      struct findings *out)
{
	char free_text[CHECK_SIZE_MAX], need_text[CHECK_SIZE_MAX];
	int64_t left = room_left(room);

	check_size(need_text, (int64_t)needed);
	if (left < 0) {
		if (room->in_files < (int64_t)needed || database)
			finding_add(out, FINDING_WARN, "space",
				    "cannot tell how much room is on the disk "
				    "under the data files" FINDING_REMEDY
				    "GRANT VIEW SERVER STATE to the login, or "
				    "look yourself");
		return;
	}
	check_size(free_text, left);
	if (left < (int64_t)needed)
		finding_add(out, FINDING_FAIL, "space",
			    "a load takes about %s, but only %s are "
			    "free" FINDING_REMEDY
			    "make room on the disk, or raise the limit of the "
			    "data files",
			    need_text, free_text);
	else if (database && left < LITTLE)
		finding_add(out, FINDING_WARN, "space",
			    "only %s are free in the data files and on their "
			    "disk" FINDING_REMEDY
			    "make room on the disk, or raise the limit of the "
			    "data files",
			    free_text);
	else if (database)
		finding_add(out, FINDING_OK, "space", "%s are free", free_text);
	else
		finding_add(out, FINDING_OK, "space",
			    "a load takes about %s, %s are free", need_text,
			    free_text);
}

static int check_space(struct sqlserver_target *target, uint64_t needed,
		       bool database, struct findings *out, struct error *err)
{
	struct room room;
	int rc = ask_room(target, out, &room, err);

	if (rc > 0)
		tell_room(&room, needed, database, out);
	return rc < 0 ? -1 : 0;
}

/* ----------------------------------------------------------------- types */

/* Does text of this column have every character there is? */
static bool is_unicode(const struct column *column)
{
	return text_istarts(column->native, "n") || !column->collation ||
	       strstr(column->collation, "_UTF8");
}

/*
 * Code pages by the collation's name would need a table of ours: two that are
 * called the same are the same, and others may differ.
 */
static bool may_lose(const struct table *source, const struct column *from,
		     const struct column *to)
{
	if (from->type != ROW_TEXT || to->type != ROW_TEXT || is_unicode(to))
		return false;
	if (strcmp(source->system ? source->system : "", "sqlserver") != 0 ||
	    is_unicode(from))
		return true;
	return !text_iequal(from->collation, to->collation);
}

static void check_types(const struct target_check *what, struct findings *out)
{
	struct strbuf odd;

	strbuf_init(&odd);
	for (size_t i = 0; i < what->source->column_count; i++) {
		const struct column *from = &what->source->columns[i];
		const struct column *to = table_column(what->dest, from->name);

		if (to && !to->computed && may_lose(what->source, from, to))
			strbuf_addf(&odd, "%s'%s' (%s to %s %s)",
				    odd.len ? ", " : "", from->name,
				    from->native, to->native, to->collation);
	}
	if (odd.len)
		finding_add(out, FINDING_WARN, "types",
			    "characters that the destination's code page "
			    "lacks stop the mapping: %s" FINDING_REMEDY
			    "make these columns nvarchar in the destination, "
			    "or give them the collation of the source",
			    odd.data);
	else
		finding_add(out, FINDING_OK, "types", "none loses anything");
	strbuf_release(&odd);
}

int check_target(struct sqlserver_target *target,
		 const struct target_check *what, struct findings *out,
		 struct error *err)
{
	if (!what->source) {
		if (what->rights && check_database(target, out, err) < 0)
			return -1;
		return what->space ? check_space(target, 0, true, out, err) : 0;
	}
	if (check_table(target, what->dest != NULL, out, err) < 0)
		return -1;
	if (what->bytes &&
	    check_space(target, what->bytes, false, out, err) < 0)
		return -1;
	if (what->dest)
		check_types(what, out);
	return 0;
}
