#include "drivers/files/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "drivers/files/layout.h"

#define VERSION 1

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
			json_pack("{s:s, s:s, s:s?, s:b, s:i, s:i, s:i}",
				  "name", column->name, "type",
				  row_type_name(column->type), "source_type",
				  column->native, "nullable", column->nullable,
				  "length", column->length, "precision",
				  column->precision, "scale", column->scale));
	}
	return list;
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

static json_t *format_files(const struct manifest *manifest)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < manifest->count; i++) {
		const struct manifest_file *file = &manifest->files[i];

		list = json_append(
			list,
			json_pack("{s:s, s:I, s:I, s:o, s:o}", "key", file->key,
				  "rows", (json_int_t)file->rows, "bytes",
				  (json_int_t)file->bytes, "crc32c",
				  json_sprintf("%08" PRIx32, file->crc32c),
				  "digest_sum", format_sum(&file->sum)));
	}
	return list;
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

	return add_text(
		json_pack("{s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:I, "
			  "s:I, s:I, s:o, s:o, s:o}",
			  "version", VERSION, "run", manifest->run, "source",
			  manifest->source, "table",
			  table_name_format(name, &manifest->table.name),
			  "format", manifest->format, "position",
			  format_position(&manifest->position),
			  "consistent_after",
			  format_time(manifest->consistent_after_us),
			  "began_at", format_time(manifest->began_us),
			  "completed_at", format_time(manifest->completed_us),
			  "first_seq", (json_int_t)manifest->first_seq, "rows",
			  (json_int_t)manifest->rows, "bytes",
			  (json_int_t)manifest->bytes, "columns",
			  format_columns(&manifest->table), "key",
			  format_key(&manifest->table), "files",
			  format_files(manifest)),
		out, err);
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
