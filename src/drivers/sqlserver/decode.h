#ifndef DRIVERS_SQLSERVER_DECODE_H
#define DRIVERS_SQLSERVER_DECODE_H

#include "base/strbuf.h"
#include "drivers/sqlserver/catalog.h"
#include "row/batch.h"
#include "tds/connection.h"

/*
 * From the rows of a SELECT into batches.
 *
 * Text is always asked for as varbinary: the bytes come untouched by FreeTDS's
 * own conversions, which would replace what they do not know. For native text
 * those are the column's own bytes; otherwise the server makes UTF-16 of it
 * first and the decoder UTF-8.
 */
struct decoder;

/*
 * Append the expression that reads `column` of the table alias `alias`.
 * `as_reset`: a 1 reads as 0, for the trigger column.
 */
void decode_expression(struct strbuf *sql, const struct catalog_column *column,
		       const char *alias, bool native_text, bool as_reset);

/*
 * Prepare to read the result at hand, whose columns from `first` on were made
 * by decode_expression() for the columns of `shape`, in that order.
 */
struct decoder *decoder_new(struct tds *conn, size_t first,
			    const struct catalog_table *catalog,
			    const struct table *shape, bool native_text,
			    struct error *err);
void decoder_free(struct decoder *decoder); /* NULL is fine */

/*
 * Put the row at hand into the batch's next row, without adding it. With
 * `key_only` the other columns become NULL. 1: done; 0: the batch has no room
 * for it; -1: a value cannot be carried. A lone row borrows db-lib's bytes.
 */
int decoder_read(struct decoder *decoder, struct batch *batch, bool key_only,
		 struct error *err) __attribute__((warn_unused_result));

#endif
