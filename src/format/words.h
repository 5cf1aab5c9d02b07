#ifndef FORMAT_WORDS_H
#define FORMAT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "row/type.h"

/*
 * Values as text, written straight to where they go: a formatted print a value
 * would take most of the time of a file. Each returns the end of what it wrote,
 * which is at most WORDS_MAX bytes behind `to`, and no NUL.
 */
#define WORDS_MAX 64

char *words_int(char *to, int64_t value);
char *words_uint(char *to, uint64_t value);

/* With `scale` digits behind the point; none without a scale. */
char *words_decimal(char *to, row_int128 value, int scale);

/* Whatever date it is, from 0001-01-01 to 9999-12-31: "2026-01-31". */
char *words_date(char *to, int64_t days);

/* "13:00:59.1234567", with `digits` of them behind the point. */
char *words_time(char *to, int64_t ticks, int digits);

/* Both, with `between` in between. */
char *words_timestamp(char *to, int64_t ticks, int digits, char between);

/* "+02:00" */
char *words_offset(char *to, int minutes);

/* "6b3f1c2e-…" in lower case */
char *words_uuid(char *to, const struct row_uuid *uuid);

/*
 * The shortest number that reads back as the same double, or as the same float:
 * "0.1", "1.0", "-1.5e-7", "1e+300"; "NaN", "Infinity", "-Infinity".
 */
char *words_double(char *to, double value);
char *words_float(char *to, float value);

/* Two lower-case digits a byte. `to` has room for them. */
char *words_hex(char *to, const unsigned char *data, size_t len);

/* Four signs for three bytes, the last ones filled up with '='. */
char *words_base64(char *to, const unsigned char *data, size_t len);
#define WORDS_BASE64_LEN(len) (((len) + 2) / 3 * 4)

/*
 * Where year, month and day stand in a date that is made after a pattern like
 * "DD.MM.YYYY": dates are as long as their pattern.
 */
struct words_pattern {
	char text[WORDS_MAX / 2];
	size_t len, year, month, day;
};

/* The pattern has YYYY, MM and DD once each, and is no longer than `text`. */
void words_pattern_init(struct words_pattern *pattern, const char *text);
char *words_date_as(char *to, int64_t days,
		    const struct words_pattern *pattern);

/* ------------------------------------------------------------------ reading */

/*
 * The reverse, of all `len` bytes of `s`. False for what no function above
 * writes, and for a date or time that there is not.
 */
bool words_read_int(const char *s, size_t len, int64_t *out);
bool words_read_uint(const char *s, size_t len, uint64_t *out);
/* Of at most `precision` digits, at most `scale` of them behind the point. */
bool words_read_decimal(const char *s, size_t len, int precision, int scale,
			row_int128 *out);
bool words_read_date_as(const char *s, size_t len,
			const struct words_pattern *pattern, int64_t *out);
bool words_read_time(const char *s, size_t len, int digits, int64_t *out);
bool words_read_timestamp(const char *s, size_t len, int digits, int64_t *out);
bool words_read_offset(const char *s, size_t len, int *out);
bool words_read_timestamptz(const char *s, size_t len, int digits,
			    struct row_timestamptz *out);
bool words_read_uuid(const char *s, size_t len, struct row_uuid *out);
bool words_read_double(const char *s, size_t len, double *out);
bool words_read_float(const char *s, size_t len, double *out);
/* Into `to`, which has room for half as many bytes, or three quarters. */
bool words_read_hex(const char *s, size_t len, unsigned char *to);
bool words_read_base64(const char *s, size_t len, unsigned char *to,
		       size_t *out_len);

#endif
