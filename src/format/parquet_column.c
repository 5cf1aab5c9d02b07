#include "format/parquet_column.h"

#include <stdlib.h>
#include <string.h>

#include "format/thrift.h"

#define CHUNK_MAX ((size_t)4 << 30)

void parquet_column_init(struct parquet_column *column,
			 const struct parquet_leaf *leaf)
{
	memset(column, 0, sizeof(*column));
	column->leaf = *leaf;
	strbuf_init_max(&column->chunk, CHUNK_MAX);
	strbuf_init_max(&column->page, CHUNK_MAX);
	strbuf_init_max(&column->dict, CHUNK_MAX);
}

void parquet_column_release(struct parquet_column *column)
{
	codec_release(&column->codec);
	strbuf_release(&column->chunk);
	strbuf_release(&column->page);
	strbuf_release(&column->dict);
	free(column->entries);
	column->entries = NULL;
	column->entry_count = 0;
}

/* Those of numbers are not listed. */
static size_t entries_bytes(const struct parquet_column *column)
{
	return column->entries ? column->entry_count * sizeof(*column->entries)
			       : 0;
}

size_t parquet_column_memory(const struct parquet_column *column)
{
	return column->chunk.len + column->page.len + column->dict.len +
	       entries_bytes(column);
}

static int damaged(const struct parquet_column *column, struct error *err)
{
	return error_set(err, ERROR_DATA,
			 "a Parquet file is damaged: a page of column '%s' "
			 "cannot be read",
			 column->leaf.column->name);
}

int parquet_column_begin(struct parquet_column *column,
			 struct byte_source *source,
			 const struct parquet_file_chunk *chunk, uint64_t rows,
			 struct error *err)
{
	struct parquet_leaf leaf = column->leaf;
	char *to;

	parquet_column_release(column);
	parquet_column_init(column, &leaf);
	codec_init(&column->codec, chunk->compression, 0);
	to = strbuf_reserve(&column->chunk, chunk->len);
	if (!to)
		return error_memory(err, "a column of a Parquet file");
	if (byte_source_read(source, chunk->offset, to, chunk->len, err) < 0)
		return -1;
	column->chunk.len = chunk->len;
	column->rows_left = rows;
	return 0;
}

/* --------------------------------------------------------------------- pages */

struct page_header {
	int64_t type, unpacked, packed, values, encoding;
	uint32_t crc;
	bool has_crc;
};

/* DataPageHeader or DictionaryPageHeader: the first fields are the same. */
static void get_page_kind(struct thrift_reader *in, struct page_header *header)
{
	struct thrift_field field = {0};

	while (thrift_next(in, &field)) {
		if (field.id == 1)
			header->values =
				thrift_get_int(in, &field, 0, INT32_MAX);
		else if (field.id == 2)
			header->encoding = thrift_get_int(in, &field, 0,
							  PARQUET_DICTIONARY);
		else
			thrift_skip(in, &field);
	}
}

static void get_page_header(struct thrift_reader *in,
			    struct page_header *header)
{
	struct thrift_field field = {0};

	while (thrift_next(in, &field)) {
		if (field.id == 1) {
			header->type = thrift_get_int(in, &field, 0, 3);
		} else if (field.id == 2) {
			header->unpacked =
				thrift_get_int(in, &field, 0, INT32_MAX);
		} else if (field.id == 3) {
			header->packed =
				thrift_get_int(in, &field, 0, INT32_MAX);
		} else if (field.id == 4) {
			header->crc = (uint32_t)thrift_get_int(
				in, &field, INT32_MIN, INT32_MAX);
			header->has_crc = true;
		} else if ((field.id == 5 || field.id == 7) &&
			   thrift_get_struct(in, &field)) {
			get_page_kind(in, header);
		} else {
			thrift_skip(in, &field);
		}
	}
}

/* The next page, without its compression, into `out`. */
static int read_page(struct parquet_column *column, size_t room,
		     struct page_header *header, struct strbuf *out,
		     struct error *err)
{
	const char *data = column->chunk.data + column->at;
	size_t left = column->chunk.len - column->at;
	struct thrift_reader in;

	*header = (struct page_header){.type = -1};
	thrift_reader_init(&in, data, left);
	get_page_header(&in, header);
	data = (const char *)in.at;
	left = (size_t)(in.end - in.at);
	/* Ours have all a checksum. */
	if (in.broken || !header->has_crc || (uint64_t)header->packed > left ||
	    codec_crc32(data, (size_t)header->packed) != header->crc)
		return damaged(column, err);
	if ((uint64_t)header->unpacked > room)
		return error_set(err, ERROR_MEMORY,
				 "a page of a Parquet file has %lld bytes, "
				 "more than there is memory for",
				 (long long)header->unpacked);
	column->at = column->chunk.len - left + (size_t)header->packed;
	/* What a larger page took is not kept for a small one: it is not
	 * counted. */
	if (out->size / 4 > (size_t)header->unpacked)
		strbuf_release(out);
	strbuf_reset(out);
	return codec_unpack(&column->codec, data, (size_t)header->packed,
			    (size_t)header->unpacked, out, err);
}

/* A slice that is PLAIN, and the end of it. */
static bool get_slice(const struct parquet_leaf *leaf, const unsigned char **at,
		      const unsigned char *end, struct row_slice *out)
{
	size_t left = (size_t)(end - *at);

	out->len = leaf->width;
	if (leaf->type == PARQUET_BYTE_ARRAY) {
		if (left < 4)
			return false;
		out->len = (size_t)parquet_get_le(*at, 4);
		*at += 4;
		left -= 4;
	}
	out->data = *at;
	if (out->len > left)
		return false;
	*at += out->len;
	return true;
}

/* Where the entries of a dictionary of slices begin. */
static int list_entries(struct parquet_column *column, struct error *err)
{
	const unsigned char *at = (const unsigned char *)column->dict.data;
	const unsigned char *end = at + column->dict.len;

	column->entries = calloc((size_t)column->entry_count + 1,
				 sizeof(*column->entries));
	if (!column->entries)
		return error_memory(err, "a dictionary of values");
	for (uint32_t i = 0; i < column->entry_count; i++)
		if (!get_slice(&column->leaf, &at, end, &column->entries[i]))
			return damaged(column, err);
	return at == end ? 0 : damaged(column, err);
}

/* An entry takes four bytes or more in the file: no more than that are listed. */
static int read_dictionary(struct parquet_column *column, size_t room,
			   const struct page_header *header, struct error *err)
{
	size_t least = column->leaf.width ? column->leaf.width : 4;
	size_t listed = column->leaf.kind == PARQUET_SLICES
				? sizeof(*column->entries)
				: 0;

	if (column->entry_count || header->encoding != PARQUET_PLAIN ||
	    (uint64_t)header->values > column->dict.len / least ||
	    column->leaf.type == PARQUET_BOOLEAN)
		return damaged(column, err);
	if ((uint64_t)header->values * listed > room)
		return error_set(err, ERROR_MEMORY,
				 "a dictionary of a Parquet file has %lld "
				 "entries, more than there is memory for",
				 (long long)header->values);
	column->entry_count = (uint32_t)header->values;
	if (listed)
		return list_entries(column, err);
	return column->dict.len == column->entry_count * least
		       ? 0
		       : damaged(column, err);
}

/* Definition levels, with their length in front. */
static bool begin_levels(struct parquet_column *column,
			 const unsigned char **at, const unsigned char *end)
{
	size_t len;

	if (!column->leaf.optional)
		return true;
	if (end - *at < 4)
		return false;
	len = (size_t)parquet_get_le(*at, 4);
	*at += 4;
	if (len > (size_t)(end - *at))
		return false;
	parquet_hybrid_init(&column->levels, *at, len, 1);
	*at += len;
	return true;
}

static bool begin_values(struct parquet_column *column, const unsigned char *at,
			 const unsigned char *end)
{
	const struct parquet_leaf *leaf = &column->leaf;
	size_t len = (size_t)(end - at);

	column->values = at;
	column->end = end;
	column->bit = 0;
	switch (column->encoding) {
	case PARQUET_PLAIN:
		return true;
	case PARQUET_DELTA:
		return leaf->kind == PARQUET_NUMBERS && leaf->width &&
		       parquet_delta_init(&column->delta, at, len, leaf->width);
	case PARQUET_DICTIONARY:
		if (!len || *at > 32)
			return false;
		parquet_hybrid_init(&column->indices, at + 1, len - 1, *at);
		return true;
	default:
		return false;
	}
}

static int begin_page(struct parquet_column *column,
		      const struct page_header *header, struct error *err)
{
	const unsigned char *at = (const unsigned char *)column->page.data;
	const unsigned char *end = at + column->page.len;

	column->encoding = (enum parquet_encoding)header->encoding;
	if (!header->values || (uint64_t)header->values > column->rows_left ||
	    !begin_levels(column, &at, end) || !begin_values(column, at, end))
		return damaged(column, err);
	column->page_left = (uint32_t)header->values;
	column->rows_left -= (uint64_t)header->values;
	return 0;
}

static int next_page(struct parquet_column *column, size_t room,
		     struct error *err)
{
	bool first = column->at == 0;
	struct page_header header;

	if (read_page(column, room, &header, &column->page, err) < 0)
		return -1;
	if (first && header.type == PARQUET_DICTIONARY_PAGE) {
		struct strbuf page = column->dict;

		column->dict = column->page;
		column->page = page;
		room -= column->dict.len;
		if (read_dictionary(column, room, &header, err) < 0)
			return -1;
		room -= entries_bytes(column);
		if (read_page(column, room, &header, &column->page, err) < 0)
			return -1;
	}
	if (header.type != PARQUET_DATA_PAGE)
		return damaged(column, err);
	return begin_page(column, &header, err);
}

/* -------------------------------------------------------------------- values */

static bool next_plain(struct parquet_column *column)
{
	const struct parquet_leaf *leaf = &column->leaf;
	size_t left = (size_t)(column->end - column->values);

	if (leaf->kind == PARQUET_SLICES)
		return get_slice(leaf, &column->values, column->end,
				 &column->slice);
	if (leaf->width > left || !left)
		return false;
	if (leaf->type == PARQUET_BOOLEAN) {
		column->number = *column->values >> column->bit & 1;
		column->bit = (column->bit + 1) & 7;
		column->values += column->bit == 0;
		return true;
	}
	column->number = (int64_t)parquet_get_le(column->values, leaf->width);
	column->values += leaf->width;
	return true;
}

static bool next_entry(struct parquet_column *column)
{
	const unsigned char *dict = (const unsigned char *)column->dict.data;
	size_t width = column->leaf.width;
	uint32_t at;

	if (!parquet_hybrid_next(&column->indices, &at) ||
	    at >= column->entry_count)
		return false;
	if (column->leaf.kind == PARQUET_SLICES)
		column->slice = column->entries[at];
	else
		column->number =
			(int64_t)parquet_get_le(dict + at * width, width);
	return true;
}

static bool next_value(struct parquet_column *column)
{
	bool found =
		column->encoding == PARQUET_DELTA
			? parquet_delta_next(&column->delta, &column->number)
		: column->encoding == PARQUET_DICTIONARY ? next_entry(column)
							 : next_plain(column);

	/* INT32 has a sign, FLOAT is four bytes as they are. */
	if (column->leaf.type == PARQUET_INT32)
		column->number = (int32_t)(uint32_t)column->number;
	return found;
}

int parquet_column_next(struct parquet_column *column, size_t room,
			struct error *err)
{
	uint32_t level = 1;

	if (!column->page_left && next_page(column, room, err) < 0)
		return -1;
	column->page_left--;
	if (column->leaf.optional &&
	    !parquet_hybrid_next(&column->levels, &level))
		return damaged(column, err);
	column->null = level == 0;
	if (!column->null && !next_value(column))
		return damaged(column, err);
	return 0;
}

int parquet_column_end(struct parquet_column *column, struct error *err)
{
	return column->page_left || column->rows_left ||
			       column->at != column->chunk.len
		       ? damaged(column, err)
		       : 0;
}
