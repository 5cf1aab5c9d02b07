#ifndef TDSD_ROWS_H
#define TDSD_ROWS_H

#include <stdio.h>

#include "plan/translate.h"
#include "value/val.h"

/*
 * Rows kept for later: what UPDATE is going to change, what INSERT … EXEC
 * caught, a bulk load that still arrives. In memory up to a size, then in a
 * temporary file. Written first, then read from the start as often as wanted.
 */
struct row_store {
	int columns;
	unsigned char *mem;
	size_t len, room, pos;
	FILE *file; /* when the memory was not enough */
	int64_t count;
	bool failed;	    /* the disk is full */
	unsigned char *row; /* a row read from the file */
	size_t row_room;
};

#define ROW_STORE_MEMORY ((size_t)16 << 20)

void rows_init(struct row_store *r, int columns);
void rows_release(struct row_store *r);
void rows_add(struct row_store *r, const struct val *values);
void rows_rewind(struct row_store *r);
/* The next row; values stay good until the next call. False at the end. */
bool rows_next(struct row_store *r, struct val *values);

/* INSERT … EXEC */
struct row_sink {
	struct row_store rows;
	int wanted;	    /* columns */
	struct type *types; /* of the result that came */
	bool have_columns, mismatch, nested;
};

void sink_columns(struct row_sink *k, const struct out_column *cols, int n);
void sink_row(struct row_sink *k, const struct val *values, int n);

#endif
