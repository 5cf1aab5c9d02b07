/* Files of rows, written and read in memory: what tests/format does not see. */
#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "unit/memfile.h"
#include "unit/rows.h"

static const struct column columns[] = {
	{.name = "id", .type = ROW_INT64},
	{.name = "name", .type = ROW_TEXT, .nullable = true},
	{.name = "price",
	 .type = ROW_DECIMAL,
	 .precision = 20,
	 .scale = 2,
	 .nullable = true},
};

static void options_of(struct format_options *options, const char *format,
		       const char *text)
{
	struct error err = ERROR_INIT;
	struct connstr cs;

	MUST(connstr_parse(&cs, text, &err));
	MUST(format_options_read(options, format_find(format), &cs, &err));
	MUST(connstr_check_unused(&cs, &err));
	connstr_release(&cs);
}

static void add_row(struct batch *batch, int64_t id)
{
	batch_put_i64(batch, 0, id);
	put_text(batch, 1, id % 3 ? "a name" : "");
	if (id % 5 == 0)
		batch_put_null(batch, 2);
	else
		batch_put_wide(batch, 2)->decimal = id * 100;
	batch_add_row(batch, id % 2 ? ROW_UPSERT : ROW_DELETE);
}

static void write_rows(struct memfile *file, const struct format_options *how,
		       const struct table *table, int64_t count,
		       struct format_counts *counts)
{
	struct error err = ERROR_INIT;
	struct format_writer *writer;
	struct batch batch;

	batch_make(&batch, table);
	MUST(format_writer_new(&writer, how, table, NULL, NULL, 0, &file->sink,
			       &err));
	for (int64_t i = 0; i < count; i++)
		add_row(&batch, i);
	MUST(format_writer_write(writer, &batch, &err));
	MUST(format_writer_end(writer, counts, &err));
	format_writer_free(writer);
	batch_release(&batch);
}

static void test_every_format(void **state)
{
	static const char *const kinds[][2] = {
		{"parquet", "compression=snappy"}, {"csv", "compression=zstd"},
		{"json", "compression=gzip"},	   {"CSV", "compression=none"},
		{"jsonl", "compression=none"},
	};
	struct error err = ERROR_INIT;
	struct format_counts counts;
	struct format_options how;
	struct table table;

	(void)state;
	table_make(&table, "t", columns, COUNT_OF(columns), NULL);
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct format_reader *reader;
		struct memfile file;
		struct batch batch;

		memfile_init(&file);
		options_of(&how, kinds[i][0], kinds[i][1]);
		write_rows(&file, &how, &table, 6, &counts);
		assert_int_equal(counts.rows, 6);
		assert_int_equal(counts.bytes, file.source.size);
		batch_make(&batch, &table);
		MUST(format_reader_new(&reader, &how, &table, &file.source,
				       1 << 20, &err));
		assert_null(format_reader_value(reader, "key"));
		assert_int_equal(format_reader_next(reader, &batch, &err), 1);
		assert_rows(&batch, "+ 0||NULL\n+ 1|a name|1.00\n"
				    "+ 2|a name|2.00\n+ 3||3.00\n"
				    "+ 4|a name|4.00\n+ 5|a name|NULL\n");
		batch_reset(&batch);
		assert_int_equal(format_reader_next(reader, &batch, &err), 0);
		format_reader_free(reader);
		batch_release(&batch);
		memfile_release(&file);
	}
	assert_null(format_find("xml"));
	table_release(&table);
}

/* Deletes hold NULL outside of their key, even in columns that are NOT NULL. */
static void test_sparse_rows(void **state)
{
	static const bool required[] = {true, false, false};
	static const struct column not_null[] = {
		{.name = "id", .type = ROW_INT64},
		{.name = "name", .type = ROW_TEXT},
		{.name = "n", .type = ROW_INT32},
	};
	static const char *const kinds[] = {"parquet", "csv", "json"};
	struct error err = ERROR_INIT;
	struct format_counts counts;
	struct format_options how;
	struct table table;

	(void)state;
	table_make(&table, "t", not_null, COUNT_OF(not_null), NULL);
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct format_writer *writer;
		struct memfile file;
		struct batch batch;

		memfile_init(&file);
		batch_make(&batch, &table);
		batch_put_i64(&batch, 0, 1);
		batch_put_null(&batch, 1);
		batch_put_unchanged(&batch, 2);
		batch_add_row(&batch, ROW_DELETE);
		options_of(&how, kinds[i], "compression=none");
		MUST(format_writer_new(&writer, &how, &table, required, NULL, 0,
				       &file.sink, &err));
		MUST(format_writer_write(writer, &batch, &err));
		MUST(format_writer_end(writer, &counts, &err));
		format_writer_free(writer);
		MUST(format_writer_new(&writer, &how, &table, NULL, NULL, 0,
				       &file.sink, &err));
		MUST_FAIL(format_writer_write(writer, &batch, &err),
			  ERROR_DATA);
		assert_holds(err.message, "'name'");
		format_writer_free(writer);
		batch_release(&batch);
		memfile_release(&file);
	}
	table_release(&table);
}

/* Who ends a file by its length can see it grow. */
static void test_length_so_far(void **state)
{
	static const char *const kinds[] = {"parquet", "csv", "json"};
	struct error err = ERROR_INIT;
	struct format_counts counts;
	struct format_options how;
	struct table table;

	(void)state;
	table_make(&table, "t", columns, COUNT_OF(columns), NULL);
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct format_writer *writer;
		struct memfile file;
		struct batch batch;
		uint64_t before, after;

		memfile_init(&file);
		batch_make(&batch, &table);
		options_of(&how, kinds[i], "compression=none");
		MUST(format_writer_new(&writer, &how, &table, NULL, NULL, 0,
				       &file.sink, &err));
		before = format_writer_bytes(writer);
		for (int64_t row = 0; row < 4000; row++)
			add_row(&batch, row * 7919);
		MUST(format_writer_write(writer, &batch, &err));
		after = format_writer_bytes(writer);
		assert_true(after > before + 20000);
		MUST(format_writer_end(writer, &counts, &err));
		assert_true(counts.bytes < 4 * after);
		format_writer_free(writer);
		batch_release(&batch);
		memfile_release(&file);
	}
	table_release(&table);
}

static int fail_write(struct byte_sink *sink, const void *data, size_t len,
		      struct error *err)
{
	(void)sink;
	(void)data;
	(void)len;
	return error_set(err, ERROR_SYSTEM, "the disk is full");
}

static void test_sink_that_is_full(void **state)
{
	static const char *const kinds[] = {"parquet", "csv", "json"};
	struct byte_sink sink = {fail_write};
	struct error err = ERROR_INIT;
	struct format_counts counts;
	struct format_options how;
	struct table table;

	(void)state;
	table_make(&table, "t", columns, COUNT_OF(columns), NULL);
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct format_writer *writer;

		options_of(&how, kinds[i], "compression=gzip");
		MUST(format_writer_new(&writer, &how, &table, NULL, NULL, 0,
				       &sink, &err));
		MUST_FAIL(format_writer_end(writer, &counts, &err),
			  ERROR_SYSTEM);
		assert_holds(err.message, "the disk is full");
		format_writer_free(writer);
	}
	table_release(&table);
}

/* A reader has a limit, whatever a file says. */
static void test_memory_of_readers(void **state)
{
	static const char *const kinds[] = {"parquet", "csv", "json"};
	struct error err = ERROR_INIT;
	struct format_counts counts;
	struct format_options how;
	struct table table;

	(void)state;
	table_make(&table, "t", columns, COUNT_OF(columns), NULL);
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct format_reader *reader;
		struct memfile file;
		struct batch batch;
		int rc;

		memfile_init(&file);
		options_of(&how, kinds[i], "compression=none");
		write_rows(&file, &how, &table, 4000, &counts);
		batch_make(&batch, &table);
		rc = format_reader_new(&reader, &how, &table, &file.source, 2,
				       &err);
		if (rc == 0) {
			MUST_FAIL(format_reader_next(reader, &batch, &err),
				  ERROR_MEMORY);
			format_reader_free(reader);
		}
		assert_int_equal(err.kind, ERROR_MEMORY);
		batch_release(&batch);
		memfile_release(&file);
	}
	table_release(&table);
}

/* Rows that do not fit into a batch come in the next one, or alone. */
static void test_small_batches(void **state)
{
	static const char *const kinds[] = {"parquet", "csv", "json"};
	struct error err = ERROR_INIT;
	struct format_counts counts;
	struct format_options how;
	struct table table;

	(void)state;
	table_make(&table, "t", columns, COUNT_OF(columns), NULL);
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct format_reader *reader;
		struct memfile file;
		struct batch batch;
		size_t rows = 0, batches = 0;

		memfile_init(&file);
		options_of(&how, kinds[i], "compression=none");
		write_rows(&file, &how, &table, 100, &counts);
		MUST(batch_init(&batch, &table, 7, 1, &err));
		MUST(format_reader_new(&reader, &how, &table, &file.source,
				       1 << 20, &err));
		while (format_reader_next(reader, &batch, &err) == 1) {
			rows += batch.rows;
			batches++;
			batch_reset(&batch);
		}
		assert_int_equal(rows, 100);
		assert_int_equal(batches, 100);
		format_reader_free(reader);
		batch_release(&batch);
		memfile_release(&file);
	}
	table_release(&table);
}

static void test_columns_that_no_file_can_hold(void **state)
{
	static const struct column bad[] = {
		{.name = "c", .type = ROW_TEXT, .unsupported = true},
		{.name = "c", .type = ROW_TIMESTAMP, .extended = true},
	};
	static const struct column odd = {
		.name = "c", .type = ROW_DECIMAL, .precision = 39};
	static const char *const kinds[] = {"parquet", "csv", "json"};
	struct error err = ERROR_INIT;
	struct format_options how;
	struct table table, held;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		options_of(&how, kinds[i], "compression=none");
		for (size_t b = 0; b < COUNT_OF(bad); b++) {
			table_make(&table, "t", &bad[b], 1, NULL);
			table_init(&held);
			MUST_FAIL(format_table(&how, &table, &held, &err),
				  ERROR_SCHEMA);
			assert_holds(err.message, "'c'");
			table_release(&held);
			table_release(&table);
		}
	}
	options_of(&how, "parquet", "compression=none");
	table_make(&table, "t", &odd, 1, NULL);
	table_init(&held);
	MUST_FAIL(format_table(&how, &table, &held, &err), ERROR_SCHEMA);
	table_release(&held);
	table_release(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_format),
		cmocka_unit_test(test_sparse_rows),
		cmocka_unit_test(test_length_so_far),
		cmocka_unit_test(test_sink_that_is_full),
		cmocka_unit_test(test_memory_of_readers),
		cmocka_unit_test(test_small_batches),
		cmocka_unit_test(test_columns_that_no_file_can_hold),
	};

	return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
