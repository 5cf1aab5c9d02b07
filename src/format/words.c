#include "format/words.h"

#include <math.h>
#include <string.h>

#include "format/shortest.h"

/* "00" to "99" */
static const char pairs[] =
	"00010203040506070809101112131415161718192021222324"
	"25262728293031323334353637383940414243444546474849"
	"50515253545556575859606162636465666768697071727374"
	"75767778798081828384858687888990919293949596979899";

static char *put_pair(char *to, unsigned value)
{
	memcpy(to, pairs + 2 * (size_t)value, 2);
	return to + 2;
}

/* Exactly `count` digits, with zeros in front. */
static char *put_digits(char *to, uint64_t value, int count)
{
	char *end = to + count;

	for (to = end; count >= 2; count -= 2, value /= 100) {
		to -= 2;
		put_pair(to, (unsigned)(value % 100));
	}
	if (count)
		*--to = (char)('0' + value % 10);
	return end;
}

static int count_digits(uint64_t value)
{
	int count = 1;

	for (; value >= 10000; value /= 10000)
		count += 4;
	return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

char *words_uint(char *to, uint64_t value)
{
	return put_digits(to, value, count_digits(value));
}

char *words_int(char *to, int64_t value)
{
	uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	if (value < 0)
		*to++ = '-';
	return words_uint(to, size);
}

/* ----------------------------------------------------------------- decimals */

#define HALF	   18 /* digits that 64 bits have room for */
#define HALF_POWER UINT64_C(1000000000000000000)

/* All 39 digits that 128 bits can have, or as many as there are. */
static char *put_wide(char *to, unsigned __int128 value)
{
	if (value < HALF_POWER)
		return words_uint(to, (uint64_t)value);
	to = put_wide(to, value / HALF_POWER);
	return put_digits(to, (uint64_t)(value % HALF_POWER), HALF);
}

char *words_decimal(char *to, row_int128 value, int scale)
{
	unsigned __int128 size = value < 0 ? -(unsigned __int128)value
					   : (unsigned __int128)value;
	char digits[WORDS_MAX];
	int len = (int)(put_wide(digits, size) - digits);
	int whole = len > scale ? len - scale : 0;

	if (value < 0)
		*to++ = '-';
	if (!whole)
		*to++ = '0';
	memcpy(to, digits, (size_t)whole);
	to += whole;
	if (!scale)
		return to;
	*to++ = '.';
	for (int i = len; i < scale; i++)
		*to++ = '0';
	memcpy(to, digits + whole, (size_t)(len - whole));
	return to + (len - whole);
}

/* -------------------------------------------------------------------- times */

char *words_date(char *to, int64_t days)
{
	int year, month, day;

	row_date_split(days, &year, &month, &day);
	to = put_digits(to, (uint64_t)year, 4);
	*to++ = '-';
	to = put_pair(to, (unsigned)month);
	*to++ = '-';
	return put_pair(to, (unsigned)day);
}

void words_pattern_init(struct words_pattern *pattern, const char *text)
{
	memset(pattern, 0, sizeof(*pattern));
	pattern->len = strlen(text);
	memcpy(pattern->text, text, pattern->len);
	pattern->year = (size_t)(strstr(text, "YYYY") - text);
	pattern->month = (size_t)(strstr(text, "MM") - text);
	pattern->day = (size_t)(strstr(text, "DD") - text);
}

char *words_date_as(char *to, int64_t days, const struct words_pattern *pattern)
{
	int year, month, day;

	row_date_split(days, &year, &month, &day);
	memcpy(to, pattern->text, pattern->len);
	put_digits(to + pattern->year, (uint64_t)year, 4);
	put_pair(to + pattern->month, (unsigned)month);
	put_pair(to + pattern->day, (unsigned)day);
	return to + pattern->len;
}

char *words_time(char *to, int64_t ticks, int digits)
{
	unsigned seconds = (unsigned)(ticks / ROW_TICKS_PER_SECOND);
	unsigned fraction = (unsigned)(ticks % ROW_TICKS_PER_SECOND);

	to = put_pair(to, seconds / 3600);
	*to++ = ':';
	to = put_pair(to, seconds / 60 % 60);
	*to++ = ':';
	to = put_pair(to, seconds % 60);
	if (digits <= 0)
		return to;
	*to++ = '.';
	for (int i = digits; i < 7; i++)
		fraction /= 10;
	return put_digits(to, fraction, digits < 7 ? digits : 7);
}

char *words_timestamp(char *to, int64_t ticks, int digits, char between)
{
	to = words_date(to, ticks / ROW_TICKS_PER_DAY);
	*to++ = between;
	return words_time(to, ticks % ROW_TICKS_PER_DAY, digits);
}

char *words_offset(char *to, int minutes)
{
	unsigned size = (unsigned)(minutes < 0 ? -minutes : minutes);

	*to++ = minutes < 0 ? '-' : '+';
	to = put_pair(to, size / 60 % 100);
	*to++ = ':';
	return put_pair(to, size % 60);
}

/* -------------------------------------------------------------------- bytes */

char *words_hex(char *to, const unsigned char *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*to++ = digits[data[i] >> 4];
		*to++ = digits[data[i] & 15];
	}
	return to;
}

char *words_uuid(char *to, const struct row_uuid *uuid)
{
	static const size_t parts[] = {4, 2, 2, 2, 6};
	const unsigned char *at = uuid->bytes;

	for (size_t i = 0; i < 5; at += parts[i++]) {
		if (i)
			*to++ = '-';
		to = words_hex(to, at, parts[i]);
	}
	return to;
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789+/";

static char *put_base64(char *to, unsigned three)
{
	for (int shift = 18; shift >= 0; shift -= 6)
		*to++ = base64[three >> shift & 63];
	return to;
}

char *words_base64(char *to, const unsigned char *data, size_t len)
{
	for (; len >= 3; len -= 3, data += 3)
		to = put_base64(to, (unsigned)data[0] << 16 |
					    (unsigned)data[1] << 8 | data[2]);
	if (len) {
		to = put_base64(to,
				(unsigned)data[0] << 16 |
					(len > 1 ? (unsigned)data[1] << 8 : 0));
		memset(to - (3 - len), '=', 3 - len);
	}
	return to;
}

/* ------------------------------------------------------------------- floats */

/* Numbers of ordinary size are written out, as most programs do. */
#define PLAIN_LEAST (-5)
#define PLAIN_MOST  17

static char *put_plain(char *to, const char *digits, int len, int point)
{
	if (point <= 0) { /* 0.00ddd */
		*to++ = '0';
		*to++ = '.';
		memset(to, '0', (size_t)-point);
		to += -point;
		memcpy(to, digits, (size_t)len);
		return to + len;
	}
	if (point < len) { /* dd.ddd */
		memcpy(to, digits, (size_t)point);
		to[point] = '.';
		memcpy(to + point + 1, digits + point, (size_t)(len - point));
		return to + len + 1;
	}
	memcpy(to, digits, (size_t)len); /* ddd00.0 */
	memset(to + len, '0', (size_t)(point - len));
	to += point;
	*to++ = '.';
	*to++ = '0';
	return to;
}

static char *put_exponent(char *to, const char *digits, int len, int point)
{
	*to++ = digits[0];
	if (len > 1) {
		*to++ = '.';
		memcpy(to, digits + 1, (size_t)(len - 1));
		to += len - 1;
	}
	*to++ = 'e';
	*to++ = point - 1 < 0 ? '-' : '+';
	return words_int(to, point - 1 < 0 ? 1 - point : point - 1);
}

static char *put_shortest(char *to, struct shortest value)
{
	char digits[WORDS_MAX] = "";
	int len, point;

	while (value.digits % 10 == 0) {
		value.digits /= 10;
		value.exponent++;
	}
	len = (int)(words_uint(digits, value.digits) - digits);
	point = len + value.exponent;
	return point > PLAIN_LEAST && point <= PLAIN_MOST
		       ? put_plain(to, digits, len, point)
		       : put_exponent(to, digits, len, point);
}

static char *put_word(char *to, const char *word)
{
	while (*word)
		*to++ = *word++;
	return to;
}

/* `bits` of a significand, whose first one is not stored, behind a biased
 * exponent. */
static char *put_real(char *to, bool negative, uint64_t significand,
		      int exponent, int bits, int bias)
{
	uint64_t one = (uint64_t)1 << bits;
	bool normal = exponent > 0;

	if (negative)
		*to++ = '-';
	if (!normal && !significand)
		return put_word(to, "0.0");
	return put_shortest(
		to, shortest_of(normal ? significand | one : significand,
				(normal ? exponent : 1) - bias - bits,
				!significand && exponent > 1));
}

static char *put_special(char *to, double value)
{
	return put_word(to, isnan(value) ? "NaN"
			    : value < 0	 ? "-Infinity"
					 : "Infinity");
}

char *words_double(char *to, double value)
{
	uint64_t bits;

	if (!isfinite(value))
		return put_special(to, value);
	memcpy(&bits, &value, sizeof(bits));
	return put_real(to, bits >> 63, bits & ((UINT64_C(1) << 52) - 1),
			(int)(bits >> 52 & 0x7ff), 52, 1023);
}

char *words_float(char *to, float value)
{
	uint32_t bits;

	if (!isfinite(value))
		return put_special(to, (double)value);
	memcpy(&bits, &value, sizeof(bits));
	return put_real(to, bits >> 31, bits & ((UINT32_C(1) << 23) - 1),
			(int)(bits >> 23 & 0xff), 23, 127);
}
