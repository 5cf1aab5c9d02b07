#ifndef TDSD_VAL_H
#define TDSD_VAL_H

#include <stddef.h>
#include <stdint.h>

/*
 * A value as SQLite keeps it. Which T-SQL value it stands for is said by the
 * `struct type` that travels beside it:
 *
 *   bit, tinyint .. bigint      INT
 *   money, smallmoney           INT, in 1/10000
 *   decimal(p <= 18)            INT, unscaled
 *   decimal(p > 18)             BLOB of 17 bytes that sorts (decimal.h)
 *   real, float                 REAL
 *   date                        INT, days since 0001-01-01
 *   time                        INT, 100 ns since midnight
 *   datetime2                   INT, 100 ns since 0001-01-01
 *   datetime                    INT, 1/300 s since 1900-01-01
 *   smalldatetime               INT, minutes since 1900-01-01
 *   datetimeoffset              BLOB of 10: UTC ticks (big endian), offset
 *   char, varchar, text, n*, xml TEXT in UTF-8; a surrogate without its other
 *                               half is a three-byte sequence of its own
 *   binary, varbinary, image    BLOB
 *   rowversion                  BLOB of 8
 *   uniqueidentifier            BLOB of 16 in the order the server sorts by
 *   sql_variant                 BLOB: packed type (8 bytes), then the value
 *
 * All but the last sort in SQLite as they do on the server (text with the
 * collation that the statement names).
 */
enum val_class { VAL_NULL, VAL_INT, VAL_REAL, VAL_TEXT, VAL_BLOB };

struct val {
	enum val_class cls;
	union {
		int64_t i;
		double r;
		size_t n; /* bytes at `p` for TEXT and BLOB */
	};
	const char *p; /* not NUL-terminated, never NULL for TEXT and BLOB */
};

static inline struct val val_null(void)
{
	return (struct val){.cls = VAL_NULL};
}

static inline struct val val_int(int64_t i)
{
	return (struct val){.cls = VAL_INT, .i = i};
}

static inline struct val val_real(double r)
{
	return (struct val){.cls = VAL_REAL, .r = r};
}

static inline struct val val_text(const char *p, size_t n)
{
	return (struct val){.cls = VAL_TEXT, .n = n, .p = p};
}

static inline struct val val_blob(const void *p, size_t n)
{
	return (struct val){.cls = VAL_BLOB, .n = n, .p = p};
}

/*
 * A value that owns its bytes: variables, parameters, kept rows. Starts as
 * all zeroes; cell_set copies; the memory grows and is used again.
 */
struct cell {
	struct val v;
	char *mem;
	size_t room;
};

void cell_set(struct cell *cell, const struct val *v);
void cell_release(struct cell *cell);

/* Exact equality of the stored form, not of what the server calls equal. */
int val_same(const struct val *a, const struct val *b);

#endif
