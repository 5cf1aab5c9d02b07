#ifndef FORMAT_STREAM_H
#define FORMAT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/byte_sink.h"
#include "base/byte_source.h"
#include "format/format.h"

/*
 * A file of text that is compressed as a whole, written and read in pieces. What
 * is compressed depends on the bytes and on the calls that wrote them, which are
 * the same for the same rows.
 */
#define STREAM_BYTES ((size_t)128 << 10)

struct stream_out {
	struct byte_sink *sink;
	enum format_compression compression;
	uint64_t written; /* to the sink */
	size_t used;	  /* of `buffer`, not compressed yet */
	char *buffer, *packed;
	void *packer; /* the library's */
};

int stream_out_init(struct stream_out *out,
		    const struct format_options *options,
		    struct byte_sink *sink, struct error *err)
	__attribute__((warn_unused_result));
void stream_out_release(struct stream_out *out); /* safe when zeroed */

/* What is in the buffer goes on its way. */
int stream_out_flush(struct stream_out *out, struct error *err)
	__attribute__((warn_unused_result));
/* Likewise, and the end of the file. */
int stream_out_end(struct stream_out *out, struct error *err)
	__attribute__((warn_unused_result));

/* Any number of bytes. */
int stream_out_add(struct stream_out *out, const void *data, size_t len,
		   struct error *err) __attribute__((warn_unused_result));

/* Room for `len` bytes, at most STREAM_BYTES; -1 when it cannot be made. The
 * caller writes to `buffer` behind `used`, and adds to that. */
static inline int stream_out_room(struct stream_out *out, size_t len,
				  struct error *err)
	__attribute__((warn_unused_result));

static inline int stream_out_room(struct stream_out *out, size_t len,
				  struct error *err)
{
	return STREAM_BYTES - out->used >= len ? 0 : stream_out_flush(out, err);
}

struct stream_in {
	struct byte_source *source;
	enum format_compression compression;
	uint64_t offset;      /* in the source, of what comes next */
	const char *at, *end; /* what was read and not used */
	const char *packed_at, *packed_end;
	bool ended; /* the compressed file says so */
	bool full;  /* so much was unpacked that there may be more */
	size_t max_bytes;
	char *buffer, *packed;
	void *unpacker;
};

/* A file that cannot be unpacked with `max_bytes` of memory, some KiB apart, is
 * ERROR_MEMORY. */
int stream_in_init(struct stream_in *in, const struct format_options *options,
		   struct byte_source *source, size_t max_bytes,
		   struct error *err) __attribute__((warn_unused_result));
void stream_in_release(struct stream_in *in); /* safe when zeroed */

/* More bytes between `at` and `end`, which were the same. 0: that was all. */
int stream_in_more(struct stream_in *in, struct error *err)
	__attribute__((warn_unused_result));

/* The next byte; 0: there is none. */
static inline int stream_in_byte(struct stream_in *in, char *out,
				 struct error *err)
	__attribute__((warn_unused_result));

static inline int stream_in_byte(struct stream_in *in, char *out,
				 struct error *err)
{
	int rc = in->at < in->end ? 1 : stream_in_more(in, err);

	if (rc > 0)
		*out = *in->at++;
	return rc;
}

#endif
