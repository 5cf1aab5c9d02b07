#ifndef BASE_BYTE_SOURCE_H
#define BASE_BYTE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Bytes that can be read at any place: a file, an object, a buffer. Whoever
 * makes one puts it first into a struct of its own. One thread at a time.
 */
struct byte_source {
	uint64_t size;
	/* All of `len` bytes, which lie within `size`, or -1. */
	int (*read_at)(struct byte_source *source, uint64_t offset, void *data,
		       size_t len, struct error *err);
};

/* ERROR_DATA when they do not lie within it. */
static inline int byte_source_read(struct byte_source *source, uint64_t offset,
				   void *data, size_t len, struct error *err)
	__attribute__((warn_unused_result));

static inline int byte_source_read(struct byte_source *source, uint64_t offset,
				   void *data, size_t len, struct error *err)
{
	if (offset > source->size || len > source->size - offset)
		return error_set(err, ERROR_DATA,
				 "the file is cut off: it ends before what is "
				 "said to be in it");
	return len ? source->read_at(source, offset, data, len, err) : 0;
}

#endif
