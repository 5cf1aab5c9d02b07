/*
 * Values as text for people, row/text.h.
 *
 * Every value that its type can have is written so that it reads back as the
 * same value, by other means than those that wrote it: numbers and dates in
 * full, floats with enough digits. Text is in valid UTF-8, whatever encoding
 * it travels in and whatever bytes it is made of, unless it travels as UTF-8.
 */
#include "fuzz/fuzz.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "row/text.h"
#include "unit/utf8.h"

/* 9999-12-31 */
#define LAST_DAY 3652058

/* "-12.3400" with `scale` digits after the point. */
static row_int128 read_decimal(const char *s, int scale)
{
	bool negative = *s == '-';
	unsigned __int128 value = 0;
	int digits = -1;

	for (s += negative; *s; s++) {
		if (*s == '.') {
			HOLDS(digits < 0);
			digits = 0;
			continue;
		}
		HOLDS(*s >= '0' && *s <= '9');
		value = value * 10 + (unsigned)(*s - '0');
		digits += digits >= 0;
	}
	HOLDS(digits == scale || (digits < 0 && !scale));
	return (row_int128)(negative ? -value : value);
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days since 0001-01-01, counted as a calendar on the wall does. */
static int64_t count_days(int year, int month, int day)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30,
				      31, 31, 30, 31, 30, 31};
	int64_t days = day - 1;

	HOLDS(year >= 1 && year <= 9999 && month >= 1 && month <= 12);
	HOLDS(day >= 1 &&
	      day <= lengths[month - 1] + (month == 2 && is_leap(year)));
	for (int y = 1; y < year; y++)
		days += is_leap(y) ? 366 : 365;
	for (int m = 1; m < month; m++)
		days += lengths[m - 1] + (m == 2 && is_leap(year));
	return days;
}

/* The ticks of "hh:mm:ss.fffffff" with `precision` digits; moves `s` on. */
static int64_t read_time(const char **s, int precision)
{
	int hour, minute, second, used = 0;
	int64_t ticks;

	HOLDS(sscanf(*s, "%2d:%2d:%2d%n", &hour, &minute, &second, &used) == 3);
	HOLDS(used == 8 && hour <= 23 && minute <= 59 && second <= 59);
	*s += used;
	ticks = (hour * INT64_C(3600) + minute * 60 + second) *
		ROW_TICKS_PER_SECOND;
	if (!precision)
		return ticks;
	HOLDS(*(*s)++ == '.');
	for (int64_t unit = ROW_TICKS_PER_SECOND / 10; precision > 0;
	     precision--, unit /= 10) {
		HOLDS(**s >= '0' && **s <= '9');
		ticks += unit * (*(*s)++ - '0');
	}
	return ticks;
}

static int64_t read_date(const char **s)
{
	int year, month, day, used = 0;

	HOLDS(sscanf(*s, "%4d-%2d-%2d%n", &year, &month, &day, &used) == 3);
	HOLDS(used == 10);
	*s += used;
	return count_days(year, month, day);
}

static int64_t read_timestamp(const char **s, int precision)
{
	int64_t days = read_date(s);

	HOLDS(*(*s)++ == 'T');
	return days * ROW_TICKS_PER_DAY + read_time(s, precision);
}

static void check_timestamptz(const char *s,
			      const struct row_timestamptz *value,
			      int precision)
{
	int64_t local = read_timestamp(&s, precision);
	int hours, minutes, used = 0;
	char sign = *s++;

	HOLDS(sign == '+' || sign == '-');
	HOLDS(sscanf(s, "%2d:%2d%n", &hours, &minutes, &used) == 2);
	HOLDS(used == 5 && !s[used] && minutes <= 59);
	minutes += hours * 60;
	HOLDS((sign == '-' ? -minutes : minutes) == value->offset_minutes);
	HOLDS(local - value->offset_minutes * 60 * ROW_TICKS_PER_SECOND ==
	      value->utc);
}

/* ------------------------------------------------------------------ values */

static int64_t whole_ticks(int64_t ticks, int precision)
{
	int64_t unit = 1;

	for (; precision < 7; precision++)
		unit *= 10;
	return ticks - ticks % unit;
}

static void put_integer(struct batch *batch, const struct column *column,
			uint64_t number)
{
	static const int bits[] = {
		[ROW_BOOL] = 1,	  [ROW_UINT8] = 8,  [ROW_INT8] = 8,
		[ROW_INT16] = 16, [ROW_INT32] = 32, [ROW_INT64] = 64,
		[ROW_UINT64] = 64};
	int shift = 64 - bits[column->type];
	bool plain = column->type == ROW_BOOL || column->type == ROW_UINT8;

	batch_put_i64(batch, 0,
		      plain ? (int64_t)(number << shift >> shift)
			    : (int64_t)(number << shift) >> shift);
}

static void put_wide(struct batch *batch, const struct column *column,
		     struct input *in)
{
	union row_wide *to = batch_put_wide(batch, 0);

	if (column->type == ROW_DECIMAL) {
		to->decimal = (row_int128)((unsigned __int128)take_number(in, 8)
						   << 64 |
					   take_number(in, 8));
	} else if (column->type == ROW_UUID) {
		for (size_t i = 0; i < sizeof(to->uuid.bytes); i++)
			to->uuid.bytes[i] = (unsigned char)take_byte(in);
	} else {
		to->timestamptz.utc =
			whole_ticks((int64_t)(take_number(in, 8) %
					      ((LAST_DAY - 1) *
					       (uint64_t)ROW_TICKS_PER_DAY)) +
					    ROW_TICKS_PER_DAY,
				    column->precision);
		/* 14 hours at most, to either side */
		to->timestamptz.offset_minutes =
			(int16_t)((int)take_below(in, 1681) - 840);
	}
}

static void put_value(struct batch *batch, const struct column *column,
		      struct input *in)
{
	unsigned char *bytes, *to;
	uint32_t single;
	uint64_t number;
	float real;
	double wide;
	size_t len;

	switch (column->type) {
	case ROW_FLOAT32:
		single = (uint32_t)take_number(in, 4);
		memcpy(&real, &single, sizeof(real));
		batch_put_f64(batch, 0, (double)real);
		return;
	case ROW_FLOAT64:
		number = take_number(in, 8);
		memcpy(&wide, &number, sizeof(wide));
		batch_put_f64(batch, 0, wide);
		return;
	case ROW_DECIMAL:
	case ROW_TIMESTAMPTZ:
	case ROW_UUID:
		put_wide(batch, column, in);
		return;
	case ROW_DATE:
		batch_put_i64(batch, 0,
			      (int64_t)(take_number(in, 4) % (LAST_DAY + 1)));
		return;
	case ROW_TIME:
		batch_put_i64(batch, 0,
			      whole_ticks((int64_t)(take_number(in, 8) %
						    ROW_TICKS_PER_DAY),
					  column->precision));
		return;
	case ROW_TIMESTAMP:
		batch_put_i64(batch, 0,
			      whole_ticks((int64_t)(take_number(in, 8) %
						    ((LAST_DAY + 1) *
						     ROW_TICKS_PER_DAY)),
					  column->precision));
		return;
	case ROW_TEXT:
	case ROW_BYTES:
	case ROW_JSON:
	case ROW_XML:
		bytes = take_bytes(in, in->len, &len);
		to = batch_put_slice(batch, 0, len);
		HOLDS(to);
		memcpy(to, bytes, len);
		free(bytes);
		return;
	default:
		put_integer(batch, column, take_number(in, 8));
	}
}

/* ------------------------------------------------------------------ checks */

static void check_hex(const char *text, const unsigned char *bytes, size_t len)
{
	unsigned byte;

	for (size_t i = 0; i < len; i++) {
		HOLDS(sscanf(text + 2 * i, "%2X", &byte) == 1);
		HOLDS(byte == bytes[i]);
	}
	HOLDS(strlen(text) == 2 * len);
}

static void check_uuid(const char *text, const unsigned char *bytes)
{
	char digits[33];
	size_t len = 0;

	HOLDS(strlen(text) == 36 && text[8] == '-' && text[13] == '-' &&
	      text[18] == '-' && text[23] == '-');
	for (; *text; text++)
		if (*text != '-')
			digits[len++] = *text;
	HOLDS(len == 32);
	digits[len] = '\0';
	check_hex(digits, bytes, 16);
}

static void check_float(const char *text, enum row_type type, double value)
{
	double again = type == ROW_FLOAT32 ? (double)strtof(text, NULL)
					   : strtod(text, NULL);

	HOLDS(isnan(value) ? isnan(again) : again == value);
}

static void check_text(const struct strbuf *out, const struct column *column,
		       const struct row_slice *slice)
{
	if (column->type == ROW_BYTES) {
		HOLDS(!strncmp(out->data, "0x", 2));
		check_hex(out->data + 2, slice->data, slice->len);
	} else if (column->charset) {
		HOLDS(is_utf8_bytes(out->data, out->len));
	} else {
		HOLDS(out->len == slice->len &&
		      !memcmp(out->data, slice->data, slice->len));
	}
}

static void check(const struct strbuf *out, const struct batch *batch,
		  const struct column *column)
{
	const struct batch_column *values = &batch->columns[0];
	const char *s = out->data;

	switch (column->type) {
	case ROW_UINT64:
		HOLDS(strtoull(s, NULL, 10) == (uint64_t)values->i64[0]);
		break;
	case ROW_FLOAT32:
	case ROW_FLOAT64:
		check_float(s, column->type, values->f64[0]);
		break;
	case ROW_DECIMAL:
		HOLDS(read_decimal(s, column->scale) ==
		      values->wide[0].decimal);
		break;
	case ROW_DATE:
		HOLDS(read_date(&s) == values->i64[0] && !*s);
		break;
	case ROW_TIME:
		HOLDS(read_time(&s, column->precision) == values->i64[0] &&
		      !*s);
		break;
	case ROW_TIMESTAMP:
		HOLDS(read_timestamp(&s, column->precision) == values->i64[0] &&
		      !*s);
		break;
	case ROW_TIMESTAMPTZ:
		check_timestamptz(s, &values->wide[0].timestamptz,
				  column->precision);
		break;
	case ROW_UUID:
		check_uuid(s, values->wide[0].uuid.bytes);
		break;
	case ROW_TEXT:
	case ROW_BYTES:
	case ROW_JSON:
	case ROW_XML:
		check_text(out, column, &values->slice[0]);
		break;
	default:
		HOLDS(strtoll(s, NULL, 10) == values->i64[0]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const charsets[] = {NULL, "UTF-16LE", "CP1252"};
	struct input in = {data, size};
	struct column column = {.name = "c"};
	size_t key = 0;
	struct table table = {
		.columns = &column,
		.column_count = 1,
		.key = &key,
		.key_count = 1,
	};
	struct error err = ERROR_INIT;
	struct strbuf out, key_text;
	struct batch batch;

	column.type = (enum row_type)take_below(&in, ROW_XML + 1);
	column.precision = (int)take_below(&in, 8);
	column.scale = (int)take_below(&in, 39);
	column.charset = charsets[take_below(&in, 3)];
	HOLDS(batch_init(&batch, &table, 1, size + 4096, &err) == 0);
	put_value(&batch, &column, &in);
	batch_add_row(&batch, ROW_UPSERT);
	strbuf_init(&out);
	strbuf_init(&key_text);
	row_format(&out, &batch, 0, 0);
	check(&out, &batch, &column);
	row_format_key(&key_text, &batch, 0);
	HOLDS(key_text.len == out.len &&
	      !memcmp(key_text.data, out.data, out.len));
	strbuf_release(&key_text);
	strbuf_release(&out);
	batch_release(&batch);
	return 0;
}
