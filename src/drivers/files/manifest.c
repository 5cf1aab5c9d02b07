#include "drivers/files/manifest.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "drivers/files/layout.h"

#define VERSION 1

#define DIGITS_MAX   38 /* of a decimal */
#define FRACTION_MAX 9	/* of a second */

int manifest_init(struct manifest *manifest, const struct table *table,
		  struct error *err)
{
	memset(manifest, 0, sizeof(*manifest));
	arena_init(&manifest->arena, 0);
	table_init(&manifest->table);
	manifest->run = manifest->source = "";
	manifest->format = manifest->extension = "";
	return table_copy(&manifest->table, table, NULL, err);
}

void manifest_release(struct manifest *manifest)
{
	arena_release(&manifest->arena);
	table_release(&manifest->table);
	memset(manifest, 0, sizeof(*manifest));
}

int manifest_set(struct manifest *manifest, const char **text,
		 const char *value, struct error *err)
{
	const char *copy = arena_strdup(&manifest->arena, value);

	if (!copy)
		return error_memory(err, "a manifest");
	*text = copy;
	return 0;
}

/* The array doubles when it is full; what it was stays in the arena. */
static int make_room(struct manifest *manifest, struct error *err)
{
	size_t count = manifest->count;
	struct manifest_file *grown;

	if (count & (count - 1))
		return 0;
	grown = arena_alloc(&manifest->arena,
			    (count ? 2 * count : 1) * sizeof(*grown));
	if (!grown)
		return error_memory(err, "a manifest");
	if (count)
		memcpy(grown, manifest->files, count * sizeof(*grown));
	manifest->files = grown;
	return 0;
}

int manifest_add(struct manifest *manifest, const struct manifest_file *file,
		 struct error *err)
{
	struct manifest_file *to;

	if (make_room(manifest, err) < 0)
		return -1;
	to = &manifest->files[manifest->count];
	*to = *file;
	if (manifest_set(manifest, &to->key, file->key, err) < 0)
		return -1;
	manifest->count++;
	manifest->rows += file->rows;
	manifest->bytes += file->bytes;
	return 0;
}

/* ---------------------------------------------------------------- formatting */

static json_t *format_time(int64_t us)
{
	char text[CLOCK_TEXT_MAX];

	if (!us)
		return json_null();
	clock_format(text, us);
	return json_sprintf("%sZ", text);
}

static json_t *format_position(const struct position *position)
{
	char text[POSITION_TEXT_MAX];

	if (!position->len)
		return json_null();
	position_format(text, position);
	return json_string(text);
}

static json_t *format_columns(const struct table *table)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < table->column_count; i++) {
		const struct column *column = &table->columns[i];

		list = json_append(
			list,
			json_pack("{s:s, s:s, s:s?, s:b, s:i, s:i, s:i, s:b, "
				  "s:b, s:b}",
				  "name", column->name, "type",
				  row_type_name(column->type), "source_type",
				  column->native, "nullable", column->nullable,
				  "length", column->length, "precision",
				  column->precision, "scale", column->scale,
				  "coarse", column->coarse, "finest",
				  column->finest, "offsetless",
				  column->offsetless));
	}
	return list;
}

/* What a reader has to know of the text in CSV and JSON, and we of Parquet. */
static json_t *format_options(const struct format_options *options)
{
	const char delimiter[] = {options->delimiter, '\0'};
	const char quote[] = {options->quote, '\0'};

	return json_pack(
		"{s:i, s:i, s:b, s:s, s:s, s:b, s:b, s:b, s:b, s:s, s:s, s:b}",
		"compression", (int)options->compression, "times",
		(int)options->times, "uuid_text", options->uuid_text,
		"delimiter", delimiter, "quote", quote, "header",
		options->header, "crlf", options->crlf, "base64",
		options->base64, "blank", options->blank, "null_text",
		options->null_text, "date", options->date, "decimal_text",
		options->decimal_text);
}

static json_t *format_key(const struct table *table)
{
	json_t *list = json_array();

	for (size_t k = 0; list && k < table->key_count; k++)
		list = json_append(
			list, json_string(table->columns[table->key[k]].name));
	return list;
}

/* Its four sums, as numbers of 16 digits: more than a JSON number can hold. */
static json_t *format_sum(const struct row_sum *sum)
{
	return json_sprintf(
		"%016" PRIx64 "%016" PRIx64 "%016" PRIx64 "%016" PRIx64,
		sum->words[0], sum->words[1], sum->words[2], sum->words[3]);
}

static json_t *format_file(const struct manifest_file *file)
{
	return json_pack("{s:s, s:I, s:I, s:o, s:o}", "key", file->key, "rows",
			 (json_int_t)file->rows, "bytes",
			 (json_int_t)file->bytes, "crc32c",
			 json_sprintf("%08" PRIx32, file->crc32c), "digest_sum",
			 format_sum(&file->sum));
}

/* An element of a list that stands in an object. */
static int add_file(const struct manifest_file *file, struct strbuf *out,
		    struct error *err)
{
	json_t *object = format_file(file);
	char *text = json_format(object, JSON_INDENT(1));

	json_decref(object);
	if (!text)
		return error_memory(err, "a manifest");
	strbuf_addstr(out, "\n  ");
	for (const char *at = text; *at; at++) {
		strbuf_addch(out, *at);
		if (*at == '\n')
			strbuf_addstr(out, "  ");
	}
	free(text);
	return strbuf_check(out, err);
}

/*
 * Behind an object whose last one is the list, empty. There may be very many: as
 * objects, all of them would take several times as much as their text.
 */
static int add_files(const struct manifest *manifest, struct strbuf *out,
		     struct error *err)
{
	static const char end[] = "]\n}\n";

	out->len -= strlen(end);
	for (size_t i = 0; i < manifest->count; i++) {
		if (i)
			strbuf_addch(out, ',');
		if (add_file(&manifest->files[i], out, err) < 0)
			return -1;
	}
	if (manifest->count)
		strbuf_addstr(out, "\n ");
	strbuf_addstr(out, end);
	return strbuf_check(out, err);
}

static int add_text(json_t *root, struct strbuf *out, struct error *err)
{
	char *text = json_format(root, JSON_INDENT(1));

	json_decref(root);
	if (!text)
		return error_memory(err, "a manifest");
	strbuf_addstr(out, text);
	strbuf_addch(out, '\n');
	free(text);
	return strbuf_check(out, err);
}

int manifest_format(const struct manifest *manifest, struct strbuf *out,
		    struct error *err)
{
	char name[TABLE_NAME_TEXT_MAX];
	int ret = add_text(
		json_pack("{s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, "
			  "s:I, s:I, s:I, s:i, s:o, s:o, s:o}",
			  "version", VERSION, "run", manifest->run, "source",
			  manifest->source, "table",
			  table_name_format(name, &manifest->table.name),
			  "format", manifest->format, "options",
			  format_options(&manifest->options), "position",
			  format_position(&manifest->position),
			  "consistent_after",
			  format_time(manifest->consistent_after_us),
			  "began_at", format_time(manifest->began_us),
			  "completed_at", format_time(manifest->completed_us),
			  "first_seq", (json_int_t)manifest->first_seq, "rows",
			  (json_int_t)manifest->rows, "bytes",
			  (json_int_t)manifest->bytes, "digest_every",
			  (int)manifest->digest_every, "columns",
			  format_columns(&manifest->table), "key",
			  format_key(&manifest->table), "files", json_array()),
		out, err);

	return ret < 0 ? -1 : add_files(manifest, out, err);
}

int manifest_format_latest(const struct manifest *manifest, int64_t writes,
			   struct strbuf *out, struct error *err)
{
	return add_text(
		json_pack("{s:i, s:I, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I, "
			  "s:I}",
			  "version", VERSION, "writes", (json_int_t)writes,
			  "run", manifest->run, "folder",
			  json_sprintf(LAYOUT_FULL "%s/", manifest->run),
			  "manifest",
			  json_sprintf(LAYOUT_FULL "%s/" LAYOUT_MANIFEST,
				       manifest->run),
			  "position", format_position(&manifest->position),
			  "completed_at", format_time(manifest->completed_us),
			  "first_seq", (json_int_t)manifest->first_seq, "rows",
			  (json_int_t)manifest->rows, "bytes",
			  (json_int_t)manifest->bytes, "files",
			  (json_int_t)manifest->count),
		out, err);
}

int64_t manifest_latest_writes(const char *text)
{
	struct error ignored;
	json_t *root = json_parse(text, &ignored);
	json_int_t writes = json_integer_value(json_object_get(root, "writes"));

	json_decref(root);
	return writes;
}

/* ------------------------------------------------------------------- parsing */

static int broken(const char *what, struct error *err)
{
	return error_set(err, ERROR_DATA, "its '%s' make no sense", what);
}

static int parse_options(struct manifest *manifest, json_t *root,
			 struct error *err)
{
	struct format_options *to = &manifest->options;
	const char *format, *delimiter, *quote, *null_text, *date;
	int compression, times, uuid_text, header, crlf, base64, blank,
		decimal_text;

	if (json_unpack(root, "{s:s}", "format", &format) < 0 ||
	    json_unpack(json_object_get(root, "options"),
			"{s:i, s:i, s:b, s:s, s:s, s:b, s:b, s:b, s:b, s:s, "
			"s:s, s:b}",
			"compression", &compression, "times", &times,
			"uuid_text", &uuid_text, "delimiter", &delimiter,
			"quote", &quote, "header", &header, "crlf", &crlf,
			"base64", &base64, "blank", &blank, "null_text",
			&null_text, "date", &date, "decimal_text",
			&decimal_text) < 0)
		return broken("options", err);
	to->format = format_find(format);
	to->compression = (enum format_compression)compression;
	to->times = (enum format_times)times;
	to->uuid_text = uuid_text;
	to->delimiter = *delimiter;
	to->quote = *quote;
	to->header = header;
	to->crlf = crlf;
	to->base64 = base64;
	to->blank = blank;
	to->decimal_text = decimal_text;
	if (!to->format || compression < 0 || compression > FORMAT_ZSTD ||
	    times < 0 || times > FORMAT_TIMES_TEXT ||
	    strlen(null_text) >= sizeof(to->null_text) ||
	    strlen(date) >= sizeof(to->date))
		return broken("options", err);
	text_copy(to->null_text, sizeof(to->null_text), null_text);
	text_copy(to->date, sizeof(to->date), date);
	return 0;
}

static bool find_type(const char *name, enum row_type *out)
{
	for (int type = ROW_BOOL; type <= ROW_XML; type++) {
		if (strcmp(row_type_name((enum row_type)type), name) != 0)
			continue;
		*out = (enum row_type)type;
		return true;
	}
	return false;
}

/* Whoever makes texts of values relies on it. */
static bool has_sane_digits(const struct column *column)
{
	switch (column->type) {
	case ROW_DECIMAL:
		return column->precision >= 0 &&
		       column->precision <= DIGITS_MAX && column->scale >= 0 &&
		       column->scale <= DIGITS_MAX;
	case ROW_TIME:
	case ROW_TIMESTAMP:
	case ROW_TIMESTAMPTZ:
		return column->precision >= 0 &&
		       column->precision <= FRACTION_MAX;
	default:
		return true;
	}
}

static int parse_column(struct manifest *manifest, json_t *in,
			struct column *column, struct error *err)
{
	const char *name, *type;
	int nullable, coarse, finest, offsetless;

	if (json_unpack(in, "{s:s, s:s, s:b, s:i, s:i, s:i, s:b, s:b, s:b}",
			"name", &name, "type", &type, "nullable", &nullable,
			"length", &column->length, "precision",
			&column->precision, "scale", &column->scale, "coarse",
			&coarse, "finest", &finest, "offsetless",
			&offsetless) < 0 ||
	    !find_type(type, &column->type) || !has_sane_digits(column))
		return broken("columns", err);
	column->nullable = nullable;
	column->coarse = coarse;
	column->finest = finest;
	column->offsetless = offsetless;
	column->native = row_type_name(column->type);
	return manifest_set(manifest, &column->name, name, err);
}

static int parse_columns(struct manifest *manifest, json_t *list,
			 struct error *err)
{
	struct table *table = &manifest->table;
	size_t count = json_array_size(list);

	if (!count)
		return broken("columns", err);
	table->columns =
		arena_calloc(&table->arena, count, sizeof(*table->columns));
	if (!table->columns)
		return error_memory(err, "a manifest");
	table->column_count = count;
	for (size_t i = 0; i < count; i++)
		if (parse_column(manifest, json_array_get(list, i),
				 &table->columns[i], err) < 0)
			return -1;
	return 0;
}

static int parse_key(struct manifest *manifest, json_t *list, struct error *err)
{
	struct table *table = &manifest->table;
	size_t count = json_array_size(list);

	table->key =
		arena_calloc(&table->arena, count + 1, sizeof(*table->key));
	if (!table->key)
		return error_memory(err, "a manifest");
	for (size_t k = 0; k < count; k++) {
		const char *name = json_string_value(json_array_get(list, k));
		const struct column *column =
			name ? table_column(table, name) : NULL;

		if (!column)
			return broken("key", err);
		table->key[table->key_count++] =
			(size_t)(column - table->columns);
	}
	return 0;
}

static int parse_file(struct manifest *manifest, json_t *in, struct error *err)
{
	struct manifest_file file = {.key = NULL};
	struct row_sum *sum = &file.sum;
	const char *crc, *digits;
	json_int_t rows, bytes;

	if (json_unpack(in, "{s:s, s:I, s:I, s:s, s:s}", "key", &file.key,
			"rows", &rows, "bytes", &bytes, "crc32c", &crc,
			"digest_sum", &digits) < 0 ||
	    rows < 0 || bytes < 0 || strncmp(file.key, LAYOUT_FULL, 5) != 0 ||
	    strstr(file.key, "/../") ||
	    sscanf(crc, "%8" SCNx32, &file.crc32c) != 1 ||
	    sscanf(digits, "%16" SCNx64 "%16" SCNx64 "%16" SCNx64 "%16" SCNx64,
		   &sum->words[0], &sum->words[1], &sum->words[2],
		   &sum->words[3]) != 4)
		return broken("files", err);
	file.rows = sum->rows = (uint64_t)rows;
	file.bytes = (uint64_t)bytes;
	return manifest_add(manifest, &file, err);
}

static int parse_files(struct manifest *manifest, json_t *list,
		       struct error *err)
{
	if (!json_is_array(list))
		return broken("files", err);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (parse_file(manifest, json_array_get(list, i), err) < 0)
			return -1;
	return 0;
}

static int parse(struct manifest *manifest, json_t *root, struct error *err)
{
	json_t *first_seq = json_object_get(root, "first_seq");
	json_int_t every =
		json_integer_value(json_object_get(root, "digest_every"));

	if (every < 1 || every > INT_MAX)
		return broken("digest_every", err);
	manifest->digest_every = (unsigned)every;
	manifest->first_seq = json_integer_value(first_seq);
	if (!json_is_integer(first_seq) || manifest->first_seq < 0)
		return broken("first_seq", err);
	if (parse_options(manifest, root, err) < 0 ||
	    parse_columns(manifest, json_object_get(root, "columns"), err) <
		    0 ||
	    parse_key(manifest, json_object_get(root, "key"), err) < 0)
		return -1;
	return parse_files(manifest, json_object_get(root, "files"), err);
}

int manifest_parse(struct manifest *manifest, const char *text,
		   struct error *err)
{
	json_t *root = json_parse(text, err);
	int ret;

	if (!root)
		return -1;
	memset(manifest, 0, sizeof(*manifest));
	arena_init(&manifest->arena, 0);
	table_init(&manifest->table);
	manifest->table.name =
		(struct table_name){.database = "", .schema = "", .table = ""};
	ret = parse(manifest, root, err);
	json_decref(root);
	if (ret < 0)
		manifest_release(manifest);
	return ret;
}
