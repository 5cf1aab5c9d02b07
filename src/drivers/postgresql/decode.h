#ifndef DRIVERS_POSTGRESQL_DECODE_H
#define DRIVERS_POSTGRESQL_DECODE_H

#include "drivers/postgresql/catalog.h"
#include "row/batch.h"

/*
 * Values into batches, from a binary COPY and from the log. Nothing is
 * allocated but in the batch.
 *
 * A COPY sends the types' binary form, and what is PG_FORM_WORDS as text. The
 * log (pgoutput) sends text: its option `binary` is for all columns of a stream
 * and would send the binary form of arrays, ranges and composite types as well,
 * which holds numbers of types that mean nothing elsewhere.
 */
struct pg_column_plan {
	const char *name; /* for messages; borrowed */
	size_t index;	  /* in the batch */
	enum pg_form form;
	enum row_type type;
	int precision, scale; /* of a decimal */
	row_int128 end;	      /* of a decimal: 10^precision */
	bool extended;	      /* as in struct column */
	bool as_reset;	      /* a 1 reads as 0: the trigger column */
	bool checks_text;     /* text may be no UTF-8 */
};

/*
 * How to read `column` into column `index` of a batch, whose definition is
 * `shape`. Borrows the name.
 */
void pg_plan_column(struct pg_column_plan *plan,
		    const struct catalog_column *column,
		    const struct column *shape, size_t index,
		    const struct pg *conn);

/*
 * Put a value that is not NULL into the batch's next row, without adding the
 * row. 1: done; 0: the batch has no room for it; -1: it is broken, or ERROR_DATA
 * since the row's type cannot hold it. A lone row borrows the bytes.
 */
int pg_decode_value(const struct pg_column_plan *plan, struct batch *batch,
		    const unsigned char *data, size_t len, struct error *err)
	__attribute__((warn_unused_result));

/* The same from the text that the type's output function made. */
int pg_decode_words(const struct pg_column_plan *plan, struct batch *batch,
		    const char *text, size_t len, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Append the expression by which a COPY reads `column` of the table alias
 * `alias`.
 */
void pg_decode_expression(struct strbuf *sql,
			  const struct catalog_column *column,
			  const char *alias);

/*
 * One row of a binary COPY into the batch, for `count` columns, as
 * pg_decode_value(). 2: it was no row but the end.
 */
int pg_decode_row(const struct pg_column_plan *plans, size_t count,
		  struct batch *batch, const unsigned char *data, size_t len,
		  struct error *err) __attribute__((warn_unused_result));

/*
 * What stands before the first row of a binary COPY, in front of it: how many
 * bytes that is. -1: it is no binary COPY.
 */
int pg_decode_header(const unsigned char *data, size_t len, struct error *err)
	__attribute__((warn_unused_result));

#endif
