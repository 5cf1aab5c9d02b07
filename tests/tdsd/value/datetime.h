#ifndef TDSD_DATETIME_H
#define TDSD_DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "value/type.h"
#include "value/val.h"

/*
 * Dates and times. Days count from 0001-01-01 (0) to 9999-12-31 (3652058) of
 * the Gregorian calendar taken backwards, ticks are 100 ns. Any thread.
 */
#define TICKS_PER_SECOND    INT64_C(10000000)
#define TICKS_PER_DAY	    (INT64_C(86400) * TICKS_PER_SECOND)
#define DAYS_MAX	    3652058
#define DAYS_1753	    639905
#define DAYS_1900	    693595
#define DATETIMEOFFSET_BLOB 10

/* A moment, taken apart far enough to make any of the types from it. */
struct moment {
	int64_t days;
	int64_t ticks; /* of the day, 0 .. TICKS_PER_DAY - 1 */
	int offset;    /* minutes east of UTC; days and ticks are local */
};

/* Calendar fields. */
struct civil {
	int year, month, day;
	int hour, minute, second;
	int fraction; /* 100 ns */
};

bool civil_valid_date(int year, int month, int day);
int64_t civil_to_days(int year, int month, int day);
void civil_from_days(int64_t days, int *year, int *month, int *day);
void civil_from_moment(const struct moment *m, struct civil *c);
int civil_month_days(int year, int month);

/* 0 = Monday. */
int civil_weekday(int64_t days);

/* Stored value to moment. Types without a date have the date 1900-01-01. */
void moment_load(struct moment *m, struct type t, const struct val *v);

/*
 * Moment to stored value, rounded to the type's precision. False when the
 * type cannot hold it. `buf` of DATETIMEOFFSET_BLOB bytes.
 */
bool moment_store(const struct moment *m, struct type t, struct val *out,
		  char *buf);

/*
 * The bytes that CONVERT makes of date, time, datetime2 and datetimeoffset:
 * the scale (but for date), then as they travel in TDS. The length; and back,
 * false when the bytes are none of these.
 */
#define MOMENT_BYTES_MAX 11
size_t moment_to_bytes(struct moment m, struct type t, unsigned char *bytes);
bool moment_from_bytes(struct moment *m, struct type t,
		       const unsigned char *bytes, size_t len);

/* Move by some ticks and carry into the days. False outside year 1 to 9999. */
bool moment_add_ticks(struct moment *m, int64_t ticks);

/* 9999-12-31 23:59:59.9…, with `scale` digits behind the point. */
void moment_last(struct moment *m, int scale);

/* Now, in UTC or in the machine's zone (then with its offset). */
void moment_now(struct moment *m, bool utc);

/* The machine's zone at this UTC moment, in minutes. */
int moment_zone(const struct moment *utc);

/* Order of the parts in "01/02/03": SET DATEFORMAT. */
enum date_order { DATE_MDY, DATE_DMY, DATE_YMD, DATE_YDM, DATE_MYD, DATE_DYM };

enum parse_result {
	PARSE_OK,
	PARSE_BAD,   /* 241 */
	PARSE_RANGE, /* 242: looks like a date and is none */
};

/*
 * Read a date and time as the server does. `legacy` is for datetime and
 * smalldatetime, which obey the date order even in yyyy-mm-dd. `style` is
 * CONVERT's (0: any form).
 */
enum parse_result moment_parse(struct moment *m, const char *s, size_t len,
			       enum date_order order, bool legacy, int style);

/* Month and weekday names, 0-based; `full` or three letters. */
const char *month_name(int month, bool full);
const char *weekday_name(int weekday);

/*
 * Write a moment in a CONVERT style. `digits` is the number of fraction
 * digits that the type has; false for an unknown style. `buf` of 80 bytes.
 */
bool moment_format(const struct moment *m, struct type t, int style, char *buf,
		   size_t size);

#endif
