#ifndef FORMAT_VARINT_H
#define FORMAT_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

/*
 * Whole numbers in as few bytes as they need, seven bits each, the lowest first:
 * as Thrift and Parquet's encodings have them.
 */
void varint_put(struct strbuf *out, uint64_t value);

/* Small numbers of either sign are short. */
void varint_put_signed(struct strbuf *out, int64_t value);

/* Read one and move on. False: it is cut off, or has more than 64 bits. */
bool varint_get(const unsigned char **at, const unsigned char *end,
		uint64_t *out);
bool varint_get_signed(const unsigned char **at, const unsigned char *end,
		       int64_t *out);

#endif
