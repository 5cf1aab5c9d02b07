#ifndef FORMAT_PARQUET_LEAF_H
#define FORMAT_PARQUET_LEAF_H

#include "base/arena.h"
#include "format/format.h"
#include "format/parquet.h"
#include "format/thrift.h"
#include "row/batch.h"
#include "row/schema.h"

/* Parquet counts from 1970, we from 0001-01-01. */
#define PARQUET_DAYS_TO_1970	719162
#define PARQUET_TICKS_TO_1970	(PARQUET_DAYS_TO_1970 * ROW_TICKS_PER_DAY)
#define PARQUET_TICKS_PER_MICRO 10
#define PARQUET_NANOS_PER_TICK	100
#define PARQUET_LAST_DAY	3652058 /* 9999-12-31 */

/* How values are held on their way to a page, and compared. */
enum parquet_kind {
	PARQUET_NUMBERS, /* int64: BOOLEAN, INT32, INT64 */
	PARQUET_REALS,	 /* the bits of FLOAT, DOUBLE, likewise */
	PARQUET_SLICES,	 /* BYTE_ARRAY, FIXED */
};

/* What is done to a value on its way. */
enum parquet_form {
	PARQUET_AS_INT,
	PARQUET_AS_DATE,
	PARQUET_AS_TIME,
	PARQUET_AS_TIMESTAMP,
	PARQUET_AS_TIMESTAMPTZ,
	PARQUET_AS_SMALL_DECIMAL, /* in INT32, INT64 */
	PARQUET_AS_DECIMAL,
	PARQUET_AS_UINT64, /* as a decimal, which every reader knows */
	PARQUET_AS_FLOAT,
	PARQUET_AS_DOUBLE,
	PARQUET_AS_UUID,
	PARQUET_AS_SLICE,
	PARQUET_AS_WORDS,
};

/* A column of a file. Plain data. */
struct parquet_leaf {
	const struct column *column; /* borrowed */
	enum parquet_type type;
	enum parquet_kind kind;
	enum parquet_form form;
	size_t width;	      /* bytes of a value; 0: one bit, or they differ */
	bool optional;	      /* may be NULL */
	bool is_signed;	      /* FIXED that is a number */
	bool nanos;	      /* times, otherwise in microseconds */
	int digits;	      /* of a second that are kept */
	bool rounds;	      /* finer times are rounded to that, not refused */
	int precision, scale; /* of decimals */
};

/*
 * What a column becomes. -1 is ERROR_SCHEMA: nothing that there is. docs/
 * formats.md says why which type is chosen.
 */
int parquet_leaf_init(struct parquet_leaf *leaf, const struct column *column,
		      const struct format_options *options, bool optional,
		      struct error *err) __attribute__((warn_unused_result));

/* Its SchemaElement, as an element of a list. */
void parquet_leaf_write(const struct parquet_leaf *leaf,
			struct thrift_writer *writer);

/* "INT64 TIMESTAMP(MICROS)"; NULL without memory. */
const char *parquet_leaf_name(const struct parquet_leaf *leaf,
			      struct arena *arena);

/* 10^digits, for up to 38 digits. */
row_int128 parquet_power(int digits);

#endif
