#ifndef ROW_TYPE_H
#define ROW_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The types that values have between a source and a target. docs/types.md
 * says which type of each system becomes which of these.
 */
enum row_type {
	ROW_BOOL,
	ROW_UINT8,
	ROW_INT8,
	ROW_INT16,
	ROW_INT32,
	ROW_INT64,
	ROW_UINT64,
	ROW_FLOAT32,
	ROW_FLOAT64,
	ROW_DECIMAL,	 /* unscaled 128-bit integer, scale in the column */
	ROW_TEXT,	 /* UTF-8, or what the column's charset says */
	ROW_BYTES,	 /* */
	ROW_DATE,	 /* days since 0001-01-01 */
	ROW_TIME,	 /* 100 ns ticks since midnight */
	ROW_TIMESTAMP,	 /* 100 ns ticks since 0001-01-01, no zone */
	ROW_TIMESTAMPTZ, /* the same in UTC, and an offset */
	ROW_UUID,	 /* 16 bytes in the order of its text form */
	ROW_JSON,	 /* text */
	ROW_XML,	 /* text */
};

__extension__ typedef __int128 row_int128;

#define ROW_TICKS_PER_SECOND INT64_C(10000000)
#define ROW_TICKS_PER_DAY    (INT64_C(86400) * ROW_TICKS_PER_SECOND)

/* What values of extended columns may be besides, see struct column. */
#define ROW_DECIMAL_NAN	    ((row_int128)((unsigned __int128)1 << 127))
#define ROW_INFINITE_PAST   INT64_MIN
#define ROW_INFINITE_FUTURE INT64_MAX

struct row_timestamptz {
	int64_t utc;		/* 100 ns ticks since 0001-01-01 UTC */
	int16_t offset_minutes; /* east of UTC is positive */
};

struct row_uuid {
	unsigned char bytes[16];
};

/* A run of bytes that somebody else owns; not NUL-terminated. */
struct row_slice {
	const unsigned char *data;
	size_t len;
};

/* How the values of a type are held in a batch. */
enum row_store {
	ROW_STORE_I64,	 /* integers, bool, date, time, timestamp */
	ROW_STORE_F64,	 /* both floats; a float32 is exact as a double */
	ROW_STORE_WIDE,	 /* union row_wide */
	ROW_STORE_SLICE, /* text, bytes, json, xml */
};

union row_wide {
	row_int128 decimal;
	struct row_timestamptz timestamptz;
	struct row_uuid uuid;
};

enum row_store row_type_store(enum row_type type);

/* What the values of an integer type, or bool, can be. False: it is none. */
bool row_type_range(enum row_type type, row_int128 *min, row_int128 *max);

/* "int32", "timestamp", …: for messages and docs. */
const char *row_type_name(enum row_type type);

/* The moment behind the last one there is. */
#define ROW_TICKS_END (INT64_C(3652059) * ROW_TICKS_PER_DAY)

/*
 * Ticks rounded to so many digits of a second; what that would make `end` is cut
 * instead: the last moment of a day, or of all days, stays where it is.
 */
int64_t row_round_ticks(int64_t ticks, int digits, int64_t end);

/* The calendar date of a day number, and back; the year 0 is 1 BC. */
void row_date_split(int64_t days, int *year, int *month, int *day);
int64_t row_date_join(int year, int month, int day);

#endif
