#ifndef FORMAT_PARQUET_FOOTER_H
#define FORMAT_PARQUET_FOOTER_H

#include "base/arena.h"
#include "base/byte_source.h"
#include "format/format.h"

/* What a file of ours says of itself at its end. Lives in `arena`. */
struct parquet_footer {
	struct arena arena;
	uint64_t rows;
	size_t column_count;
	struct parquet_file_column {
		const char *name;
		bool optional;
		const unsigned char *element; /* its SchemaElement */
		size_t element_len;
	} * columns;
	size_t group_count;
	struct parquet_file_group {
		uint64_t rows;
		struct parquet_file_chunk {
			uint64_t offset; /* of its first page */
			size_t len;	 /* of all of them */
			enum format_compression compression;
		} * chunks; /* one a column */
	} * groups;
	size_t pair_count;
	struct format_pair *pairs;
};

/*
 * Read it, with at most `max_bytes` of memory. -1 is ERROR_DATA when it is
 * damaged, or not one of ours; what it says lies within the file then.
 */
int parquet_footer_read(struct parquet_footer *footer,
			struct byte_source *source, size_t max_bytes,
			struct error *err) __attribute__((warn_unused_result));
void parquet_footer_release(struct parquet_footer *footer); /* if zeroed, too */

#endif
