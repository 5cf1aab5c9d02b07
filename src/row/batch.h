#ifndef ROW_BATCH_H
#define ROW_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "row/schema.h"
#include "row/type.h"

/* What a row of a change batch asks for; plain rows are all ROW_UPSERT. */
enum row_op {
	ROW_UPSERT, /* the row exists with these values from now on */
	ROW_DELETE, /* no row has this key any more; only the key is set */
};

/*
 * Some rows of one table definition, column by column. The only thing that
 * travels between a source and a target. Belongs to one thread at a time; it
 * is handed over, not shared. Everything in it lives until batch_reset().
 */
struct batch {
	const struct table *table; /* borrowed; outlives the batch */
	size_t rows;
	size_t capacity; /* rows there is room for */
	bool lone;  /* the next row, or the only one, is larger than that */
	bool keeps; /* some value is marked as unchanged */
	unsigned char *ops;
	struct batch_column {
		enum row_store store;
		union {
			int64_t *i64;
			double *f64;
			union row_wide *wide;
			struct row_slice *slice;
		};
		unsigned char *nulls; /* a bit a row, set for NULL */
		unsigned char *kept;  /* likewise, see batch_put_unchanged() */
	} * columns;
	struct arena frame;  /* the arrays: made once */
	struct arena values; /* what the slices point to: reset */
	size_t values_cap;   /* but for a lone row */
};

/*
 * Room for at most `max_rows` rows of `table` in at most `max_bytes` bytes,
 * arrays included. There is always room for the arrays of one row.
 */
int batch_init(struct batch *batch, const struct table *table, size_t max_rows,
	       size_t max_bytes, struct error *err)
	__attribute__((warn_unused_result));
void batch_release(struct batch *batch); /* safe on zeroed memory */

/* No rows again; the memory is kept. */
void batch_reset(struct batch *batch);

/* How much memory a row takes in such a batch beside its slices' bytes. */
size_t batch_row_bytes(const struct table *table);

/*
 * How much its rows hold: the bytes of texts and the like, and 8 or 16 for each
 * number, as they lie here. A measure of the work, not of what went over wires.
 */
size_t batch_bytes(const struct batch *batch);

static inline bool batch_full(const struct batch *batch)
{
	return batch->rows == batch->capacity || (batch->lone && batch->rows);
}

/* It has room for few more rows, if any. */
static inline bool batch_nearly_full(const struct batch *batch)
{
	return batch_full(batch) || batch->values.used > batch->values_cap / 2;
}

/*
 * Writing: set every column of the row that comes next, then batch_add_row().
 * A row that was begun and not added is simply written over.
 */
static inline void batch_mark(struct batch *batch, size_t col, bool null)
{
	unsigned char *byte = &batch->columns[col].nulls[batch->rows >> 3];
	unsigned char bit = (unsigned char)(1 << (batch->rows & 7));

	*byte = null ? *byte | bit : *byte & (unsigned char)~bit;
	if (batch->keeps)
		batch->columns[col].kept[batch->rows >> 3] &=
			(unsigned char)~bit;
}

static inline void batch_put_null(struct batch *batch, size_t col)
{
	batch_mark(batch, col, true);
}

/*
 * The log does not tell this value of a change, since it stays as the row had
 * it: the earlier changes of the row, if they are there, or else the
 * destination. A row with such a mark is never new: if none has its key, there
 * is nothing to do. Not of a key. Reads as NULL for those who do not ask.
 */
static inline void batch_put_unchanged(struct batch *batch, size_t col)
{
	batch_mark(batch, col, true);
	batch->keeps = true;
	batch->columns[col].kept[batch->rows >> 3] |=
		(unsigned char)(1 << (batch->rows & 7));
}

static inline void batch_put_i64(struct batch *batch, size_t col, int64_t value)
{
	batch_mark(batch, col, false);
	batch->columns[col].i64[batch->rows] = value;
}

static inline void batch_put_f64(struct batch *batch, size_t col, double value)
{
	batch_mark(batch, col, false);
	batch->columns[col].f64[batch->rows] = value;
}

static inline union row_wide *batch_put_wide(struct batch *batch, size_t col)
{
	batch_mark(batch, col, false);
	return &batch->columns[col].wide[batch->rows];
}

/*
 * Room for `len` bytes of a slice, which the caller fills; NULL when the
 * batch's memory is used up: then the row has to go into the next batch.
 */
unsigned char *batch_put_slice(struct batch *batch, size_t col, size_t len);

/*
 * Copy a value into the next row, from a column of the same kind of values.
 * False when the batch's memory is used up.
 */
bool batch_put_copy(struct batch *batch, size_t col, const struct batch *from,
		    size_t from_col, size_t from_row);

static inline void batch_add_row(struct batch *batch, enum row_op op)
{
	batch->ops[batch->rows++] = (unsigned char)op;
}

/*
 * A row that does not fit into an empty batch: put it again after this, and it
 * goes beyond what the batch may have, on its own.
 */
void batch_make_lone(struct batch *batch);

/*
 * A slice of a lone row without a copy: the bytes are the caller's, who keeps
 * them until the batch was used.
 */
void batch_put_borrowed(struct batch *batch, size_t col, const void *data,
			size_t len);

/* Reading. The value of a NULL means nothing. */
static inline bool batch_null(const struct batch *batch, size_t col, size_t row)
{
	return batch->columns[col].nulls[row >> 3] >> (row & 7) & 1;
}

static inline bool batch_unchanged(const struct batch *batch, size_t col,
				   size_t row)
{
	return batch->keeps &&
	       (batch->columns[col].kept[row >> 3] >> (row & 7) & 1);
}

/* Does the log leave out some value of the row? */
bool batch_is_partial(const struct batch *batch, size_t row);

static inline enum row_op batch_op(const struct batch *batch, size_t row)
{
	return (enum row_op)batch->ops[row];
}

#endif
