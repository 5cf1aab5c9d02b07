#ifndef FORMAT_CELL_ROW_H
#define FORMAT_CELL_ROW_H

#include "format/cell.h"

/*
 * One row of a file of text, taken apart: what a parser makes, and what then
 * goes into a batch, or has to wait for the next one.
 */
struct cell_row {
	const struct table *table; /* borrowed */
	struct cell *cells;
	struct strbuf bytes; /* of all values, one behind the other */
	struct cell_value {
		bool null;
		size_t start, len; /* in `bytes` */
	} * values;		   /* one for each column of the table */
	bool loaded;		   /* a row waits here */
};

int cell_row_init(struct cell_row *row, const struct table *table,
		  const struct format_options *options, size_t max_bytes,
		  struct error *err) __attribute__((warn_unused_result));
void cell_row_release(struct cell_row *row); /* safe when zeroed */

/* Nothing: all columns are NULL. */
void cell_row_reset(struct cell_row *row);

/*
 * Put the row that waits into a batch: 1, or 0 if there is no room beside other
 * rows, and it still waits. -1: a value is none of its column.
 */
int cell_row_put(struct cell_row *row, struct batch *batch, struct error *err)
	__attribute__((warn_unused_result));

#endif
