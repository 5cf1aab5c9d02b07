#ifndef DRIVERS_POSTGRESQL_SINK_H
#define DRIVERS_POSTGRESQL_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

/*
 * Where the rows of a COPY are put: a buffer of a fixed size in front of a
 * connection. Rows are put into it whole, so that one which is refused can be
 * taken out again; only rows that hold long values go out in pieces, once all
 * of the row was looked at. Belongs to one thread at a time.
 */
struct pg_sink {
	int (*write)(void *context, const void *data, size_t len,
		     struct error *err);
	void *context;
	unsigned char *data;
	size_t len;
	bool dry;    /* only look whether the values fit */
	bool pieces; /* the row at hand goes out as it comes */
};

/*
 * A row whose values have up to PG_SINK_ROW bytes is put whole: as text or
 * converted they take four times that at most, and a table has 1600 columns of
 * not more than PG_SINK_FIELD bytes beside them.
 */
#define PG_SINK_ROW   ((size_t)16 * 1024)
#define PG_SINK_FIELD ((size_t)64)

int pg_sink_init(struct pg_sink *sink, struct error *err)
	__attribute__((warn_unused_result));
void pg_sink_release(struct pg_sink *sink); /* safe when zeroed */
int pg_sink_flush(struct pg_sink *sink, struct error *err)
	__attribute__((warn_unused_result));

/* More in it than is worth to wait for? Then there may be no room for a row. */
bool pg_sink_full(const struct pg_sink *sink);

/*
 * Bytes of any number. There is room for those of a row that is put whole, and
 * for a piece at the beginning of each field of others.
 */
int pg_sink_long(struct pg_sink *sink, const void *data, size_t len,
		 struct error *err) __attribute__((warn_unused_result));

static inline void pg_sink_bytes(struct pg_sink *sink, const void *data,
				 size_t len)
{
	memcpy(sink->data + sink->len, data, len);
	sink->len += len;
}

/* The lowest `bytes` of a number, the most significant first. */
static inline void pg_sink_uint(struct pg_sink *sink, uint64_t value, int bytes)
{
	unsigned char *to = sink->data + sink->len;

	for (int i = bytes; i-- > 0; value >>= 8)
		to[i] = (unsigned char)value;
	sink->len += (size_t)bytes;
}

static inline void pg_sink_int16(struct pg_sink *sink, int value)
{
	pg_sink_uint(sink, (uint64_t)value, 2);
}

static inline void pg_sink_int32(struct pg_sink *sink, int64_t value)
{
	pg_sink_uint(sink, (uint64_t)value, 4);
}

static inline void pg_sink_int64(struct pg_sink *sink, int64_t value)
{
	pg_sink_uint(sink, (uint64_t)value, 8);
}

/* A field of text. */
static inline void pg_sink_text(struct pg_sink *sink, const void *text,
				size_t len)
{
	pg_sink_int32(sink, (int64_t)len);
	pg_sink_bytes(sink, text, len);
}

#endif
