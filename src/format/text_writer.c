#include "format/text_writer.h"

#include <stdlib.h>

static int write_rows(struct format_writer *base, const struct batch *batch,
		      struct error *err)
{
	struct text_writer *writer = (struct text_writer *)base;

	for (size_t row = 0; row < batch->rows; row++)
		if (writer->add_row(writer, batch, row, err) < 0)
			return -1;
	writer->rows += batch->rows;
	return 0;
}

static uint64_t count_bytes(const struct format_writer *base)
{
	const struct text_writer *writer = (const struct text_writer *)base;

	return writer->out.written + writer->out.used;
}

static int end_file(struct format_writer *base, struct format_counts *counts,
		    struct error *err)
{
	struct text_writer *writer = (struct text_writer *)base;

	if (stream_out_end(&writer->out, err) < 0)
		return -1;
	counts->rows = writer->rows;
	counts->bytes = writer->out.written;
	return 0;
}

static void free_writer(struct format_writer *base)
{
	text_writer_free((struct text_writer *)base);
}

void text_writer_free(struct text_writer *writer)
{
	if (writer->release)
		writer->release(writer);
	cells_free(writer->cells, writer->table->column_count);
	stream_out_release(&writer->out);
	free(writer);
}

int text_writer_init(struct text_writer *writer,
		     const struct format_options *options,
		     const struct table *table, const bool *required,
		     struct byte_sink *sink, struct error *err)
{
	writer->base = (struct format_writer){.write = write_rows,
					      .bytes = count_bytes,
					      .end = end_file,
					      .free = free_writer};
	writer->table = table;
	writer->cells = cells_new(table, options, required, err);
	if (!writer->cells)
		return -1;
	return stream_out_init(&writer->out, options, sink, err);
}
