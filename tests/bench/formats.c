/*
 * How fast src/format/ writes rows that are in memory, for tests/bench/formats.py,
 * which makes the rows and measures other programs with the same ones.
 *
 *	formats FOLDER FORMAT OPTIONS FILE REPEATS
 *
 * FOLDER holds a file `table`, a line NAME TYPE SCALE for each column, and for each
 * column its values as this machine has them in memory, in NAME.values: int64_t,
 * double, or for text the bytes, with the ends of the texts in NAME.ends. Prints
 * the seconds of CPU time of the fastest run, rows, bytes of the file, and bytes
 * of what was written before compression; the file is kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/format.h"

#define COLUMNS_MAX 64
#define BATCH_ROWS  8192

static struct error err = ERROR_INIT;

static void give_up(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, err.message);
	exit(1);
}

#define MUST(call)                      \
	do {                            \
		if ((call) < 0)         \
			give_up(#call); \
	} while (0)

static void *read_whole(const char *folder, const char *name, const char *kind,
			size_t *len)
{
	char path[4096];
	FILE *file;
	void *data;
	long size = -1;

	snprintf(path, sizeof(path), "%s/%s.%s", folder, name, kind);
	file = fopen(path, "rb");
	if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
		give_up(path);
	rewind(file);
	data = malloc((size_t)size + 1);
	if (!data || fread(data, 1, (size_t)size, file) != (size_t)size)
		give_up(path);
	fclose(file);
	*len = (size_t)size;
	return data;
}

struct values {
	const void *data;
	const int64_t *ends;
};

static void read_table(const char *folder, struct table *table,
		       struct values *values, size_t *rows)
{
	char path[4096], name[64], type[16];
	struct column *column;
	size_t len;
	FILE *file;
	int scale;

	snprintf(path, sizeof(path), "%s/table", folder);
	file = fopen(path, "r");
	table_init(table);
	table->name = (struct table_name){"db", "dbo", "t"};
	table->columns = arena_calloc(&table->arena, COLUMNS_MAX,
				      sizeof(*table->columns));
	if (!file || !table->columns)
		give_up(path);
	while (table->column_count < COLUMNS_MAX &&
	       fscanf(file, "%63s %15s %d", name, type, &scale) == 3) {
		column = &table->columns[table->column_count];
		column->name = arena_strdup(&table->arena, name);
		for (int i = 0; i <= ROW_XML; i++)
			if (!strcmp(row_type_name((enum row_type)i), type))
				column->type = (enum row_type)i;
		column->scale = scale;
		column->precision = column->type == ROW_DECIMAL ? 18 : 6;
		column->nullable = true;
		values[table->column_count].data =
			read_whole(folder, name, "values", &len);
		*rows = len / 8;
		if (row_type_store(column->type) == ROW_STORE_SLICE) {
			values[table->column_count].ends =
				read_whole(folder, name, "ends", &len);
			*rows = len / 8;
		}
		table->column_count++;
	}
	fclose(file);
}

static void fill(struct batch *batch, const struct values *values, size_t col,
		 size_t row)
{
	const int64_t *numbers = values[col].data;
	const int64_t *ends = values[col].ends;
	int64_t start;

	switch (batch->columns[col].store) {
	case ROW_STORE_I64:
		batch_put_i64(batch, col, numbers[row]);
		break;
	case ROW_STORE_F64:
		batch_put_f64(batch, col,
			      ((const double *)values[col].data)[row]);
		break;
	case ROW_STORE_WIDE:
		batch_put_wide(batch, col)->decimal = numbers[row];
		break;
	case ROW_STORE_SLICE:
		start = row ? ends[row - 1] : 0;
		batch_put_borrowed(batch, col,
				   (const char *)values[col].data + start,
				   (size_t)(ends[row] - start));
	}
}

struct sink {
	struct byte_sink base;
	char *data;
	size_t len, size;
};

/* To memory, as the others are measured; the first run makes it large enough. */
static int take(struct byte_sink *base, const void *data, size_t len,
		struct error *error)
{
	struct sink *sink = (struct sink *)base;

	if (sink->len + len > sink->size) {
		sink->size = (sink->len + len) * 2;
		sink->data = realloc(sink->data, sink->size);
		if (!sink->data)
			return error_memory(error, "a file");
	}
	memcpy(sink->data + sink->len, data, len);
	sink->len += len;
	return 0;
}

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double write_once(const struct format_options *options,
			 const struct table *table, struct batch *batches,
			 size_t count, struct sink *sink)
{
	struct format_writer *writer;
	struct format_counts counts;
	double began = cpu_seconds();

	sink->len = 0;
	MUST(format_writer_new(&writer, options, table, NULL, NULL, 0,
			       &sink->base, &err));
	for (size_t i = 0; i < count; i++)
		MUST(format_writer_write(writer, &batches[i], &err));
	MUST(format_writer_end(writer, &counts, &err));
	began = cpu_seconds() - began;
	format_writer_free(writer);
	return began;
}

static struct batch *make_batches(const struct table *table,
				  const struct values *values, size_t rows,
				  size_t *count)
{
	struct batch *batches;

	*count = (rows + BATCH_ROWS - 1) / BATCH_ROWS;
	batches = calloc(*count, sizeof(*batches));
	for (size_t i = 0; batches && i < *count; i++) {
		MUST(batch_init(&batches[i], table, BATCH_ROWS,
				(size_t)64 << 20, &err));
		for (size_t row = i * BATCH_ROWS;
		     row < rows && !batch_full(&batches[i]); row++) {
			for (size_t c = 0; c < table->column_count; c++)
				fill(&batches[i], values, c, row);
			batch_add_row(&batches[i], ROW_UPSERT);
		}
	}
	return batches;
}

int main(int argc, char **argv)
{
	struct values values[COLUMNS_MAX] = {{NULL, NULL}};
	struct sink sink = {.base = {take}};
	struct format_options options;
	struct batch *batches;
	double best = 1e9, took;
	struct table table;
	struct connstr cs;
	size_t rows = 0, count;
	FILE *file;

	if (argc != 6 || !format_find(argv[2]))
		give_up("usage: formats FOLDER FORMAT OPTIONS FILE REPEATS");
	MUST(connstr_parse(&cs, argv[3], &err));
	MUST(format_options_read(&options, format_find(argv[2]), &cs, &err));
	connstr_release(&cs);
	read_table(argv[1], &table, values, &rows);
	batches = make_batches(&table, values, rows, &count);
	for (long i = 0; i < strtol(argv[5], NULL, 10); i++) {
		took = write_once(&options, &table, batches, count, &sink);
		best = took < best ? took : best;
	}
	file = fopen(argv[4], "wb");
	if (!file || fwrite(sink.data, 1, sink.len, file) != sink.len ||
	    fclose(file) != 0)
		give_up(argv[4]);
	printf("%.4f %zu %zu\n", best, rows, sink.len);
	return 0;
}
