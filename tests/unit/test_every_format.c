/*
 * Files of rows, with every request for memory refused in turn: they are written
 * and read whole, or there is an error that says so.
 */
#include "unit/helper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/format.h"
#include "unit/memfile.h"
#include "unit/rows.h"
#include "unit/scarce/scarce.h"

#define ROWS 1500

static const struct column columns[] = {
	{.name = "id", .type = ROW_INT64},
	{.name = "name", .type = ROW_TEXT, .nullable = true},
	{.name = "other", .type = ROW_TEXT, .nullable = true},
	{.name = "wide", .type = ROW_DECIMAL, .precision = 30, .scale = 2},
	{.name = "at", .type = ROW_TIMESTAMPTZ, .precision = 6},
};

static struct format_options how;
static struct table table;
static struct batch batch;

static void make_rows(void)
{
	table_make(&table, "t", columns, COUNT_OF(columns), NULL);
	table.columns[2].charset = "UTF-16LE";
	batch_make(&batch, &table);
	for (int64_t i = 0; i < ROWS; i++) {
		batch_put_i64(&batch, 0, i);
		put_text(&batch, 1, i % 2 ? "one" : "two");
		put_text(&batch, 2, i % 3 ? "t\1e\1" : "x\1");
		batch_put_wide(&batch, 3)->decimal = (row_int128)i << 70;
		batch_put_wide(&batch, 4)->timestamptz =
			(struct row_timestamptz){.utc = i * 10};
		batch_add_row(&batch, ROW_UPSERT);
	}
}

static int write_whole(struct memfile *file, struct error *err)
{
	static const struct format_pair pair = {"key", "value"};
	struct format_counts counts;
	struct format_writer *writer;
	int ret = -1;

	if (format_writer_new(&writer, &how, &table, NULL, &pair, 1,
			      &file->sink, err) < 0)
		return -1;
	if (format_writer_write(writer, &batch, err) == 0 &&
	    format_writer_end(writer, &counts, err) == 0) {
		assert_int_equal(counts.rows, ROWS);
		ret = 0;
	}
	format_writer_free(writer);
	return ret;
}

static int read_whole(struct memfile *file, struct error *err)
{
	struct format_reader *reader = NULL;
	struct batch back;
	size_t rows = 0;
	int got = -1;

	if (batch_init(&back, &table, 1000, 1 << 20, err) < 0)
		return -1;
	if (format_reader_new(&reader, &how, &table, &file->source, 1 << 22,
			      err) == 0)
		while ((got = format_reader_next(reader, &back, err)) > 0) {
			rows += back.rows;
			batch_reset(&back);
		}
	if (got == 0)
		assert_int_equal(rows, ROWS);
	if (reader)
		format_reader_free(reader);
	batch_release(&back);
	return got;
}

static int there_and_back(struct error *err)
{
	struct memfile file;
	int ret = -1;

	memfile_init(&file);
	if (write_whole(&file, err) == 0)
		ret = read_whole(&file, err);
	memfile_release(&file);
	return ret;
}

static void try_format(const char *format, const char *options)
{
	struct scarce_trial trial = {
		.name = options, .run = there_and_back, .most = 300};
	struct error err = ERROR_INIT;
	struct connstr cs;

	MUST(connstr_parse(&cs, options, &err));
	MUST(format_options_read(&how, format_find(format), &cs, &err));
	connstr_release(&cs);
	scarce_try(&trial, 20);
}

static void test_parquet(void **state)
{
	(void)state;
	make_rows();
	try_format("parquet", "compression=none;delta=no");
	try_format("parquet", "compression=gzip");
	try_format("parquet", "compression=snappy;timestamps=text");
	try_format("parquet", "compression=zstd");
	batch_release(&batch);
	table_release(&table);
}

static void test_text(void **state)
{
	(void)state;
	make_rows();
	try_format("csv", "compression=none");
	try_format("csv", "compression=gzip");
	try_format("jsonl", "compression=none");
	try_format("jsonl", "compression=zstd");
	batch_release(&batch);
	table_release(&table);
}

static int describe(struct error *err)
{
	struct table held;
	int ret;

	table_init(&held);
	ret = format_table(&how, &table, &held, err);
	table_release(&held);
	return ret;
}

static void test_description(void **state)
{
	struct scarce_trial trial = {.name = "a description", .run = describe};
	struct error err = ERROR_INIT;
	struct connstr cs;

	(void)state;
	make_rows();
	MUST(connstr_parse(&cs, "compression=none", &err));
	MUST(format_options_read(&how, format_find("parquet"), &cs, &err));
	connstr_release(&cs);
	scarce_try(&trial, 5);
	batch_release(&batch);
	table_release(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parquet),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_description),
	};

	scarce_setup();
	alarm(getenv("SCARCE_ALL") ? 3600 : 240);
	return cmocka_run_group_tests_name("every format", tests, NULL, NULL);
}
