#ifndef FORMAT_CELL_H
#define FORMAT_CELL_H

#include "base/strbuf.h"
#include "format/format.h"
#include "format/words.h"
#include "row/batch.h"
#include "row/charset.h"

/*
 * Values of rows as the text that CSV and JSON have in common: everything but
 * quotes and escapes. One for each column. docs/formats.md says what it is.
 */
struct cell {
	const struct column *column; /* borrowed */
	bool optional;		     /* may be NULL */
	struct words_pattern date;
	char between; /* date and time */
	bool base64;
	struct charset charset; /* of a batch's text */
	const char *charset_name;
};

/* -1 is ERROR_SCHEMA: no file can hold this column. */
int cell_init(struct cell *cell, const struct column *column,
	      const struct format_options *options, bool optional,
	      struct error *err) __attribute__((warn_unused_result));
void cell_release(struct cell *cell); /* safe when zeroed */

/* Make one for each column of a table; NULL, and `err` is filled. */
struct cell *cells_new(const struct table *table,
		       const struct format_options *options,
		       const bool *required, struct error *err);
void cells_free(struct cell *cells, size_t count); /* NULL is allowed */

/* -1, ERROR_DATA: the value is NULL, and must not be. */
int cell_check_null(const struct cell *cell, const struct batch *batch,
		    size_t row, struct error *err)
	__attribute__((warn_unused_result));

/* Are its values slices? Then cell_slice() gives them, else cell_words(). */
static inline bool cell_is_slice(const struct cell *cell)
{
	return row_type_store(cell->column->type) == ROW_STORE_SLICE;
}

/*
 * Write a value that is no slice to `to`, which has room for WORDS_MAX bytes;
 * its length. -1 is ERROR_DATA: the value cannot be.
 */
int cell_words(const struct cell *cell, const struct batch *batch, size_t col,
	       size_t row, char *to, struct error *err)
	__attribute__((warn_unused_result));

/* The bytes, or text as UTF-8, which lives until the next call. -1 is
 * ERROR_DATA: it is no valid text. */
int cell_slice(struct cell *cell, const struct batch *batch, size_t col,
	       size_t row, struct row_slice *out, struct error *err)
	__attribute__((warn_unused_result));

/*
 * The reverse: put a value that is not NULL into the next row of a batch. 1, or
 * 0: there is no room for it. -1 is ERROR_DATA: it is none of the column's type.
 */
int cell_read(const struct cell *cell, const char *s, size_t len,
	      struct batch *batch, size_t col, struct error *err)
	__attribute__((warn_unused_result));

/* What one of these formats holds of a column; see struct format. */
int cell_describe(const struct format_options *options, struct column *column,
		  struct arena *arena, struct error *err)
	__attribute__((warn_unused_result));

#endif
