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
 * Of a table of our own, is this column made as text, which the server casts to
 * the destination's type later? So it is for every type whose binary form is
 * its own affair: arrays, ranges, inet, interval, … And for those that do not
 * take every text: else one bad value would end the whole load, instead of
 * being found. And for types that people made, which a table of ours must not
 * keep them from dropping.
 */
bool encode_staged_as_text(const struct column *from,
			   const struct pg_dest_column *to);

/* The first of these reasons, which holds for any table. */
bool encode_by_cast(const struct column *from, const struct pg_dest_column *to);

/*
 * For column `i` of `shape`, which goes into `to`, or with `staged` into a table
 * of our own on the way there. `nulls` says that NULL is fine whatever `to`
 * says. Borrows everything.
 */
struct encoder_pg *encoder_pg_new(const struct table *shape, size_t i,
				  const struct pg_dest_column *to, bool staged,
				  bool nulls, struct error *err);
void encoder_pg_free(struct encoder_pg *encoder); /* NULL is fine */

/* How often the bytes of a long value lie in memory here. */
unsigned encoder_pg_held(const struct encoder_pg *encoder);

/* The value of a row as the next field. ERROR_DATA names the column. */
int encoder_pg_put(struct encoder_pg *encoder, const struct batch *batch,
		   size_t row, struct pg_sink *sink, struct error *err)
	__attribute__((warn_unused_result));

#endif
