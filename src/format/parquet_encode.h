#ifndef FORMAT_PARQUET_ENCODE_H
#define FORMAT_PARQUET_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/*
 * The encodings of Parquet's data pages. All append, and failures stay in the
 * strbuf. https://github.com/apache/parquet-format/blob/master/Encodings.md
 */

/* Least significant byte first. */
static inline void parquet_put_le(unsigned char *to, uint64_t value,
				  size_t bytes)
{
	for (size_t i = 0; i < bytes; i++, value >>= 8)
		to[i] = (unsigned char)value;
}

/* Bits that every number up to `most` fits into; at least 1, which some
 * readers want even where there is nothing to choose. */
int parquet_bit_width(uint32_t most);

/*
 * RLE/bit-packed hybrid. Levels are a bit a row; indices are numbers of `width`
 * bits.
 */
void parquet_put_levels(struct strbuf *out, const unsigned char *bits,
			size_t rows);
void parquet_put_indices(struct strbuf *out, const uint32_t *indices,
			 size_t count, int width);

/* DELTA_BINARY_PACKED, of INT32 or INT64, which are 4 or 8 bytes wide. */
void parquet_put_delta(struct strbuf *out, const int64_t *values, size_t count,
		       size_t width);

#endif
