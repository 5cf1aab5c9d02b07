#include "format/text_reader.h"

#include <stdlib.h>

static int put_value(struct text_reader *reader, struct batch *batch,
		     size_t col, struct error *err)
{
	const struct text_value *value = &reader->values[col];

	if (!value->null)
		return cell_read(&reader->cells[col],
				 reader->bytes.data + value->start, value->len,
				 batch, col, err);
	batch_put_null(batch, col);
	if (reader->cells[col].optional)
		return 1;
	return error_set(err, ERROR_DATA,
			 "column '%s' has no value in a row of a file, but is "
			 "NOT NULL",
			 reader->cells[col].column->name);
}

/* 0: there is no room. */
static int put_values(struct text_reader *reader, struct batch *batch,
		      struct error *err)
{
	for (size_t i = 0; i < reader->table->column_count; i++) {
		int rc = put_value(reader, batch, i, err);

		if (rc <= 0)
			return rc;
	}
	batch_add_row(batch, ROW_UPSERT);
	reader->loaded = false;
	return 1;
}

/* It is larger than a whole batch, and then has memory of its own. */
static int put_lone(struct text_reader *reader, struct batch *batch,
		    struct error *err)
{
	size_t most = reader->bytes.max;
	int rc;

	if (reader->bytes.len > most / 2)
		return error_set(err, ERROR_MEMORY,
				 "a row of a file needs more than %zu bytes of "
				 "memory",
				 most);
	batch_make_lone(batch);
	rc = put_values(reader, batch, err);
	return rc ? rc : error_memory(err, "a row of a file");
}

/* 0: there is no room beside other rows. */
static int put_row(struct text_reader *reader, struct batch *batch,
		   struct error *err)
{
	int rc = put_values(reader, batch, err);

	return rc || batch->rows ? rc : put_lone(reader, batch, err);
}

static int read_row(struct text_reader *reader, struct error *err)
{
	int rc;

	strbuf_reset(&reader->bytes);
	for (size_t i = 0; i < reader->table->column_count; i++)
		reader->values[i] = (struct text_value){.null = true};
	reader->row++;
	rc = reader->read(reader, err);
	reader->loaded = rc > 0;
	reader->ended = rc == 0;
	return rc;
}

static int next_rows(struct format_reader *base, struct batch *batch,
		     struct error *err)
{
	struct text_reader *reader = (struct text_reader *)base;
	int rc;

	while (!batch_full(batch)) {
		if (!reader->loaded && !reader->ended &&
		    read_row(reader, err) < 0)
			return -1;
		if (reader->ended)
			break;
		rc = put_row(reader, batch, err);
		if (rc < 0)
			return error_wrap(err, "row %llu",
					  (unsigned long long)reader->row);
		if (rc == 0)
			break;
	}
	return batch->rows > 0;
}

static void free_reader(struct format_reader *base)
{
	text_reader_free((struct text_reader *)base);
}

void text_reader_free(struct text_reader *reader)
{
	reader->release(reader);
	cells_free(reader->cells, reader->table->column_count);
	stream_in_release(&reader->in);
	strbuf_release(&reader->bytes);
	free(reader->values);
	free(reader);
}

int text_reader_init(struct text_reader *reader,
		     const struct format_options *options,
		     const struct table *table, struct byte_source *source,
		     size_t max_bytes, struct error *err)
{
	reader->base =
		(struct format_reader){.next = next_rows, .free = free_reader};
	reader->table = table;
	size_t window = options->compression == FORMAT_ZSTD ? max_bytes / 2 : 0;

	strbuf_init_max(&reader->bytes, max_bytes - window);
	reader->values =
		calloc(table->column_count + 1, sizeof(*reader->values));
	if (!reader->values)
		return error_memory(err, "a row of a file");
	reader->cells = cells_new(table, options, NULL, err);
	if (!reader->cells)
		return -1;
	return stream_in_init(&reader->in, options, source, window, err);
}
