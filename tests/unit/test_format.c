/* Files of rows, written and read in memory: what tests/format does not see. */
#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "unit/memfile.h"
#include "unit/rows.h"

#define MUST_OF(trial, call)                                             \
	do {                                                             \
		if ((call) < 0)                                          \
			fail_msg("%s: %s", #call, (trial)->err.message); \
	} while (0)

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

/* A file of each format, one after the other. */
struct trial {
	struct format_options how;
	struct table table;
	struct memfile file;
	struct batch batch;
	struct error err;
};

static const char *const kinds[] = {"parquet", "csv", "json"};

static void trial_begin(struct trial *trial, const char *kind,
			const char *options)
{
	memset(trial, 0, sizeof(*trial));
	options_of(&trial->how, kind, options);
	table_make(&trial->table, "t", columns, COUNT_OF(columns), NULL);
	memfile_init(&trial->file);
	batch_make(&trial->batch, &trial->table);
}

static void trial_end(struct trial *trial)
{
	batch_release(&trial->batch);
	memfile_release(&trial->file);
	table_release(&trial->table);
}

static struct format_writer *new_writer(struct trial *trial,
					struct byte_sink *sink)
{
	struct format_writer *writer;

	MUST_OF(trial, format_writer_new(&writer, &trial->how, &trial->table,
					 NULL, NULL, 0, sink, &trial->err));
	return writer;
}

static void write_rows(struct trial *trial, int64_t count,
		       struct format_counts *counts)
{
	struct format_writer *writer = new_writer(trial, &trial->file.sink);

	for (int64_t i = 0; i < count; i++)
		add_row(&trial->batch, i);
	MUST_OF(trial, format_writer_write(writer, &trial->batch, &trial->err));
	MUST_OF(trial, format_writer_end(writer, counts, &trial->err));
	format_writer_free(writer);
	batch_reset(&trial->batch);
}

static void test_every_format(void **state)
{
	static const char *const packed[][2] = {
		{"parquet", "compression=snappy"}, {"csv", "compression=zstd"},
		{"json", "compression=gzip"},	   {"CSV", "compression=none"},
		{"jsonl", "compression=none"},
	};
	struct format_reader *reader;
	struct format_counts counts;
	struct trial t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(packed); i++) {
		trial_begin(&t, packed[i][0], packed[i][1]);
		write_rows(&t, 6, &counts);
		assert_int_equal(counts.rows, 6);
		assert_int_equal(counts.bytes, t.file.source.size);
		MUST_OF(&t, format_reader_new(&reader, &t.how, &t.table,
					      &t.file.source, 1 << 20, &t.err));
		assert_null(format_reader_value(reader, "key"));
		assert_int_equal(format_reader_next(reader, &t.batch, &t.err),
				 1);
		assert_rows(&t.batch, "+ 0||NULL\n+ 1|a name|1.00\n"
				      "+ 2|a name|2.00\n+ 3||3.00\n"
				      "+ 4|a name|4.00\n+ 5|a name|NULL\n");
		batch_reset(&t.batch);
		assert_int_equal(format_reader_next(reader, &t.batch, &t.err),
				 0);
		format_reader_free(reader);
		trial_end(&t);
	}
	assert_null(format_find("xml"));
}

/* Deletes hold NULL outside of their key, even in columns that are NOT NULL. */
static void test_sparse_rows(void **state)
{
	static const bool required[] = {true, false, false};
	struct format_writer *writer;
	struct format_counts counts;
	struct trial t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		trial_begin(&t, kinds[i], "compression=none");
		t.table.columns[1].nullable = false;
		batch_put_i64(&t.batch, 0, 1);
		batch_put_null(&t.batch, 1);
		batch_put_unchanged(&t.batch, 2);
		batch_add_row(&t.batch, ROW_DELETE);
		MUST_OF(&t,
			format_writer_new(&writer, &t.how, &t.table, required,
					  NULL, 0, &t.file.sink, &t.err));
		MUST_OF(&t, format_writer_write(writer, &t.batch, &t.err));
		MUST_OF(&t, format_writer_end(writer, &counts, &t.err));
		format_writer_free(writer);
		writer = new_writer(&t, &t.file.sink);
		assert_int_equal(format_writer_write(writer, &t.batch, &t.err),
				 -1);
		assert_int_equal(t.err.kind, ERROR_DATA);
		assert_holds(t.err.message, "'name'");
		format_writer_free(writer);
		trial_end(&t);
	}
}

/* Who ends a file by its length can see it grow. */
static void test_length_so_far(void **state)
{
	struct format_writer *writer;
	struct format_counts counts;
	uint64_t before, after;
	struct trial t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		trial_begin(&t, kinds[i], "compression=none");
		writer = new_writer(&t, &t.file.sink);
		before = format_writer_bytes(writer);
		for (int64_t row = 0; row < 4000; row++)
			add_row(&t.batch, row * 7919);
		MUST_OF(&t, format_writer_write(writer, &t.batch, &t.err));
		after = format_writer_bytes(writer);
		assert_true(after > before + 20000);
		MUST_OF(&t, format_writer_end(writer, &counts, &t.err));
		assert_true(counts.bytes < 4 * after);
		format_writer_free(writer);
		trial_end(&t);
	}
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
	struct byte_sink sink = {fail_write};
	struct format_writer *writer;
	struct format_counts counts;
	struct trial t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		trial_begin(&t, kinds[i], "compression=gzip");
		writer = new_writer(&t, &sink);
		assert_int_equal(format_writer_end(writer, &counts, &t.err),
				 -1);
		assert_int_equal(t.err.kind, ERROR_SYSTEM);
		assert_string_equal(t.err.message, "the disk is full");
		format_writer_free(writer);
		trial_end(&t);
	}
}

/* A reader has a limit, whatever a file says. */
static void test_memory_of_readers(void **state)
{
	struct format_reader *reader;
	struct format_counts counts;
	struct trial t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		trial_begin(&t, kinds[i], "compression=none");
		write_rows(&t, 4000, &counts);
		if (format_reader_new(&reader, &t.how, &t.table, &t.file.source,
				      2, &t.err) == 0) {
			assert_int_equal(
				format_reader_next(reader, &t.batch, &t.err),
				-1);
			format_reader_free(reader);
		}
		assert_int_equal(t.err.kind, ERROR_MEMORY);
		trial_end(&t);
	}
}

/* Rows that do not fit into a batch come in the next one, or alone. */
static void test_small_batches(void **state)
{
	struct format_reader *reader;
	struct format_counts counts;
	struct trial t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		size_t rows = 0, batches = 0;

		trial_begin(&t, kinds[i], "compression=none");
		write_rows(&t, 100, &counts);
		batch_release(&t.batch);
		MUST_OF(&t, batch_init(&t.batch, &t.table, 7, 1, &t.err));
		MUST_OF(&t, format_reader_new(&reader, &t.how, &t.table,
					      &t.file.source, 1 << 20, &t.err));
		while (format_reader_next(reader, &t.batch, &t.err) == 1) {
			rows += t.batch.rows;
			batches++;
			batch_reset(&t.batch);
		}
		assert_int_equal(rows, 100);
		assert_int_equal(batches, 100);
		format_reader_free(reader);
		trial_end(&t);
	}
}

static void assert_no_place(const char *kind, const struct column *column)
{
	struct error err = ERROR_INIT;
	struct format_options how;
	struct table table, held;

	options_of(&how, kind, "compression=none");
	table_make(&table, "t", column, 1, NULL);
	table_init(&held);
	MUST_FAIL(format_table(&how, &table, &held, &err), ERROR_SCHEMA);
	assert_holds(err.message, "'c'");
	table_release(&held);
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

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		for (size_t b = 0; b < COUNT_OF(bad); b++)
			assert_no_place(kinds[i], &bad[b]);
	assert_no_place("parquet", &odd);
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
