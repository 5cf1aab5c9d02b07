/*
 * Change tracking, for servers without SQL Server Agent.
 *
 * A position is a version: eight bytes, most significant first. Behind it stands
 * which tracking that is. Versions alone do not tell: they stand still while
 * nothing tracked is committed, so a table that is tracked anew at the same one, or
 * is another table by then, would seem to have no change.
 *
 * The server keeps the keys of changed rows alone, so what they hold now is
 * read from the table itself, and everything has to be seen as of one moment: the
 * versions, the keys and the rows are read in one SNAPSHOT transaction, which also
 * keeps what the clean-up takes away meanwhile. A window is all there is up to
 * that moment; it holds each key once.
 *
 * Without snapshot isolation rows would come from later moments than the keys,
 * and the destination could see half of a source transaction. That is why a
 * database that does not allow it is refused rather than read less well.
 */
#include "drivers/sqlserver/source.h"

#include "base/clock.h"
#include "drivers/sqlserver/sql.h"

#define VERSION_BYTES 8

/* Behind the version, each in as many bytes. */
enum {
	KNOWN_TABLE, /* its object_id */
	KNOWN_BEGIN, /* the version that it is tracked from */
	KNOWN_LOG,   /* the object_id of the server's table of its changes */
	KNOWN_COUNT,
};

#define HIDDEN	       (-1) /* the login may not see it */
#define POSITION_BYTES (VERSION_BYTES * (1 + KNOWN_COUNT))

/* The versions of a table, as of one moment. */
struct versions {
	bool tracked;
	bool altered; /* the table is not as it was described */
	int64_t min, current;
	int64_t known[KNOWN_COUNT];
	int64_t asked_us;
};

/* The number that stands at that place, from 0: the version. */
static int64_t number_at(const struct position *position, size_t place)
{
	uint64_t number = 0;

	for (size_t i = 0; i < VERSION_BYTES; i++)
		number = number << 8 |
			 position->bytes[place * VERSION_BYTES + i];
	return (int64_t)number;
}

static int64_t version_of(const struct position *position)
{
	return number_at(position, 0);
}

static int make_position(struct position *out, const struct versions *versions,
			 struct error *err)
{
	unsigned char bytes[POSITION_BYTES];

	for (size_t place = 0; place <= KNOWN_COUNT; place++) {
		uint64_t number = (uint64_t)(place ? versions->known[place - 1]
						   : versions->current);

		for (size_t i = VERSION_BYTES; i-- > 0; number >>= 8)
			bytes[place * VERSION_BYTES + i] =
				(unsigned char)(number & 0xff);
	}
	return position_set(out, bytes, sizeof(bytes), err);
}

/* Of what was hidden then or is now nothing is known. */
static bool is_same_tracking(const struct position *from,
			     const struct versions *versions)
{
	if (from->len != POSITION_BYTES)
		return true;
	for (size_t i = 0; i < KNOWN_COUNT; i++) {
		int64_t then = number_at(from, i + 1);
		int64_t now = versions->known[i];

		if (then != now && then != HIDDEN && now != HIDDEN)
			return false;
	}
	return true;
}

/* ------------------------------------------------------------ is it tracked? */

static int not_enabled(const struct sqlserver_source *source, bool database,
		       struct error *err)
{
	struct strbuf name;

	strbuf_init(&name);
	if (database)
		sql_table(&name, source->name.schema, source->name.table);
	else
		sql_name(&name, source->name.database);
	if (strbuf_check(&name, err) == 0)
		error_set(err, ERROR_SCHEMA,
			  database ? "change tracking is not enabled for "
				     "source table %s, or the login lacks VIEW "
				     "CHANGE TRACKING on it; run ALTER TABLE "
				     "%s ENABLE CHANGE_TRACKING, or grant it "
				     "as least-privilege-source.sql does"
				   : "change tracking is not enabled in source "
				     "database %s; run ALTER DATABASE %s SET "
				     "CHANGE_TRACKING = ON "
				     "(CHANGE_RETENTION = 3 DAYS, "
				     "AUTO_CLEANUP = ON)",
			  name.data, name.data);
	strbuf_release(&name);
	return -1;
}

static int no_snapshots(const struct sqlserver_source *source,
			struct error *err)
{
	struct strbuf name;

	strbuf_init(&name);
	sql_name(&name, source->name.database);
	if (strbuf_check(&name, err) == 0)
		error_set(err, ERROR_SCHEMA,
			  "change tracking can be read reliably only under "
			  "snapshot isolation, which source database %s does "
			  "not allow; run ALTER DATABASE %s SET "
			  "ALLOW_SNAPSHOT_ISOLATION ON",
			  name.data, name.data);
	strbuf_release(&name);
	return -1;
}

static int64_t known_number(struct tds *conn, int column)
{
	return tds_null(conn, column) ? HIDDEN : tds_get_int(conn, column);
}

/*
 * The lowest version is NULL for a table that is not tracked or that this
 * login may not see, the current one for a database that is not. Any right on
 * the table shows where its tracking begins; the server's own table, which is
 * made at each ENABLE, only shows to those who may see every definition.
 */
static int read_versions(struct sqlserver_source *source, struct versions *out,
			 struct error *err)
{
	static const char sql[] =
		"SELECT CHANGE_TRACKING_MIN_VALID_VERSION(@id), "
		"CHANGE_TRACKING_CURRENT_VERSION(), "
		"CASE WHEN EXISTS (SELECT 1 FROM sys.objects AS o "
		"WHERE o.object_id = @id AND DATEDIFF_BIG(MILLISECOND, "
		"'20000101', o.modify_date) = @modified) THEN 0 ELSE 1 END, "
		"(SELECT c.begin_version FROM sys.change_tracking_tables AS c "
		"WHERE c.object_id = @id), "
		"(SELECT MAX(i.object_id) FROM sys.internal_tables AS i "
		"WHERE i.internal_type = 209 "
		"AND @id IN (i.parent_id, i.parent_object_id))";
	struct tds_param params[] = {
		tds_int("@id", source->catalog.object_id),
		tds_int("@modified", source->catalog.modified_ms),
	};
	bool database;
	int rc;

	out->asked_us = clock_us();
	rc = tds_query_row(source->conn, sql, params, 2, err);
	if (rc == 0)
		error_set(err, ERROR_SERVER,
			  "the server does not tell the versions of change "
			  "tracking");
	if (rc <= 0)
		return -1;
	out->altered = tds_get_int(source->conn, 2) != 0;
	database = !tds_null(source->conn, 1);
	out->tracked = database && !tds_null(source->conn, 0);
	out->min = tds_get_int(source->conn, 0);
	out->current = tds_get_int(source->conn, 1);
	out->known[KNOWN_TABLE] = source->catalog.object_id;
	out->known[KNOWN_BEGIN] = known_number(source->conn, 3);
	out->known[KNOWN_LOG] = known_number(source->conn, 4);
	if (tds_finish(source->conn, err) < 0)
		return -1;
	return out->tracked || out->altered
		       ? 0
		       : not_enabled(source, database, err);
}

static int tracking_position(struct sqlserver_source *source,
			     struct position *out, struct error *err)
{
	struct versions versions;
	bool allowed;

	if (source_know_table(source, err) < 0 ||
	    read_versions(source, &versions, err) < 0 ||
	    source_allows_snapshot(source, &allowed, err) < 0)
		return -1;
	if (!allowed)
		return no_snapshots(source, err);
	return make_position(out, &versions, err);
}

/* ------------------------------------------------------------------- window */

static int gap(const struct sqlserver_source *source, int64_t from,
	       const struct versions *versions, struct error *err)
{
	char name[TABLE_NAME_TEXT_MAX];

	table_name_format(name, &source->name);
	if (versions->current < from)
		return error_set(err, ERROR_GAP,
				 "change tracking of '%s' is at version %lld, "
				 "before the version %lld that was read from "
				 "it: the database was restored or replaced, "
				 "or tracking was enabled anew",
				 name, (long long)versions->current,
				 (long long)from);
	return error_set(err, ERROR_GAP,
			 "changes after version %lld are gone from change "
			 "tracking of '%s': they were cleaned up before they "
			 "could be read (retention), the table was truncated, "
			 "or tracking was enabled anew",
			 (long long)from, name);
}

/*
 * Change tracking tells keys by the primary key: another key could not be
 * found in a row that is gone.
 */
static int check_key(const struct sqlserver_source *source,
		     const struct table *shape, struct error *err)
{
	const struct catalog_column *column;
	size_t k;

	for (k = 0; (column = catalog_key(&source->catalog, k)); k++) {
		const struct column *own = table_column(shape, column->name);

		if (!own ||
		    !table_is_key(shape, (size_t)(own - shape->columns)))
			break;
	}
	if (!column && k > 0 && k == shape->key_count)
		return 0;
	return error_set(err, ERROR_SCHEMA,
			 "change tracking knows rows by the source's primary "
			 "key alone; leave primary_key_column of the mapping "
			 "NULL, or use change_source 'cdc'");
}

/*
 * A row is gone when the table does not have its key, whatever the log says:
 * where 'a' became 'A' it has a deletion of a key that is equal to the new one.
 * So the key of a row that is there is the table's as well.
 */
static void build_list(const struct sqlserver_source *source,
		       const struct table *shape, struct strbuf *sql)
{
	sql_names(sql, "SELECT CASE WHEN t.%n IS NULL THEN 1 ELSE 0 END",
		  catalog_key(&source->catalog, 0)->name, NULL);
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct catalog_column *column = catalog_column(
			&source->catalog, shape->columns[i].name);

		strbuf_addstr(sql, ", ");
		decode_expression(sql, column,
				  table_is_key(shape, i) ? "k" : "t",
				  source->native_text, false);
	}
}

static void build_from(const struct sqlserver_source *source,
		       struct strbuf *sql)
{
	const struct catalog_column *key;

	strbuf_addstr(sql, " FROM CHANGETABLE(CHANGES ");
	sql_table(sql, source->name.schema, source->name.table);
	strbuf_addstr(sql, ", @from) AS c LEFT JOIN ");
	sql_table(sql, source->name.schema, source->name.table);
	strbuf_addstr(sql, " AS t ON ");
	for (size_t k = 0; (key = catalog_key(&source->catalog, k)); k++)
		sql_names(sql, k ? " AND c.%n = t.%n" : "c.%n = t.%n",
			  key->name, NULL);
	strbuf_addstr(sql, " CROSS APPLY (SELECT ");
	for (size_t k = 0; (key = catalog_key(&source->catalog, k)); k++)
		sql_names(sql,
			  k ? ", COALESCE(t.%n, c.%n) AS %n"
			    : "COALESCE(t.%n, c.%n) AS %n",
			  key->name, NULL);
	strbuf_addstr(sql, ") AS k");
}

static int begin_reading(struct sqlserver_source *source, struct table *shape,
			 const struct position *from, struct error *err)
{
	struct tds_param version = tds_int("@from", version_of(from));
	struct strbuf sql, rows;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_init(&rows);
	build_from(source, &rows);
	build_list(source, shape, &sql);
	strbuf_addstr(&sql, rows.data);
	if (strbuf_check(&sql, err) < 0 || strbuf_check(&rows, err) < 0 ||
	    source_measure(source, shape, "t", "", rows.data, &version, 1,
			   err) < 0 ||
	    tds_query(source->conn, sql.data, &version, 1, err) < 0)
		goto done;
	source->reading = READ_CHANGES;
	source_set_charsets(source, shape);
	source->decoder = decoder_new(source->conn, 1, &source->catalog, shape,
				      source->native_text, err);
	ret = source->decoder ? 0 : -1;
done:
	strbuf_release(&rows);
	strbuf_release(&sql);
	return ret;
}

/*
 * Is there a version after `from`, and can it be reached? 1, 0 or -1. Which
 * tracking it is belongs into the next position, where it was not known.
 */
static int judge(struct sqlserver_source *source, const struct position *from,
		 struct versions *versions, struct window *window,
		 struct error *err)
{
	int64_t since = version_of(from);

	if (read_versions(source, versions, err) < 0)
		return -1;
	window->altered = versions->altered;
	if (window->altered)
		return 0;
	if (versions->min > since || versions->current < since ||
	    !is_same_tracking(from, versions))
		return gap(source, since, versions, err);
	window->newest = true;
	window->commit_us = clock_to_utc(versions->asked_us);
	window->complete_us = versions->asked_us;
	if (make_position(&window->to, versions, err) < 0)
		return -1;
	return !position_equal(&window->to, from);
}

static int begin(struct sqlserver_source *source, struct table *shape,
		 const struct position *from, struct window *window,
		 struct error *err)
{
	struct versions versions;
	bool allowed;
	int rc;

	rc = judge(source, from, &versions, window, err);
	if (rc <= 0)
		return rc;
	if (source_allows_snapshot(source, &allowed, err) < 0)
		return -1;
	if (!allowed)
		return no_snapshots(source, err);
	/* Again, now that the moment is fixed. */
	if (source_begin_snapshot(source, err) < 0)
		return -1;
	rc = judge(source, from, &versions, window, err);
	if (rc <= 0)
		return rc;
	if (begin_reading(source, shape, from, err) < 0)
		return -1;
	window->has_rows = true;
	return 1;
}

static int tracking_begin(struct sqlserver_source *source, struct table *shape,
			  const struct position *from, unsigned limit,
			  struct window *window, struct error *err)
{
	int rc;

	(void)limit; /* the server cannot stop at an earlier moment */
	*window = (struct window){.has_rows = false};
	/* Once a position was the version alone. */
	if (from->len != POSITION_BYTES && from->len != VERSION_BYTES)
		return error_set(err, ERROR_GAP,
				 "the destination's checkpoint is no version "
				 "of change tracking");
	if (source_know_table(source, err) < 0 ||
	    check_key(source, shape, err) < 0)
		return -1;
	rc = begin(source, shape, from, window, err);
	if (rc < 0)
		sqlserver_source_ops.end(&source->base);
	return rc;
}

/* ------------------------------------------------------------------ changes */

static int tracking_read(struct sqlserver_source *source, struct batch *batch,
			 struct error *err)
{
	bool gone = tds_get_int(source->conn, 0) != 0;
	int rc = decoder_read(source->decoder, batch, gone, err);

	if (rc > 0)
		batch_add_row(batch, gone ? ROW_DELETE : ROW_UPSERT);
	return rc;
}

const struct change_log tracking_log = {
	.name = "change_tracking",
	.position = tracking_position,
	.begin = tracking_begin,
	.read = tracking_read,
};
