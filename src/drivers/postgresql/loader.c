/*
 * Rows on their way into a COPY.
 *
 * A row is put into the buffer whole, and taken out again when one of its values
 * does not fit. One with long values is looked at first and then sent piece by
 * piece, straight from where its batch holds them: so no value is held here a
 * second time, unless its text has to be converted.
 */
#include "drivers/postgresql/loader.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "drivers/postgresql/encode.h"
#include "drivers/postgresql/quote.h"
#include "row/text.h"

/* The signature, no flags, no extension; and what comes at the end. */
static const unsigned char copy_header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
#define COPY_HEADER_BYTES 19

struct pg_loader {
	struct pg *conn;
	const struct table *shape;
	enum pg_loader_kind kind;
	struct pg_sink sink;
	bool copying;
	uint64_t rows, deletes;
	int64_t seq;
	bool keeps;	   /* some value was unchanged */
	bool *kept;	   /* of which columns */
	char *marks;	   /* of a row */
	struct strbuf key; /* of keyed changes */
	int (*refused)(void *context, int64_t seq, enum row_op op,
		       const char *key, const struct error *why,
		       struct error *err);
	void *context;
	size_t count;
	struct encoder_pg *encoders[];
};

/* ----------------------------------------------------------------- columns */

static const struct pg_dest_column *find(const struct pg_dest *dest,
					 const struct column *column,
					 struct error *err)
{
	const struct pg_dest_column *to = pg_dest_column(dest, column->name);

	if (!to)
		error_set(err, ERROR_SCHEMA,
			  "column '%s' does not exist in the destination",
			  column->name);
	return to;
}

static bool is_of_changes(enum pg_loader_kind kind)
{
	return kind == PG_LOADER_CHANGES || kind == PG_LOADER_KEYED_CHANGES;
}

int pg_loader_columns(struct strbuf *sql, const struct pg_dest *dest,
		      const struct table *shape, enum pg_loader_kind kind,
		      struct error *err)
{
	bool changes = is_of_changes(kind);

	if (changes)
		strbuf_addstr(sql,
			      "\"" LOADER_OP_COLUMN "\" smallint NOT NULL, "
			      "\"" LOADER_SEQ_COLUMN "\" bigint NOT NULL, "
			      "\"" LOADER_KEPT_COLUMN "\" text, ");
	if (kind == PG_LOADER_KEYED_CHANGES)
		strbuf_addstr(sql, "\"" LOADER_KEY_COLUMN "\" text "
				   "COLLATE \"C\" NOT NULL, ");
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct pg_dest_column *to =
			find(dest, &shape->columns[i], err);

		if (!to)
			return -1;
		strbuf_addstr(sql, i ? ", " : "");
		quote_name(sql, to->name);
		strbuf_addf(sql, " %s%s",
			    encode_staged_as_text(&shape->columns[i], to)
				    ? "text"
				    : to->base,
			    to->collation);
		if (to->not_null && (!changes || table_is_key(shape, i)))
			strbuf_addstr(sql, " NOT NULL");
	}
	return 0;
}

bool pg_loader_casts(const struct pg_dest *dest, const struct table *shape)
{
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct pg_dest_column *to =
			pg_dest_column(dest, shape->columns[i].name);

		if (to && encode_by_cast(&shape->columns[i], to))
			return true;
	}
	return false;
}

static int extra_columns(enum pg_loader_kind kind)
{
	switch (kind) {
	case PG_LOADER_CLONE:
	case PG_LOADER_ROWS:
		break;
	case PG_LOADER_CHANGES:
		return 3;
	case PG_LOADER_KEYED_CHANGES:
		return 4;
	}
	return 0;
}

/* ------------------------------------------------------------------ the load */

static int send_bytes(void *context, const void *data, size_t len,
		      struct error *err)
{
	return pg_copy_write(context, data, len, err);
}

static int make_encoders(struct pg_loader *loader, const struct pg_dest *dest,
			 struct error *err)
{
	const struct table *shape = loader->shape;
	bool changes = is_of_changes(loader->kind);

	for (size_t i = 0; i < shape->column_count; i++) {
		const struct pg_dest_column *to =
			find(dest, &shape->columns[i], err);

		if (!to)
			return -1;
		loader->encoders[i] = encoder_pg_new(
			shape, i, to, loader->kind != PG_LOADER_CLONE,
			changes && !table_is_key(shape, i), err);
		if (!loader->encoders[i])
			return -1;
		loader->count++;
	}
	return 0;
}

static int begin_copy(struct pg_loader *loader, const char *table,
		      const struct pg_dest *dest, const char *options,
		      struct error *err)
{
	static const char *const extras[] = {
		"\"" LOADER_OP_COLUMN "\"", "\"" LOADER_SEQ_COLUMN "\"",
		"\"" LOADER_KEPT_COLUMN "\"", "\"" LOADER_KEY_COLUMN "\""};
	int extra = extra_columns(loader->kind);
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_addf(&sql, "COPY %s (", table);
	for (int i = 0; i < extra; i++)
		strbuf_addf(&sql, "%s%s", i ? ", " : "", extras[i]);
	for (size_t i = 0; i < loader->count; i++)
		quote_names(&sql, i || extra ? ", %n" : "%n",
			    pg_dest_column(dest, loader->shape->columns[i].name)
				    ->name);
	strbuf_addf(&sql, ") FROM STDIN (FORMAT binary%s)", options);
	if (strbuf_check(&sql, err) == 0)
		ret = pg_copy_in(loader->conn, sql.data, err);
	loader->copying = ret == 0;
	strbuf_release(&sql);
	return ret;
}

struct pg_loader *pg_loader_new(struct pg *conn, const char *table,
				const struct pg_dest *dest,
				const struct table *shape,
				enum pg_loader_kind kind, const char *options,
				struct error *err)
{
	struct pg_loader *loader;

	loader = calloc(1, sizeof(*loader) + shape->column_count *
						     sizeof(*loader->encoders));
	if (!loader) {
		error_memory(err, "a load");
		return NULL;
	}
	loader->conn = conn;
	loader->shape = shape;
	loader->kind = kind;
	strbuf_init(&loader->key);
	loader->kept = calloc(shape->column_count + 1, sizeof(*loader->kept));
	loader->marks = calloc(1, shape->column_count + 1);
	if (!loader->kept || !loader->marks) {
		error_memory(err, "a load");
		pg_loader_free(loader);
		return NULL;
	}
	if (pg_sink_init(&loader->sink, err) < 0 ||
	    make_encoders(loader, dest, err) < 0 ||
	    begin_copy(loader, table, dest, options, err) < 0) {
		pg_loader_free(loader);
		return NULL;
	}
	loader->sink.write = send_bytes;
	loader->sink.context = conn;
	memcpy(loader->sink.data, copy_header, COPY_HEADER_BYTES);
	loader->sink.len = COPY_HEADER_BYTES;
	return loader;
}

void pg_loader_free(struct pg_loader *loader)
{
	struct error ignored = ERROR_INIT;

	if (!loader)
		return;
	if (loader->copying && pg_usable(loader->conn) &&
	    pg_copy_end(loader->conn, "the load was given up", &ignored) < 0)
		pg_finish(loader->conn);
	for (size_t i = 0; i < loader->count; i++)
		encoder_pg_free(loader->encoders[i]);
	pg_sink_release(&loader->sink);
	strbuf_release(&loader->key);
	free(loader->kept);
	free(loader->marks);
	free(loader);
}

/* -------------------------------------------------------------------- rows */

static int make_key(struct pg_loader *loader, const struct batch *batch,
		    size_t row, struct error *err)
{
	strbuf_reset(&loader->key);
	row_format_key(&loader->key, batch, row);
	if (strbuf_check(&loader->key, err) < 0)
		return -1;
	text_make_utf8(loader->key.data);
	if (loader->key.len > LOADER_KEY_MAX) {
		loader->key.data[LOADER_KEY_MAX] = '\0';
		text_trim_partial_utf8(loader->key.data);
	}
	return 0;
}

/* Which of its values are unchanged; with a mark it has none. */
static void put_kept(struct pg_loader *loader, const struct batch *batch,
		     size_t row, int mark)
{
	bool any = false;

	for (size_t i = 0; batch->keeps && !mark && i < loader->count; i++) {
		bool kept = batch_unchanged(batch, i, row);

		loader->marks[i] = kept ? '1' : '0';
		loader->kept[i] |= kept;
		any |= kept;
	}
	loader->keeps |= any;
	if (any)
		pg_sink_text(&loader->sink, loader->marks, loader->count);
	else
		pg_sink_int32(&loader->sink, -1);
}

bool pg_loader_kept(const struct pg_loader *loader, size_t i)
{
	return i == LOADER_ANY_COLUMN ? loader->keeps : loader->kept[i];
}

/* How many fields there are, and those of ours. */
static int put_front(struct pg_loader *loader, const struct batch *batch,
		     size_t row, int mark, struct error *err)
{
	struct pg_sink *sink = &loader->sink;
	int extra = extra_columns(loader->kind);

	pg_sink_int16(sink, extra + (int)loader->count);
	if (!extra)
		return 0;
	loader->seq = (int64_t)loader->rows + 1;
	pg_sink_int32(sink, 2);
	pg_sink_int16(sink, (int)batch_op(batch, row) + mark);
	pg_sink_int32(sink, 8);
	pg_sink_int64(sink, loader->seq);
	put_kept(loader, batch, row, mark);
	if (loader->kind == PG_LOADER_CHANGES)
		return 0;
	if (make_key(loader, batch, row, err) < 0)
		return -1;
	pg_sink_text(sink, loader->key.data, strlen(loader->key.data));
	return 0;
}

/* Of a deleted row only the key is set, of another what it tells. */
static bool has_value(const struct pg_loader *loader, const struct batch *batch,
		      size_t row, size_t col)
{
	if (!is_of_changes(loader->kind) || table_is_key(loader->shape, col))
		return true;
	return batch_op(batch, row) != ROW_DELETE &&
	       !(batch->keeps && batch_unchanged(batch, col, row));
}

static int put_row(struct pg_loader *loader, const struct batch *batch,
		   size_t row, struct error *err)
{
	struct pg_sink *sink = &loader->sink;

	if (put_front(loader, batch, row, 0, err) < 0)
		return -1;
	for (size_t i = 0; i < loader->count; i++) {
		if (sink->pieces && pg_sink_full(sink) &&
		    pg_sink_flush(sink, err) < 0)
			return -1;
		if (!has_value(loader, batch, row, i))
			pg_sink_int32(sink, -1);
		else if (encoder_pg_put(loader->encoders[i], batch, row, sink,
					err) < 0)
			return -1;
	}
	return 0;
}

/* Does every value of a long row fit? Nothing is sent. */
static int look_at_row(struct pg_loader *loader, const struct batch *batch,
		       size_t row, struct error *err)
{
	struct pg_sink *sink = &loader->sink;
	size_t at = sink->len;
	int ret = 0;

	sink->dry = true;
	for (size_t i = 0; i < loader->count && ret == 0; i++) {
		if (has_value(loader, batch, row, i))
			ret = encoder_pg_put(loader->encoders[i], batch, row,
					     sink, err);
		sink->len = at;
	}
	sink->dry = false;
	return ret;
}

static int put_long_row(struct pg_loader *loader, const struct batch *batch,
			size_t row, struct error *err)
{
	int ret = -1;

	if (look_at_row(loader, batch, row, err) < 0)
		return -1;
	loader->sink.pieces = true;
	if (put_row(loader, batch, row, err) == 0)
		ret = pg_sink_flush(&loader->sink, err);
	loader->sink.pieces = false;
	return ret;
}

/* No index of the destination would take it. */
static bool has_long_key(const struct batch *batch, size_t row)
{
	const struct table *table = batch->table;
	size_t bytes = 0;

	for (size_t k = 0; k < table->key_count; k++) {
		const struct batch_column *values =
			&batch->columns[table->key[k]];

		if (values->store == ROW_STORE_SLICE)
			bytes += values->slice[row].len;
	}
	return bytes > LOADER_KEY_MAX;
}

/* Its key alone, with the mark that it is left out. 0: not even that fits. */
static int mark_row(struct pg_loader *loader, const struct batch *batch,
		    size_t row, const struct error *why, struct error *err)
{
	size_t at = loader->sink.len;
	struct error ignored = ERROR_INIT;
	bool fits = !has_long_key(batch, row);

	if (put_front(loader, batch, row, LOADER_REFUSED, err) < 0)
		return -1;
	for (size_t i = 0; i < loader->count && fits; i++) {
		if (!table_is_key(loader->shape, i))
			pg_sink_int32(&loader->sink, -1);
		else if (encoder_pg_put(loader->encoders[i], batch, row,
					&loader->sink, &ignored) < 0)
			fits = false;
	}
	if (!fits)
		loader->sink.len = at;
	if (loader->refused(loader->context, fits ? loader->seq : 0,
			    batch_op(batch, row), loader->key.data, why,
			    err) < 0)
		return -1;
	return fits;
}

/* 1: it was sent; 0: it was left out altogether. */
static int send_row(struct pg_loader *loader, const struct batch *batch,
		    size_t row, struct error *err)
{
	struct pg_sink *sink = &loader->sink;
	size_t at = sink->len;
	struct error why;
	int rc;

	rc = encode_is_long(batch, row) ? put_long_row(loader, batch, row, err)
					: put_row(loader, batch, row, err);
	if (rc == 0)
		return 1;
	if (err->kind != ERROR_DATA)
		return -1;
	sink->len = at;
	if (!loader->refused)
		return -1;
	why = *err;
	error_clear(err);
	return mark_row(loader, batch, row, &why, err);
}

int pg_loader_write(struct pg_loader *loader, const struct batch *batch,
		    struct error *err)
{
	for (size_t row = 0; row < batch->rows; row++) {
		int rc = send_row(loader, batch, row, err);

		if (rc < 0) {
			if (err->kind == ERROR_DATA)
				row_wrap_error(err, batch, row);
			return -1;
		}
		loader->rows += (uint64_t)rc;
		loader->deletes += batch_op(batch, row) == ROW_DELETE;
		if (pg_sink_full(&loader->sink) &&
		    pg_sink_flush(&loader->sink, err) < 0)
			return -1;
	}
	return 0;
}

void pg_loader_leave_out(struct pg_loader *loader,
			 int (*refused)(void *context, int64_t seq,
					enum row_op op, const char *key,
					const struct error *why,
					struct error *err),
			 void *context)
{
	loader->refused = refused;
	loader->context = context;
}

unsigned pg_loader_held(const struct pg_loader *loader)
{
	unsigned most = 1;

	for (size_t i = 0; i < loader->count; i++)
		if (encoder_pg_held(loader->encoders[i]) > most)
			most = encoder_pg_held(loader->encoders[i]);
	return most;
}

uint64_t pg_loader_rows(const struct pg_loader *loader)
{
	return loader->rows;
}

uint64_t pg_loader_deletes(const struct pg_loader *loader)
{
	return loader->deletes;
}

int pg_loader_end(struct pg_loader *loader, uint64_t *rows, struct error *err)
{
	pg_sink_int16(&loader->sink, -1);
	if (pg_sink_flush(&loader->sink, err) < 0)
		return -1;
	loader->copying = false;
	if (pg_copy_end(loader->conn, NULL, err) < 0)
		return -1;
	*rows = loader->rows;
	return 0;
}
