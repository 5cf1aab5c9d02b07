#include "format/format_ops.h"

#include <stdio.h>

#include "base/text.h"
#include "format/codec.h"

static const struct format *const formats[] = {
	&format_parquet,
	&format_csv,
	&format_jsonl,
};

const struct format *format_find(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (text_iequal(name, formats[i]->name) ||
		    text_iequal(name, formats[i]->alias))
			return formats[i];
	return NULL;
}

const char *format_name(const struct format *format)
{
	return format->name;
}

void format_extension(const struct format_options *options,
		      char out[FORMAT_EXTENSION_MAX])
{
	const char *behind = "";

	if (!options->format->compresses)
		behind = options->compression == FORMAT_GZIP   ? ".gz"
			 : options->compression == FORMAT_ZSTD ? ".zst"
							       : "";
	snprintf(out, FORMAT_EXTENSION_MAX, "%s%s", options->format->extension,
		 behind);
}

size_t format_packing_bytes(const struct format_options *options)
{
	return codec_bytes(options->compression, options->level);
}

int format_refuse_column(const struct column *column, const char *why,
			 struct error *err)
{
	return error_set(err, ERROR_SCHEMA,
			 "column '%s' (%s) cannot be stored in a file: %s; "
			 "leave it out of the source's table or view",
			 column->name,
			 column->native ? column->native
					: row_type_name(column->type),
			 why);
}

int format_check_column(const struct column *column, struct error *err)
{
	if (column->unsupported)
		return format_refuse_column(
			column, "its values cannot be carried", err);
	if (column->extended)
		return format_refuse_column(
			column,
			"it may hold values that only its own system has", err);
	return 0;
}

int format_table(const struct format_options *options, const struct table *from,
		 struct table *to, struct error *err)
{
	if (table_copy(to, from, NULL, err) < 0)
		return -1;
	to->system = options->format->name;
	for (size_t i = 0; i < to->column_count; i++) {
		struct column *column = &to->columns[i];

		if (options->format->describe(options, column, &to->arena,
					      err) < 0)
			return -1;
		/* Every number of so many digits fits into a file. */
		column->sure_precision = 0;
		column->identity = false;
		column->generated = false;
		column->collation = NULL;
	}
	return 0;
}

int format_type(const struct format_options *options,
		const struct column *column, struct strbuf *out,
		struct error *err)
{
	const struct format *format = options->format;

	strbuf_addstr(out, row_type_name(column->type));
	if (format->add_detail &&
	    format->add_detail(options, column, out, err) < 0)
		return -1;
	return strbuf_check(out, err);
}

int format_writer_new(struct format_writer **out,
		      const struct format_options *options,
		      const struct table *table, const bool *required,
		      const struct format_pair *pairs, size_t pair_count,
		      struct byte_sink *sink, struct error *err)
{
	return options->format->writer_new(out, options, table, required, pairs,
					   pair_count, sink, err);
}

int format_writer_write(struct format_writer *writer, const struct batch *batch,
			struct error *err)
{
	return writer->write(writer, batch, err);
}

uint64_t format_writer_bytes(const struct format_writer *writer)
{
	return writer->bytes(writer);
}

int format_writer_end(struct format_writer *writer,
		      struct format_counts *counts, struct error *err)
{
	return writer->end(writer, counts, err);
}

void format_writer_free(struct format_writer *writer)
{
	if (writer)
		writer->free(writer);
}

int format_reader_new(struct format_reader **out,
		      const struct format_options *options,
		      const struct table *table, struct byte_source *source,
		      size_t max_bytes, struct error *err)
{
	return options->format->reader_new(out, options, table, source,
					   max_bytes, err);
}

int format_reader_next(struct format_reader *reader, struct batch *batch,
		       struct error *err)
{
	return reader->next(reader, batch, err);
}

const char *format_reader_value(const struct format_reader *reader,
				const char *key)
{
	return reader->value ? reader->value(reader, key) : NULL;
}

void format_reader_free(struct format_reader *reader)
{
	if (reader)
		reader->free(reader);
}
