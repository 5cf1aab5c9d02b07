#ifndef FORMAT_PARQUET_COLUMN_H
#define FORMAT_PARQUET_COLUMN_H

#include "format/codec.h"
#include "format/parquet_decode.h"
#include "format/parquet_footer.h"
#include "format/parquet_leaf.h"

/*
 * Reads one column of one row group after the other, value by value. Holds the
 * chunk as it is in the file, its dictionary, and one page.
 */
struct parquet_column {
	struct parquet_leaf leaf;
	struct codec codec;
	struct strbuf chunk, page, dict;
	size_t at;	    /* of the next page in `chunk` */
	uint64_t rows_left; /* of the row group, behind the page */
	uint32_t page_left; /* rows of the page */
	/* a dictionary of slices */
	struct row_slice *entries;
	uint32_t entry_count;
	/* the page at hand */
	enum parquet_encoding encoding;
	struct parquet_hybrid levels, indices;
	struct parquet_delta delta;
	const unsigned char *values, *end; /* PLAIN */
	unsigned bit;			   /* of bools */
	/* the value that was read last */
	bool null;
	int64_t number;
	struct row_slice slice;
};

void parquet_column_init(struct parquet_column *column,
			 const struct parquet_leaf *leaf);
void parquet_column_release(struct parquet_column *column);

/* How many bytes it holds. */
size_t parquet_column_memory(const struct parquet_column *column);

/* Begin a chunk, of so many rows. */
int parquet_column_begin(struct parquet_column *column,
			 struct byte_source *source,
			 const struct parquet_file_chunk *chunk, uint64_t rows,
			 struct error *err) __attribute__((warn_unused_result));

/*
 * Read the next row's value; another page may take `room` bytes. What a slice
 * points to lives until the next call.
 */
int parquet_column_next(struct parquet_column *column, size_t room,
			struct error *err) __attribute__((warn_unused_result));

/* Behind the last row: nothing may be left. */
int parquet_column_end(struct parquet_column *column, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Put the value into the next row of a batch. 1, or 0: there is no room for it.
 * -1 is ERROR_DATA: it is none of its type.
 */
int parquet_column_put(const struct parquet_column *column, struct batch *batch,
		       size_t col, struct error *err)
	__attribute__((warn_unused_result));

#endif
