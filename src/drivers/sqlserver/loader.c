/*
 * Rows on their way into a bulk load.
 *
 * A table with columns in a code page that is not the database's is loaded by
 * way of a temporary one, the relay, in which these columns are Unicode; the
 * server moves the rows on. Whether every character exists in the column's
 * code page, and how long the text is there, was looked at before.
 */
#include "drivers/sqlserver/loader.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "drivers/sqlserver/encode.h"
#include "drivers/sqlserver/sql.h"
#include "row/charset.h"
#include "row/text.h"

/*
 * Rows between two flushes, which keep the destination's log from growing. As
 * many as a columnstore index compresses at once, instead of storing them row
 * by row first.
 */
#define FLUSH_ROWS 102400

#define NVARCHAR_LENGTH_MAX 4000

#define RELAY "#dataflow_relay"

struct loader {
	struct tds *conn;
	const struct catalog_table *dest;
	const struct table *shape;
	char *table;  /* quoted */
	bool relayed; /* by way of RELAY */
	enum loader_kind kind;
	enum tds_host_type *types;
	uint64_t rows;
	int64_t seq;
	unsigned char op;
	bool keeps;	      /* some value was unchanged */
	bool *kept;	      /* of which columns */
	char *marks;	      /* of a row */
	struct charset utf16; /* of keyed changes */
	struct strbuf key;
	int (*refused)(void *context, int64_t seq, enum row_op op,
		       const char *key, const struct error *why,
		       struct error *err);
	void *context;
	size_t count;
	struct encoder *encoders[];
};

/* As many characters as it has bytes at most, of its own collation. */
static void add_relay_type(struct strbuf *sql, const struct catalog_column *to)
{
	if (to->max_length > 0 && to->max_length <= NVARCHAR_LENGTH_MAX)
		strbuf_addf(sql, "nvarchar(%d)", to->max_length);
	else
		strbuf_addstr(sql, "nvarchar(max)");
}

static void add_columns(struct strbuf *sql, const struct catalog_table *dest,
			const struct table *shape, enum loader_kind kind,
			bool relay)
{
	bool changes = kind != LOADER_ROWS;

	if (changes)
		strbuf_addf(sql,
			    "[" LOADER_OP_COLUMN "] tinyint NOT NULL, "
			    "[" LOADER_SEQ_COLUMN "] bigint NOT NULL, "
			    "[" LOADER_KEPT_COLUMN "] varchar(%zu) "
			    "COLLATE Latin1_General_BIN2 NULL, ",
			    shape->column_count);
	if (kind == LOADER_KEYED_CHANGES)
		strbuf_addf(sql,
			    "[" LOADER_KEY_COLUMN "] nvarchar(%d) "
			    "COLLATE Latin1_General_BIN2 NOT NULL, ",
			    LOADER_KEY_MAX);
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct catalog_column *to =
			catalog_column(dest, shape->columns[i].name);
		bool not_null = to && !to->nullable &&
				(!changes || table_is_key(shape, i));

		if (!to)
			continue; /* loader_new() reports it */
		strbuf_addstr(sql, i ? ", " : "");
		sql_name(sql, to->name);
		strbuf_addch(sql, ' ');
		/* Bulk load refuses xml: it goes in as text. */
		if (relay && encode_is_foreign(dest, to))
			add_relay_type(sql, to);
		else if (!strcmp(to->type, "xml"))
			strbuf_addstr(sql, "nvarchar(max)");
		else
			catalog_type(to, sql);
		if (to->collation)
			strbuf_addf(sql, " COLLATE %s", to->collation);
		strbuf_addstr(sql, not_null ? " NOT NULL" : " NULL");
	}
}

void loader_columns(struct strbuf *sql, const struct catalog_table *dest,
		    const struct table *shape, enum loader_kind kind)
{
	add_columns(sql, dest, shape, kind, false);
}

/* ------------------------------------------------------------------- relay */

static int make_relay(struct loader *loader, struct error *err)
{
	struct strbuf sql;
	int ret = -1;

	strbuf_init(&sql);
	strbuf_addstr(&sql, "DROP TABLE IF EXISTS " RELAY
			    "; CREATE TABLE " RELAY " (");
	add_columns(&sql, loader->dest, loader->shape, loader->kind, true);
	strbuf_addch(&sql, ')');
	if (strbuf_check(&sql, err) == 0)
		ret = tds_exec(loader->conn, sql.data, err);
	strbuf_release(&sql);
	return ret;
}

static size_t extra_columns(const struct loader *loader)
{
	switch (loader->kind) {
	case LOADER_ROWS:
		break;
	case LOADER_CHANGES:
		return 3;
	case LOADER_KEYED_CHANGES:
		return 4;
	}
	return 0;
}

static int begin_bulk(struct loader *loader, struct error *err)
{
	return tds_bulk_begin(
		loader->conn, loader->relayed ? RELAY : loader->table,
		loader->types, loader->count + extra_columns(loader), err);
}

/* What is in the relay goes on to its table. */
static int move_on(struct loader *loader, const char *then, struct error *err)
{
	struct strbuf columns, sql;
	int ret = -1;

	strbuf_init(&columns);
	strbuf_init(&sql);
	if (loader->kind != LOADER_ROWS)
		strbuf_addstr(&columns, "[" LOADER_OP_COLUMN "], "
					"[" LOADER_SEQ_COLUMN "], "
					"[" LOADER_KEPT_COLUMN "]");
	if (loader->kind == LOADER_KEYED_CHANGES)
		strbuf_addstr(&columns, ", [" LOADER_KEY_COLUMN "]");
	for (size_t i = 0; i < loader->count; i++)
		sql_names(&columns, columns.len ? ", %n" : "%n",
			  catalog_column(loader->dest,
					 loader->shape->columns[i].name)
				  ->name,
			  NULL);
	strbuf_addf(&sql,
		    "INSERT INTO %s (%s) SELECT %s FROM " RELAY
		    "; %s TABLE " RELAY,
		    loader->table, columns.data, columns.data, then);
	if (strbuf_check(&columns, err) == 0 && strbuf_check(&sql, err) == 0)
		ret = tds_exec(loader->conn, sql.data, err);
	strbuf_release(&sql);
	strbuf_release(&columns);
	return ret;
}

/* db-lib keeps the last row until its load ends, and the next one beside it. */
static int begin_again(struct loader *loader, struct error *err)
{
	if (tds_bulk_end(loader->conn, err) < 0 ||
	    (loader->relayed && move_on(loader, "TRUNCATE", err) < 0))
		return -1;
	return begin_bulk(loader, err);
}

/* Rows between: none of them is lost, and neither the relay nor the log of the
 * destination grows without bounds. */
static int flush(struct loader *loader, struct error *err)
{
	if (!loader->relayed)
		return tds_bulk_flush(loader->conn, err);
	return begin_again(loader, err);
}

/* ------------------------------------------------------------------ the loader */

static int make_encoders(struct loader *loader, struct error *err)
{
	const struct table *shape = loader->shape;
	size_t extra = extra_columns(loader);
	bool changes = loader->kind != LOADER_ROWS;

	if (changes) {
		loader->types[0] = TDS_HOST_INT1;
		loader->types[1] = TDS_HOST_INT8;
		loader->types[2] = TDS_HOST_CHAR;
	}
	if (loader->kind == LOADER_KEYED_CHANGES) {
		loader->types[3] = TDS_HOST_CHAR;
		if (charset_init(&loader->utf16, NULL, "UTF-16LE", err) < 0)
			return -1;
	}
	for (size_t i = 0; i < shape->column_count; i++) {
		bool nulls = changes && !table_is_key(shape, i);

		loader->encoders[i] = encoder_new(
			loader->conn, loader->dest, shape, i, i + extra, nulls,
			&loader->types[i + extra], err);
		if (!loader->encoders[i])
			return -1;
		loader->count++;
		loader->relayed |= encode_is_foreign(
			loader->dest,
			catalog_column(loader->dest, shape->columns[i].name));
	}
	return 0;
}

struct loader *loader_new(struct tds *conn, const char *table,
			  const struct catalog_table *dest,
			  const struct table *shape, enum loader_kind kind,
			  struct error *err)
{
	size_t count = shape->column_count;
	struct loader *loader;

	loader = calloc(1, sizeof(*loader) + count * sizeof(*loader->encoders));
	if (!loader) {
		error_memory(err, "a bulk load");
		return NULL;
	}
	loader->conn = conn;
	loader->dest = dest;
	loader->shape = shape;
	loader->kind = kind;
	strbuf_init(&loader->key);
	loader->table = strdup(table);
	loader->types = calloc(count + 4, sizeof(*loader->types));
	loader->kept = calloc(count + 1, sizeof(*loader->kept));
	loader->marks = calloc(1, count + 1);
	if (!loader->table || !loader->types || !loader->kept ||
	    !loader->marks) {
		error_memory(err, "a bulk load");
		goto failed;
	}
	if (make_encoders(loader, err) < 0 ||
	    (loader->relayed && make_relay(loader, err) < 0) ||
	    begin_bulk(loader, err) < 0)
		goto failed;
	return loader;
failed:
	loader_free(loader);
	return NULL;
}

void loader_free(struct loader *loader)
{
	if (!loader)
		return;
	for (size_t i = 0; i < loader->count; i++)
		encoder_free(loader->encoders[i]);
	charset_release(&loader->utf16);
	strbuf_release(&loader->key);
	free(loader->table);
	free(loader->types);
	free(loader->kept);
	free(loader->marks);
	free(loader);
}

/* -------------------------------------------------------------------- rows */

/* The text lies in loader->key too, until the next row. */
static int set_key(struct loader *loader, const struct batch *batch, size_t row,
		   struct error *err)
{
	const void *utf16;
	size_t len;

	strbuf_reset(&loader->key);
	row_format_key(&loader->key, batch, row);
	if (strbuf_check(&loader->key, err) < 0)
		return -1;
	text_make_utf8(loader->key.data);
	if (loader->key.len > LOADER_KEY_MAX) {
		loader->key.data[LOADER_KEY_MAX] = '\0';
		text_trim_partial_utf8(loader->key.data);
	}
	if (charset_convert(&loader->utf16, loader->key.data,
			    strlen(loader->key.data), &utf16, &len, err) < 0)
		return -1;
	tds_bulk_set(loader->conn, 3, utf16, len);
	return 0;
}

/* Which of its values are unchanged. */
static void set_marks(struct loader *loader, const struct batch *batch,
		      size_t row)
{
	bool any = false;

	for (size_t i = 0; batch->keeps && i < loader->count; i++) {
		bool kept = batch_unchanged(batch, i, row);

		loader->marks[i] = kept ? '1' : '0';
		loader->kept[i] |= kept;
		any |= kept;
	}
	loader->keeps |= any;
	if (any)
		tds_bulk_set(loader->conn, 2, loader->marks, loader->count);
	else
		tds_bulk_set_null(loader->conn, 2);
}

bool loader_kept(const struct loader *loader, size_t i)
{
	return i == LOADER_ANY_COLUMN ? loader->keeps : loader->kept[i];
}

static int set_extras(struct loader *loader, const struct batch *batch,
		      size_t row, struct error *err)
{
	if (loader->kind == LOADER_ROWS)
		return 0;
	loader->op = (unsigned char)batch_op(batch, row);
	loader->seq = (int64_t)(loader->rows + 1);
	tds_bulk_set(loader->conn, 0, &loader->op, sizeof(loader->op));
	tds_bulk_set(loader->conn, 1, &loader->seq, sizeof(loader->seq));
	set_marks(loader, batch, row);
	if (loader->kind == LOADER_CHANGES)
		return 0;
	return set_key(loader, batch, row, err);
}

/* Its key alone, with the mark that it is left out. 0: not even that fits. */
static int mark_row(struct loader *loader, const struct batch *batch,
		    size_t row, const struct error *why, struct error *err)
{
	enum row_op op = batch_op(batch, row);
	size_t extra = extra_columns(loader);
	struct error ignored = ERROR_INIT;
	bool fits = true;

	for (size_t i = 0; i < loader->count; i++) {
		if (!table_is_key(loader->shape, i))
			tds_bulk_set_null(loader->conn, i + extra);
		else if (encoder_set(loader->encoders[i], batch, row,
				     &ignored) < 0)
			fits = false;
	}
	loader->op += LOADER_REFUSED;
	if (loader->refused(loader->context, fits ? loader->seq : 0, op,
			    loader->key.data, why, err) < 0)
		return -1;
	return fits;
}

/* 1: it was sent; 0: it was left out altogether. */
static int send_row(struct loader *loader, const struct batch *batch,
		    size_t row, struct error *err)
{
	int rc = 1;

	if (set_extras(loader, batch, row, err) < 0)
		return -1;
	for (size_t i = 0; i < loader->count && rc > 0; i++)
		rc = encoder_set(loader->encoders[i], batch, row, err) < 0 ? -1
									   : 1;
	if (rc < 0 && err->kind == ERROR_DATA && loader->refused) {
		struct error why = *err;

		error_clear(err);
		rc = mark_row(loader, batch, row, &why, err);
	}
	if (rc > 0 && tds_bulk_row(loader->conn, err) < 0)
		rc = -1;
	return rc;
}

void loader_leave_out(struct loader *loader,
		      int (*refused)(void *context, int64_t seq, enum row_op op,
				     const char *key, const struct error *why,
				     struct error *err),
		      void *context)
{
	loader->refused = refused;
	loader->context = context;
}

int loader_write(struct loader *loader, const struct batch *batch,
		 struct error *err)
{
	for (size_t row = 0; row < batch->rows; row++) {
		int rc = send_row(loader, batch, row, err);

		if (rc < 0) {
			if (err->kind == ERROR_DATA)
				row_wrap_error(err, batch, row);
			/* The load cannot go on without this row. */
			tds_mark_unusable(loader->conn);
			return -1;
		}
		if (!rc)
			continue;
		loader->rows++;
		if (loader->rows % FLUSH_ROWS == 0 && flush(loader, err) < 0)
			return -1;
	}
	return batch->lone ? begin_again(loader, err) : 0;
}

unsigned loader_held(const struct loader *loader)
{
	unsigned most = 1;

	for (size_t i = 0; i < loader->count; i++)
		if (encoder_held(loader->encoders[i]) > most)
			most = encoder_held(loader->encoders[i]);
	return most;
}

uint64_t loader_rows(const struct loader *loader)
{
	return loader->rows;
}

int loader_end(struct loader *loader, uint64_t *rows, struct error *err)
{
	*rows = loader->rows;
	if (tds_bulk_end(loader->conn, err) < 0)
		return -1;
	return loader->relayed ? move_on(loader, "DROP", err) : 0;
}
