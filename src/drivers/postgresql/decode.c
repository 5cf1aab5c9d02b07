/*
 * Binary forms are those of PostgreSQL's send functions, which no release has
 * changed since 8.4: numbers most significant byte first, times in microseconds
 * and dates in days from 2000-01-01, a numeric as digits in base 10000.
 */
#include "drivers/postgresql/decode.h"

#include <string.h>

#include "base/text.h"
#include "drivers/postgresql/decode_value.h"
#include "drivers/postgresql/quote.h"

/* 9999-12-31, counted from 0001-01-01. */
#define LAST_DAY INT64_C(3652058)

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY    (86400 * US_PER_SECOND)
#define TICKS_PER_US  10

#define LEVEL 10000 /* of a numeric's digits */

#define NUMERIC_NAN	 0xc000
#define NUMERIC_NEGATIVE 0x4000

/* What most systems have no room for, and what helps. */
#define OUT_OF_RANGE                                                     \
	"column '%s' holds %s, which the destination has no room for; "  \
	"correct it in the source, or leave the column out by creating " \
	"the destination table with a computed column of that name"

static uint32_t get32(const unsigned char *data)
{
	return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 |
	       (uint32_t)data[2] << 8 | data[3];
}

static unsigned get16(const unsigned char *data)
{
	return (unsigned)data[0] << 8 | data[1];
}

static int64_t get64(const unsigned char *data)
{
	return (int64_t)((uint64_t)get32(data) << 32 | get32(data + 4));
}

int pg_decode_broken(const struct pg_column_plan *plan, struct error *err)
{
	return error_set(err, ERROR_DATA,
			 "a value of column '%s' is broken, or not of the type "
			 "that the column had when the table was looked at",
			 plan->name);
}

static int too_odd(const struct pg_column_plan *plan, const char *what,
		   struct error *err)
{
	return error_set(err, ERROR_DATA, OUT_OF_RANGE, plan->name, what);
}

static row_int128 power_of_ten(int n)
{
	row_int128 power = 1;

	while (n-- > 0)
		power *= 10;
	return power;
}

void pg_plan_column(struct pg_column_plan *plan,
		    const struct catalog_column *column,
		    const struct column *shape, size_t index,
		    const struct pg *conn)
{
	plan->name = shape->name;
	plan->index = index;
	plan->form = pg_type_form(&column->type);
	plan->type = shape->type;
	plan->precision = shape->precision;
	plan->scale = shape->scale;
	plan->end = power_of_ten(shape->precision);
	plan->extended = shape->extended;
	plan->as_reset = false;
	plan->checks_text = !pg_checks_text(conn);
}

void pg_decode_expression(struct strbuf *sql,
			  const struct catalog_column *column,
			  const char *alias)
{
	bool words = pg_type_form(&column->type) == PG_FORM_WORDS;

	if (words) /* not ::text: inet's writes 10.0.0.1 as 10.0.0.1/32 */
		strbuf_addf(sql, "textin(%s(", column->output);
	strbuf_addf(sql, "%s.", alias);
	quote_name(sql, column->name);
	if (column->domain)
		strbuf_addf(sql, "::%s", column->type.words);
	if (words)
		strbuf_addstr(sql, "))");
}

/* ------------------------------------------------------- values, once read */

int pg_put_int(const struct pg_column_plan *plan, struct batch *batch,
	       int64_t value)
{
	if (plan->as_reset && value == 1)
		value = 0;
	batch_put_i64(batch, plan->index, value);
	return 1;
}

static int put_bytes(const struct pg_column_plan *plan, struct batch *batch,
		     const void *data, size_t len)
{
	unsigned char *to;

	if (batch->lone) {
		batch_put_borrowed(batch, plan->index, data, len);
		return 1;
	}
	to = batch_put_slice(batch, plan->index, len);
	if (!to)
		return 0;
	if (len)
		memcpy(to, data, len);
	return 1;
}

int pg_put_text(const struct pg_column_plan *plan, struct batch *batch,
		const unsigned char *data, size_t len, struct error *err)
{
	if (plan->checks_text && !text_is_utf8((const char *)data, len))
		return error_set(err, ERROR_DATA,
				 "a text in column '%s' is not valid UTF-8, "
				 "and its database (encoding SQL_ASCII) does "
				 "not say what it is; correct it in the source",
				 plan->name);
	return put_bytes(plan, batch, data, len);
}

int pg_put_decimal(const struct pg_column_plan *plan, struct batch *batch,
		   row_int128 value)
{
	batch_put_wide(batch, plan->index)->decimal = value;
	return 1;
}

int pg_put_nan(const struct pg_column_plan *plan, struct batch *batch,
	       struct error *err)
{
	if (!plan->extended)
		return too_odd(plan, "NaN", err);
	return pg_put_decimal(plan, batch, ROW_DECIMAL_NAN);
}

/* Days since 2000-01-01, where the ends of the range are infinite. */
int pg_put_date(const struct pg_column_plan *plan, struct batch *batch,
		int64_t days, struct error *err)
{
	bool infinite = days == INT32_MAX || days == INT32_MIN;
	int64_t value = days + PG_DAYS_TO_2000;

	if (plan->extended && infinite)
		value = days > 0 ? ROW_INFINITE_FUTURE : ROW_INFINITE_PAST;
	else if (!plan->extended && infinite)
		return too_odd(plan, "the date infinity", err);
	else if (!plan->extended && (value < 0 || value > LAST_DAY))
		return too_odd(plan, "a date outside of the years 1 to 9999",
			       err);
	batch_put_i64(batch, plan->index, value);
	return 1;
}

int pg_put_time(const struct pg_column_plan *plan, struct batch *batch,
		int64_t us, struct error *err)
{
	if (us < 0 || us > US_PER_DAY)
		return pg_decode_broken(plan, err);
	if (us == US_PER_DAY && !plan->extended)
		return too_odd(plan, "the time 24:00", err);
	batch_put_i64(batch, plan->index, us * TICKS_PER_US);
	return 1;
}

/* Microseconds since 2000-01-01 as the column wants them. */
static int timestamp_value(const struct pg_column_plan *plan, int64_t us,
			   int64_t *out, struct error *err)
{
	const int64_t first = -PG_DAYS_TO_2000 * US_PER_DAY;
	const int64_t end = (LAST_DAY + 1 - PG_DAYS_TO_2000) * US_PER_DAY;

	if (plan->extended) { /* whose infinities are the same numbers */
		*out = us;
		return 0;
	}
	if (us == INT64_MAX || us == INT64_MIN)
		return too_odd(plan, "the time infinity", err);
	if (us < first || us >= end)
		return too_odd(plan, "a time outside of the years 1 to 9999",
			       err);
	*out = (us - first) * TICKS_PER_US;
	return 0;
}

int pg_put_timestamp(const struct pg_column_plan *plan, struct batch *batch,
		     int64_t us, struct error *err)
{
	int64_t value = 0;

	if (timestamp_value(plan, us, &value, err) < 0)
		return -1;
	if (plan->type == ROW_TIMESTAMPTZ) {
		union row_wide *wide = batch_put_wide(batch, plan->index);

		wide->timestamptz.utc = value;
		wide->timestamptz.offset_minutes = 0;
	} else {
		batch_put_i64(batch, plan->index, value);
	}
	return 1;
}

/* ----------------------------------------------------------- binary numeric */

static bool is_within(row_int128 value, int digits)
{
	row_int128 end = 1;

	while (digits-- > 0)
		end *= 10;
	return value < end;
}

/*
 * The digits as a whole number of 10^-scale. The last digit may reach beyond
 * the scale, with zeros; false when it does with anything else, or the number
 * has more than 38 digits.
 */
static bool join_digits(const unsigned char *digits, int count, int weight,
			int scale, row_int128 *out)
{
	const row_int128 most = power_of_ten(34);
	int shift = 4 * (weight - count + 1) + scale;
	row_int128 value = 0;
	int last;

	for (int i = 0; i < count - 1; i++) {
		if (get16(digits + 2 * i) >= LEVEL || value >= most)
			return false;
		value = value * LEVEL + (row_int128)get16(digits + 2 * i);
	}
	last = count ? (int)get16(digits + 2 * (count - 1)) : 0;
	if (last >= LEVEL || shift <= -4 || shift > 38)
		return false;
	if (shift < 0) {
		int cut = (int)power_of_ten(-shift);

		if (last % cut || value >= power_of_ten(34 - shift))
			return false;
		*out = value * (LEVEL / cut) + last / cut;
		return true;
	}
	if (value >= most)
		return false;
	value = value * LEVEL + last;
	if (value && !is_within(value, 38 - shift))
		return false;
	*out = value * power_of_ten(shift);
	return true;
}

/* Up to four digits that need no more than 64 bits: most numbers there are. */
static bool join_few(const unsigned char *digits, int count, int weight,
		     int scale, row_int128 *out)
{
	static const int powers[] = {1, 10, 100, 1000};
	int shift = 4 * (weight - count + 1) + scale;
	uint64_t value = 0;

	if (count < 1 || count > 4 || shift < -3 || shift > 3)
		return false;
	for (int i = 0; i < count; i++) {
		if (get16(digits + 2 * i) >= LEVEL)
			return false;
		value = value * LEVEL + get16(digits + 2 * i);
	}
	if (shift < 0 && value % (uint64_t)powers[-shift])
		return false;
	*out = shift < 0 ? (row_int128)(value / (uint64_t)powers[-shift])
			 : (row_int128)value * powers[shift];
	return true;
}

static int decode_numeric(const struct pg_column_plan *plan,
			  struct batch *batch, const unsigned char *data,
			  size_t len, struct error *err)
{
	row_int128 value = 0;
	unsigned sign;
	int count, weight;

	if (len < 8)
		return pg_decode_broken(plan, err);
	count = (int)get16(data);
	weight = (int16_t)get16(data + 2);
	sign = get16(data + 4);
	if (len != 8 + 2 * (size_t)count)
		return pg_decode_broken(plan, err);
	if (sign == NUMERIC_NAN)
		return pg_put_nan(plan, batch, err);
	if (sign & ~(unsigned)NUMERIC_NEGATIVE)
		return pg_decode_broken(
			plan, err); /* infinity has no declared digits */
	if (count && !join_few(data + 8, count, weight, plan->scale, &value) &&
	    !join_digits(data + 8, count, weight, plan->scale, &value))
		return pg_decode_broken(plan, err);
	if (value >= plan->end)
		return pg_decode_broken(plan, err);
	return pg_put_decimal(plan, batch, sign ? -value : value);
}

/* ------------------------------------------------------------ binary values */

static double get_double(const unsigned char *data)
{
	uint64_t bits = (uint64_t)get64(data);
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static float get_float(const unsigned char *data)
{
	uint32_t bits = get32(data);
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* How long values of that form are; 0: of any length. */
static size_t fixed_size(enum pg_form form)
{
	switch (form) {
	case PG_FORM_BOOL:
		return 1;
	case PG_FORM_INT2:
		return 2;
	case PG_FORM_INT4:
	case PG_FORM_OID:
	case PG_FORM_FLOAT4:
	case PG_FORM_DATE:
		return 4;
	case PG_FORM_INT8:
	case PG_FORM_FLOAT8:
	case PG_FORM_MONEY:
	case PG_FORM_TIME:
	case PG_FORM_TIMESTAMP:
	case PG_FORM_TIMESTAMPTZ:
		return 8;
	case PG_FORM_UUID:
		return 16;
	default:
		return 0;
	}
}

int pg_decode_value(const struct pg_column_plan *plan, struct batch *batch,
		    const unsigned char *data, size_t len, struct error *err)
{
	size_t size = fixed_size(plan->form);

	if (size && len != size)
		return pg_decode_broken(plan, err);
	switch (plan->form) {
	case PG_FORM_BOOL:
		return pg_put_int(plan, batch, data[0] != 0);
	case PG_FORM_INT2:
		return pg_put_int(plan, batch, (int16_t)get16(data));
	case PG_FORM_INT4:
		return pg_put_int(plan, batch, (int32_t)get32(data));
	case PG_FORM_INT8:
		return pg_put_int(plan, batch, get64(data));
	case PG_FORM_OID:
		return pg_put_int(plan, batch, (int64_t)get32(data));
	case PG_FORM_FLOAT4:
		batch_put_f64(batch, plan->index, (double)get_float(data));
		return 1;
	case PG_FORM_FLOAT8:
		batch_put_f64(batch, plan->index, get_double(data));
		return 1;
	case PG_FORM_NUMERIC:
		return decode_numeric(plan, batch, data, len, err);
	case PG_FORM_MONEY:
		return pg_put_decimal(plan, batch, get64(data));
	case PG_FORM_DATE:
		return pg_put_date(plan, batch, (int32_t)get32(data), err);
	case PG_FORM_TIME:
		return pg_put_time(plan, batch, get64(data), err);
	case PG_FORM_TIMESTAMP:
	case PG_FORM_TIMESTAMPTZ:
		return pg_put_timestamp(plan, batch, get64(data), err);
	case PG_FORM_UUID:
		memcpy(batch_put_wide(batch, plan->index)->uuid.bytes, data,
		       16);
		return 1;
	case PG_FORM_BYTEA:
		return put_bytes(plan, batch, data, len);
	case PG_FORM_JSONB:
		if (len < 1 || data[0] != 1)
			return pg_decode_broken(plan, err);
		return pg_put_text(plan, batch, data + 1, len - 1, err);
	case PG_FORM_TEXT:
	case PG_FORM_WORDS:
		break;
	}
	return pg_put_text(plan, batch, data, len, err);
}

/* -------------------------------------------------------------------- rows */

int pg_decode_header(const unsigned char *data, size_t len, struct error *err)
{
	static const char signature[] = "PGCOPY\n\377\r\n";
	size_t extension;

	if (len < 19 || memcmp(data, signature, sizeof(signature)) != 0)
		goto wrong;
	extension = get32(data + 15);
	if (extension > len - 19)
		goto wrong;
	return (int)(19 + extension);
wrong:
	return error_set(err, ERROR_SERVER,
			 "the server's answer to a binary COPY is none");
}

int pg_decode_row(const struct pg_column_plan *plans, size_t count,
		  struct batch *batch, const unsigned char *data, size_t len,
		  struct error *err)
{
	const unsigned char *end = data + len;

	if (len == 2 && get16(data) == 0xffff)
		return 2;
	if (len < 2 || get16(data) != count)
		goto wrong;
	data += 2;
	for (size_t i = 0; i < count; i++) {
		uint32_t size;
		int rc;

		if (end - data < 4)
			goto wrong;
		size = get32(data);
		data += 4;
		if (size == UINT32_MAX) {
			batch_put_null(batch, plans[i].index);
			continue;
		}
		if (size > (size_t)(end - data))
			goto wrong;
		rc = pg_decode_value(&plans[i], batch, data, size, err);
		if (rc <= 0)
			return rc;
		data += size;
	}
	if (data == end)
		return 1;
wrong:
	return error_set(err, ERROR_SERVER,
			 "a row that the server sent is broken");
}
