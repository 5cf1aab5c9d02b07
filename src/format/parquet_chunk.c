/*
 * Which encoding a column chunk gets is decided when its first page is full, or
 * the first that is not nearly all NULL, by trying all of them, compression
 * included: values as they are, integers by their differences, and numbers of
 * dictionary entries. A dictionary pays off over many pages, so the size that it
 * is going to have is estimated from how often a value of that page had been there
 * before. To use a dictionary until it is too large, as others do, would spend a
 * megabyte on each column of numbers that are all different.
 *
 * A dictionary that grows too large after all is used no longer; the pages that
 * refer to it stay as they are.
 */
#include "format/parquet_chunk.h"

#include <math.h>
#include <string.h>

#include "format/parquet_encode.h"
#include "format/parquet_meta.h"

#define DICT_BYTES_MAX ((size_t)1 << 20)
#define PAGE_BYTES_MIN ((size_t)8 << 10)
#define BUFFER_MAX     ((size_t)4 << 30)

/* Fewer values say nothing about those to come, and are of little weight. */
#define TELLING_COUNT 64

/* Of a table with a thousand columns, pages have to be smaller. */
static size_t page_bytes(const struct format_options *options, size_t columns)
{
	size_t share = options->row_group_bytes / 4 / (columns ? columns : 1);

	return share < PAGE_BYTES_MIN	    ? PAGE_BYTES_MIN
	       : share > PARQUET_PAGE_BYTES ? PARQUET_PAGE_BYTES
					    : share;
}

void parquet_press_init(struct parquet_press *press,
			const struct format_options *options, size_t columns)
{
	codec_init(&press->codec, options->compression, options->level);
	press->delta = options->delta;
	press->page_bytes = page_bytes(options, columns);
	strbuf_init_max(&press->body, BUFFER_MAX);
	strbuf_init_max(&press->other, BUFFER_MAX);
	strbuf_init_max(&press->packed, BUFFER_MAX);
}

void parquet_press_release(struct parquet_press *press)
{
	codec_release(&press->codec);
	strbuf_release(&press->body);
	strbuf_release(&press->other);
	strbuf_release(&press->packed);
}

void parquet_chunk_init(struct parquet_chunk *chunk,
			const struct parquet_leaf *leaf)
{
	memset(chunk, 0, sizeof(*chunk));
	chunk->leaf = leaf;
	/* Two values have no use for a dictionary. */
	if (leaf->type == PARQUET_BOOLEAN)
		chunk->mode = PARQUET_BY_VALUE;
	strbuf_init_max(&chunk->bits, BUFFER_MAX);
	strbuf_init_max(&chunk->raw, BUFFER_MAX);
	strbuf_init_max(&chunk->indices, BUFFER_MAX);
	strbuf_init_max(&chunk->pages, BUFFER_MAX);
	strbuf_init_max(&chunk->dict_page, BUFFER_MAX);
	strbuf_init_max(&chunk->list, BUFFER_MAX);
	parquet_dict_init(&chunk->dict);
}

void parquet_chunk_release(struct parquet_chunk *chunk)
{
	strbuf_release(&chunk->bits);
	strbuf_release(&chunk->raw);
	strbuf_release(&chunk->indices);
	strbuf_release(&chunk->pages);
	strbuf_release(&chunk->dict_page);
	strbuf_release(&chunk->list);
	parquet_dict_release(&chunk->dict);
	parquet_chunk_init(chunk, chunk->leaf);
}

size_t parquet_chunk_pages(const struct parquet_chunk *chunk)
{
	return chunk->list.len / sizeof(struct parquet_page);
}

const struct parquet_page *parquet_chunk_page(const struct parquet_chunk *chunk,
					      size_t i)
{
	return (const struct parquet_page *)(const void *)chunk->list.data + i;
}

size_t parquet_chunk_memory(const struct parquet_chunk *chunk)
{
	return chunk->bits.len + chunk->raw.len + chunk->indices.len +
	       chunk->pages.len + chunk->list.len + chunk->dict.keys.len +
	       chunk->dict.plain.len +
	       (chunk->dict.bits
			? sizeof(*chunk->dict.slots) << chunk->dict.bits
			: 0);
}

size_t parquet_chunk_bytes(const struct parquet_chunk *chunk)
{
	size_t bytes = chunk->pages.len;

	if (chunk->mode == PARQUET_BY_DICTIONARY)
		bytes += parquet_dict_bytes(&chunk->dict, chunk->leaf) +
			 chunk->count *
				 (size_t)parquet_bit_width(chunk->dict.count) /
				 8;
	return bytes + chunk->raw.len;
}

/* ------------------------------------------------------------------- adding */

static void add_bits(struct parquet_chunk *chunk,
		     const struct parquet_values *values)
{
	size_t bytes = (chunk->rows + values->rows + 7) / 8 - chunk->bits.len;
	unsigned char *bits =
		(unsigned char *)strbuf_reserve(&chunk->bits, bytes);

	if (!bits)
		return;
	memset(bits, 0, bytes + 1);
	bits = (unsigned char *)chunk->bits.data;
	chunk->bits.len += bytes;
	for (size_t i = 0; i < values->count; i++) {
		size_t row = chunk->rows + values->pick[i];

		bits[row >> 3] |= (unsigned char)(1 << (row & 7));
	}
}

static void add_slices(struct strbuf *raw, const struct parquet_values *values,
		       bool fixed)
{
	size_t bytes = fixed ? 0 : 4 * values->count;
	unsigned char *to;

	for (size_t i = 0; i < values->count; i++)
		bytes += values->slices[i].len;
	to = (unsigned char *)strbuf_reserve(raw, bytes);
	if (!to)
		return;
	for (size_t i = 0; i < values->count; i++) {
		size_t len = values->slices[i].len;

		if (!fixed) {
			parquet_put_le(to, len, 4);
			to += 4;
		}
		if (len)
			memcpy(to, values->slices[i].data, len);
		to += len;
	}
	raw->len += bytes;
}

/* One that is of no use while it is tried is forgotten at once. */
static int add_indices(struct parquet_chunk *chunk,
		       const struct parquet_values *values, struct error *err)
{
	bool trying = chunk->mode == PARQUET_TRYING;

	if (chunk->mode == PARQUET_BY_VALUE || (trying && chunk->refused))
		return 0;
	if (parquet_dict_add(&chunk->dict, chunk->leaf, values, trying,
			     &chunk->indices, err) < 0)
		return -1;
	if (trying && chunk->dict.refused) {
		chunk->refused = true;
		parquet_dict_release(&chunk->dict);
		strbuf_release(&chunk->indices);
	}
	return 0;
}

int parquet_chunk_add(struct parquet_chunk *chunk,
		      const struct parquet_values *values, struct error *err)
{
	const struct parquet_leaf *leaf = chunk->leaf;

	if (leaf->optional)
		add_bits(chunk, values);
	if (chunk->mode != PARQUET_BY_DICTIONARY) {
		if (leaf->kind == PARQUET_SLICES)
			add_slices(&chunk->raw, values,
				   leaf->type == PARQUET_FIXED);
		else
			strbuf_add(&chunk->raw, values->numbers,
				   values->count * sizeof(int64_t));
	}
	if (add_indices(chunk, values, err) < 0)
		return -1;
	parquet_range_add(&chunk->range, leaf, values);
	chunk->rows += values->rows;
	chunk->count += values->count;
	if (chunk->bits.failed || chunk->raw.failed)
		return error_memory(err, "a column's values");
	return 0;
}

/* ----------------------------------------------------------------- encoding */

static void put_plain_numbers(struct strbuf *out, const int64_t *numbers,
			      size_t count, size_t width)
{
	unsigned char *to = (unsigned char *)strbuf_reserve(out, count * width);

	if (!to)
		return;
	if (width == 8)
		for (size_t i = 0; i < count; i++)
			parquet_put_le(to + 8 * i, (uint64_t)numbers[i], 8);
	else
		for (size_t i = 0; i < count; i++)
			parquet_put_le(to + 4 * i, (uint64_t)numbers[i], 4);
	out->len += count * width;
}

static void put_plain_bools(struct strbuf *out, const int64_t *numbers,
			    size_t count)
{
	unsigned char *to =
		(unsigned char *)strbuf_reserve(out, (count + 7) / 8);

	if (!to)
		return;
	memset(to, 0, (count + 7) / 8);
	for (size_t i = 0; i < count; i++)
		to[i >> 3] |= (unsigned char)(numbers[i] << (i & 7));
	out->len += (count + 7) / 8;
}

/* The values of the page at hand, without levels. */
static void put_values(const struct parquet_chunk *chunk,
		       enum parquet_encoding encoding, struct strbuf *out)
{
	const struct parquet_leaf *leaf = chunk->leaf;
	const int64_t *numbers = (const int64_t *)(void *)chunk->raw.data;
	int width = parquet_bit_width(chunk->dict.count ? chunk->dict.count - 1
							: 0);

	if (encoding == PARQUET_DICTIONARY) {
		strbuf_addch(out, (char)width);
		parquet_put_indices(
			out, (const uint32_t *)(void *)chunk->indices.data,
			chunk->count, width);
	} else if (leaf->kind == PARQUET_SLICES) {
		strbuf_add(out, chunk->raw.data, chunk->raw.len);
	} else if (encoding == PARQUET_DELTA) {
		parquet_put_delta(out, numbers, chunk->count, leaf->width);
	} else if (leaf->type == PARQUET_BOOLEAN) {
		put_plain_bools(out, numbers, chunk->count);
	} else {
		put_plain_numbers(out, numbers, chunk->count, leaf->width);
	}
}

/* ----------------------------------------------------------------- choosing */

/* How long something is when it is compressed; what it is, is in `body`. */
static int packed_size(struct parquet_press *press, size_t *out,
		       struct error *err)
{
	strbuf_reset(&press->packed);
	if (strbuf_check(&press->body, err) < 0 ||
	    codec_pack(&press->codec, press->body.data, press->body.len,
		       &press->packed, err) < 0)
		return -1;
	*out = press->packed.len;
	return 0;
}

static int try_encoding(const struct parquet_chunk *chunk,
			struct parquet_press *press,
			enum parquet_encoding encoding, size_t *out,
			struct error *err)
{
	strbuf_reset(&press->body);
	put_values(chunk, encoding, &press->body);
	return packed_size(press, out, err);
}

/*
 * How many different values there will be, if chance chose the ones so far from
 * among so many with equal odds: of N, n picks find N(1 - e^(-n/N)).
 */
static double expected_entries(const struct parquet_chunk *chunk, bool more)
{
	double count = (double)chunk->count, found = chunk->dict.count;
	double low = found, high = (double)DICT_BYTES_MAX;

	if (!more || high * (1 - exp(-count / high)) < found)
		return more ? high : found;
	for (int i = 0; i < 40; i++) {
		double middle = (low + high) / 2;

		if (middle * (1 - exp(-count / middle)) < found)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/* What pages and dictionary will take; more than anything, if too much. */
static int try_dictionary(const struct parquet_chunk *chunk,
			  struct parquet_press *press, double pages,
			  double *out, struct error *err)
{
	double entries = expected_entries(chunk, pages > 1);
	double now = chunk->dict.count ? chunk->dict.count : 1;
	size_t bytes = parquet_dict_bytes(&chunk->dict, chunk->leaf);
	size_t indices, entry_bytes;

	*out = 1e300;
	if (chunk->refused ||
	    entries * ((double)bytes / now) > (double)DICT_BYTES_MAX)
		return 0;
	if (try_encoding(chunk, press, PARQUET_DICTIONARY, &indices, err) < 0)
		return -1;
	strbuf_reset(&press->body);
	parquet_dict_write(&chunk->dict, chunk->leaf, &press->body);
	if (packed_size(press, &entry_bytes, err) < 0)
		return -1;
	*out = entries * ((double)entry_bytes / now) +
	       pages * (double)indices * parquet_bit_width((uint32_t)entries) /
		       parquet_bit_width(chunk->dict.count);
	return 0;
}

/* See the top of this file. `more`: the row group goes on behind this page. */
static int choose(struct parquet_chunk *chunk, struct parquet_press *press,
		  bool more, struct error *err)
{
	double pages =
		more ? (double)PARQUET_GROUP_ROWS / (double)chunk->rows : 1;
	size_t plain, delta = SIZE_MAX;
	double dictionary;

	if (try_encoding(chunk, press, PARQUET_PLAIN, &plain, err) < 0)
		return -1;
	if (press->delta && chunk->leaf->kind == PARQUET_NUMBERS &&
	    try_encoding(chunk, press, PARQUET_DELTA, &delta, err) < 0)
		return -1;
	chunk->delta = delta < plain;
	if (try_dictionary(chunk, press, pages, &dictionary, err) < 0)
		return -1;
	if (dictionary < pages * (double)(chunk->delta ? delta : plain)) {
		chunk->mode = PARQUET_BY_DICTIONARY;
		return 0;
	}
	chunk->mode = PARQUET_BY_VALUE;
	parquet_dict_release(&chunk->dict);
	strbuf_release(&chunk->indices);
	return 0;
}

/* -------------------------------------------------------------------- pages */

/* Levels come with their length in front, as long as they can be NULL. */
static void put_levels(const struct parquet_chunk *chunk, struct strbuf *out)
{
	size_t start = out->len;

	if (!chunk->leaf->optional)
		return;
	strbuf_add(out, "\0\0\0\0", 4);
	parquet_put_levels(out, (const unsigned char *)chunk->bits.data,
			   chunk->rows);
	if (!out->failed)
		parquet_put_le((unsigned char *)out->data + start,
			       out->len - start - 4, 4);
}

/* Compress what is in `body`, and append it with its header. */
static int put_page(struct parquet_press *press,
		    struct parquet_page_header *header, struct strbuf *out,
		    size_t *unpacked, struct error *err)
{
	size_t start = out->len;
	size_t packed;

	if (packed_size(press, &packed, err) < 0)
		return -1;
	if (press->body.len > INT32_MAX || packed > INT32_MAX)
		return error_set(err, ERROR_DATA,
				 "a page of a Parquet file would be longer "
				 "than its 2 GiB");
	header->unpacked = press->body.len;
	header->packed = packed;
	header->crc = codec_crc32(press->packed.data, packed);
	parquet_put_page_header(out, header);
	*unpacked += out->len - start + press->body.len;
	strbuf_add(out, press->packed.data, packed);
	return strbuf_check(out, err);
}

static void list_page(struct parquet_chunk *chunk, size_t start,
		      enum parquet_encoding encoding)
{
	struct parquet_page page = {
		.start = start,
		.len = chunk->pages.len - start,
		.first_row = chunk->all_rows,
		.rows = chunk->rows,
		.nulls = chunk->rows - chunk->count,
		.encoding = encoding,
		.range = chunk->range,
	};

	strbuf_add(&chunk->list, &page, sizeof(page));
	parquet_range_merge(&chunk->all, chunk->leaf, &chunk->range);
	chunk->all_rows += page.rows;
	chunk->all_nulls += page.nulls;
	chunk->rows = 0;
	chunk->count = 0;
	memset(&chunk->range, 0, sizeof(chunk->range));
	strbuf_reset(&chunk->bits);
	strbuf_reset(&chunk->raw);
	strbuf_reset(&chunk->indices);
}

/* Is the page at hand the one that decides? One that is full of bytes is. */
static bool is_telling(const struct parquet_chunk *chunk,
		       const struct parquet_press *press, bool more)
{
	return !more || chunk->count >= TELLING_COUNT ||
	       chunk->raw.len >= press->page_bytes;
}

static int end_page(struct parquet_chunk *chunk, struct parquet_press *press,
		    bool more, struct error *err)
{
	struct parquet_page_header header = {.type = PARQUET_DATA_PAGE,
					     .values = chunk->rows};
	size_t start = chunk->pages.len;

	if (chunk->mode == PARQUET_TRYING && !is_telling(chunk, press, more))
		parquet_dict_release(&chunk->dict);
	else if (chunk->mode == PARQUET_TRYING &&
		 choose(chunk, press, more, err) < 0)
		return -1;
	header.encoding = chunk->mode == PARQUET_BY_DICTIONARY
				  ? PARQUET_DICTIONARY
			  : chunk->delta ? PARQUET_DELTA
					 : PARQUET_PLAIN;
	strbuf_reset(&press->body);
	put_levels(chunk, &press->body);
	put_values(chunk, header.encoding, &press->body);
	if (put_page(press, &header, &chunk->pages, &chunk->unpacked, err) < 0)
		return -1;
	list_page(chunk, start, header.encoding);
	return strbuf_check(&chunk->list, err);
}

int parquet_chunk_slab(struct parquet_chunk *chunk, struct parquet_press *press,
		       struct error *err)
{
	bool too_large = chunk->mode == PARQUET_BY_DICTIONARY &&
			 (chunk->dict.refused ||
			  parquet_dict_bytes(&chunk->dict, chunk->leaf) >
				  DICT_BYTES_MAX);

	if (!too_large && chunk->rows < PARQUET_PAGE_ROWS &&
	    chunk->raw.len < press->page_bytes)
		return 0;
	if (end_page(chunk, press, true, err) < 0)
		return -1;
	if (too_large)
		chunk->mode = PARQUET_BY_VALUE;
	return 0;
}

int parquet_chunk_end(struct parquet_chunk *chunk, struct parquet_press *press,
		      struct error *err)
{
	struct parquet_page_header header = {
		.type = PARQUET_DICTIONARY_PAGE,
		.values = chunk->dict.count,
		.encoding = PARQUET_PLAIN,
	};

	if (chunk->rows && end_page(chunk, press, false, err) < 0)
		return -1;
	if (!chunk->dict.bits || chunk->mode == PARQUET_TRYING)
		return 0;
	strbuf_reset(&press->body);
	parquet_dict_write(&chunk->dict, chunk->leaf, &press->body);
	return put_page(press, &header, &chunk->dict_page, &chunk->unpacked,
			err);
}
