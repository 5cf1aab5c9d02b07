/*
 * An update is the row as it is from then on; when it changes the key, the old
 * key is deleted in front of it. A value that was not written, since it is
 * stored out of line and did not change, is marked as unchanged; the log tells
 * it only in the row before, under REPLICA IDENTITY FULL. But a row that got
 * another key is new to the destination: its value is then read from the table.
 * If the row is not there any more, or is already another one, the log tells
 * that later.
 */
#include "drivers/postgresql/changes.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/postgresql/quote.h"
#include "drivers/postgresql/slot.h"

static struct change_rows *rows_of(struct postgresql_source *source)
{
	return &source->changes->rows;
}

/* -------------------------------------------------------------- begin, end */

/* Nobody said which rows the updates and deletes were about. */
static int lacks_key(const struct postgresql_source *source, struct error *err)
{
	char name[TABLE_NAME_TEXT_MAX];

	return error_set(err, ERROR_GAP,
			 "the replica identity of '%s' was altered: it has not "
			 "the mapping's key, so that the log does not tell "
			 "which rows were changed",
			 table_name_format(name, &source->name));
}

/*
 * Of a partitioned table the definition is that of its root, and the identity
 * that of each partition: there, only the rows show it.
 */
static bool tells_key(const struct postgresql_source *source,
		      const struct pgoutput_relation *table)
{
	return table->identity == 'f' || source->catalog.kind == 'p';
}

static int find_places(const struct postgresql_source *source,
		       struct change_rows *rows, struct error *err,
		       struct pgoutput_relation table)
{
	struct pgoutput_column column;
	unsigned index = 0;
	size_t found = 0;

	while (pgoutput_column_next(&table, &column)) {
		for (size_t i = 0; i < rows->shape->column_count; i++) {
			const struct catalog_column *known = pg_catalog_column(
				&source->catalog, rows->shape->columns[i].name);

			if (!known || strcmp(known->name, column.name) != 0)
				continue;
			if (table_is_key(rows->shape, i) && !column.is_key &&
			    !tells_key(source, &table))
				return lacks_key(source, err);
			rows->places[i] = index;
			found++;
		}
		index++;
	}
	if (found == rows->shape->column_count && rows->shape->key_count)
		return 0;
	return error_set(err, ERROR_GAP,
			 "the table was altered since, so that its rows in the "
			 "log have not the key that it has now");
}

int change_rows_begin(struct postgresql_source *source,
		      const struct backlog_version *version,
		      struct table *shape, struct error *err)
{
	struct change_rows *rows = rows_of(source);
	struct pgoutput_message message;

	if (pgoutput_read(&message, version->message, version->len, false,
			  err) < 0)
		return -1;
	rows->shape = shape;
	rows->columns = message.table.columns;
	rows->places = calloc(shape->column_count + 1, sizeof(*rows->places));
	rows->before = calloc(rows->columns + 1, sizeof(*rows->before));
	rows->after = calloc(rows->columns + 1, sizeof(*rows->after));
	if (!rows->places || !rows->before || !rows->after)
		error_memory(err, "changes");
	else if (find_places(source, rows, err, message.table) == 0 &&
		 pg_source_plan(source, shape, err) == 0)
		return 0;
	change_rows_end(source);
	return -1;
}

void change_rows_end(struct postgresql_source *source)
{
	struct change_rows *rows = rows_of(source);

	if (source->conn)
		pg_finish(source->conn);
	free(rows->places);
	free(rows->before);
	free(rows->after);
	memset(rows, 0, sizeof(*rows));
}

/* ------------------------------------------------------------------- values */

static void unpack(struct pgoutput_tuple tuple, struct pgoutput_value *values)
{
	struct pgoutput_value value;

	while (pgoutput_value_next(&tuple, &value))
		*values++ = value;
}

static bool same_value(const struct pgoutput_value *a,
		       const struct pgoutput_value *b)
{
	return a->kind == b->kind && a->len == b->len &&
	       (!a->len || !memcmp(a->data, b->data, a->len));
}

/*
 * Has the row at hand another key than before? One that is out of line and was
 * not written has not changed.
 */
static bool key_changes(const struct change_rows *rows)
{
	if (!rows->row.old_kind)
		return false;
	for (size_t k = 0; k < rows->shape->key_count; k++) {
		size_t place = rows->places[rows->shape->key[k]];

		if (rows->after[place].kind != PGOUTPUT_UNCHANGED &&
		    !same_value(&rows->before[place], &rows->after[place]))
			return true;
	}
	return false;
}

/* The server said what has no meaning, or the table is another one now. */
static int put_failed(const struct postgresql_source *source, struct error *err)
{
	/* An older definition may have had another type. */
	if (source->changes->altered && err->kind == ERROR_DATA)
		err->kind = ERROR_GAP;
	return -1;
}

/* 1: put; 0: no room. */
static int put(struct postgresql_source *source, struct batch *batch, size_t i,
	       const struct pgoutput_value *value, struct error *err)
{
	int rc;

	switch (value->kind) {
	case PGOUTPUT_NULL:
		batch_put_null(batch, i);
		return 1;
	case PGOUTPUT_UNCHANGED:
		batch_put_unchanged(batch, i);
		return 1;
	case PGOUTPUT_TEXT:
		rc = pg_decode_words(&source->plans[i], batch,
				     (const char *)value->data, value->len,
				     err);
		return rc < 0 ? put_failed(source, err) : rc;
	case PGOUTPUT_BINARY:
		break;
	}
	return error_set(err, ERROR_SERVER,
			 "the log tells a value in a form that was not asked "
			 "for");
}

/* --------------------------------------------------------------------- keys */

static const struct pgoutput_value *before_or_after(
	const struct change_rows *rows, size_t place)
{
	const struct pgoutput_value *after = &rows->after[place];

	if (after->kind == PGOUTPUT_UNCHANGED && rows->row.old_kind == 'O')
		return &rows->before[place];
	return after;
}

static int put_deleted(struct postgresql_source *source, struct batch *batch,
		       struct error *err)
{
	struct change_rows *rows = rows_of(source);

	for (size_t i = 0; i < rows->shape->column_count; i++) {
		const struct pgoutput_value *value =
			&rows->before[rows->places[i]];
		int rc = 1;

		if (!table_is_key(rows->shape, i))
			batch_put_null(batch, i);
		else if (value->kind == PGOUTPUT_NULL)
			return lacks_key(source, err);
		else
			rc = put(source, batch, i, value, err);
		if (rc <= 0)
			return rc;
	}
	batch_add_row(batch, ROW_DELETE);
	return 1;
}

/* ----------------------------------------------- rows that got another key */

static bool lacks_values(const struct change_rows *rows)
{
	for (size_t i = 0; i < rows->shape->column_count; i++)
		if (before_or_after(rows, rows->places[i])->kind ==
		    PGOUTPUT_UNCHANGED)
			return true;
	return false;
}

static int refetch_sql(const struct postgresql_source *source,
		       const struct change_rows *rows, struct strbuf *sql,
		       struct error *err)
{
	const struct table *shape = rows->shape;

	for (size_t i = 0; i < shape->column_count; i++) {
		strbuf_addstr(sql, i ? ", t." : "SELECT t.");
		quote_name(sql, pg_catalog_column(&source->catalog,
						  shape->columns[i].name)
					->name);
	}
	strbuf_addstr(sql, " FROM ");
	pg_source_add_table(sql, source);
	for (size_t k = 0; k < shape->key_count; k++) {
		const char *name = shape->columns[shape->key[k]].name;

		strbuf_addstr(sql, k ? " AND t." : " WHERE t.");
		quote_name(sql,
			   pg_catalog_column(&source->catalog, name)->name);
		strbuf_addf(sql, " = $%zu", k + 1);
	}
	return strbuf_check(sql, err);
}

/* The values of its key as parameters, NUL-terminated, one behind the other. */
static int key_params(const struct change_rows *rows, struct pg_param *params,
		      struct strbuf *texts, struct error *err)
{
	const struct table *shape = rows->shape;
	size_t offset = 0;

	for (size_t k = 0; k < shape->key_count; k++) {
		const struct pgoutput_value *value =
			before_or_after(rows, rows->places[shape->key[k]]);

		strbuf_add(texts, value->data, value->len);
		strbuf_addch(texts, '\0');
	}
	if (strbuf_check(texts, err) < 0)
		return -1;
	for (size_t k = 0; k < shape->key_count; k++) {
		params[k] = pg_text(texts->data + offset);
		offset += strlen(texts->data + offset) + 1;
	}
	return 0;
}

/* Read the row as it is now. 1: it is there; 0: it is not. */
static int refetch(struct postgresql_source *source, struct error *err)
{
	struct change_rows *rows = rows_of(source);
	struct pg_param *params =
		calloc(rows->shape->key_count, sizeof(*params));
	struct strbuf sql, texts;
	int64_t found = -1;

	strbuf_init(&sql);
	strbuf_init(&texts);
	if (!params)
		error_memory(err, "a row");
	else if (refetch_sql(source, rows, &sql, err) == 0 &&
		 key_params(rows, params, &texts, err) == 0)
		found = pg_query(source->conn, sql.data, params,
				 rows->shape->key_count, err);
	strbuf_release(&texts);
	strbuf_release(&sql);
	free(params);
	return found < 0 ? -1 : found > 0;
}

/*
 * A commit is in the log before others see it: once for each window, those are
 * waited for who are just committing. Or the row would not be found, or another
 * one that had its key before.
 */
static int settle(struct postgresql_source *source, struct error *err)
{
	struct change_rows *rows = rows_of(source);
	struct lsn_position ignored;

	if (rows->settled)
		return 0;
	if (slot_position(source->conn, &source->changes->stream->names,
			  source->catalog.oid, source->changes->cancel,
			  &ignored, err) < 0)
		return -1;
	rows->settled = true;
	return 0;
}

static struct pgoutput_value refetched(const struct postgresql_source *source,
				       size_t i)
{
	const char *text = pg_get_text(source->conn, 0, (int)i);

	return (struct pgoutput_value){
		.kind = pg_null(source->conn, 0, (int)i) ? PGOUTPUT_NULL
							 : PGOUTPUT_TEXT,
		.data = (const unsigned char *)text,
		.len = strlen(text),
	};
}

/* What the log tells is the row as it was then; only the rest is as it is now. */
static int put_refetched(struct postgresql_source *source, struct batch *batch,
			 struct error *err)
{
	struct change_rows *rows = rows_of(source);
	int rc = settle(source, err);

	if (rc == 0)
		rc = refetch(source, err);
	if (rc <= 0)
		return rc < 0 ? -1 : 1; /* what became of it comes later */
	for (size_t i = 0; i < rows->shape->column_count; i++) {
		struct pgoutput_value value =
			*before_or_after(rows, rows->places[i]);

		if (value.kind == PGOUTPUT_UNCHANGED)
			value = refetched(source, i);
		rc = put(source, batch, i, &value, err);
		if (rc <= 0)
			return rc;
	}
	batch_add_row(batch, ROW_UPSERT);
	return 1;
}

/* ------------------------------------------------------------------ changes */

static int put_row(struct postgresql_source *source, struct batch *batch,
		   struct error *err)
{
	struct change_rows *rows = rows_of(source);

	if (rows->deleted && lacks_values(rows))
		return put_refetched(source, batch, err);
	for (size_t i = 0; i < rows->shape->column_count; i++) {
		int rc = put(source, batch, i,
			     before_or_after(rows, rows->places[i]), err);

		if (rc <= 0)
			return rc;
	}
	batch_add_row(batch, ROW_UPSERT);
	return 1;
}

/* 1: all of it is in the batch; 0: there is no room for the rest. */
static int put_change(struct postgresql_source *source, struct batch *batch,
		      struct error *err)
{
	struct change_rows *rows = rows_of(source);
	int rc;

	if (rows->row.type == PGOUTPUT_DELETE)
		return put_deleted(source, batch, err);
	if (!rows->deleted && key_changes(rows)) {
		rc = put_deleted(source, batch, err);
		if (rc <= 0)
			return rc;
		rows->deleted = true;
		if (batch_full(batch))
			return 0;
	}
	return put_row(source, batch, err);
}

/* The next one. 1; 0: that was all. */
static int fetch(struct postgresql_source *source, struct error *err)
{
	struct change_rows *rows = rows_of(source);
	struct backlog_change change;
	int rc;

	if (rows->pending)
		return 1;
	rc = backlog_next(&source->changes->place->backlog, &rows->reader,
			  &change, err);
	if (rc <= 0)
		return rc;
	if (pgoutput_row_read(&rows->row, change.type, change.body, change.len,
			      err) < 0)
		return -1;
	if (rows->row.before.columns > rows->columns ||
	    rows->row.after.columns > rows->columns ||
	    (rows->row.after.data && rows->row.after.columns < rows->columns) ||
	    (rows->row.before.data && rows->row.before.columns < rows->columns))
		return error_set(err, ERROR_SERVER,
				 "a row in the log has not the columns that "
				 "its table had");
	unpack(rows->row.before, rows->before);
	unpack(rows->row.after, rows->after);
	rows->pending = true;
	rows->deleted = false;
	return 1;
}

int change_rows_next(struct postgresql_source *source, struct batch *batch,
		     struct error *err)
{
	struct change_rows *rows = rows_of(source);
	int rc;

	pg_finish(source->conn);
	while (!batch_full(batch)) {
		rc = fetch(source, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			break;
		rc = put_change(source, batch, err);
		if (rc == 0 && !batch->rows) {
			batch_make_lone(batch);
			rc = put_change(source, batch, err);
			if (rc == 0 && !batch->rows)
				return error_memory(err, "a row");
		}
		if (rc < 0)
			return -1;
		if (rc == 0)
			break;
		rows->pending = false;
	}
	return batch->rows > 0;
}
