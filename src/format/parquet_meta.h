#ifndef FORMAT_PARQUET_META_H
#define FORMAT_PARQUET_META_H

#include "format/parquet_chunk.h"

/*
 * What stands in a Parquet file beside its pages, written in Thrift. All append,
 * and failures stay in the strbuf.
 * https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
 */
struct parquet_page_header {
	enum parquet_page_type type;
	enum parquet_encoding encoding;
	size_t values;		 /* NULLs included */
	size_t unpacked, packed; /* bytes behind the header */
	uint32_t crc;
};

void parquet_put_page_header(struct strbuf *out,
			     const struct parquet_page_header *header);

/* ColumnMetaData of a chunk that has ended and begins at `offset`. */
void parquet_put_column(struct strbuf *out, const struct parquet_chunk *chunk,
			enum format_compression compression, uint64_t offset);

/* False, and nothing is written: it would not be true of all pages. */
bool parquet_put_column_index(struct strbuf *out,
			      const struct parquet_chunk *chunk);
void parquet_put_offset_index(struct strbuf *out,
			      const struct parquet_chunk *chunk,
			      uint64_t offset);

#endif
