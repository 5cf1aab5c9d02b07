#ifndef BASE_BYTE_SINK_H
#define BASE_BYTE_SINK_H

#include <stddef.h>

#include "base/error.h"

/*
 * Where bytes go, one behind the other: a file, an upload, a buffer. Whoever
 * makes one puts it first into a struct of its own. One thread at a time.
 */
struct byte_sink {
	/*
	 * Take all of it; the bytes are the caller's again afterwards. After a
	 * -1 nothing more is written to it.
	 */
	int (*write)(struct byte_sink *sink, const void *data, size_t len,
		     struct error *err);
};

static inline int byte_sink_write(struct byte_sink *sink, const void *data,
				  size_t len, struct error *err)
	__attribute__((warn_unused_result));

static inline int byte_sink_write(struct byte_sink *sink, const void *data,
				  size_t len, struct error *err)
{
	return len ? sink->write(sink, data, len, err) : 0;
}

#endif
