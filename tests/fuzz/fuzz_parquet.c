/*
 * Parquet files, format/parquet_reader.c and what it is made of.
 *
 * Whatever bytes a file is made of, reading it gives rows or an error. Rows that
 * were written are read back as they were, with one byte of the file changed as
 * well, unless it is an error then. What checksums keep from being reached that
 * way is tried behind them: pages with any content, and Thrift.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#include "format/format_ops.h"
#include "format/parquet_column.h"
#include "format/parquet_meta.h"
#include "fuzz/rowgen.h"
#include "unit/memfile.h"

#define MEMORY	 ((size_t)1 << 22)
#define ROWS_MAX 20000

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void take_options(struct input *in, struct format_options *options)
{
	struct error err = ERROR_INIT;
	struct connstr cs = {0};

	HOLDS(format_options_read(options, &format_parquet, &cs, &err) == 0);
	options->compression = (enum format_compression)take_below(in, 4);
	options->delta = take_byte(in) & 1;
	options->row_group_bytes = 1 + take_below(in, 4) * 4000;
	options->times =
		take_byte(in) & 1 ? FORMAT_TIMES_TEXT : FORMAT_TIMES_MICROS;
	options->uuid_text = take_byte(in) & 1;
}

/* All rows of a file; false: an error. Few enough of them go into `rows`. */
static bool read_all(const struct format_options *options,
		     const struct table *table, struct memfile *file,
		     struct batch *rows)
{
	struct error err = ERROR_INIT;
	struct format_reader *reader;
	struct batch batch;
	uint64_t count = 0;
	int got = 0;

	if (format_reader_new(&reader, options, table, &file->source, MEMORY,
			      &err) < 0) {
		check_error(&err);
		return false;
	}
	HOLDS(batch_init(&batch, table, 100, 1 << 18, &err) == 0);
	do {
		batch_reset(&batch);
		got = format_reader_next(reader, &batch, &err);
		for (size_t row = 0; got > 0 && row < batch.rows; row++) {
			if (!rows || batch_full(rows))
				continue;
			for (size_t i = 0; i < table->column_count; i++)
				HOLDS(batch_put_copy(rows, i, &batch, i, row));
			batch_add_row(rows, ROW_UPSERT);
		}
		count += batch.rows;
	} while (got > 0 && count < ROWS_MAX);
	if (got < 0)
		check_error(&err);
	format_reader_free(reader);
	batch_release(&batch);
	return got == 0;
}

static void try_file(struct input *in)
{
	struct format_options options;
	struct memfile file;
	struct table table;

	take_options(in, &options);
	rowgen_table(in, &table);
	memfile_init(&file);
	if (in->len)
		memfile_set(&file, in->data, in->len);
	(void)read_all(&options, &table, &file, NULL);
	memfile_release(&file);
	table_release(&table);
}

static void write_rows(const struct format_options *options,
		       const struct batch *batch, struct memfile *file)
{
	static const struct format_pair pair = {"key", "value"};
	struct error err = ERROR_INIT;
	struct format_counts counts;
	struct format_writer *writer;

	HOLDS(format_writer_new(&writer, options, batch->table, NULL, &pair, 1,
				&file->sink, &err) == 0);
	HOLDS(format_writer_write(writer, batch, &err) == 0);
	HOLDS(format_writer_end(writer, &counts, &err) == 0);
	HOLDS(counts.rows == batch->rows && counts.bytes == file->source.size);
	format_writer_free(writer);
}

/* What a file cannot hold of seven digits is not for this test. */
static bool is_exact(const struct format_options *options,
		     const struct table *table)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (row_type_store(table->columns[i].type) != ROW_STORE_SLICE &&
		    table->columns[i].precision == 7 &&
		    options->times == FORMAT_TIMES_MICROS)
			return false;
	return true;
}

static void try_rows(struct input *in)
{
	struct error err = ERROR_INIT;
	struct format_options options;
	struct batch batch, back;
	struct memfile file;
	struct table table;
	size_t at, repeats;

	take_options(in, &options);
	rowgen_table(in, &table);
	at = take_number(in, 3);
	repeats = take_below(in, 4);
	HOLDS(batch_init(&batch, &table, 100, 1 << 20, &err) == 0);
	HOLDS(batch_init(&back, &table, 100, 1 << 20, &err) == 0);
	while (in->len && !batch_full(&batch)) {
		struct input row = *in;

		rowgen_row(in, &batch);
		/* The same again, so that dictionaries are of use. */
		for (size_t i = 0; i < repeats && !batch_full(&batch); i++) {
			struct input again = row;

			rowgen_row(&again, &batch);
		}
	}
	memfile_init(&file);
	write_rows(&options, &batch, &file);
	HOLDS(read_all(&options, &table, &file, &back));
	HOLDS(!is_exact(&options, &table) ||
	      rowgen_same(&batch, &back, options.times == FORMAT_TIMES_TEXT));
	file.data[at % file.source.size] ^= (unsigned char)(1 + (at & 0x7f));
	(void)read_all(&options, &table, &file, NULL);
	memfile_release(&file);
	batch_release(&batch);
	batch_release(&back);
	table_release(&table);
}

/* --------------------------------------------------------------------- pages */

/* A page with a checksum that is right, whatever else is in it. */
static void put_page(struct input *in, struct codec *codec,
		     enum parquet_page_type type, struct memfile *file)
{
	struct parquet_page_header header = {.type = type};
	struct error err = ERROR_INIT;
	struct strbuf out, packed;
	unsigned char *body;
	size_t len;

	header.encoding = (enum parquet_encoding)take_below(in, 9);
	header.values = take_number(in, 2);
	body = take_bytes(in, take_below(in, 2000), &len);
	strbuf_init(&out);
	strbuf_init(&packed);
	HOLDS(codec_pack(codec, body, len, &packed, &err) == 0);
	header.unpacked = take_byte(in) % 16 ? len : take_number(in, 3);
	header.packed = packed.len;
	header.crc = codec_crc32(packed.data, packed.len);
	parquet_put_page_header(&out, &header);
	strbuf_add(&out, packed.data, packed.len);
	HOLDS(byte_sink_write(&file->sink, out.data, out.len, &err) == 0);
	strbuf_release(&out);
	strbuf_release(&packed);
	free(body);
}

static void read_pages(struct parquet_column *column, struct memfile *file,
		       const struct parquet_file_chunk *chunk, uint64_t rows,
		       struct batch *batch)
{
	struct error err = ERROR_INIT;
	int rc = parquet_column_begin(column, &file->source, chunk, rows, &err);

	for (uint64_t i = 0; rc >= 0 && i < rows && i < ROWS_MAX; i++) {
		batch_reset(batch);
		rc = parquet_column_next(column, MEMORY, &err);
		if (rc == 0)
			rc = parquet_column_put(column, batch, 0, &err);
	}
	if (rc >= 0)
		rc = parquet_column_end(column, &err);
	if (rc < 0)
		check_error(&err);
}

static void try_pages(struct input *in)
{
	struct parquet_file_chunk chunk = {0};
	struct error err = ERROR_INIT;
	struct format_options options;
	struct parquet_column column;
	struct parquet_leaf leaf;
	struct memfile file;
	struct table table;
	struct codec codec;
	struct batch batch;
	uint64_t rows;

	take_options(in, &options);
	rowgen_table(in, &table);
	table.column_count = 1;
	rows = take_number(in, 2);
	memfile_init(&file);
	codec_init(&codec, options.compression, 0);
	if (take_byte(in) & 1)
		put_page(in, &codec, PARQUET_DICTIONARY_PAGE, &file);
	do
		put_page(in, &codec, PARQUET_DATA_PAGE, &file);
	while (in->len);
	chunk.len = (size_t)file.source.size;
	chunk.compression = options.compression;
	HOLDS(parquet_leaf_init(&leaf, &table.columns[0], &options,
				table.columns[0].nullable, &err) == 0);
	HOLDS(batch_init(&batch, &table, 4, MEMORY, &err) == 0);
	parquet_column_init(&column, &leaf);
	read_pages(&column, &file, &chunk, rows, &batch);
	parquet_column_release(&column);
	codec_release(&codec);
	batch_release(&batch);
	memfile_release(&file);
	table_release(&table);
}

static void try_thrift(struct input *in)
{
	struct thrift_field field = {0};
	struct thrift_reader reader;
	struct error err = ERROR_INIT;

	thrift_reader_init(&reader, in->data, in->len);
	while (thrift_next(&reader, &field))
		thrift_skip(&reader, &field);
	if (thrift_check(&reader, "it", &err) < 0)
		check_error(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	switch (take_byte(&in) % 4) {
	case 0:
		try_file(&in);
		break;
	case 1:
		try_rows(&in);
		break;
	case 2:
		try_pages(&in);
		break;
	default:
		try_thrift(&in);
	}
	return 0;
}
