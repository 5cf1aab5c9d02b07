#ifndef DRIVERS_SQLSERVER_ENCODE_H
#define DRIVERS_SQLSERVER_ENCODE_H

#include <stdbool.h>

#include "drivers/sqlserver/catalog.h"
#include "row/batch.h"
#include "tds/bulk.h"

/*
 * Brings one column's values into the very form that db-lib's bulk load sends
 * for the destination's type, so that db-lib has nothing to convert: its
 * conversions cut and round without a word.
 */
struct encoder;

/*
 * FreeTDS tells the server that all char columns are in the code page of the
 * database. The text of a column in another one has to travel as Unicode.
 */
bool encode_is_foreign(const struct catalog_table *dest,
		       const struct catalog_column *column);

/*
 * For column `i` of `shape`, which goes into the column of that name of `dest`
 * and is number `bulk_col` of the load. `nulls` says that a NULL may be sent.
 * `type` gets what tds_bulk_begin() wants to know. Borrows everything.
 */
struct encoder *encoder_new(struct tds *conn, const struct catalog_table *dest,
			    const struct table *shape, size_t i,
			    size_t bulk_col, bool nulls,
			    enum tds_host_type *type, struct error *err);
void encoder_free(struct encoder *encoder); /* NULL is fine */

/*
 * How often the bytes of a long value lie in memory while it is sent: in db-lib,
 * and here if its text has to be converted.
 */
unsigned encoder_held(const struct encoder *encoder);

/*
 * Set the value of a row, which stays in place until the next call. ERROR_DATA
 * names the column whose value does not fit; nothing is ever cut.
 */
int encoder_set(struct encoder *encoder, const struct batch *batch, size_t row,
		struct error *err) __attribute__((warn_unused_result));

#endif
