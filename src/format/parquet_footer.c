#include "format/parquet_footer.h"

#include <string.h>

#include "base/text.h"
#include "format/parquet.h"
#include "format/parquet_decode.h"
#include "format/thrift.h"

#define TAIL (4 + PARQUET_MAGIC_LEN) /* the length of what is before it */

/* What one call works on. */
struct parsing {
	struct thrift_reader in;
	struct parquet_footer *footer;
	uint64_t size; /* of the file */
	bool no_memory;
};

/* Cleared memory; there are not more elements than bytes. */
static void *make(struct parsing *parsing, size_t count, size_t size)
{
	void *made = arena_calloc(&parsing->footer->arena, count + 1, size);

	if (!made) {
		parsing->no_memory = true;
		thrift_refuse(&parsing->in);
	}
	return made;
}

/* "" for what is no text. */
static const char *get_text(struct parsing *parsing,
			    const struct thrift_field *field)
{
	size_t len;
	const char *data = thrift_get_binary(&parsing->in, field, &len);
	char *text = make(parsing, len + 1, 1);

	if (!text)
		return "";
	if (len)
		memcpy(text, data, len);
	if (memchr(text, '\0', len) || !text_is_utf8(text, len))
		thrift_refuse(&parsing->in);
	return text;
}

/* ------------------------------------------------------------------- schema */

/* One column, or the root, which has children. */
static void get_element(struct parsing *parsing,
			struct parquet_file_column *column, int32_t *children)
{
	struct thrift_reader *in = &parsing->in;
	struct thrift_field field = {0};

	column->element = in->at;
	column->name = "";
	*children = 0;
	while (thrift_next(in, &field)) {
		if (field.id == 3)
			column->optional = thrift_get_int(in, &field, 0, 1);
		else if (field.id == 4)
			column->name = get_text(parsing, &field);
		else if (field.id == 5)
			*children = (int32_t)thrift_get_int(in, &field, 0,
							    INT32_MAX);
		else
			thrift_skip(in, &field);
	}
	column->element_len = (size_t)(in->at - column->element);
}

/* The root, and then its children, which have none. */
static void get_schema(struct parsing *parsing,
		       const struct thrift_field *field)
{
	struct parquet_footer *footer = parsing->footer;
	size_t count = thrift_get_list(&parsing->in, field, THRIFT_STRUCT);
	struct parquet_file_column root;
	int32_t children;

	footer->columns = make(parsing, count, sizeof(*footer->columns));
	if (!count || !footer->columns) {
		thrift_refuse(&parsing->in);
		return;
	}
	get_element(parsing, &root, &children);
	if ((size_t)children != count - 1)
		thrift_refuse(&parsing->in);
	for (size_t i = 0; i + 1 < count && !parsing->in.broken; i++) {
		get_element(parsing, &footer->columns[i], &children);
		if (children)
			thrift_refuse(&parsing->in);
		footer->column_count++;
	}
}

/* --------------------------------------------------------------- row groups */

static enum format_compression get_codec(struct parsing *parsing,
					 const struct thrift_field *field)
{
	switch (thrift_get_int(&parsing->in, field, 0, PARQUET_ZSTD)) {
	case PARQUET_UNCOMPRESSED:
		return FORMAT_UNCOMPRESSED;
	case PARQUET_SNAPPY:
		return FORMAT_SNAPPY;
	case PARQUET_GZIP:
		return FORMAT_GZIP;
	case PARQUET_ZSTD:
		return FORMAT_ZSTD;
	default:
		thrift_refuse(&parsing->in);
		return FORMAT_UNCOMPRESSED;
	}
}

/* ColumnMetaData */
static void get_column(struct parsing *parsing, uint64_t rows,
		       struct parquet_file_chunk *chunk)
{
	struct thrift_reader *in = &parsing->in;
	struct thrift_field field = {0};
	int64_t most = (int64_t)parsing->size;
	int64_t len = 0, data = 0, dictionary = 0, values = 0;

	while (thrift_next(in, &field)) {
		if (field.id == 4)
			chunk->compression = get_codec(parsing, &field);
		else if (field.id == 5)
			values = thrift_get_int(in, &field, 0, INT64_MAX);
		else if (field.id == 7)
			len = thrift_get_int(in, &field, 0, most);
		else if (field.id == 9)
			data = thrift_get_int(in, &field, 0, most);
		else if (field.id == 11)
			dictionary = thrift_get_int(in, &field, 0, most);
		else
			thrift_skip(in, &field);
	}
	chunk->offset = (uint64_t)(dictionary ? dictionary : data);
	chunk->len = (size_t)len;
	if ((uint64_t)values != rows || chunk->offset < PARQUET_MAGIC_LEN ||
	    (uint64_t)len > parsing->size - chunk->offset)
		thrift_refuse(in);
}

static void get_chunk(struct parsing *parsing, uint64_t rows,
		      struct parquet_file_chunk *chunk)
{
	struct thrift_field field = {0};
	bool found = false;

	while (thrift_next(&parsing->in, &field)) {
		if (field.id != 3 || found) {
			thrift_skip(&parsing->in, &field);
		} else if (thrift_get_struct(&parsing->in, &field)) {
			get_column(parsing, rows, chunk);
			found = true;
		}
	}
	if (!found)
		thrift_refuse(&parsing->in);
}

/* How many rows a group has stands behind its chunks. */
static uint64_t find_rows(const struct thrift_reader *group)
{
	struct thrift_reader in = *group;
	struct thrift_field field = {0};
	uint64_t rows = 0;

	while (thrift_next(&in, &field)) {
		if (field.id == 3)
			rows = (uint64_t)thrift_get_int(&in, &field, 0,
							INT64_MAX / 2);
		else
			thrift_skip(&in, &field);
	}
	return in.broken ? 0 : rows;
}

static void get_group(struct parsing *parsing, struct parquet_file_group *group)
{
	struct parquet_footer *footer = parsing->footer;
	struct thrift_reader *in = &parsing->in;
	struct thrift_field field = {0};

	group->rows = find_rows(in);
	group->chunks =
		make(parsing, footer->column_count, sizeof(*group->chunks));
	while (group->chunks && thrift_next(in, &field)) {
		if (field.id != 1) {
			thrift_skip(in, &field);
			continue;
		}
		if (thrift_get_list(in, &field, THRIFT_STRUCT) !=
		    footer->column_count)
			thrift_refuse(in);
		for (size_t i = 0; i < footer->column_count && !in->broken; i++)
			get_chunk(parsing, group->rows, &group->chunks[i]);
	}
}

/* A group without columns or rows would be no use, nor a group twice. */
static void get_groups(struct parsing *parsing,
		       const struct thrift_field *field)
{
	struct parquet_footer *footer = parsing->footer;
	size_t count = thrift_get_list(&parsing->in, field, THRIFT_STRUCT);

	if (footer->groups || (count && !footer->column_count)) {
		thrift_refuse(&parsing->in);
		return;
	}
	footer->groups = make(parsing, count, sizeof(*footer->groups));
	for (size_t i = 0; i < count && !parsing->in.broken; i++) {
		get_group(parsing, &footer->groups[i]);
		if (!footer->groups[i].rows)
			thrift_refuse(&parsing->in);
		footer->group_count++;
	}
}

/* -------------------------------------------------------------------- pairs */

static void get_pairs(struct parsing *parsing, const struct thrift_field *field)
{
	struct parquet_footer *footer = parsing->footer;
	size_t count = thrift_get_list(&parsing->in, field, THRIFT_STRUCT);

	footer->pairs = make(parsing, count, sizeof(*footer->pairs));
	for (size_t i = 0; i < count && !parsing->in.broken; i++) {
		struct format_pair *pair = &footer->pairs[i];
		struct thrift_field part = {0};

		*pair = (struct format_pair){"", ""};
		while (thrift_next(&parsing->in, &part)) {
			if (part.id == 1)
				pair->key = get_text(parsing, &part);
			else if (part.id == 2)
				pair->value = get_text(parsing, &part);
			else
				thrift_skip(&parsing->in, &part);
		}
		footer->pair_count = i + 1;
	}
}

/* ------------------------------------------------------------------- footer */

static void get_footer(struct parsing *parsing)
{
	struct parquet_footer *footer = parsing->footer;
	struct thrift_reader *in = &parsing->in;
	struct thrift_field field = {0};

	while (thrift_next(in, &field)) {
		if (field.id == 2 && !footer->columns)
			get_schema(parsing, &field);
		else if (field.id == 3)
			footer->rows = (uint64_t)thrift_get_int(in, &field, 0,
								INT64_MAX / 2);
		else if (field.id == 4)
			get_groups(parsing, &field);
		else if (field.id == 5)
			get_pairs(parsing, &field);
		else
			thrift_skip(in, &field);
	}
}

static int check_rows(const struct parquet_footer *footer, struct error *err)
{
	uint64_t rows = 0;

	for (size_t i = 0; i < footer->group_count; i++)
		rows += footer->groups[i].rows;
	if (!footer->columns || rows != footer->rows)
		return error_set(err, ERROR_DATA,
				 "a Parquet file is damaged: its row groups "
				 "have not as many rows as the file");
	return 0;
}

static int parse(struct parquet_footer *footer, const void *data, size_t len,
		 uint64_t size, struct error *err)
{
	struct parsing parsing = {.footer = footer, .size = size};

	thrift_reader_init(&parsing.in, data, len);
	get_footer(&parsing);
	if (parsing.no_memory)
		return error_set(err, ERROR_MEMORY,
				 "a Parquet file's metadata needs more memory "
				 "than it may have");
	if (thrift_check(&parsing.in, "a Parquet file's metadata", err) < 0)
		return -1;
	return check_rows(footer, err);
}

/* Where it begins is told by its length, which stands behind it. */
static int find_length(struct byte_source *source, size_t *len,
		       struct error *err)
{
	unsigned char head[PARQUET_MAGIC_LEN], tail[TAIL];

	if (source->size < PARQUET_MAGIC_LEN + TAIL)
		return error_set(err, ERROR_DATA,
				 "a Parquet file is cut off: it has only %llu "
				 "bytes",
				 (unsigned long long)source->size);
	if (byte_source_read(source, 0, head, sizeof(head), err) < 0 ||
	    byte_source_read(source, source->size - TAIL, tail, sizeof(tail),
			     err) < 0)
		return -1;
	*len = (size_t)parquet_get_le(tail, 4);
	if (memcmp(head, PARQUET_MAGIC, PARQUET_MAGIC_LEN) != 0 ||
	    memcmp(tail + 4, PARQUET_MAGIC, PARQUET_MAGIC_LEN) != 0 ||
	    *len > source->size - PARQUET_MAGIC_LEN - TAIL)
		return error_set(err, ERROR_DATA,
				 "a file is no Parquet file, or is cut off: "
				 "its end is not one");
	return 0;
}

int parquet_footer_read(struct parquet_footer *footer,
			struct byte_source *source, size_t max_bytes,
			struct error *err)
{
	unsigned char *data;
	size_t len = 0;

	memset(footer, 0, sizeof(*footer));
	arena_init(&footer->arena, max_bytes);
	if (find_length(source, &len, err) < 0)
		return -1;
	data = arena_alloc(&footer->arena, len);
	if (!data)
		return error_set(err, ERROR_MEMORY,
				 "a Parquet file's metadata needs %zu bytes, "
				 "more than it may have",
				 len);
	if (byte_source_read(source, source->size - TAIL - len, data, len,
			     err) < 0)
		return -1;
	return parse(footer, data, len, source->size, err);
}

void parquet_footer_release(struct parquet_footer *footer)
{
	arena_release(&footer->arena);
	memset(footer, 0, sizeof(*footer));
}
