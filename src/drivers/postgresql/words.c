/*
 * Values from what the output functions of their types wrote, in a session
 * that pg/connection.h has set up: ISO dates, UTC, hexadecimal bytea.
 */
#include "drivers/postgresql/decode.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/postgresql/decode_value.h"

/* What is left of a text to be read. */
struct words {
	const char *s, *end;
};

static bool is_digit(const struct words *w)
{
	return w->s < w->end && *w->s >= '0' && *w->s <= '9';
}

static bool take(struct words *w, const char *what)
{
	size_t len = strlen(what);

	if ((size_t)(w->end - w->s) < len || memcmp(w->s, what, len) != 0)
		return false;
	w->s += len;
	return true;
}

/* Digits, at least `least` of them, into a number below 10^9. */
static bool take_digits(struct words *w, int least, int *out)
{
	int count = 0;

	*out = 0;
	for (; is_digit(w) && count < 9; count++)
		*out = *out * 10 + (*w->s++ - '0');
	return count >= least && !is_digit(w);
}

static bool read_int(struct words w, int64_t *out)
{
	bool negative = take(&w, "-");
	uint64_t value = 0, most = negative ? UINT64_C(1) << 63 : INT64_MAX;

	if (w.s == w.end)
		return false;
	for (; w.s < w.end; w.s++) {
		unsigned digit = (unsigned)(*w.s - '0');

		if (digit > 9 || value > (most - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = negative ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

static bool read_float(struct words w, bool is_double, double *out)
{
	char text[64], *end;
	size_t len = (size_t)(w.end - w.s);

	if (!len || len >= sizeof(text))
		return false;
	memcpy(text, w.s, len);
	text[len] = '\0';
	*out = is_double ? strtod(text, &end) : (double)strtof(text, &end);
	return *end == '\0';
}

/* Up to 38 digits, of which `scale` stand behind the point. */
static bool read_decimal(struct words w, int precision, int scale,
			 row_int128 *out)
{
	bool negative = take(&w, "-"), behind = false;
	row_int128 value = 0;
	int digits = 0, left = scale;

	for (; w.s < w.end; w.s++) {
		if (*w.s == '.' && !behind) {
			behind = true;
			continue;
		}
		if (!is_digit(&w) || (behind && left-- == 0) ||
		    (value && ++digits >= precision))
			return false;
		value = value * 10 + (*w.s - '0');
	}
	for (; left > 0; left--) {
		if (value && ++digits >= precision)
			return false;
		value *= 10;
	}
	*out = negative ? -value : value;
	return true;
}

/* However the locale writes it: digits count, and a sign of being negative. */
static bool read_money(struct words w, row_int128 *out)
{
	bool negative = false, any = false;
	uint64_t value = 0;

	for (; w.s < w.end; w.s++) {
		negative |= *w.s == '-' || *w.s == '(';
		if (!is_digit(&w))
			continue;
		if (value > (UINT64_MAX - 9) / 10)
			return false;
		value = value * 10 + (uint64_t)(*w.s - '0');
		any = true;
	}
	*out = negative ? -(row_int128)value : (row_int128)value;
	return any;
}

/* ------------------------------------------------------------------- times */

static bool read_time(struct words *w, int64_t *us)
{
	int hour, minute, second, digit, unit = 100000;

	if (!take_digits(w, 2, &hour) || !take(w, ":") ||
	    !take_digits(w, 2, &minute) || !take(w, ":") ||
	    !take_digits(w, 2, &second) || hour > 24 || minute > 59 ||
	    second > 60)
		return false;
	*us = ((hour * INT64_C(60) + minute) * 60 + second) * 1000000;
	if (!take(w, "."))
		return true;
	for (; is_digit(w) && unit; unit /= 10) {
		digit = *w->s++ - '0';
		*us += digit * unit;
	}
	return !is_digit(w);
}

static bool read_date(struct words *w, int *year, int *month, int *day)
{
	return take_digits(w, 4, year) && take(w, "-") &&
	       take_digits(w, 2, month) && take(w, "-") &&
	       take_digits(w, 2, day) && *year > 0 && *year < 10000000 &&
	       *month > 0 && *month <= 12 && *day > 0 && *day <= 31;
}

/* Days since 2000-01-01; the year before 1 is 1 BC. */
static int64_t join_date(int year, int month, int day, bool before_christ)
{
	return row_date_join(before_christ ? 1 - year : year, month, day) -
	       PG_DAYS_TO_2000;
}

static bool read_whole_date(struct words w, int64_t *days)
{
	int year, month, day;
	bool before;

	if (take(&w, "infinity"))
		*days = INT32_MAX;
	else if (take(&w, "-infinity"))
		*days = INT32_MIN;
	else if (read_date(&w, &year, &month, &day)) {
		before = take(&w, " BC");
		*days = join_date(year, month, day, before);
	} else {
		return false;
	}
	return w.s == w.end;
}

static bool read_timestamp(struct words w, bool zone, int64_t *us)
{
	int year, month, day;
	int64_t days, time;

	if (take(&w, "infinity")) {
		*us = INT64_MAX;
	} else if (take(&w, "-infinity")) {
		*us = INT64_MIN;
	} else {
		if (!read_date(&w, &year, &month, &day) || !take(&w, " ") ||
		    !read_time(&w, &time) || (zone && !take(&w, "+00")))
			return false;
		days = join_date(year, month, day, take(&w, " BC"));
		if (days < -INT64_C(3000000) || days > INT64_C(110000000))
			return false;
		if (__builtin_mul_overflow(days, INT64_C(86400000000), us) ||
		    __builtin_add_overflow(*us, time, us))
			return false;
	}
	return w.s == w.end;
}

/* ------------------------------------------------------------------- bytes */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool read_hex(const char *s, unsigned char *out, size_t count)
{
	for (size_t i = 0; i < count; i++, s += 2) {
		int high = hex_value(s[0]), low = hex_value(s[1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static bool read_uuid(struct words w, unsigned char *out)
{
	static const int groups[] = {4, 2, 2, 2, 6};

	if (w.end - w.s != 36)
		return false;
	for (int g = 0; g < 5; g++) {
		if (!read_hex(w.s, out, (size_t)groups[g]) ||
		    (g < 4 && w.s[2 * groups[g]] != '-'))
			return false;
		w.s += 2 * groups[g] + 1;
		out += groups[g];
	}
	return true;
}

static int decode_bytea(const struct pg_column_plan *plan, struct batch *batch,
			struct words w, struct error *err)
{
	size_t len = (size_t)(w.end - w.s);
	unsigned char *to;

	if (!take(&w, "\\x") || len % 2)
		return pg_decode_broken(plan, err);
	len = len / 2 - 1;
	to = batch_put_slice(batch, plan->index, len);
	if (!to)
		return 0;
	return read_hex(w.s, to, len) ? 1 : pg_decode_broken(plan, err);
}

/* ---------------------------------------------------------------- together */

static int decode_number(const struct pg_column_plan *plan, struct batch *batch,
			 struct words w, struct error *err)
{
	row_int128 decimal;
	int64_t number;
	double real;

	switch (plan->form) {
	case PG_FORM_FLOAT4:
	case PG_FORM_FLOAT8:
		if (!read_float(w, plan->form == PG_FORM_FLOAT8, &real))
			break;
		batch_put_f64(batch, plan->index, real);
		return 1;
	case PG_FORM_NUMERIC:
		if (w.end - w.s == 3 && !memcmp(w.s, "NaN", 3))
			return pg_put_nan(plan, batch, err);
		if (!read_decimal(w, plan->precision, plan->scale, &decimal))
			break;
		return pg_put_decimal(plan, batch, decimal);
	case PG_FORM_MONEY:
		if (!read_money(w, &decimal))
			break;
		return pg_put_decimal(plan, batch, decimal);
	default:
		if (!read_int(w, &number))
			break;
		return pg_put_int(plan, batch, number);
	}
	return pg_decode_broken(plan, err);
}

static int decode_time(const struct pg_column_plan *plan, struct batch *batch,
		       struct words w, struct error *err)
{
	int64_t value;

	switch (plan->form) {
	case PG_FORM_DATE:
		if (!read_whole_date(w, &value))
			break;
		return pg_put_date(plan, batch, value, err);
	case PG_FORM_TIME:
		if (!read_time(&w, &value) || w.s != w.end)
			break;
		return pg_put_time(plan, batch, value, err);
	default:
		if (!read_timestamp(w, plan->form == PG_FORM_TIMESTAMPTZ,
				    &value))
			break;
		return pg_put_timestamp(plan, batch, value, err);
	}
	return pg_decode_broken(plan, err);
}

int pg_decode_words(const struct pg_column_plan *plan, struct batch *batch,
		    const char *text, size_t len, struct error *err)
{
	struct words w = {text, text + len};

	switch (plan->form) {
	case PG_FORM_BOOL:
		if (len != 1 || (*text != 't' && *text != 'f'))
			return pg_decode_broken(plan, err);
		return pg_put_int(plan, batch, *text == 't');
	case PG_FORM_INT2:
	case PG_FORM_INT4:
	case PG_FORM_INT8:
	case PG_FORM_OID:
	case PG_FORM_FLOAT4:
	case PG_FORM_FLOAT8:
	case PG_FORM_NUMERIC:
	case PG_FORM_MONEY:
		return decode_number(plan, batch, w, err);
	case PG_FORM_DATE:
	case PG_FORM_TIME:
	case PG_FORM_TIMESTAMP:
	case PG_FORM_TIMESTAMPTZ:
		return decode_time(plan, batch, w, err);
	case PG_FORM_UUID:
		if (!read_uuid(w,
			       batch_put_wide(batch, plan->index)->uuid.bytes))
			return pg_decode_broken(plan, err);
		return 1;
	case PG_FORM_BYTEA:
		return decode_bytea(plan, batch, w, err);
	case PG_FORM_TEXT:
	case PG_FORM_JSONB:
	case PG_FORM_WORDS:
		break;
	}
	return pg_put_text(plan, batch, (const unsigned char *)text, len, err);
}
