#ifndef FORMAT_PARQUET_H
#define FORMAT_PARQUET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The numbers of the Parquet format, as they stand in files.
 * https://github.com/apache/parquet-format
 */
#define PARQUET_MAGIC	  "PAR1"
#define PARQUET_MAGIC_LEN 4

enum parquet_type {
	PARQUET_BOOLEAN,
	PARQUET_INT32,
	PARQUET_INT64,
	PARQUET_INT96,
	PARQUET_FLOAT,
	PARQUET_DOUBLE,
	PARQUET_BYTE_ARRAY,
	PARQUET_FIXED,
};

enum parquet_encoding {
	PARQUET_PLAIN = 0,
	PARQUET_RLE = 3,
	PARQUET_DELTA = 5, /* DELTA_BINARY_PACKED */
	PARQUET_DICTIONARY = 8,
};

enum parquet_page_type {
	PARQUET_DATA_PAGE = 0,
	PARQUET_DICTIONARY_PAGE = 2,
};

enum parquet_codec {
	PARQUET_UNCOMPRESSED = 0,
	PARQUET_SNAPPY = 1,
	PARQUET_GZIP = 2,
	PARQUET_ZSTD = 6,
};

enum parquet_order {
	PARQUET_UNORDERED,
	PARQUET_ASCENDING,
	PARQUET_DESCENDING,
};

/*
 * Rows are taken up in slabs, which end behind so many rows or bytes. Pages and
 * row groups end where a slab does, so that it does not matter how rows are
 * spread over batches.
 */
#define PARQUET_SLAB_ROWS  1024
#define PARQUET_SLAB_BYTES ((size_t)1 << 20)
#define PARQUET_PAGE_ROWS  (20 * PARQUET_SLAB_ROWS)
#define PARQUET_PAGE_BYTES ((size_t)1 << 20)
#define PARQUET_GROUP_ROWS ((size_t)1 << 20)

/* A page's length is a signed 32-bit number in its header; a page may have some
 * values before a long one. */
#define PARQUET_VALUE_MAX ((size_t)INT32_MAX - (4 << 20))

#endif
