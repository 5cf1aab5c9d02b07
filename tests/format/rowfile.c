/*
 * Files of src/format/ from rows that somebody else made up, and the rows of
 * such files: the tests in Python beside this compare both with what other
 * programs read and write.
 *
 *	rowfile write FORMAT OPTIONS FILE ROWS [KEY VALUE]... < table and rows
 *	rowfile read FORMAT OPTIONS FILE ROWS < table > rows
 *	rowfile describe FORMAT OPTIONS < table > columns
 *
 * ROWS is how many a batch has at most. On stdin and stdout a table is a line
 * for each column and an empty one:
 *
 *	HEXNAME TYPE PRECISION SCALE NULLABLE COARSE CHARSET
 *
 * with - for no charset, and a row is a line of values with blanks in between: -
 * for NULL, a decimal number for what is one in a batch, for a decimal without
 * its point; C's hexadecimal floats; UTC,OFFSET; hexadecimal bytes behind an x.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/format.h"

#define COLUMNS_MAX 2000

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

static void expect(bool holds, const char *what)
{
	if (holds)
		return;
	error_set(&err, ERROR_DATA, "unexpected input");
	give_up(what);
}

/* ------------------------------------------------------------ what is read */

static char *line;
static size_t line_size;

static bool next_line(void)
{
	ssize_t len = getline(&line, &line_size, stdin);

	if (len > 0 && line[len - 1] == '\n')
		line[len - 1] = '\0';
	return len >= 0;
}

static char *next_word(char **at)
{
	char *word = *at;
	char *end = strchr(word, ' ');

	*at = end ? end + 1 : word + strlen(word);
	if (end)
		*end = '\0';
	return word;
}

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void from_hex(const char *hex, size_t len, unsigned char *to)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (unsigned char)(digit(hex[2 * i]) << 4 |
					digit(hex[2 * i + 1]));
}

static enum row_type type_of(const char *name)
{
	for (int i = 0; i <= ROW_XML; i++)
		if (!strcmp(row_type_name((enum row_type)i), name))
			return (enum row_type)i;
	expect(false, name);
	return ROW_BOOL;
}

static char *name_of(struct arena *arena, const char *hex)
{
	size_t len = strlen(hex) / 2;
	char *name = arena_calloc(arena, 1, len + 1);

	expect(name != NULL, "a name");
	from_hex(hex, len, (unsigned char *)name);
	return name;
}

static void read_column(struct table *table, char *at)
{
	struct column *column = &table->columns[table->column_count++];
	const char *charset;

	expect(table->column_count <= COLUMNS_MAX, "columns");
	column->name = name_of(&table->arena, next_word(&at));
	column->type = type_of(next_word(&at));
	column->precision = (int)strtol(next_word(&at), NULL, 10);
	column->scale = (int)strtol(next_word(&at), NULL, 10);
	column->nullable = *next_word(&at) == '1';
	column->coarse = *next_word(&at) == '1';
	charset = next_word(&at);
	if (strcmp(charset, "-") != 0)
		column->charset = arena_strdup(&table->arena, charset);
	column->native = row_type_name(column->type);
}

static void read_table(struct table *table)
{
	table_init(table);
	table->name = (struct table_name){"db", "dbo", "t"};
	table->columns = arena_calloc(&table->arena, COLUMNS_MAX + 1,
				      sizeof(*table->columns));
	while (next_line() && *line)
		read_column(table, line);
}

static row_int128 read_int128(const char *s)
{
	unsigned __int128 value = 0;
	bool negative = *s == '-';

	for (s += negative; *s; s++)
		value = value * 10 + (unsigned)(*s - '0');
	return (row_int128)(negative ? -value : value);
}

static void read_wide(struct batch *batch, size_t col, char *word)
{
	union row_wide *to = batch_put_wide(batch, col);

	switch (batch->table->columns[col].type) {
	case ROW_DECIMAL:
		to->decimal = read_int128(word);
		break;
	case ROW_TIMESTAMPTZ:
		to->timestamptz.utc = strtoll(word, &word, 10);
		to->timestamptz.offset_minutes =
			(int16_t)strtol(word + 1, NULL, 10);
		break;
	default:
		from_hex(word + 1, 16, to->uuid.bytes);
	}
}

static void read_value(struct batch *batch, size_t col, char *word)
{
	unsigned char *bytes;
	size_t len;

	if (!strcmp(word, "-")) {
		batch_put_null(batch, col);
		return;
	}
	switch (batch->columns[col].store) {
	case ROW_STORE_I64:
		batch_put_i64(batch, col,
			      *word == '-' ? strtoll(word, NULL, 10)
					   : (int64_t)strtoull(word, NULL, 10));
		break;
	case ROW_STORE_F64:
		batch_put_f64(batch, col, strtod(word, NULL));
		break;
	case ROW_STORE_WIDE:
		read_wide(batch, col, word);
		break;
	case ROW_STORE_SLICE:
		len = strlen(word + 1) / 2;
		bytes = batch_put_slice(batch, col, len);
		expect(bytes != NULL, "room in a batch");
		from_hex(word + 1, len, bytes);
	}
}

/* ------------------------------------------------------------------ writing */

struct file_sink {
	struct byte_sink base;
	FILE *file;
};

static int write_file(struct byte_sink *base, const void *data, size_t len,
		      struct error *error)
{
	struct file_sink *sink = (struct file_sink *)base;

	if (fwrite(data, 1, len, sink->file) != len)
		return error_set(error, ERROR_SYSTEM, "cannot write");
	return 0;
}

static void make_batch(struct batch *batch, const struct table *table,
		       const char *rows)
{
	size_t most = strtoul(rows, NULL, 10);

	MUST(batch_init(batch, table, most,
			most * batch_row_bytes(table) * 2 + ((size_t)256 << 20),
			&err));
}

static void write_rows(struct format_writer *writer, struct batch *batch)
{
	while (next_line()) {
		char *at = line;

		for (size_t i = 0; i < batch->table->column_count; i++)
			read_value(batch, i, next_word(&at));
		batch_add_row(batch, ROW_UPSERT);
		if (!batch_full(batch))
			continue;
		MUST(format_writer_write(writer, batch, &err));
		batch_reset(batch);
	}
	MUST(format_writer_write(writer, batch, &err));
}

static void do_write(const struct format_options *options, char **argv)
{
	struct file_sink sink = {{write_file}, fopen(argv[0], "wb")};
	struct format_pair pairs[16];
	struct format_counts counts;
	struct format_writer *writer;
	struct table table;
	struct batch batch;
	size_t count = 0;

	expect(sink.file != NULL, argv[0]);
	for (char **at = argv + 2; at[0] && at[1] && count < 16; at += 2)
		pairs[count++] = (struct format_pair){at[0], at[1]};
	read_table(&table);
	make_batch(&batch, &table, argv[1]);
	MUST(format_writer_new(&writer, options, &table, NULL, pairs, count,
			       &sink.base, &err));
	write_rows(writer, &batch);
	MUST(format_writer_end(writer, &counts, &err));
	expect(fclose(sink.file) == 0, argv[0]);
	printf("%llu rows %llu bytes\n", (unsigned long long)counts.rows,
	       (unsigned long long)counts.bytes);
	format_writer_free(writer);
	batch_release(&batch);
	table_release(&table);
}

/* ------------------------------------------------------------------ reading */

struct file_source {
	struct byte_source base;
	FILE *file;
};

static int read_file(struct byte_source *base, uint64_t offset, void *data,
		     size_t len, struct error *error)
{
	struct file_source *source = (struct file_source *)base;

	if (fseek(source->file, (long)offset, SEEK_SET) != 0 ||
	    fread(data, 1, len, source->file) != len)
		return error_set(error, ERROR_SYSTEM, "cannot read");
	return 0;
}

static void print_int128(row_int128 value)
{
	unsigned __int128 rest = value < 0 ? -(unsigned __int128)value
					   : (unsigned __int128)value;
	char digits[64];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + (int)(rest % 10));
	while (rest /= 10);
	printf("%s%.*s", value < 0 ? "-" : "", (int)(sizeof(digits) - at),
	       digits + at);
}

static void print_bytes(const unsigned char *data, size_t len)
{
	putchar('x');
	for (size_t i = 0; i < len; i++)
		printf("%02x", data[i]);
}

static void print_value(const struct batch *batch, size_t col, size_t row)
{
	const struct batch_column *values = &batch->columns[col];
	enum row_type type = batch->table->columns[col].type;

	if (batch_null(batch, col, row))
		putchar('-');
	else if (type == ROW_UINT64)
		printf("%llu", (unsigned long long)values->i64[row]);
	else if (values->store == ROW_STORE_I64)
		printf("%lld", (long long)values->i64[row]);
	else if (values->store == ROW_STORE_F64)
		printf("%a", values->f64[row]);
	else if (type == ROW_DECIMAL)
		print_int128(values->wide[row].decimal);
	else if (type == ROW_TIMESTAMPTZ)
		printf("%lld,%d", (long long)values->wide[row].timestamptz.utc,
		       values->wide[row].timestamptz.offset_minutes);
	else if (type == ROW_UUID)
		print_bytes(values->wide[row].uuid.bytes, 16);
	else
		print_bytes(values->slice[row].data, values->slice[row].len);
}

static void print_rows(const struct batch *batch)
{
	for (size_t row = 0; row < batch->rows; row++)
		for (size_t i = 0; i < batch->table->column_count; i++) {
			print_value(batch, i, row);
			putchar(i + 1 < batch->table->column_count ? ' '
								   : '\n');
		}
}

static void do_read(const struct format_options *options, char **argv)
{
	struct file_source source = {{0, read_file}, fopen(argv[0], "rb")};
	struct format_reader *reader;
	struct table table;
	struct batch batch;
	int got;

	expect(source.file && fseek(source.file, 0, SEEK_END) == 0, argv[0]);
	source.base.size = (uint64_t)ftell(source.file);
	read_table(&table);
	make_batch(&batch, &table, argv[1]);
	MUST(format_reader_new(&reader, options, &table, &source.base,
			       (size_t)1 << 30, &err));
	do {
		batch_reset(&batch);
		got = format_reader_next(reader, &batch, &err);
		MUST(got);
		print_rows(&batch);
	} while (got);
	for (char **at = argv + 2; *at; at++)
		fprintf(stderr, "%s\n", format_reader_value(reader, *at));
	format_reader_free(reader);
	fclose(source.file);
	batch_release(&batch);
	table_release(&table);
}

static void do_describe(const struct format_options *options)
{
	struct table table, held;
	char extension[FORMAT_EXTENSION_MAX];

	read_table(&table);
	table_init(&held);
	MUST(format_table(options, &table, &held, &err));
	format_extension(options, extension);
	printf("%s\n", extension);
	for (size_t i = 0; i < held.column_count; i++)
		printf("%s: %s%s%s\n", held.columns[i].name,
		       held.columns[i].native,
		       held.columns[i].finest ? ", finest" : "",
		       held.columns[i].offsetless ? ", offsetless" : "");
	table_release(&held);
	table_release(&table);
}

int main(int argc, char **argv)
{
	struct format_options options;
	const struct format *format;
	struct connstr cs = {0};

	expect(argc >= 4, "arguments");
	format = format_find(argv[2]);
	expect(format != NULL, argv[2]);
	if (*argv[3])
		MUST(connstr_parse(&cs, argv[3], &err));
	MUST(format_options_read(&options, format, &cs, &err));
	MUST(connstr_check_unused(&cs, &err));
	connstr_release(&cs);
	if (!strcmp(argv[1], "describe"))
		do_describe(&options);
	else if (argc >= 6 && !strcmp(argv[1], "write"))
		do_write(&options, argv + 4);
	else if (argc >= 6 && !strcmp(argv[1], "read"))
		do_read(&options, argv + 4);
	else
		expect(false, argv[1]);
	free(line);
	return 0;
}
