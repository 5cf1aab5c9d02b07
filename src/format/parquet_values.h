#ifndef FORMAT_PARQUET_VALUES_H
#define FORMAT_PARQUET_VALUES_H

#include "format/parquet_leaf.h"
#include "row/batch.h"
#include "row/charset.h"

#define PARQUET_FIXED_MAX 16

/*
 * Some rows of one column as Parquet has them, NULLs left out. Made once and
 * used for one column after the other.
 */
struct parquet_values {
	size_t rows;
	size_t count;				    /* that are not NULL */
	uint16_t pick[PARQUET_SLAB_ROWS];	    /* the rows of those */
	int64_t numbers[PARQUET_SLAB_ROWS];	    /* of numbers and reals */
	struct row_slice slices[PARQUET_SLAB_ROWS]; /* borrowed from the batch
						       or from below */
	unsigned char fixed[PARQUET_SLAB_ROWS * PARQUET_FIXED_MAX];
	struct strbuf text;	  /* what had to be written anew */
	struct charset charset;	  /* of the text that is at hand */
	const char *charset_name; /* borrowed from a batch's table */
	bool converts;
};

void parquet_values_init(struct parquet_values *values);
void parquet_values_release(struct parquet_values *values);

/*
 * Take up to PARQUET_SLAB_ROWS rows of a batch. -1 is ERROR_DATA and names the
 * column and the row: a value that the file cannot hold.
 */
int parquet_values_take(struct parquet_values *values,
			const struct parquet_leaf *leaf,
			const struct batch *batch, size_t col, size_t first,
			size_t rows, struct error *err)
	__attribute__((warn_unused_result));

#endif
