#ifndef FORMAT_PARQUET_CHUNK_H
#define FORMAT_PARQUET_CHUNK_H

#include "format/codec.h"
#include "format/parquet_dict.h"
#include "format/parquet_range.h"
#include "format/parquet_values.h"

/* A data page that is ready; its bytes are in its chunk's `pages`. */
struct parquet_page {
	size_t start, len; /* its header included */
	size_t first_row;  /* in its row group */
	size_t rows;
	size_t nulls;
	enum parquet_encoding encoding;
	struct parquet_range range;
};

/*
 * One column of one row group while it is written. Values of the page at hand
 * wait as they are, or as numbers of the dictionary's entries, or, while it is
 * not decided which is better, as both.
 */
struct parquet_chunk {
	const struct parquet_leaf *leaf;
	enum parquet_chunk_mode {
		PARQUET_TRYING, /* up to the first page that tells */
		PARQUET_BY_DICTIONARY,
		PARQUET_BY_VALUE,
	} mode;
	bool refused; /* no dictionary, whatever that page is like */
	bool delta;   /* if by value */
	/* the page at hand */
	size_t rows, count; /* count: not NULL */
	struct strbuf bits; /* one a row, set if it is not NULL */
	struct strbuf raw;
	struct strbuf indices;
	struct parquet_range range;
	/* all of it */
	struct parquet_dict dict;
	struct strbuf pages;
	struct strbuf dict_page; /* when it has ended, and if it has one */
	struct strbuf list;	 /* of struct parquet_page */
	size_t all_rows, all_nulls;
	size_t unpacked; /* bytes of all pages before compression */
	struct parquet_range all;
};

/* What all chunks of a writer share: settings, and room to work in. */
struct parquet_press {
	struct codec codec;
	bool delta; /* may it be used? */
	size_t page_bytes;
	struct strbuf body, other, packed;
};

void parquet_press_init(struct parquet_press *press,
			const struct format_options *options, size_t columns);
void parquet_press_release(struct parquet_press *press);

void parquet_chunk_init(struct parquet_chunk *chunk,
			const struct parquet_leaf *leaf);
/* Frees, and makes it ready for the next row group. */
void parquet_chunk_release(struct parquet_chunk *chunk);

/* Add values, part of a slab or all of it. */
int parquet_chunk_add(struct parquet_chunk *chunk,
		      const struct parquet_values *values, struct error *err)
	__attribute__((warn_unused_result));

/* Behind each slab: end the page, if it is time. */
int parquet_chunk_slab(struct parquet_chunk *chunk, struct parquet_press *press,
		       struct error *err) __attribute__((warn_unused_result));

/* End the last page, and make the dictionary's. */
int parquet_chunk_end(struct parquet_chunk *chunk, struct parquet_press *press,
		      struct error *err) __attribute__((warn_unused_result));

/* The memory it takes, and about how many bytes of a file that will be. */
size_t parquet_chunk_memory(const struct parquet_chunk *chunk);
size_t parquet_chunk_bytes(const struct parquet_chunk *chunk);

size_t parquet_chunk_pages(const struct parquet_chunk *chunk);
const struct parquet_page *parquet_chunk_page(const struct parquet_chunk *chunk,
					      size_t i);

#endif
