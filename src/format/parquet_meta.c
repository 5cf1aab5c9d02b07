#include "format/parquet_meta.h"

#include <string.h>

#include "format/thrift.h"

static int codec_number(enum format_compression compression)
{
	static const enum parquet_codec numbers[] = {
		[FORMAT_UNCOMPRESSED] = PARQUET_UNCOMPRESSED,
		[FORMAT_GZIP] = PARQUET_GZIP,
		[FORMAT_SNAPPY] = PARQUET_SNAPPY,
		[FORMAT_ZSTD] = PARQUET_ZSTD,
	};

	return (int)numbers[compression];
}

void parquet_put_page_header(struct strbuf *out,
			     const struct parquet_page_header *header)
{
	bool is_data = header->type == PARQUET_DATA_PAGE;
	struct thrift_writer writer;

	thrift_writer_init(&writer, out);
	thrift_begin(&writer);
	thrift_put_i32(&writer, 1, (int32_t)header->type);
	thrift_put_i32(&writer, 2, (int32_t)header->unpacked);
	thrift_put_i32(&writer, 3, (int32_t)header->packed);
	thrift_put_i32(&writer, 4, (int32_t)header->crc);
	thrift_put_struct(&writer, is_data ? 5 : 7);
	thrift_put_i32(&writer, 1, (int32_t)header->values);
	thrift_put_i32(&writer, 2, (int32_t)header->encoding);
	if (is_data) { /* of definition and of repetition levels */
		thrift_put_i32(&writer, 3, PARQUET_RLE);
		thrift_put_i32(&writer, 4, PARQUET_RLE);
	}
	thrift_end(&writer);
	thrift_end(&writer);
}

/* ----------------------------------------------------------- column metadata */

static size_t count_pages(const struct parquet_chunk *chunk,
			  enum parquet_encoding encoding)
{
	size_t count = 0;

	for (size_t i = 0; i < parquet_chunk_pages(chunk); i++)
		count += parquet_chunk_page(chunk, i)->encoding == encoding;
	return count;
}

static const enum parquet_encoding encodings[] = {PARQUET_PLAIN, PARQUET_DELTA,
						  PARQUET_DICTIONARY};

#define ENCODINGS (sizeof(encodings) / sizeof(*encodings))

static void put_encodings(struct thrift_writer *writer,
			  const struct parquet_chunk *chunk)
{
	size_t used[ENCODINGS], count = 1;

	for (size_t i = 0; i < ENCODINGS; i++) {
		used[i] = count_pages(chunk, encodings[i]);
		/* The dictionary's own page is PLAIN. */
		if (encodings[i] == PARQUET_PLAIN)
			used[i] += chunk->dict_page.len > 0;
		count += used[i] > 0;
	}
	thrift_put_list(writer, 2, THRIFT_I32, count);
	thrift_add_int(writer, PARQUET_RLE); /* of the levels */
	for (size_t i = 0; i < ENCODINGS; i++)
		if (used[i])
			thrift_add_int(writer, encodings[i]);
}

static void put_encoding_stats(struct thrift_writer *writer,
			       const struct parquet_chunk *chunk)
{
	size_t pages[ENCODINGS], count = chunk->dict_page.len > 0;

	for (size_t i = 0; i < ENCODINGS; i++) {
		pages[i] = count_pages(chunk, encodings[i]);
		count += pages[i] > 0;
	}
	thrift_put_list(writer, 13, THRIFT_STRUCT, count);
	for (size_t i = 0; i < ENCODINGS + 1; i++) {
		bool is_data = i < ENCODINGS;
		size_t number = is_data ? pages[i] : chunk->dict_page.len > 0;

		if (!number)
			continue;
		thrift_begin(writer);
		thrift_put_i32(writer, 1,
			       is_data ? PARQUET_DATA_PAGE
				       : PARQUET_DICTIONARY_PAGE);
		thrift_put_i32(writer, 2,
			       is_data ? (int32_t)encodings[i] : PARQUET_PLAIN);
		thrift_put_i32(writer, 3, (int32_t)number);
		thrift_end(writer);
	}
}

static void put_statistics(struct thrift_writer *writer,
			   const struct parquet_chunk *chunk)
{
	struct parquet_end min, max;
	bool has_min = parquet_range_min(&chunk->all, chunk->leaf, &min);
	bool has_max = parquet_range_max(&chunk->all, chunk->leaf, &max);

	thrift_put_struct(writer, 12);
	thrift_put_i64(writer, 3, (int64_t)chunk->all_nulls);
	if (has_max)
		thrift_put_binary(writer, 5, max.bytes, max.len);
	if (has_min)
		thrift_put_binary(writer, 6, min.bytes, min.len);
	if (has_max)
		thrift_put_bool(writer, 7, max.exact);
	if (has_min)
		thrift_put_bool(writer, 8, min.exact);
	thrift_end(writer);
}

void parquet_put_column(struct strbuf *out, const struct parquet_chunk *chunk,
			enum format_compression compression, uint64_t offset)
{
	size_t dictionary = chunk->dict_page.len;
	struct thrift_writer writer;

	thrift_writer_init(&writer, out);
	thrift_begin(&writer);
	thrift_put_i32(&writer, 1, (int32_t)chunk->leaf->type);
	put_encodings(&writer, chunk);
	thrift_put_list(&writer, 3, THRIFT_BINARY, 1);
	thrift_add_binary(&writer, chunk->leaf->column->name,
			  strlen(chunk->leaf->column->name));
	thrift_put_i32(&writer, 4, codec_number(compression));
	thrift_put_i64(&writer, 5, (int64_t)chunk->all_rows);
	thrift_put_i64(&writer, 6, (int64_t)chunk->unpacked);
	thrift_put_i64(&writer, 7, (int64_t)(dictionary + chunk->pages.len));
	thrift_put_i64(&writer, 9, (int64_t)(offset + dictionary));
	if (dictionary)
		thrift_put_i64(&writer, 11, (int64_t)offset);
	put_statistics(&writer, chunk);
	put_encoding_stats(&writer, chunk);
	thrift_end(&writer);
}

/* --------------------------------------------------------------- page index */

/*
 * Each page that is not all NULL must have both ends: one of nothing but NaN
 * has none, and what ends with the last character there is, no greatest.
 */
static bool has_ends(const struct parquet_chunk *chunk)
{
	struct parquet_end end;

	for (size_t i = 0; i < parquet_chunk_pages(chunk); i++) {
		const struct parquet_page *page = parquet_chunk_page(chunk, i);

		if (page->nulls < page->rows &&
		    !(parquet_range_min(&page->range, chunk->leaf, &end) &&
		      parquet_range_max(&page->range, chunk->leaf, &end)))
			return false;
	}
	return true;
}

static enum parquet_order find_order(const struct parquet_chunk *chunk)
{
	const struct parquet_page *last = NULL;
	bool rises = true, falls = true;

	for (size_t i = 0; i < parquet_chunk_pages(chunk); i++) {
		const struct parquet_page *page = parquet_chunk_page(chunk, i);

		if (page->nulls == page->rows)
			continue;
		rises &= !last || parquet_range_rises(chunk->leaf, &last->range,
						      &page->range);
		falls &= !last || parquet_range_rises(chunk->leaf, &page->range,
						      &last->range);
		last = page;
	}
	return rises   ? PARQUET_ASCENDING
	       : falls ? PARQUET_DESCENDING
		       : PARQUET_UNORDERED;
}

static void put_ends(struct thrift_writer *writer,
		     const struct parquet_chunk *chunk, int id,
		     bool (*end_of)(const struct parquet_range *range,
				    const struct parquet_leaf *leaf,
				    struct parquet_end *out))
{
	size_t count = parquet_chunk_pages(chunk);
	struct parquet_end end;

	thrift_put_list(writer, id, THRIFT_BINARY, count);
	for (size_t i = 0; i < count; i++) {
		if (!end_of(&parquet_chunk_page(chunk, i)->range, chunk->leaf,
			    &end))
			end.len = 0;
		thrift_add_binary(writer, end.bytes, end.len);
	}
}

bool parquet_put_column_index(struct strbuf *out,
			      const struct parquet_chunk *chunk)
{
	size_t count = parquet_chunk_pages(chunk);
	struct thrift_writer writer;

	if (!has_ends(chunk))
		return false;
	thrift_writer_init(&writer, out);
	thrift_begin(&writer);
	thrift_put_list(&writer, 1, THRIFT_TRUE, count);
	for (size_t i = 0; i < count; i++) {
		const struct parquet_page *page = parquet_chunk_page(chunk, i);

		thrift_add_bool(&writer, page->nulls == page->rows);
	}
	put_ends(&writer, chunk, 2, parquet_range_min);
	put_ends(&writer, chunk, 3, parquet_range_max);
	thrift_put_i32(&writer, 4, (int32_t)find_order(chunk));
	thrift_put_list(&writer, 5, THRIFT_I64, count);
	for (size_t i = 0; i < count; i++)
		thrift_add_int(&writer,
			       (int64_t)parquet_chunk_page(chunk, i)->nulls);
	thrift_end(&writer);
	return true;
}

void parquet_put_offset_index(struct strbuf *out,
			      const struct parquet_chunk *chunk,
			      uint64_t offset)
{
	size_t count = parquet_chunk_pages(chunk);
	struct thrift_writer writer;

	offset += chunk->dict_page.len;
	thrift_writer_init(&writer, out);
	thrift_begin(&writer);
	thrift_put_list(&writer, 1, THRIFT_STRUCT, count);
	for (size_t i = 0; i < count; i++) {
		const struct parquet_page *page = parquet_chunk_page(chunk, i);

		thrift_begin(&writer);
		thrift_put_i64(&writer, 1, (int64_t)(offset + page->start));
		thrift_put_i32(&writer, 2, (int32_t)page->len);
		thrift_put_i64(&writer, 3, (int64_t)page->first_row);
		thrift_end(&writer);
	}
	thrift_end(&writer);
}
