#ifndef DRIVERS_POSTGRESQL_ENCODE_H
#define DRIVERS_POSTGRESQL_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "drivers/postgresql/dest.h"
#include "row/batch.h"

/*
 * Values as a binary COPY takes them: four bytes of length, then what the
 * receive function of the destination's type reads. Nothing is cut, rounded or
 * replaced on the way: what does not fit is refused here, before the server
 * could make something else of it.
 */

/*
 * Where they go: a buffer of a fixed size in front of a connection. Rows are
 * put into it whole, so that one which is refused can be taken out again; only
 * the rows that hold long values go out in pieces, once all of the row was
 * looked at.
 */
struct encode_sink {
	int (*write)(void *context, const void *data, size_t len,
		     struct error *err);
	void *context;
	unsigned char *data;
	size_t len;
	bool dry;    /* only look whether the values fit */
	bool pieces; /* the row at hand goes out as it comes */
};

int encode_sink_init(struct encode_sink *sink, struct error *err)
	__attribute__((warn_unused_result));
void encode_sink_release(struct encode_sink *sink); /* safe when zeroed */
int encode_sink_flush(struct encode_sink *sink, struct error *err)
	__attribute__((warn_unused_result));

/* More in it than is worth to wait for? */
bool encode_sink_full(const struct encode_sink *sink);

/* Too many bytes of values for a row to be put into the buffer whole. */
bool encode_is_long(const struct batch *batch, size_t row);

void encode_int16(struct encode_sink *sink, int value);
void encode_int32(struct encode_sink *sink, int64_t value);
void encode_int64(struct encode_sink *sink, int64_t value);
/* A field of text, the caller's bytes, at most 32 KiB. */
void encode_text(struct encode_sink *sink, const void *text, size_t len);

/* One column of a load. Belongs to one thread at a time. */
struct encoder_pg;

/*
 * For column `i` of `shape`, which goes into `to`. `nulls` says that NULL is
 * fine whatever `to` says. Borrows everything.
 */
struct encoder_pg *encoder_pg_new(const struct table *shape, size_t i,
				  const struct pg_dest_column *to, bool nulls,
				  struct error *err);
void encoder_pg_free(struct encoder_pg *encoder); /* NULL is fine */

/*
 * Does the destination's type have to be loaded as text, and cast by the
 * server afterwards? So it is for every type whose binary form is its own
 * affair: arrays, ranges, inet, interval, …
 */
bool encode_by_cast(const struct column *from,
		    const struct pg_dest_column *to);

/* How often the bytes of a long value lie in memory here. */
unsigned encoder_pg_held(const struct encoder_pg *encoder);

/* The value of a row as the next field. ERROR_DATA names the column. */
int encoder_pg_put(struct encoder_pg *encoder, const struct batch *batch,
		   size_t row, struct encode_sink *sink, struct error *err)
	__attribute__((warn_unused_result));

#endif
