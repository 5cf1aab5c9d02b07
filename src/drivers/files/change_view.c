#include "drivers/files/change_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum own_column {
	OWN_OP,
	OWN_POSITION,
	OWN_TIME,
	OWN_SEQ = CHANGE_VIEW_SEQ,
	OWN_UNCHANGED,
	OWN_COUNT = CHANGE_VIEW_OWN,
};

static const struct column own_columns[OWN_COUNT] = {
	[OWN_OP] = {.name = "_op",
		    .type = ROW_TEXT,
		    .length = 1,
		    .native = "text"},
	[OWN_POSITION] = {.name = "_position",
			  .type = ROW_TEXT,
			  .native = "text"},
	[OWN_TIME] = {.name = "_commit_time",
		      .type = ROW_TIMESTAMPTZ,
		      .precision = 6,
		      .offsetless = true,
		      .native = "timestamp"},
	[OWN_SEQ] = {.name = "_seq", .type = ROW_INT64, .native = "int64"},
	[OWN_UNCHANGED] = {.name = "_unchanged",
			   .type = ROW_JSON,
			   .nullable = true,
			   .native = "json"},
};

/* -------------------------------------------------------------- the definition */

/* A name that no column of the table has. */
static const char *free_name(struct table *table, const struct table *shape,
			     const char *name)
{
	struct strbuf own;
	const char *out;

	strbuf_init(&own);
	strbuf_addstr(&own, name);
	while (!own.failed && table_column(shape, own.data)) {
		struct strbuf longer;

		strbuf_init(&longer);
		strbuf_addf(&longer, "_%s", own.data);
		strbuf_release(&own);
		own = longer;
	}
	out = own.failed ? NULL : arena_strdup(&table->arena, own.data);
	strbuf_release(&own);
	return out;
}

static int make_table(struct table *table, const struct table *shape,
		      struct error *err)
{
	const struct column *copied;
	struct column *columns;

	if (table_copy(table, shape, NULL, err) < 0)
		return -1;
	copied = table->columns;
	columns = arena_calloc(&table->arena, OWN_COUNT + shape->column_count,
			       sizeof(*columns));
	if (!columns)
		return error_memory(err, "a table's definition");
	for (size_t i = 0; i < OWN_COUNT; i++) {
		columns[i] = own_columns[i];
		columns[i].name = free_name(table, shape, own_columns[i].name);
		if (!columns[i].name)
			return error_memory(err, "a table's definition");
	}
	for (size_t i = 0; i < shape->column_count; i++) {
		columns[OWN_COUNT + i] = copied[i];
		columns[OWN_COUNT + i].nullable |= !table_is_key(shape, i);
	}
	for (size_t k = 0; k < table->key_count; k++)
		table->key[k] += OWN_COUNT;
	table->columns = columns;
	table->column_count = OWN_COUNT + shape->column_count;
	return 0;
}

/* ----------------------------------------------------------------- the arrays */

static void free_arrays(struct change_view *view)
{
	if (view->batch.columns)
		for (size_t i = 0; i < OWN_COUNT; i++)
			free(view->batch.columns[i].i64);
	free(view->nulls);
	view->nulls = NULL;
	view->room = 0;
}

static size_t bitmap_bytes(const struct change_view *view)
{
	return view->room / 8 + 1;
}

static size_t value_bytes(enum own_column i)
{
	switch (row_type_store(own_columns[i].type)) {
	case ROW_STORE_I64:
		return sizeof(int64_t);
	case ROW_STORE_WIDE:
		return sizeof(union row_wide);
	default:
		return sizeof(struct row_slice);
	}
}

static int make_room(struct change_view *view, size_t rows, struct error *err)
{
	bool done;

	if (rows <= view->room)
		return 0;
	for (size_t i = 0; i < OWN_COUNT; i++) {
		free(view->batch.columns[i].i64);
		view->batch.columns[i].i64 = NULL;
	}
	free(view->nulls);
	view->room = rows;
	view->nulls = calloc(view->table.column_count, bitmap_bytes(view));
	done = view->nulls != NULL;
	for (size_t i = 0; i < OWN_COUNT; i++) {
		view->batch.columns[i].i64 =
			calloc(rows, value_bytes((enum own_column)i));
		done &= view->batch.columns[i].i64 != NULL;
	}
	if (done)
		return 0;
	free_arrays(view);
	for (size_t i = 0; i < OWN_COUNT; i++)
		view->batch.columns[i].i64 = NULL;
	return error_memory(err, "a batch of changes");
}

int change_view_init(struct change_view *view, const struct table *shape,
		     struct error *err)
{
	memset(view, 0, sizeof(*view));
	table_init(&view->table);
	strbuf_init(&view->names);
	if (make_table(&view->table, shape, err) < 0)
		goto failed;
	view->batch.table = &view->table;
	view->batch.columns =
		calloc(view->table.column_count, sizeof(*view->batch.columns));
	if (!view->batch.columns) {
		error_memory(err, "a batch of changes");
		goto failed;
	}
	for (size_t i = 0; i < view->table.column_count; i++)
		view->batch.columns[i].store =
			row_type_store(view->table.columns[i].type);
	return 0;
failed:
	change_view_release(view);
	return -1;
}

void change_view_release(struct change_view *view)
{
	free_arrays(view);
	free(view->batch.columns);
	free(view->position);
	if (view->names.data)
		strbuf_release(&view->names);
	table_release(&view->table);
	memset(view, 0, sizeof(*view));
}

int change_view_stamp(struct change_view *view, const struct position *to,
		      int64_t commit_us, struct error *err)
{
	char text[POSITION_TEXT_MAX];

	position_format(text, to);
	free(view->position);
	view->position = strdup(text);
	view->commit_us = commit_us;
	return view->position ? 0 : error_memory(err, "a position");
}

/* ------------------------------------------------------------------- the rows */

/* 1970-01-01, in days since 0001-01-01. */
#define UNIX_EPOCH_DAYS INT64_C(719162)

static void put_own(struct change_view *view, const struct batch *changes,
		    int64_t seq)
{
	struct batch_column *columns = view->batch.columns;
	struct row_slice position = {(const unsigned char *)view->position,
				     strlen(view->position)};
	struct row_timestamptz time = {
		.utc = view->commit_us * 10 +
		       UNIX_EPOCH_DAYS * ROW_TICKS_PER_DAY,
	};

	for (size_t row = 0; row < changes->rows; row++) {
		bool gone = batch_op(changes, row) == ROW_DELETE;
		const char *op = gone ? "D" : "U";

		columns[OWN_OP].slice[row] =
			(struct row_slice){(const unsigned char *)op, 1};
		columns[OWN_POSITION].slice[row] = position;
		columns[OWN_TIME].wide[row].timestamptz = time;
		columns[OWN_SEQ].i64[row] = ++seq;
	}
}

/* Which columns of a row are as they were: a list of names, as JSON; -1 without
 * memory. */
static int add_names(struct strbuf *out, const struct batch *changes,
		     size_t row)
{
	json_t *list = NULL;
	char *text;

	for (size_t i = 0; i < changes->table->column_count; i++) {
		if (!batch_unchanged(changes, i, row))
			continue;
		list = list ? list : json_array();
		list = json_append(
			list, json_string(changes->table->columns[i].name));
		if (!list)
			return -1;
	}
	if (!list)
		return 0;
	text = json_format(list, JSON_COMPACT);
	json_decref(list);
	if (!text)
		return -1;
	strbuf_addstr(out, text);
	free(text);
	return out->failed ? -1 : 0;
}

/* The texts move while they grow: first where they begin, then what that is. */
static int put_unchanged(struct change_view *view, const struct batch *changes,
			 struct error *err)
{
	struct batch_column *column = &view->batch.columns[OWN_UNCHANGED];
	size_t at = 0;

	memset(column->nulls, changes->keeps ? 0 : 0xff, bitmap_bytes(view));
	if (!changes->keeps)
		return 0;
	strbuf_reset(&view->names);
	for (size_t row = 0; row < changes->rows; row++) {
		size_t from = view->names.len;

		if (add_names(&view->names, changes, row) < 0)
			return error_memory(err, "a batch of changes");
		column->slice[row].len = view->names.len - from;
		if (!column->slice[row].len)
			column->nulls[row >> 3] |=
				(unsigned char)(1 << (row & 7));
	}
	for (size_t row = 0; row < changes->rows; row++) {
		column->slice[row].data =
			(const unsigned char *)view->names.data + at;
		at += column->slice[row].len;
	}
	return 0;
}

static bool has_deletes(const struct batch *changes)
{
	for (size_t row = 0; row < changes->rows; row++)
		if (batch_op(changes, row) == ROW_DELETE)
			return true;
	return false;
}

/* Of a delete only the key means something. */
static void put_columns(struct change_view *view, const struct batch *changes)
{
	bool deletes = has_deletes(changes);

	for (size_t i = 0; i < changes->table->column_count; i++) {
		const struct batch_column *from = &changes->columns[i];
		struct batch_column *to = &view->batch.columns[OWN_COUNT + i];
		unsigned char *nulls =
			view->nulls + (OWN_COUNT + i) * bitmap_bytes(view);

		*to = *from;
		if (!deletes || table_is_key(changes->table, i))
			continue;
		memcpy(nulls, from->nulls, (changes->rows + 7) / 8);
		for (size_t row = 0; row < changes->rows; row++)
			if (batch_op(changes, row) == ROW_DELETE)
				nulls[row >> 3] |=
					(unsigned char)(1 << (row & 7));
		to->nulls = nulls;
	}
}

int change_view_take(struct change_view *view, const struct batch *changes,
		     int64_t *seq, const struct batch **out, struct error *err)
{
	if (make_room(view, changes->rows, err) < 0)
		return -1;
	for (size_t i = 0; i < OWN_COUNT; i++)
		view->batch.columns[i].nulls =
			view->nulls + i * bitmap_bytes(view);
	put_own(view, changes, *seq);
	if (put_unchanged(view, changes, err) < 0)
		return -1;
	put_columns(view, changes);
	view->batch.rows = changes->rows;
	view->batch.capacity = changes->rows;
	view->batch.ops = changes->ops;
	view->batch.lone = changes->lone;
	*seq += (int64_t)changes->rows;
	*out = &view->batch;
	return 0;
}
