#ifndef DRIVERS_POSTGRESQL_ENCODE_H
#define DRIVERS_POSTGRESQL_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "drivers/postgresql/dest.h"
#include "drivers/postgresql/sink.h"
#include "row/batch.h"

/*
 * Values as a binary COPY takes them: four bytes of length, then what the
 * receive function of the destination's type reads. Nothing is cut, rounded or
 * replaced on the way: what does not fit is refused here, before the server
 * could make something else of it.
 */

/* Too many bytes of values for a row to be put into a sink whole? */
bool encode_is_long(const struct batch *batch, size_t row);

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
bool encode_by_cast(const struct column *from, const struct pg_dest_column *to);

/* How often the bytes of a long value lie in memory here. */
unsigned encoder_pg_held(const struct encoder_pg *encoder);

/* The value of a row as the next field. ERROR_DATA names the column. */
int encoder_pg_put(struct encoder_pg *encoder, const struct batch *batch,
		   size_t row, struct pg_sink *sink, struct error *err)
	__attribute__((warn_unused_result));

#endif
