/*
 * CSV and JSON lines, format/csv_reader.c and format/jsonl_reader.c.
 *
 * Whatever bytes a file is made of, reading it gives rows or an error; and rows
 * that were read, written again, are read as the same ones. Rows that were
 * written are read back as they were.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/text.h"
#include "format/format_ops.h"
#include "fuzz/rowgen.h"
#include "unit/memfile.h"

#define MEMORY ((size_t)1 << 20)

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void take_options(struct input *in, struct format_options *options)
{
	static const enum format_compression kinds[] = {
		FORMAT_UNCOMPRESSED, FORMAT_UNCOMPRESSED, FORMAT_GZIP,
		FORMAT_ZSTD};
	static const char *const nulls[] = {"", "\\N", "NULL", "0"};
	unsigned flags = take_byte(in);
	struct error err = ERROR_INIT;
	struct connstr cs = {0};

	HOLDS(format_options_read(options,
				  flags & 1 ? &format_csv : &format_jsonl, &cs,
				  &err) == 0);
	options->compression = kinds[take_below(in, 4)];
	options->decimal_text = flags & 2;
	if (!(flags & 1))
		return;
	options->header = flags & 4;
	options->crlf = flags & 8;
	options->base64 = flags & 16;
	options->blank = flags & 32;
	options->delimiter = flags & 64 ? ';' : ',';
	text_copy(options->null_text, sizeof(options->null_text),
		  nulls[flags >> 6]);
	if (flags & 128)
		memcpy(options->date, "DD.MM.YYYY", 11);
}

static bool read_all(const struct format_options *options,
		     const struct table *table, struct memfile *file,
		     struct batch *rows)
{
	struct error err = ERROR_INIT;
	struct format_reader *reader;
	int got;

	if (format_reader_new(&reader, options, table, &file->source, MEMORY,
			      &err) < 0) {
		check_error(&err);
		return false;
	}
	got = format_reader_next(reader, rows, &err);
	if (got < 0)
		check_error(&err);
	format_reader_free(reader);
	return got >= 0;
}

static void write_rows(const struct format_options *options,
		       const struct batch *batch, struct memfile *file)
{
	struct error err = ERROR_INIT;
	struct format_counts counts;
	struct format_writer *writer;

	memfile_release(file);
	HOLDS(format_writer_new(&writer, options, batch->table, NULL, NULL, 0,
				&file->sink, &err) == 0);
	HOLDS(format_writer_write(writer, batch, &err) == 0);
	HOLDS(format_writer_end(writer, &counts, &err) == 0);
	HOLDS(counts.bytes == file->source.size);
	format_writer_free(writer);
}

static void try_file(struct input *in, const struct format_options *options,
		     const struct table *table)
{
	struct error err = ERROR_INIT;
	struct batch batch, back;
	struct memfile file;

	memfile_init(&file);
	if (in->len)
		memfile_set(&file, in->data, in->len);
	HOLDS(batch_init(&batch, table, 50, MEMORY, &err) == 0);
	HOLDS(batch_init(&back, table, 50, MEMORY, &err) == 0);
	if (read_all(options, table, &file, &batch)) {
		write_rows(options, &batch, &file);
		HOLDS(read_all(options, table, &file, &back));
		HOLDS(rowgen_same(&batch, &back, true));
	}
	batch_release(&batch);
	batch_release(&back);
	memfile_release(&file);
}

static void try_rows(struct input *in, const struct format_options *options,
		     const struct table *table)
{
	struct error err = ERROR_INIT;
	struct batch batch, back;
	struct memfile file;

	memfile_init(&file);
	HOLDS(batch_init(&batch, table, 50, MEMORY, &err) == 0);
	HOLDS(batch_init(&back, table, 50, MEMORY, &err) == 0);
	while (in->len && !batch_full(&batch))
		rowgen_row(in, &batch);
	write_rows(options, &batch, &file);
	HOLDS(read_all(options, table, &file, &back));
	HOLDS(rowgen_same(&batch, &back, true));
	batch_release(&batch);
	batch_release(&back);
	memfile_release(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	bool rows = take_byte(&in) & 1;
	struct format_options options;
	struct table table;

	take_options(&in, &options);
	rowgen_table(&in, &table);
	if (rows)
		try_rows(&in, &options, &table);
	else
		try_file(&in, &options, &table);
	table_release(&table);
	return 0;
}
