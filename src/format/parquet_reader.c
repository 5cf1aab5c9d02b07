#include <stdlib.h>
#include <string.h>

#include "format/parquet_column.h"
#include "format/parquet_file.h"

struct parquet_reader {
	struct format_reader base;
	const struct table *table;
	struct byte_source *source;
	size_t max_bytes;
	struct parquet_footer footer;
	size_t *places; /* of the table's columns in the file's, plus one */
	struct parquet_column *columns; /* one for each of the table */
	size_t group;			/* the one that comes next */
	uint64_t rows_left;
	bool loaded; /* a row was read that was not put into a batch */
};

/* -------------------------------------------------------------------- schema */

/* A column of the file must be what we would write for one of the table. */
static int check_element(const struct parquet_file_column *column,
			 struct parquet_leaf *leaf, struct error *err)
{
	struct thrift_writer writer;
	struct strbuf element;
	bool same;
	int ret;

	leaf->optional = column->optional;
	strbuf_init(&element);
	thrift_writer_init(&writer, &element);
	parquet_leaf_write(leaf, &writer);
	same = element.len == column->element_len &&
	       !memcmp(element.data, column->element, element.len);
	ret = strbuf_check(&element, err);
	strbuf_release(&element);
	if (ret == 0 && !same)
		return error_set(err, ERROR_DATA,
				 "column '%s' of a Parquet file is of another "
				 "type than the table's",
				 column->name);
	return ret;
}

/* 0: there is none of that name. */
static size_t find_column(const struct parquet_footer *footer, const char *name)
{
	for (size_t i = 0; i < footer->column_count; i++)
		if (!strcmp(footer->columns[i].name, name))
			return i + 1;
	return 0;
}

static int match_column(struct parquet_reader *reader,
			const struct format_options *options, size_t col,
			struct error *err)
{
	const struct column *column = &reader->table->columns[col];
	size_t place = find_column(&reader->footer, column->name);
	struct parquet_leaf leaf;

	if (parquet_leaf_init(&leaf, column, options, true, err) < 0)
		return -1;
	if (!place && !column->nullable)
		return error_set(err, ERROR_DATA,
				 "a Parquet file has no column '%s', which is "
				 "NOT NULL",
				 column->name);
	if (place &&
	    check_element(&reader->footer.columns[place - 1], &leaf, err) < 0)
		return -1;
	reader->places[col] = place;
	parquet_column_init(&reader->columns[col], &leaf);
	return 0;
}

/* -------------------------------------------------------------------- groups */

static size_t memory_left(const struct parquet_reader *reader)
{
	size_t used = reader->footer.arena.used;

	for (size_t i = 0; i < reader->table->column_count; i++)
		used += parquet_column_memory(&reader->columns[i]);
	return used < reader->max_bytes ? reader->max_bytes - used : 0;
}

static int begin_column(struct parquet_reader *reader, size_t col,
			const struct parquet_file_group *group,
			struct error *err)
{
	const struct parquet_file_chunk *chunk;

	if (!reader->places[col]) {
		reader->columns[col].null = true;
		return 0;
	}
	chunk = &group->chunks[reader->places[col] - 1];
	if (chunk->len > memory_left(reader))
		return error_set(err, ERROR_MEMORY,
				 "a row group of a Parquet file needs more "
				 "than %zu bytes of memory",
				 reader->max_bytes);
	return parquet_column_begin(&reader->columns[col], reader->source,
				    chunk, group->rows, err);
}

/* What is left of the last one is given back first. */
static int begin_group(struct parquet_reader *reader, struct error *err)
{
	const struct parquet_file_group *group =
		&reader->footer.groups[reader->group++];

	for (size_t i = 0; i < reader->table->column_count; i++) {
		struct parquet_leaf leaf = reader->columns[i].leaf;

		parquet_column_release(&reader->columns[i]);
		parquet_column_init(&reader->columns[i], &leaf);
	}
	for (size_t i = 0; i < reader->table->column_count; i++)
		if (begin_column(reader, i, group, err) < 0)
			return -1;
	reader->rows_left = group->rows;
	return 0;
}

static int end_group(struct parquet_reader *reader, struct error *err)
{
	for (size_t i = 0; i < reader->table->column_count; i++)
		if (reader->places[i] &&
		    parquet_column_end(&reader->columns[i], err) < 0)
			return -1;
	return 0;
}

/* ---------------------------------------------------------------------- rows */

static int load_row(struct parquet_reader *reader, struct error *err)
{
	for (size_t i = 0; i < reader->table->column_count; i++) {
		struct parquet_column *column = &reader->columns[i];
		size_t room = 0;

		if (!reader->places[i])
			continue;
		if (!column->page_left)
			room = memory_left(reader);
		if (parquet_column_next(column, room, err) < 0)
			return -1;
	}
	reader->loaded = true;
	return 0;
}

/* What a row has of bytes that a batch of its own would hold once more. */
static size_t row_bytes(const struct parquet_reader *reader)
{
	size_t bytes = 0;

	for (size_t i = 0; i < reader->table->column_count; i++) {
		const struct parquet_column *column = &reader->columns[i];

		if (!column->null && column->leaf.kind == PARQUET_SLICES)
			bytes += column->slice.len;
	}
	return bytes;
}

/* 0: there is no room. */
static int put_row(struct parquet_reader *reader, struct batch *batch,
		   struct error *err)
{
	for (size_t i = 0; i < reader->table->column_count; i++) {
		int rc = parquet_column_put(&reader->columns[i], batch, i, err);

		if (rc <= 0)
			return rc;
	}
	batch_add_row(batch, ROW_UPSERT);
	reader->loaded = false;
	reader->rows_left--;
	return 1;
}

/* It is larger than a whole batch. */
static int put_lone(struct parquet_reader *reader, struct batch *batch,
		    struct error *err)
{
	int rc;

	if (row_bytes(reader) > memory_left(reader))
		return error_set(err, ERROR_MEMORY,
				 "a row of a Parquet file needs more than %zu "
				 "bytes of memory",
				 reader->max_bytes);
	batch_make_lone(batch);
	rc = put_row(reader, batch, err);
	return rc ? rc : error_memory(err, "a row of a file");
}

static int next_rows(struct format_reader *base, struct batch *batch,
		     struct error *err)
{
	struct parquet_reader *reader = (struct parquet_reader *)base;
	int rc;

	if (!reader->rows_left) {
		if (reader->group == reader->footer.group_count)
			return 0;
		if (begin_group(reader, err) < 0)
			return -1;
	}
	while (reader->rows_left && !batch_full(batch)) {
		if (!reader->loaded && load_row(reader, err) < 0)
			return -1;
		rc = put_row(reader, batch, err);
		if (rc == 0 && batch->rows)
			return 1;
		if (rc == 0)
			rc = put_lone(reader, batch, err);
		if (rc < 0)
			return -1;
	}
	if (!reader->rows_left && end_group(reader, err) < 0)
		return -1;
	return 1;
}

static const char *find_value(const struct format_reader *base, const char *key)
{
	const struct parquet_reader *reader =
		(const struct parquet_reader *)base;

	for (size_t i = 0; i < reader->footer.pair_count; i++)
		if (!strcmp(reader->footer.pairs[i].key, key))
			return reader->footer.pairs[i].value;
	return NULL;
}

static void free_reader(struct format_reader *base)
{
	struct parquet_reader *reader = (struct parquet_reader *)base;

	for (size_t i = 0; reader->columns && i < reader->table->column_count;
	     i++)
		if (reader->columns[i].leaf.column)
			parquet_column_release(&reader->columns[i]);
	free(reader->columns);
	free(reader->places);
	parquet_footer_release(&reader->footer);
	free(reader);
}

static int open_file(struct parquet_reader *reader,
		     const struct format_options *options, struct error *err)
{
	size_t count = reader->table->column_count;

	reader->places = calloc(count + 1, sizeof(*reader->places));
	reader->columns = calloc(count + 1, sizeof(*reader->columns));
	if (!reader->places || !reader->columns)
		return error_memory(err, "the columns of a Parquet file");
	if (parquet_footer_read(&reader->footer, reader->source,
				reader->max_bytes, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (match_column(reader, options, i, err) < 0)
			return -1;
	return 0;
}

int parquet_reader_new(struct format_reader **out,
		       const struct format_options *options,
		       const struct table *table, struct byte_source *source,
		       size_t max_bytes, struct error *err)
{
	struct parquet_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return error_memory(err, "a Parquet file");
	reader->base = (struct format_reader){
		.next = next_rows, .value = find_value, .free = free_reader};
	reader->table = table;
	reader->source = source;
	reader->max_bytes = max_bytes;
	if (open_file(reader, options, err) < 0) {
		free_reader(&reader->base);
		return -1;
	}
	*out = &reader->base;
	return 0;
}
