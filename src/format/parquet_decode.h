#ifndef FORMAT_PARQUET_DECODE_H
#define FORMAT_PARQUET_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The encodings of Parquet's data pages, read value by value from bytes that
 * anybody may have written: false, from the first one on that is not there.
 */

uint64_t parquet_get_le(const unsigned char *from, size_t bytes);

/* RLE/bit-packed hybrid, of numbers of 0 to 32 bits. */
struct parquet_hybrid {
	const unsigned char *at, *end;
	int width;
	uint64_t left; /* values of the run at hand */
	bool packed;
	uint32_t value; /* of a run that is not packed */
	unsigned bit;	/* in the byte at `at`, of one that is */
};

void parquet_hybrid_init(struct parquet_hybrid *hybrid, const void *data,
			 size_t len, int width);
bool parquet_hybrid_next(struct parquet_hybrid *hybrid, uint32_t *out);

/* DELTA_BINARY_PACKED. */
struct parquet_delta {
	const unsigned char *at, *end;
	bool narrow;
	uint64_t block, miniblocks; /* values of a block; parts of it */
	uint64_t left;		    /* values that are still to come */
	bool begun;
	int64_t value; /* the last one */
	int64_t least; /* difference of the block at hand */
	const unsigned char *widths;
	uint64_t miniblock, in_miniblock, in_block;
	unsigned bit;
};

/* False: its header is damaged. `width` is 4 or 8. */
bool parquet_delta_init(struct parquet_delta *delta, const void *data,
			size_t len, size_t width);
bool parquet_delta_next(struct parquet_delta *delta, int64_t *out);

#endif
