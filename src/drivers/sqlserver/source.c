#include "drivers/sqlserver/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "drivers/sqlserver/check.h"
#include "drivers/sqlserver/choice.h"
#include "drivers/sqlserver/seek.h"
#include "drivers/sqlserver/split.h"
#include "drivers/sqlserver/sql.h"

/* Rows of one UPDATE of the trigger column: few enough for row locks. */
#define RESET_ROWS 1000

#define LOCK_TIMED_OUT 1222

/* More than this is not kept for the next row, that may be long in coming. */
#define KEPT_BYTES 65536

static struct sqlserver_source *self_of(struct source *src)
{
	return (struct sqlserver_source *)src;
}

static const struct change_log *find_log(const char *name)
{
	return text_iequal(name, tracking_log.name) ? &tracking_log : &cdc_log;
}

static int source_open(const struct source_spec *spec, struct source **out,
		       struct error *err)
{
	struct sqlserver_source *source = calloc(1, sizeof(*source));

	if (!source)
		return error_memory(err, "a source");
	source->base.ops = &sqlserver_source_ops;
	source->server = (struct sqlserver *)spec->server;
	source->name = spec->name;
	source->trigger_column = spec->trigger_column;
	source->native_text = spec->native_text;
	table_init(&source->narrow);
	source->log = find_log(spec->change_source);
	*out = &source->base;
	return 0;
}

static int source_connect(struct source *src, struct cancel *cancel,
			  struct error *err)
{
	struct sqlserver_source *source = self_of(src);

	source->snapshot = SNAPSHOT_UNKNOWN;
	return sqlserver_take(source->server, source->name.database, cancel,
			      &source->conn, err);
}

/* A cancel takes in the row that is on its way: too much, where rows are large. */
static void break_off(struct sqlserver_source *source)
{
	if (source->base.rows.bytes > KEPT_BYTES && tds_in_rows(source->conn))
		tds_mark_unusable(source->conn);
	else
		tds_abandon(source->conn);
}

/* db-lib has the last row until another result with columns comes. */
static void forget_row(struct sqlserver_source *source)
{
	struct error ignored;

	if (source->base.rows.bytes > KEPT_BYTES && tds_usable(source->conn) &&
	    tds_exec(source->conn, "SELECT 1", &ignored) < 0)
		tds_mark_unusable(source->conn);
	source->base.rows = (struct source_rows){.bytes = 0};
}

/*
 * What is left of a result is thrown away by a cancel, which is cheaper than
 * reading it. A snapshot transaction has changed nothing: it is rolled back.
 */
static void source_end(struct source *src)
{
	struct sqlserver_source *source = self_of(src);
	struct error ignored;

	decoder_free(source->decoder);
	source->decoder = NULL;
	source->row_pending = false;
	table_release(&source->narrow);
	if (source->reading != READ_NONE)
		break_off(source);
	forget_row(source);
	source->reading = READ_NONE;
	if (source->in_transaction && tds_usable(source->conn) &&
	    tds_exec(source->conn,
		     "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION; "
		     "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
		     &ignored) < 0)
		tds_mark_unusable(source->conn);
	source->in_transaction = false;
	if (source->impatient && tds_usable(source->conn) &&
	    tds_exec(source->conn, "SET LOCK_TIMEOUT -1", &ignored) < 0)
		tds_mark_unusable(source->conn);
	source->impatient = false;
}

static void source_release(struct source *src)
{
	struct sqlserver_source *source = self_of(src);

	if (!source->conn)
		return;
	source_end(src);
	sqlserver_give(source->server, source->name.database, source->conn);
	source->conn = NULL;
}

static void source_close(struct source *src)
{
	struct sqlserver_source *source = self_of(src);

	source_release(src);
	catalog_release(&source->catalog);
	free(source->instance);
	free(source);
}

/* -------------------------------------------------------------- the table */

/* A mask would be copied as if it were the value. */
static int check_masks(const struct sqlserver_source *source, struct error *err)
{
	char name[TABLE_NAME_TEXT_MAX];

	for (size_t i = 0; i < source->catalog.column_count; i++)
		if (source->catalog.columns[i].masked)
			return error_set(
				err, ERROR_SCHEMA,
				"column '%s' of table '%s' is masked, and the "
				"login may not see its values: GRANT UNMASK to "
				"it",
				source->catalog.columns[i].name,
				table_name_format(name, &source->name));
	return 0;
}

int source_know_table(struct sqlserver_source *source, struct error *err)
{
	char name[TABLE_NAME_TEXT_MAX];
	int rc;

	if (source->described)
		return 0;
	catalog_release(&source->catalog);
	rc = catalog_read(source->conn, source->name.schema, source->name.table,
			  &source->catalog, err);
	if (rc == 0)
		rc = error_set(err, ERROR_SCHEMA,
			       "source table '%s' does not exist, or the login "
			       "may not see it: GRANT SELECT on it",
			       table_name_format(name, &source->name));
	else if (rc > 0)
		rc = check_masks(source, err);
	source->described = rc == 0;
	return rc;
}

static int source_describe(struct source *src, struct table *out,
			   struct error *err)
{
	struct sqlserver_source *source = self_of(src);

	source->described = false;
	if (source_know_table(source, err) < 0)
		return -1;
	return catalog_describe(&source->catalog, &source->name, out, err);
}

void source_set_charsets(const struct sqlserver_source *source,
			 struct table *shape)
{
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct catalog_column *column = catalog_column(
			&source->catalog, shape->columns[i].name);
		bool native = column && source->native_text &&
			      (column->wire == WIRE_CHAR ||
			       column->wire == WIRE_NCHAR);

		shape->columns[i].charset =
			native ? catalog_charset(column) : NULL;
	}
}

/*
 * Sure means: some unique index has no column outside of the key. Every key is
 * sure that way, a subset of its columns makes it unique already.
 */
static int source_check_key(struct source *src, const struct table *table,
			    struct error *err)
{
	struct sqlserver_source *source = self_of(src);
	char name[TABLE_NAME_TEXT_MAX];
	struct tds_param id;
	struct strbuf sql;
	int rc = -1;

	strbuf_init(&sql);
	strbuf_addstr(
		&sql,
		"SELECT COUNT(*) FROM sys.indexes AS i "
		"WHERE i.object_id = @id AND i.is_unique = 1 "
		"AND i.has_filter = 0 AND i.is_disabled = 0 "
		"AND NOT EXISTS (SELECT 1 FROM sys.index_columns AS x "
		"WHERE x.object_id = i.object_id AND x.index_id = i.index_id "
		"AND x.is_included_column = 0 "
		"AND x.column_id NOT IN (");
	for (size_t k = 0; k < table->key_count; k++)
		strbuf_addf(&sql, "%s%d", k ? ", " : "",
			    catalog_column(&source->catalog,
					   table->columns[table->key[k]].name)
				    ->column_id);
	strbuf_addstr(&sql, "))");
	id = tds_int("@id", source->catalog.object_id);
	if (strbuf_check(&sql, err) == 0)
		rc = tds_query_row(source->conn, sql.data, &id, 1, err);
	strbuf_release(&sql);
	if (rc <= 0)
		return rc;
	rc = tds_get_int(source->conn, 0) > 0;
	if (tds_finish(source->conn, err) < 0)
		return -1;
	if (rc)
		return 0;
	return error_set(err, ERROR_SCHEMA,
			 "no primary key or unique index of '%s' is made of "
			 "the key columns alone: two rows could have the same "
			 "key; name a unique key in primary_key_column, or "
			 "create the index",
			 table_name_format(name, &source->name));
}

static int source_find_longer(struct source *src, const struct table *table,
			      const char *column, int length,
			      struct strbuf *key, struct error *err)
{
	return longer_find(self_of(src), table, column, length, key, err);
}

static int source_estimate(struct source *src, uint64_t *rows,
			   struct error *err)
{
	static const char sql[] = "SELECT SUM(p.rows) FROM sys.partitions AS p "
				  "WHERE p.object_id = @id "
				  "AND p.index_id IN (0, 1)";
	struct sqlserver_source *source = self_of(src);
	struct tds_param id = tds_int("@id", source->catalog.object_id);
	int rc = tds_query_row(source->conn, sql, &id, 1, err);

	*rows = 0;
	if (rc <= 0)
		return rc;
	*rows = (uint64_t)tds_get_int(source->conn, 0);
	return tds_finish(source->conn, err);
}

/* ------------------------------------------------------ the trigger column */

/* NULL: there is none that can be used. */
static const struct catalog_column *find_trigger_column(
	struct sqlserver_source *source, struct error *err)
{
	const struct catalog_column *column;
	char name[TABLE_NAME_TEXT_MAX];

	if (source_know_table(source, err) < 0)
		return NULL;
	column = catalog_column(&source->catalog, source->trigger_column);
	table_name_format(name, &source->name);
	if (!column)
		error_set(err, ERROR_SCHEMA,
			  "full_sync_trigger_column '%s' does not exist "
			  "in source table '%s'",
			  source->trigger_column, name);
	else if (column->wire != WIRE_BIT && column->wire != WIRE_INT)
		error_set(err, ERROR_SCHEMA,
			  "full_sync_trigger_column '%s' of source table "
			  "'%s' is %s; it must be bit or an integer",
			  source->trigger_column, name, column->type);
	else if (column->computed || column->generated)
		error_set(err, ERROR_SCHEMA,
			  "full_sync_trigger_column '%s' of source table "
			  "'%s' is computed and cannot be reset",
			  source->trigger_column, name);
	else
		return column;
	return NULL;
}

static int count_triggered(struct sqlserver_source *source,
			   const struct catalog_column *trigger, uint64_t limit,
			   uint64_t *rows, struct error *err)
{
	struct tds_param top = tds_int("@limit", (int64_t)limit);
	struct strbuf sql;
	int rc = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "SELECT COUNT_BIG(*) FROM "
			    "(SELECT TOP (@limit) 1 AS one FROM ");
	sql_table(&sql, source->name.schema, source->name.table);
	sql_names(&sql, " AS t WHERE t.%n = 1) AS asked", trigger->name, NULL);
	if (strbuf_check(&sql, err) == 0)
		rc = tds_query_row(source->conn, sql.data, &top, 1, err);
	strbuf_release(&sql);
	if (rc <= 0)
		return rc;
	*rows = (uint64_t)tds_get_int(source->conn, 0);
	return tds_finish(source->conn, err);
}

static int source_triggered(struct source *src, uint64_t limit, uint64_t *rows,
			    bool *locked, struct error *err)
{
	struct sqlserver_source *source = self_of(src);
	const struct catalog_column *trigger = find_trigger_column(source, err);
	int rc = -1;

	*rows = 0;
	if (locked)
		*locked = false;
	if (!trigger)
		return -1;
	if (!locked)
		return count_triggered(source, trigger, limit, rows, err);
	if (source_begin_short_read(source, err) == 0)
		rc = count_triggered(source, trigger, limit, rows, err);
	source_end(src);
	if (rc == 0 || err->native != LOCK_TIMED_OUT)
		return rc;
	*locked = true;
	error_clear(err);
	return 0;
}

static int source_trigger_reset(struct source *src, uint64_t *rows,
				struct error *err)
{
	struct sqlserver_source *source = self_of(src);
	const struct catalog_column *trigger = find_trigger_column(source, err);
	struct strbuf sql;
	int rc = -1;

	*rows = 0;
	if (!trigger)
		return -1;
	strbuf_init(&sql);
	strbuf_addf(&sql,
		    "DECLARE @rows int = 1, @total bigint = 0; "
		    "WHILE @rows > 0 BEGIN WITH asked AS (SELECT TOP (%d) ",
		    RESET_ROWS);
	sql_names(&sql, "t.%n FROM ", trigger->name, NULL);
	sql_table(&sql, source->name.schema, source->name.table);
	sql_names(&sql, " AS t WHERE t.%n = 1) UPDATE asked SET %n = 0; ",
		  trigger->name, NULL);
	strbuf_addstr(&sql, "SET @rows = @@ROWCOUNT; SET @total += @rows; END; "
			    "SELECT @total");
	if (strbuf_check(&sql, err) == 0)
		rc = tds_query_row(source->conn, sql.data, NULL, 0, err);
	strbuf_release(&sql);
	if (rc <= 0)
		return rc;
	*rows = (uint64_t)tds_get_int(source->conn, 0);
	return tds_finish(source->conn, err);
}

/* --------------------------------------------------------------- the rows */

/*
 * A memory-optimized table cannot be read in a SNAPSHOT session (error 41332),
 * and in no transaction at READ COMMITTED (41368), but by a statement alone,
 * which sees one moment and waits for nobody.
 */
int source_allows_snapshot(struct sqlserver_source *source, bool *allowed,
			   struct error *err)
{
	static const char sql[] =
		"SELECT CAST(snapshot_isolation_state AS int) "
		"FROM sys.databases WHERE name = DB_NAME()";
	int rc;

	*allowed =
		source->snapshot == SNAPSHOT_YES && !source->catalog.in_memory;
	if (source->catalog.in_memory || source->snapshot != SNAPSHOT_UNKNOWN)
		return 0;
	rc = tds_query_row(source->conn, sql, NULL, 0, err);
	if (rc <= 0)
		return rc;
	*allowed = tds_get_int(source->conn, 0) == 1;
	source->snapshot = *allowed ? SNAPSHOT_YES : SNAPSHOT_NO;
	return tds_finish(source->conn, err);
}

int source_begin_snapshot(struct sqlserver_source *source, struct error *err)
{
	source->in_transaction = true;
	return tds_exec(source->conn,
			"SET TRANSACTION ISOLATION LEVEL SNAPSHOT; "
			"BEGIN TRANSACTION",
			err);
}

static int begin_snapshot_if_allowed(struct sqlserver_source *source,
				     struct error *err)
{
	bool allowed;

	if (source_allows_snapshot(source, &allowed, err) < 0)
		return -1;
	return allowed ? source_begin_snapshot(source, err) : 0;
}

int source_begin_short_read(struct sqlserver_source *source, struct error *err)
{
	bool allowed;

	if (source_allows_snapshot(source, &allowed, err) < 0)
		return -1;
	if (allowed)
		return source_begin_snapshot(source, err);
	source->impatient = true;
	return tds_exec(source->conn, "SET LOCK_TIMEOUT 500", err);
}

static bool is_trigger_column(const struct sqlserver_source *source,
			      const struct catalog_column *column)
{
	return source->trigger_column &&
	       catalog_column(&source->catalog, source->trigger_column) ==
		       column;
}

/* Without the hint it could be joined with nothing on disk (error 41359). */
void source_add_table(const struct sqlserver_source *source, struct strbuf *sql)
{
	sql_table(sql, source->name.schema, source->name.table);
	strbuf_addstr(sql, source->catalog.in_memory ? " AS t WITH (SNAPSHOT)"
						     : " AS t");
}

int source_add_list(const struct sqlserver_source *source,
		    const struct table *shape, const char *alias,
		    struct strbuf *sql, struct error *err)
{
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct catalog_column *column = catalog_column(
			&source->catalog, shape->columns[i].name);

		if (!column)
			return error_set(err, ERROR_SCHEMA,
					 "column '%s' is no longer in the "
					 "source table",
					 shape->columns[i].name);
		strbuf_addstr(sql, i ? ", " : "");
		decode_expression(sql, column, alias, source->native_text,
				  is_trigger_column(source, column));
	}
	return 0;
}

/*
 * In the order of the key when that is how the rows lie: then the destination
 * loads them without a sort.
 */
static int build_read(const struct sqlserver_source *source,
		      const struct table *shape,
		      const struct choice_sql *choice, const char *from,
		      bool ordered, struct strbuf *sql, struct error *err)
{
	const char *word = " ORDER BY ";

	strbuf_addf(sql, "%sSELECT ", choice->declare.data);
	if (source_add_list(source, shape, "t", sql, err) < 0)
		return -1;
	strbuf_addstr(sql, from);
	for (size_t k = 0; ordered; k++) {
		const struct catalog_column *column =
			catalog_key(&source->catalog, k);

		if (!column)
			break;
		strbuf_addstr(sql, word);
		sql_names(sql, "t.%n", column->name, NULL);
		word = ", ";
	}
	return strbuf_check(sql, err);
}

static int source_split(struct source *src, const struct table *shape,
			struct key_range *ranges, size_t count,
			struct error *err)
{
	struct sqlserver_source *source = self_of(src);

	(void)shape;
	if (source_know_table(source, err) < 0)
		return -1;
	return split_table(source, ranges, count, err);
}

int source_begin_rows(struct sqlserver_source *source, struct table *shape,
		      struct error *err)
{
	source->reading = READ_TABLE;
	source_set_charsets(source, shape);
	source->decoder = decoder_new(source->conn, 0, &source->catalog, shape,
				      source->native_text, err);
	return source->decoder ? 0 : -1;
}

/* A whole table, or a part of a load, may wait; what is only looked at not. */
static int begin_read(struct sqlserver_source *source,
		      const struct row_choice *choice, struct error *err)
{
	if (choice && (choice->keys || choice->span))
		return source_begin_short_read(source, err);
	return begin_snapshot_if_allowed(source, err);
}

static int source_read_begin(struct source *src, struct table *shape,
			     const struct row_choice *choice, struct error *err)
{
	struct sqlserver_source *source = self_of(src);
	struct choice_sql pieces = {.param_count = 0};
	struct strbuf sql, from;
	bool ordered;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_init(&from);
	if (source_know_table(source, err) < 0 ||
	    choice_build(source, choice, &pieces, err) < 0)
		goto done;
	strbuf_addf(&from, " FROM %s", pieces.tables.data);
	source_add_table(source, &from);
	strbuf_addstr(&from, pieces.where.data);
	ordered = source->catalog.key_is_clustered && !(choice && choice->keys);
	if (strbuf_check(&from, err) < 0 ||
	    build_read(source, shape, &pieces, from.data, ordered, &sql, err) <
		    0 ||
	    begin_read(source, choice, err) < 0 ||
	    source_measure(source, shape, "t", pieces.declare.data, from.data,
			   pieces.params, pieces.param_count, err) < 0 ||
	    tds_query(source->conn, sql.data, pieces.params, pieces.param_count,
		      err) < 0 ||
	    source_begin_rows(source, shape, err) < 0)
		goto done;
	ret = 0;
done:
	choice_release(&pieces);
	strbuf_release(&from);
	strbuf_release(&sql);
	if (ret < 0)
		source_end(src);
	return ret;
}

static int read_one(struct sqlserver_source *source, struct batch *batch,
		    struct error *err)
{
	int rc;

	if (source->reading == READ_CHANGES)
		return source->log->read(source, batch, err);
	rc = decoder_read(source->decoder, batch, false, err);
	if (rc > 0)
		batch_add_row(batch, ROW_UPSERT);
	return rc;
}

static int finish_reading(struct sqlserver_source *source, struct error *err)
{
	if (tds_finish(source->conn, err) < 0)
		return -1;
	if (source->reading == READ_CHANGES && source->log->check)
		return source->log->check(source, err);
	return 0;
}

static int source_next(struct source *src, struct batch *batch,
		       struct error *err)
{
	struct sqlserver_source *source = self_of(src);
	int rc;

	while (!batch_full(batch)) {
		if (!source->row_pending) {
			rc = tds_fetch(source->conn, err);
			if (rc < 0)
				return -1;
			if (rc == 0) {
				if (batch->rows)
					return 1;
				return finish_reading(source, err);
			}
		}
		source->row_pending = false;
		rc = read_one(source, batch, err);
		if (rc == 0 && !batch->rows) {
			batch_make_lone(batch);
			rc = read_one(source, batch, err);
			if (rc == 0)
				return error_memory(err, "a row");
		}
		if (rc < 0)
			return -1;
		if (rc > 0)
			continue;
		source->row_pending = true;
		break;
	}
	return batch->rows > 0;
}

static int source_seek(struct source *src, struct table *keys,
		       const struct key_span *span, bool backwards,
		       uint64_t skip, struct batch *out, struct error *err)
{
	struct sqlserver_source *source = self_of(src);
	int rc = -1;

	if (source_know_table(source, err) == 0 &&
	    seek_begin(source, keys, span, backwards, skip, err) == 0 &&
	    source_begin_rows(source, keys, err) == 0)
		rc = source_next(src, out, err);
	source_end(src);
	return rc;
}

static int source_digest(struct source *src, const struct table *shape,
			 const size_t *take, size_t take_count,
			 const struct table *keys, const struct key_span *span,
			 uint64_t limit, struct row_sum *out, struct error *err)
{
	struct sqlserver_source *source = self_of(src);
	int rc = -1;

	if (source_know_table(source, err) == 0)
		rc = digest_read(source, shape, take, take_count, keys, span,
				 limit, out, err);
	source_end(src);
	return rc;
}

/* ------------------------------------------------------------- the changes */

static int source_position(struct source *src, struct position *out,
			   struct error *err)
{
	struct sqlserver_source *source = self_of(src);
	char name[TABLE_NAME_TEXT_MAX];

	if (source_know_table(source, err) < 0)
		return -1;
	if (source->catalog.in_memory)
		return error_set(err, ERROR_SCHEMA,
				 "table '%s' is memory-optimized, and the "
				 "server neither captures nor tracks its "
				 "changes: set cdc_enabled to 0",
				 table_name_format(name, &source->name));
	return source->log->position(source, out, err);
}

static int source_changes_begin(struct source *src, struct table *shape,
				const struct position *from, unsigned limit,
				struct window *window, struct error *err)
{
	struct sqlserver_source *source = self_of(src);

	return source->log->begin(source, shape, from, limit, window, err);
}

static int source_captured_until(struct source *src, int64_t *until_us,
				 struct error *err)
{
	struct sqlserver_source *source = self_of(src);

	*until_us = 0;
	return source->log->until ? source->log->until(source, until_us, err)
				  : 0;
}

static int source_check(struct source *src, struct source_check *what,
			struct findings *out, struct error *err)
{
	return check_source(self_of(src), what, out, err);
}

const struct source_ops sqlserver_source_ops = {
	.connections = 1,
	.open = source_open,
	.connect = source_connect,
	.release = source_release,
	.close = source_close,
	.describe = source_describe,
	.check_key = source_check_key,
	.find_longer = source_find_longer,
	.estimate = source_estimate,
	.triggered = source_triggered,
	.trigger_reset = source_trigger_reset,
	.position = source_position,
	.split = source_split,
	.read_begin = source_read_begin,
	.seek = source_seek,
	.digest = source_digest,
	.changes_begin = source_changes_begin,
	.captured_until = source_captured_until,
	.next = source_next,
	.end = source_end,
	.check = source_check,
};
