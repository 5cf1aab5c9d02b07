/*
 * Rows are read by COPY in its binary form, inside of a transaction that sees
 * one moment. What a person or an earlier look chose goes into the statement by
 * choice.c.
 */
#include "drivers/postgresql/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "drivers/postgresql/changes.h"
#include "drivers/postgresql/check.h"
#include "drivers/postgresql/choice.h"
#include "drivers/postgresql/logged.h"
#include "drivers/postgresql/quote.h"
#include "drivers/postgresql/slot.h"

/* libpq keeps buffers that have grown beyond this for as long as it lives. */
#define KEPT_BYTES ((uint64_t)1 << 20)

/* How long the locks of others are waited for by a read that hurries. */
#define HURRY_MS "2000"

static struct postgresql_source *self_of(struct source *src)
{
	return (struct postgresql_source *)src;
}

static int source_open(const struct source_spec *spec, struct source **out,
		       struct error *err)
{
	struct postgresql_source *source = calloc(1, sizeof(*source));

	if (!source)
		return error_memory(err, "a source");
	source->base.ops = &postgresql_source_ops;
	source->server = (struct postgresql *)spec->server;
	source->name = spec->name;
	source->trigger_column = spec->trigger_column;
	source->change_source = spec->change_source;
	source->own_rows = spec->change_source || spec->is_target;
	source->native = spec->native_text;
	if (pg_changes_open(source, spec, err) < 0) {
		free(source);
		return -1;
	}
	*out = &source->base;
	return 0;
}

static int source_connect(struct source *src, struct cancel *cancel,
			  struct error *err)
{
	struct postgresql_source *source = self_of(src);

	source->changes->cancel = cancel;
	source->cancel = cancel;
	return postgresql_take(source->server, source->name.database, cancel,
			       &source->conn, err);
}

/* A transaction of ours has changed nothing: it is rolled back. */
static void end_transaction(struct postgresql_source *source)
{
	struct error ignored = ERROR_INIT;

	if (source->sharing)
		pg_snapshot_leave(&source->server->snapshots, source);
	source->sharing = false;
	if (pg_usable(source->conn) && pg_in_transaction(source->conn) &&
	    pg_exec(source->conn, "ROLLBACK", &ignored) < 0)
		source->grown = true; /* at least it is not kept */
}

/* May the transaction go on to the next part of its load? */
static bool is_between_parts(const struct postgresql_source *source)
{
	return source->sharing && pg_usable(source->conn) &&
	       !pg_in_failed_transaction(source->conn) &&
	       (source->reading == READ_NONE || source->at_end);
}

static void source_end(struct source *src)
{
	struct postgresql_source *source = self_of(src);
	bool goes_on;

	if (!source->conn)
		return;
	goes_on = is_between_parts(source);
	if (source->reading == READ_CHANGES)
		pg_changes_end(source);
	else if (source->reading == READ_TABLE)
		pg_copy_break_off(source->conn);
	source->reading = READ_NONE;
	source->row = NULL;
	free(source->plans);
	source->plans = NULL;
	source->plan_count = 0;
	source->grown |= source->base.rows.bytes > KEPT_BYTES;
	source->base.rows = (struct source_rows){.bytes = 0};
	if (!goes_on)
		end_transaction(source);
}

static void source_release(struct source *src)
{
	struct postgresql_source *source = self_of(src);

	if (!source->conn)
		return;
	source_end(src);
	end_transaction(source);
	if (source->grown)
		postgresql_drop(source->server, source->conn);
	else
		postgresql_give(source->server, source->name.database,
				source->conn);
	source->conn = NULL;
	source->grown = false;
}

static void source_close(struct source *src)
{
	struct postgresql_source *source = self_of(src);

	source_release(src);
	pg_changes_close(source);
	pg_catalog_release(&source->catalog);
	free(source);
}

/* -------------------------------------------------------------- the table */

void pg_source_add_table(struct strbuf *sql,
			 const struct postgresql_source *source)
{
	if (source->own_rows && source->catalog.kind == 'r')
		strbuf_addstr(sql, "ONLY ");
	quote_table(sql, source->name.schema, source->name.table);
	strbuf_addstr(sql, " AS t");
}

/* What a DBA who knows other systems is likely to have written. */
static int no_table(const struct postgresql_source *source, struct error *err)
{
	char name[TABLE_NAME_TEXT_MAX];

	error_set(err, ERROR_SCHEMA, "source table '%s' does not exist",
		  table_name_format(name, &source->name));
	if (!strcmp(source->name.schema, "dbo"))
		error_append(err, "PostgreSQL's usual schema is 'public': set "
				  "source_schema to that");
	else
		error_append(err, "names have to be written as they are in "
				  "the catalog, usually in lower case");
	return -1;
}

int pg_source_know_table(struct postgresql_source *source, struct error *err)
{
	int rc;

	if (source->described)
		return 0;
	pg_catalog_release(&source->catalog);
	rc = pg_catalog_read(source->conn, source->name.schema,
			     source->name.table, &source->catalog, err);
	source->described = rc > 0;
	if (rc == 0)
		return no_table(source, err);
	return rc < 0 ? -1 : 0;
}

int pg_source_column(const struct postgresql_source *source, const char *name,
		     const struct catalog_column **out, struct error *err)
{
	*out = pg_catalog_column(&source->catalog, name);
	if (*out)
		return 0;
	return error_set(err, ERROR_SCHEMA,
			 "column '%s' is no longer in the source table", name);
}

void pg_source_advise(const struct postgresql_source *source, const char *right,
		      struct error *err)
{
	const char *user = pg_login_value(&source->server->login, "user");
	struct strbuf sql;

	if (strcmp(err->sqlstate, "42501") != 0)
		return;
	strbuf_init(&sql);
	if (strstr(err->message, "row-level security")) {
		strbuf_addstr(&sql,
			      "rows would be hidden from us: ALTER ROLE ");
		quote_name(&sql, user ? user : "the login");
		strbuf_addstr(&sql, " BYPASSRLS");
	} else {
		strbuf_addstr(&sql, "GRANT USAGE ON SCHEMA ");
		quote_name(&sql, source->name.schema);
		strbuf_addf(&sql, " and GRANT %s ON ", right);
		quote_table(&sql, source->name.schema, source->name.table);
		strbuf_addstr(&sql, " TO ");
		quote_name(&sql, user ? user : "the login");
		strbuf_addstr(&sql, PG_SOURCE_SCRIPT);
	}
	error_append(err, sql.data);
	strbuf_release(&sql);
}

static int source_describe(struct source *src, struct table *out,
			   struct error *err)
{
	struct postgresql_source *source = self_of(src);

	source->described = false;
	if (pg_source_know_table(source, err) < 0 ||
	    (source->change_source && pg_logged_check(source, err) < 0))
		return -1;
	return pg_catalog_describe(&source->catalog, source->native,
				   &source->name, out, err);
}

/*
 * Sure means: some unique index has no column outside of the key. Every key is
 * sure that way, a subset of its columns makes it unique already. NULLs are
 * told apart by nothing, so that a column of the index must not allow them.
 */
static int source_check_key(struct source *src, const struct table *table,
			    struct error *err)
{
	struct postgresql_source *source = self_of(src);
	struct pg_param id = pg_int(source->catalog.oid);
	const struct catalog_column *column;
	char name[TABLE_NAME_TEXT_MAX];
	struct strbuf sql;
	int64_t found = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql,
		      "SELECT 1 FROM pg_index AS i WHERE i.indrelid = $1::oid "
		      "AND " CATALOG_IS_UNIQUE " AND NOT EXISTS ("
		      "SELECT 1 FROM unnest(i.indkey::int2[]) WITH ORDINALITY "
		      "AS k (attnum, ord) INNER JOIN pg_attribute AS a "
		      "ON a.attrelid = i.indrelid AND a.attnum = k.attnum "
		      "INNER JOIN pg_type AS y ON y.oid = a.atttypid "
		      "WHERE k.ord <= " CATALOG_KEY_COLUMNS
		      " AND (NOT (a.attnotnull OR y.typnotnull) "
		      "OR a.attnum NOT IN (0");
	for (size_t k = 0; k < table->key_count; k++) {
		column = pg_catalog_column(&source->catalog,
					   table->columns[table->key[k]].name);
		strbuf_addf(&sql, ", %d", column ? column->number : 0);
	}
	strbuf_addstr(&sql, "))) LIMIT 1");
	if (strbuf_check(&sql, err) == 0)
		found = pg_query(source->conn, sql.data, &id, 1, err);
	strbuf_release(&sql);
	if (found < 0)
		return -1;
	pg_finish(source->conn);
	if (found > 0)
		return source->change_source
			       ? slot_check_identity(source->conn,
						     source->catalog.oid, table,
						     err)
			       : 0;
	return error_set(err, ERROR_SCHEMA,
			 "no primary key or unique index of '%s' is made of "
			 "the key columns alone, all NOT NULL: two rows could "
			 "have the same key; name a unique key in "
			 "primary_key_column, or create the index",
			 table_name_format(name, &source->name));
}

static int source_find_longer(struct source *src, const struct table *table,
			      const char *column, int length,
			      struct strbuf *key, struct error *err)
{
	return pg_longer_find(self_of(src), table, column, length, key, err);
}

/*
 * What ANALYZE or VACUUM counted, of all partitions; where nobody has counted,
 * and the table is small or has no pages that we know of, a count.
 */
static int source_estimate(struct source *src, uint64_t *rows,
			   struct error *err)
{
	static const char counted_sql[] = CATALOG_PARTS
		"SELECT COALESCE(sum(greatest(c.reltuples, 0)), 0)::int8, "
		"COALESCE(sum(CASE WHEN c.relkind IN ('r', 'm') "
		"THEN pg_relation_size(c.oid) ELSE 0 END), 0)::int8 / 100 "
		"FROM part AS p INNER JOIN pg_class AS c ON c.oid = p.oid "
		"WHERE c.relkind <> 'p'";
	struct postgresql_source *source = self_of(src);
	struct pg_param id = pg_int(source->catalog.oid);

	*rows = 0;
	if (pg_query(source->conn, counted_sql, &id, 1, err) < 0)
		return -1;
	*rows = (uint64_t)pg_get_int(source->conn, 0, 0);
	if (!*rows) /* nobody has: a row has a hundred bytes, say */
		*rows = (uint64_t)pg_get_int(source->conn, 0, 1);
	pg_finish(source->conn);
	return 0;
}

/* Nobody can lock a row against being read. */
static int source_triggered(struct source *src, uint64_t limit, uint64_t *rows,
			    bool *locked, struct error *err)
{
	if (locked)
		*locked = false;
	return pg_trigger_count(self_of(src), limit, rows, err);
}

static int source_trigger_reset(struct source *src, uint64_t *rows,
				struct error *err)
{
	return pg_trigger_clear(self_of(src), rows, err);
}

/* --------------------------------------------------------------- the rows */

int pg_source_begin_snapshot(struct postgresql_source *source, bool hurry,
			     struct error *err)
{
	if (source->sharing)
		end_transaction(source);
	return pg_exec(source->conn,
		       hurry ? PG_BEGIN_SNAPSHOT
			       "; SET LOCAL lock_timeout = " HURRY_MS
			     : PG_BEGIN_SNAPSHOT,
		       err);
}

/* The transaction lasts for all parts that this source reads. */
static int begin_part(struct postgresql_source *source,
		      const struct key_range *range, struct error *err)
{
	const unsigned char *load = pg_split_load(range);

	if (source->sharing)
		return 0;
	if (!load)
		return pg_source_begin_snapshot(source, false, err);
	if (pg_snapshot_join(&source->server->snapshots, load, source,
			     source->conn, source->cancel, err) < 0)
		return -1;
	source->sharing = true;
	return 0;
}

int pg_source_plan(struct postgresql_source *source, const struct table *shape,
		   struct error *err)
{
	const struct catalog_column *trigger =
		source->trigger_column
			? pg_catalog_column(&source->catalog,
					    source->trigger_column)
			: NULL;
	const struct catalog_column *column;

	free(source->plans);
	source->plan_count = 0;
	source->plans = calloc(shape->column_count + 1, sizeof(*source->plans));
	if (!source->plans)
		return error_memory(err, "reading a table");
	for (size_t i = 0; i < shape->column_count; i++) {
		struct pg_column_plan *plan = &source->plans[i];

		if (pg_source_column(source, shape->columns[i].name, &column,
				     err) < 0)
			return -1;
		pg_plan_column(plan, column, &shape->columns[i], i,
			       source->conn);
		plan->as_reset = column == trigger;
	}
	source->plan_count = shape->column_count;
	return 0;
}

static int build_read(const struct postgresql_source *source,
		      const struct table *shape,
		      const struct choice_sql *choice, struct strbuf *sql,
		      struct error *err)
{
	const struct catalog_column *column;

	strbuf_addstr(sql, "COPY (SELECT ");
	for (size_t i = 0; i < shape->column_count; i++) {
		if (pg_source_column(source, shape->columns[i].name, &column,
				     err) < 0)
			return -1;
		strbuf_addstr(sql, i ? ", " : "");
		pg_decode_expression(sql, column, "t");
	}
	strbuf_addf(sql, "%s%s) TO STDOUT (FORMAT binary)", choice->from.data,
		    choice->where.data);
	return strbuf_check(sql, err);
}

static int source_split(struct source *src, const struct table *shape,
			struct key_range *ranges, size_t count,
			struct error *err)
{
	struct postgresql_source *source = self_of(src);

	(void)shape;
	if (pg_source_know_table(source, err) < 0)
		return -1;
	return pg_split_table(source, ranges, count, err);
}

static int begin_read(struct postgresql_source *source, struct table *shape,
		      const struct row_choice *choice, struct error *err)
{
	bool some = choice && (choice->keys || choice->span);
	struct choice_sql pieces;
	struct strbuf sql, from;
	int ret = -1;

	if ((choice && choice->range
		     ? begin_part(source, choice->range, err)
		     : pg_source_begin_snapshot(source, some, err)) < 0)
		return -1;
	strbuf_init(&sql);
	strbuf_init(&from);
	if (pg_choice_build(source, choice, &pieces, err) < 0)
		goto done;
	strbuf_addf(&from, "%s%s", pieces.from.data, pieces.where.data);
	if (strbuf_check(&from, err) < 0 ||
	    build_read(source, shape, &pieces, &sql, err) < 0 ||
	    pg_source_measure(source, shape, from.data, some, err) < 0 ||
	    pg_source_plan(source, shape, err) < 0 ||
	    pg_copy_out(source->conn, sql.data, err) < 0)
		goto done;
	source->reading = READ_TABLE;
	source->in_header = true;
	source->at_end = false;
	for (size_t i = 0; i < shape->column_count; i++)
		shape->columns[i].charset = NULL;
	ret = 0;
done:
	pg_choice_release(&pieces);
	strbuf_release(&from);
	strbuf_release(&sql);
	return ret;
}

/* A condition that the server does not understand is a person's mistake. */
static void blame_condition(const struct row_choice *choice, struct error *err)
{
	if (!choice || !choice->condition || strncmp(err->sqlstate, "42", 2) ||
	    !strcmp(err->sqlstate, "42501"))
		return;
	err->kind = ERROR_CONFIG;
	error_wrap(err, "the WHERE condition makes no sense");
	error_append(err, "functions and types outside of pg_catalog are "
			  "written with their schema");
}

static int source_read_begin(struct source *src, struct table *shape,
			     const struct row_choice *choice, struct error *err)
{
	struct postgresql_source *source = self_of(src);

	if (pg_source_know_table(source, err) < 0)
		return -1;
	if (begin_read(source, shape, choice, err) == 0)
		return 0;
	blame_condition(choice, err);
	pg_source_advise(source, "SELECT", err);
	source_end(src);
	return -1;
}

/* The next row, or what is left of the last one. 0: that was all. */
static int fetch(struct postgresql_source *source, struct error *err)
{
	int rc;

	while (!source->row) {
		rc = pg_copy_read(source->conn, -1, &source->row,
				  &source->row_len, err);
		if (rc <= 0) {
			source->row = NULL;
			source->at_end = rc == 0;
			return rc;
		}
		if (!source->in_header)
			break;
		rc = pg_decode_header(source->row, source->row_len, err);
		if (rc < 0)
			return -1;
		source->in_header = false;
		source->row += rc;
		source->row_len -= (size_t)rc;
		if (!source->row_len)
			source->row = NULL;
	}
	return 1;
}

static int decode_row(struct postgresql_source *source, struct batch *batch,
		      struct error *err)
{
	int rc = pg_decode_row(source->plans, source->plan_count, batch,
			       source->row, source->row_len, err);

	if (rc != 0 || batch->rows)
		return rc;
	batch_make_lone(batch);
	rc = pg_decode_row(source->plans, source->plan_count, batch,
			   source->row, source->row_len, err);
	return rc ? rc : error_memory(err, "a row");
}

/* A row stays where it is until the next one is fetched. */
static int next_rows(struct postgresql_source *source, struct batch *batch,
		     struct error *err)
{
	int rc;

	while (!batch_full(batch)) {
		rc = fetch(source, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			return batch->rows > 0;
		rc = decode_row(source, batch, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			return 1;
		source->row = NULL;
		if (rc == 1)
			batch_add_row(batch, ROW_UPSERT);
	}
	return 1;
}

static int source_next(struct source *src, struct batch *batch,
		       struct error *err)
{
	struct postgresql_source *source = self_of(src);

	if (source->reading == READ_CHANGES)
		return pg_changes_next(source, batch, err);
	return next_rows(source, batch, err);
}

static int source_seek(struct source *src, struct table *keys,
		       const struct key_span *span, bool backwards,
		       uint64_t skip, struct batch *out, struct error *err)
{
	struct postgresql_source *source = self_of(src);
	int rc = -1;

	if (pg_source_know_table(source, err) == 0)
		rc = pg_seek_key(source, keys, span, backwards, skip, out, err);
	if (rc < 0)
		pg_source_advise(source, "SELECT", err);
	pg_finish(source->conn);
	source_end(src);
	return rc;
}

static int source_digest(struct source *src, const struct table *shape,
			 const size_t *take, size_t take_count,
			 const struct table *keys, const struct key_span *span,
			 uint64_t limit, struct row_sum *out, struct error *err)
{
	struct postgresql_source *source = self_of(src);
	int rc = -1;

	if (pg_source_know_table(source, err) == 0)
		rc = pg_digest_read(source, shape, take, take_count, keys, span,
				    limit, out, err);
	if (rc < 0)
		pg_source_advise(source, "SELECT", err);
	source_end(src);
	return rc;
}

/* ------------------------------------------------------------- the changes */

static int source_position(struct source *src, struct position *out,
			   struct error *err)
{
	return pg_changes_position(self_of(src), out, err);
}

static int source_read_until(struct source *src, struct position *position,
			     struct error *err)
{
	return pg_changes_read_until(self_of(src), position, err);
}

static int source_changes_begin(struct source *src, struct table *shape,
				const struct position *from, unsigned limit,
				struct window *window, struct error *err)
{
	struct postgresql_source *source = self_of(src);
	int rc = pg_changes_begin(source, shape, from, limit, window, err);

	if (rc > 0 && window->has_rows)
		source->reading = READ_CHANGES;
	return rc;
}

static void source_stored(struct source *src, const struct position *position)
{
	pg_changes_stored(self_of(src), position);
}

static int source_captured_until(struct source *src, int64_t *until_us,
				 struct error *err)
{
	return pg_changes_until(self_of(src), until_us, err);
}

static int source_check(struct source *src, struct source_check *what,
			struct findings *out, struct error *err)
{
	return pg_check_source(self_of(src), what, out, err);
}

const struct source_ops postgresql_source_ops = {
	.connections = 1,
	.partial = true,
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
	.read_until = source_read_until,
	.split = source_split,
	.read_begin = source_read_begin,
	.seek = source_seek,
	.digest = source_digest,
	.changes_begin = source_changes_begin,
	.stored = source_stored,
	.captured_until = source_captured_until,
	.next = source_next,
	.end = source_end,
	.check = source_check,
};
