/*
 * Rows go, slab by slab, into a chunk for each column, which makes pages of
 * them. When all chunks together take as much memory as a row group may have,
 * they are written one behind the other, and everything begins anew. What the
 * footer has to say of them is kept as it will stand there; what is kept grows by
 * some hundred bytes for each chunk.
 *
 * Compressing pages at once, and not a row group when it is full, is what lets
 * a row group hold several times the memory in rows.
 */
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "format/parquet_file.h"
#include "format/parquet_chunk.h"
#include "format/parquet_encode.h"
#include "format/parquet_meta.h"

#define FOOTER_MAX ((size_t)1 << 30)

/* A chunk that was written; its parts are those of the buffers below. */
struct chunk_note {
	size_t column_len;
	size_t column_index, column_index_len; /* a length of 0: none */
	size_t offset_index, offset_index_len;
};

struct group_note {
	uint64_t offset, unpacked, packed;
	size_t rows;
};

struct parquet_writer {
	struct format_writer base;
	const struct table *table;
	struct format_options options;
	struct byte_sink *sink;
	size_t column_count;
	struct parquet_leaf *leaves;
	struct parquet_chunk *chunks;
	struct parquet_press press;
	struct parquet_values values;
	uint64_t offset; /* bytes that were written */
	uint64_t rows;
	size_t group_rows, slab_rows, slab_bytes;
	struct strbuf pairs; /* a list of KeyValue */
	size_t pair_count;
	struct strbuf columns;			  /* ColumnMetaData */
	struct strbuf column_index, offset_index; /* as in the file */
	struct strbuf chunk_notes, group_notes;
};

/* ------------------------------------------------------------------- writing */

static int put(struct parquet_writer *writer, const void *data, size_t len,
	       struct error *err)
{
	if (byte_sink_write(writer->sink, data, len, err) < 0)
		return -1;
	writer->offset += len;
	return 0;
}

static int put_buffer(struct parquet_writer *writer, const struct strbuf *sb,
		      struct error *err)
{
	if (strbuf_check(sb, err) < 0)
		return -1;
	return put(writer, sb->data, sb->len, err);
}

static int put_head(struct parquet_writer *writer, struct error *err)
{
	return writer->offset
		       ? 0
		       : put(writer, PARQUET_MAGIC, PARQUET_MAGIC_LEN, err);
}

static void note_chunk(struct parquet_writer *writer,
		       const struct parquet_chunk *chunk, uint64_t offset)
{
	struct chunk_note note = {
		.column_len = writer->columns.len,
		.column_index = writer->column_index.len,
		.offset_index = writer->offset_index.len,
	};

	parquet_put_column(&writer->columns, chunk, writer->options.compression,
			   offset);
	if (parquet_put_column_index(&writer->column_index, chunk))
		note.column_index_len =
			writer->column_index.len - note.column_index;
	parquet_put_offset_index(&writer->offset_index, chunk, offset);
	note.offset_index_len = writer->offset_index.len - note.offset_index;
	note.column_len = writer->columns.len - note.column_len;
	strbuf_add(&writer->chunk_notes, &note, sizeof(note));
}

static int write_chunk(struct parquet_writer *writer,
		       struct parquet_chunk *chunk, struct group_note *group,
		       struct error *err)
{
	uint64_t offset = writer->offset;

	if (parquet_chunk_end(chunk, &writer->press, err) < 0 ||
	    put_buffer(writer, &chunk->dict_page, err) < 0 ||
	    put_buffer(writer, &chunk->pages, err) < 0)
		return -1;
	note_chunk(writer, chunk, offset);
	group->unpacked += chunk->unpacked;
	group->packed += writer->offset - offset;
	parquet_chunk_release(chunk);
	return 0;
}

static int end_group(struct parquet_writer *writer, struct error *err)
{
	struct group_note group = {.rows = writer->group_rows};

	if (!writer->group_rows)
		return 0;
	if (put_head(writer, err) < 0)
		return -1;
	group.offset = writer->offset;
	for (size_t i = 0; i < writer->column_count; i++)
		if (write_chunk(writer, &writer->chunks[i], &group, err) < 0)
			return -1;
	strbuf_add(&writer->group_notes, &group, sizeof(group));
	writer->rows += writer->group_rows;
	writer->group_rows = 0;
	/* The footer counts on all of these. */
	if (strbuf_check(&writer->columns, err) < 0 ||
	    strbuf_check(&writer->chunk_notes, err) < 0)
		return -1;
	return strbuf_check(&writer->group_notes, err);
}

/* --------------------------------------------------------------------- slabs */

static size_t row_bytes(const struct parquet_writer *writer,
			const struct batch *batch, size_t row)
{
	size_t bytes = 0;

	for (size_t i = 0; i < writer->column_count; i++)
		if (batch->columns[i].store == ROW_STORE_SLICE &&
		    !batch_null(batch, i, row))
			bytes += batch->columns[i].slice[row].len;
	return bytes;
}

static bool slab_full(const struct parquet_writer *writer)
{
	return writer->slab_rows == PARQUET_SLAB_ROWS ||
	       writer->slab_bytes >= PARQUET_SLAB_BYTES;
}

/* How many rows from `first` on still go into the slab. */
static size_t take_rows(struct parquet_writer *writer,
			const struct batch *batch, size_t first)
{
	size_t row = first;

	for (; row < batch->rows && !slab_full(writer); row++) {
		writer->slab_bytes += row_bytes(writer, batch, row);
		writer->slab_rows++;
	}
	return row - first;
}

static int end_slab(struct parquet_writer *writer, struct error *err)
{
	size_t memory = 0;

	writer->slab_rows = 0;
	writer->slab_bytes = 0;
	for (size_t i = 0; i < writer->column_count; i++) {
		if (parquet_chunk_slab(&writer->chunks[i], &writer->press,
				       err) < 0)
			return -1;
		memory += parquet_chunk_memory(&writer->chunks[i]);
	}
	if (memory < writer->options.row_group_bytes &&
	    writer->group_rows < PARQUET_GROUP_ROWS)
		return 0;
	return end_group(writer, err);
}

static int write_rows(struct format_writer *base, const struct batch *batch,
		      struct error *err)
{
	struct parquet_writer *writer = (struct parquet_writer *)base;
	size_t row = 0;

	while (row < batch->rows) {
		size_t some = take_rows(writer, batch, row);

		for (size_t i = 0; i < writer->column_count; i++)
			if (parquet_values_take(&writer->values,
						&writer->leaves[i], batch, i,
						row, some, err) < 0 ||
			    parquet_chunk_add(&writer->chunks[i],
					      &writer->values, err) < 0)
				return -1;
		row += some;
		writer->group_rows += some;
		if (slab_full(writer) && end_slab(writer, err) < 0)
			return -1;
	}
	return 0;
}

static uint64_t count_bytes(const struct format_writer *base)
{
	const struct parquet_writer *writer =
		(const struct parquet_writer *)base;
	uint64_t bytes = writer->offset + writer->columns.len +
			 writer->column_index.len + writer->offset_index.len;

	for (size_t i = 0; i < writer->column_count; i++)
		bytes += parquet_chunk_bytes(&writer->chunks[i]);
	return bytes;
}

/* -------------------------------------------------------------------- footer */

static void put_schema(const struct parquet_writer *writer,
		       struct thrift_writer *to)
{
	thrift_put_list(to, 2, THRIFT_STRUCT, writer->column_count + 1);
	thrift_begin(to);
	thrift_put_string(to, 4, "schema");
	thrift_put_i32(to, 5, (int32_t)writer->column_count);
	thrift_end(to);
	for (size_t i = 0; i < writer->column_count; i++)
		parquet_leaf_write(&writer->leaves[i], to);
}

/* The indexes begin at `column_index` and `offset_index` of the file. */
struct footer {
	uint64_t column_index, offset_index;
	const struct chunk_note *chunk;
	const char *column; /* its ColumnMetaData */
};

static void put_chunk(struct thrift_writer *to, struct footer *footer)
{
	const struct chunk_note *note = footer->chunk++;

	thrift_begin(to);
	thrift_put_i64(to, 2, 0); /* nothing stands there any more */
	thrift_put_written(to, 3, footer->column, note->column_len);
	footer->column += note->column_len;
	thrift_put_i64(to, 4,
		       (int64_t)(footer->offset_index + note->offset_index));
	thrift_put_i32(to, 5, (int32_t)note->offset_index_len);
	if (note->column_index_len) {
		thrift_put_i64(
			to, 6,
			(int64_t)(footer->column_index + note->column_index));
		thrift_put_i32(to, 7, (int32_t)note->column_index_len);
	}
	thrift_end(to);
}

static void put_groups(const struct parquet_writer *writer,
		       struct thrift_writer *to, struct footer *footer)
{
	const struct group_note *groups =
		(const struct group_note *)(void *)writer->group_notes.data;
	size_t count = writer->group_notes.len / sizeof(*groups);

	thrift_put_list(to, 4, THRIFT_STRUCT, count);
	for (size_t g = 0; g < count; g++) {
		thrift_begin(to);
		thrift_put_list(to, 1, THRIFT_STRUCT, writer->column_count);
		for (size_t i = 0; i < writer->column_count; i++)
			put_chunk(to, footer);
		thrift_put_i64(to, 2, (int64_t)groups[g].unpacked);
		thrift_put_i64(to, 3, (int64_t)groups[g].rows);
		thrift_put_i64(to, 5, (int64_t)groups[g].offset);
		thrift_put_i64(to, 6, (int64_t)groups[g].packed);
		if (g <= INT16_MAX)
			thrift_put_i16(to, 7, (int)g);
		thrift_end(to);
	}
}

/* FileMetaData. Of the versions "1" is what every reader takes. */
static void put_footer(const struct parquet_writer *writer, struct strbuf *out,
		       struct footer *footer)
{
	struct thrift_writer to;

	thrift_writer_init(&to, out);
	thrift_begin(&to);
	thrift_put_i32(&to, 1, 1);
	put_schema(writer, &to);
	thrift_put_i64(&to, 3, (int64_t)writer->rows);
	put_groups(writer, &to, footer);
	if (writer->pair_count) {
		thrift_put_list(&to, 5, THRIFT_STRUCT, writer->pair_count);
		strbuf_add(out, writer->pairs.data, writer->pairs.len);
	}
	thrift_put_string(&to, 6, "dbaops-dataflow version " DATAFLOW_VERSION);
	/* All columns have the order of their type. */
	thrift_put_list(&to, 7, THRIFT_STRUCT, writer->column_count);
	for (size_t i = 0; i < writer->column_count; i++) {
		thrift_begin(&to);
		thrift_put_struct(&to, 1);
		thrift_end(&to);
		thrift_end(&to);
	}
	thrift_end(&to);
}

static int write_footer(struct parquet_writer *writer, struct error *err)
{
	struct footer footer = {
		.chunk = (const struct chunk_note *)(void *)
				 writer->chunk_notes.data,
		.column = writer->columns.data,
		.column_index = writer->offset,
		.offset_index = writer->offset + writer->column_index.len,
	};
	unsigned char len[4];
	struct strbuf out;
	int ret = -1;

	strbuf_init_max(&out, FOOTER_MAX);
	put_footer(writer, &out, &footer);
	parquet_put_le(len, out.len, sizeof(len));
	strbuf_add(&out, len, sizeof(len));
	strbuf_addstr(&out, PARQUET_MAGIC);
	if (put_buffer(writer, &writer->column_index, err) == 0 &&
	    put_buffer(writer, &writer->offset_index, err) == 0)
		ret = put_buffer(writer, &out, err);
	strbuf_release(&out);
	return ret;
}

static int end_file(struct format_writer *base, struct format_counts *counts,
		    struct error *err)
{
	struct parquet_writer *writer = (struct parquet_writer *)base;

	if (end_group(writer, err) < 0 || put_head(writer, err) < 0 ||
	    write_footer(writer, err) < 0)
		return -1;
	counts->rows = writer->rows;
	counts->bytes = writer->offset;
	return 0;
}

/* -------------------------------------------------------------- begin and end */

static void free_writer(struct format_writer *base)
{
	struct parquet_writer *writer = (struct parquet_writer *)base;

	for (size_t i = 0; writer->chunks && i < writer->column_count; i++)
		if (writer->chunks[i].leaf)
			parquet_chunk_release(&writer->chunks[i]);
	free(writer->chunks);
	free(writer->leaves);
	parquet_press_release(&writer->press);
	parquet_values_release(&writer->values);
	strbuf_release(&writer->pairs);
	strbuf_release(&writer->columns);
	strbuf_release(&writer->column_index);
	strbuf_release(&writer->offset_index);
	strbuf_release(&writer->chunk_notes);
	strbuf_release(&writer->group_notes);
	free(writer);
}

static void init_writer(struct parquet_writer *writer)
{
	writer->base.write = write_rows;
	writer->base.bytes = count_bytes;
	writer->base.end = end_file;
	writer->base.free = free_writer;
	parquet_press_init(&writer->press, &writer->options,
			   writer->column_count);
	parquet_values_init(&writer->values);
	strbuf_init_max(&writer->pairs, FOOTER_MAX);
	strbuf_init_max(&writer->columns, FOOTER_MAX);
	strbuf_init_max(&writer->column_index, FOOTER_MAX);
	strbuf_init_max(&writer->offset_index, FOOTER_MAX);
	strbuf_init_max(&writer->chunk_notes, FOOTER_MAX);
	strbuf_init_max(&writer->group_notes, FOOTER_MAX);
}

static int init_columns(struct parquet_writer *writer, const bool *required,
			struct error *err)
{
	size_t count = writer->column_count;

	writer->leaves = calloc(count + 1, sizeof(*writer->leaves));
	writer->chunks = calloc(count + 1, sizeof(*writer->chunks));
	if (!writer->leaves || !writer->chunks)
		return error_memory(err, "the columns of a Parquet file");
	for (size_t i = 0; i < count; i++) {
		const struct column *column = &writer->table->columns[i];
		bool optional = required ? !required[i] : column->nullable;

		if (parquet_leaf_init(&writer->leaves[i], column,
				      &writer->options, optional, err) < 0)
			return -1;
		parquet_chunk_init(&writer->chunks[i], &writer->leaves[i]);
	}
	return 0;
}

static void init_pairs(struct parquet_writer *writer,
		       const struct format_pair *pairs, size_t count)
{
	struct thrift_writer to;

	thrift_writer_init(&to, &writer->pairs);
	for (size_t i = 0; i < count; i++) {
		thrift_begin(&to);
		thrift_put_string(&to, 1, pairs[i].key);
		thrift_put_string(&to, 2, pairs[i].value);
		thrift_end(&to);
	}
	writer->pair_count = count;
}

int parquet_writer_new(struct format_writer **out,
		       const struct format_options *options,
		       const struct table *table, const bool *required,
		       const struct format_pair *pairs, size_t pair_count,
		       struct byte_sink *sink, struct error *err)
{
	struct parquet_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return error_memory(err, "a Parquet file");
	writer->table = table;
	writer->options = *options;
	writer->sink = sink;
	writer->column_count = table->column_count;
	init_writer(writer);
	init_pairs(writer, pairs, pair_count);
	if (strbuf_check(&writer->pairs, err) < 0 ||
	    init_columns(writer, required, err) < 0) {
		free_writer(&writer->base);
		return -1;
	}
	*out = &writer->base;
	return 0;
}
