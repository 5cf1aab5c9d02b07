#include "format/words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DATE_LEN   10 /* 2026-01-31 */
#define TIME_LEN   8  /* 13:00:59 */
#define OFFSET_LEN 6  /* +02:00 */
#define OFFSET_MAX (14 * 60)
#define UUID_LEN   36

/* What can be multiplied by ten once more. */
#define DECIMAL_TENTH ((row_int128)(((unsigned __int128)1 << 127) - 1) / 10 - 1)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Exactly `len` digits, at most nine. */
static bool read_digits(const char *s, size_t len, unsigned *out)
{
	*out = 0;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(s[i]))
			return false;
		*out = *out * 10 + (unsigned)(s[i] - '0');
	}
	return true;
}

/* ------------------------------------------------------------------ numbers */

bool words_read_uint(const char *s, size_t len, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < len; i++)
		if (!is_digit(s[i]) || __builtin_mul_overflow(*out, 10, out) ||
		    __builtin_add_overflow(*out, (unsigned)(s[i] - '0'), out))
			return false;
	return len > 0;
}

bool words_read_int(const char *s, size_t len, int64_t *out)
{
	bool negative = len > 0 && *s == '-';
	uint64_t size;

	if (!words_read_uint(s + negative, len - negative, &size) ||
	    size > (uint64_t)INT64_MAX + negative)
		return false;
	*out = (int64_t)(negative ? 0 - size : size);
	return true;
}

bool words_read_decimal(const char *s, size_t len, int precision, int scale,
			row_int128 *out)
{
	bool negative = len > 0 && *s == '-', point = false;
	row_int128 value = 0, end = 1;
	int digits = 0, behind = 0;

	for (size_t i = negative; i < len; i++) {
		if (s[i] == '.' && !point && digits) {
			point = true;
			continue;
		}
		/* Zeros in front do not count, but there are few of them. */
		if (!is_digit(s[i]) || (point && behind == scale) ||
		    digits > 2 * precision || value > DECIMAL_TENTH)
			return false;
		value = value * 10 + (s[i] - '0');
		digits++;
		behind += point;
	}
	if (!digits || s[len - 1] == '.')
		return false;
	for (; precision > 0; precision--)
		end *= 10;
	for (; behind < scale; behind++) {
		if (value > DECIMAL_TENTH)
			return false;
		value *= 10;
	}
	*out = negative ? -value : value;
	return value < end;
}

static bool is_word(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(s, word, len);
}

/* What strtod() would take beyond that, as hexadecimal digits, is no number
 * here. */
static bool copy_number(const char *s, size_t len, char out[WORDS_MAX])
{
	size_t first = len > 0 && *s == '-';

	if (len >= WORDS_MAX || first == len || !is_digit(s[first]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_digit(s[i]) && !strchr("+-.eE", s[i]))
			return false;
	memcpy(out, s, len);
	out[len] = '\0';
	return !memchr(out, '\0', len);
}

static bool read_special(const char *s, size_t len, double *out)
{
	if (is_word(s, len, "NaN"))
		*out = (double)NAN;
	else if (is_word(s, len, "Infinity"))
		*out = (double)INFINITY;
	else if (is_word(s, len, "-Infinity"))
		*out = (double)-INFINITY;
	else
		return false;
	return true;
}

static bool read_real(const char *s, size_t len, bool single, double *out)
{
	char text[WORDS_MAX], *end;

	if (read_special(s, len, out))
		return true;
	if (!copy_number(s, len, text))
		return false;
	*out = single ? (double)strtof(text, &end) : strtod(text, &end);
	return !*end && isfinite(*out);
}

bool words_read_double(const char *s, size_t len, double *out)
{
	return read_real(s, len, false, out);
}

bool words_read_float(const char *s, size_t len, double *out)
{
	return read_real(s, len, true, out);
}

/* -------------------------------------------------------------------- times */

static int days_of_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30,
				   31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

static bool join_date(unsigned year, unsigned month, unsigned day, int64_t *out)
{
	if (!year || !month || month > 12 || !day ||
	    (int)day > days_of_month((int)year, (int)month))
		return false;
	*out = row_date_join((int)year, (int)month, (int)day);
	return true;
}

bool words_read_date_as(const char *s, size_t len,
			const struct words_pattern *pattern, int64_t *out)
{
	unsigned year, month, day;

	if (len != pattern->len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!strchr("YMD", pattern->text[i]) &&
		    s[i] != pattern->text[i])
			return false;
	return read_digits(s + pattern->year, 4, &year) &&
	       read_digits(s + pattern->month, 2, &month) &&
	       read_digits(s + pattern->day, 2, &day) &&
	       join_date(year, month, day, out);
}

bool words_read_time(const char *s, size_t len, int digits, int64_t *out)
{
	size_t want = TIME_LEN + (digits > 0 ? 1 + (size_t)digits : 0);
	unsigned hour, minute, second, fraction = 0;

	if (len != want || s[2] != ':' || s[5] != ':' ||
	    !read_digits(s, 2, &hour) || !read_digits(s + 3, 2, &minute) ||
	    !read_digits(s + 6, 2, &second) || hour > 23 || minute > 59 ||
	    second > 59)
		return false;
	if (digits > 0 &&
	    (s[TIME_LEN] != '.' ||
	     !read_digits(s + TIME_LEN + 1, (size_t)digits, &fraction)))
		return false;
	for (int i = digits > 0 ? digits : 0; i < 7; i++)
		fraction *= 10;
	*out = (int64_t)(hour * 3600 + minute * 60 + second) *
		       ROW_TICKS_PER_SECOND +
	       (int64_t)fraction;
	return true;
}

bool words_read_timestamp(const char *s, size_t len, int digits, int64_t *out)
{
	struct words_pattern iso;
	int64_t days, ticks;

	words_pattern_init(&iso, "YYYY-MM-DD");
	if (len <= DATE_LEN || s[DATE_LEN] != 'T' ||
	    !words_read_date_as(s, DATE_LEN, &iso, &days) ||
	    !words_read_time(s + DATE_LEN + 1, len - DATE_LEN - 1, digits,
			     &ticks))
		return false;
	*out = days * ROW_TICKS_PER_DAY + ticks;
	return true;
}

bool words_read_offset(const char *s, size_t len, int *out)
{
	unsigned hours, minutes;

	if (len != OFFSET_LEN || (*s != '+' && *s != '-') || s[3] != ':' ||
	    !read_digits(s + 1, 2, &hours) ||
	    !read_digits(s + 4, 2, &minutes) || minutes > 59)
		return false;
	*out = (int)(hours * 60 + minutes);
	if (*out > OFFSET_MAX)
		return false;
	*out = *s == '-' ? -*out : *out;
	return true;
}

bool words_read_timestamptz(const char *s, size_t len, int digits,
			    struct row_timestamptz *out)
{
	int64_t local;
	int offset;

	if (len <= OFFSET_LEN ||
	    !words_read_timestamp(s, len - OFFSET_LEN, digits, &local) ||
	    !words_read_offset(s + len - OFFSET_LEN, OFFSET_LEN, &offset))
		return false;
	out->offset_minutes = (int16_t)offset;
	out->utc = local - offset * INT64_C(60) * ROW_TICKS_PER_SECOND;
	return out->utc >= 0 && out->utc < ROW_TICKS_END;
}

/* -------------------------------------------------------------------- bytes */

static int hex_value(char c)
{
	return is_digit(c)	      ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

bool words_read_hex(const char *s, size_t len, unsigned char *to)
{
	if (len % 2)
		return false;
	for (size_t i = 0; i < len; i += 2) {
		int high = hex_value(s[i]), low = hex_value(s[i + 1]);

		if (high < 0 || low < 0)
			return false;
		*to++ = (unsigned char)(high << 4 | low);
	}
	return true;
}

bool words_read_uuid(const char *s, size_t len, struct row_uuid *out)
{
	static const size_t parts[] = {4, 2, 2, 2, 6};
	unsigned char *to = out->bytes;

	if (len != UUID_LEN)
		return false;
	for (size_t i = 0; i < 5; i++) {
		if (i && *s++ != '-')
			return false;
		if (!words_read_hex(s, 2 * parts[i], to))
			return false;
		s += 2 * parts[i];
		to += parts[i];
	}
	return true;
}

static int base64_value(char c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : is_digit(c)	      ? c - '0' + 52
	       : c == '+'	      ? 62
	       : c == '/'	      ? 63
				      : -1;
}

/* Four signs, `padding` of them '=': what they would add must be no bits. */
static bool read_four(const char *s, int padding, unsigned char *to)
{
	unsigned bits = 0;

	for (int i = 0; i < 4; i++) {
		int value = i < 4 - padding ? base64_value(s[i]) : 0;

		if (value < 0)
			return false;
		bits = bits << 6 | (unsigned)value;
	}
	for (int i = 0; i < 3 - padding; i++)
		to[i] = (unsigned char)(bits >> (16 - 8 * i));
	return (bits & ((1U << (8 * padding)) - 1)) == 0;
}

bool words_read_base64(const char *s, size_t len, unsigned char *to,
		       size_t *out_len)
{
	int padding = 0;

	*out_len = 0;
	if (len % 4)
		return false;
	if (len && s[len - 1] == '=')
		padding = s[len - 2] == '=' ? 2 : 1;
	for (size_t i = 0; i < len; i += 4) {
		int here = i + 4 == len ? padding : 0;

		if (!read_four(s + i, here, to + *out_len))
			return false;
		*out_len += (size_t)(3 - here);
	}
	return true;
}
