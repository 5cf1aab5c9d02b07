#include "drivers/sqlserver/encode.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sybfront.h>
#include <sybdb.h>

#include "drivers/sqlserver/wire.h"
#include "row/charset.h"

/* 1753-01-01, the first day of a datetime. */
#define DATETIME_FIRST_DAY 639905

/* Why a value cannot be sent, for the message; NULL: it was set. */
typedef const char *encode_fn(struct encoder *encoder,
			      const struct batch *batch, size_t row);

struct encoder {
	struct tds *conn;
	encode_fn *encode;
	const struct catalog_column *to;
	const struct column *from;
	size_t source_col; /* in the batch */
	size_t bulk_col;
	bool not_null;
	struct charset charset;
	struct charset unicode; /* of a foreign column, for the relay */
	struct error *err;
	union {
		DBBIT bit;
		DBTINYINT i1;
		DBSMALLINT i2;
		DBINT i4;
		DBBIGINT i8;
		DBREAL real;
		DBFLT8 flt;
		DBNUMERIC numeric;
		DBMONEY money;
		DBMONEY4 smallmoney;
		DBDATETIME datetime;
		DBDATETIME4 smalldatetime;
		DBDATETIMEALL any;
		BYTE guid[16];
	} value;
};

/* ---------------------------------------------------------------- encoders */

static const char out_of_range[] =
	"is out of the range of the destination's type";
static const char not_finite[] =
	"is NaN or infinite, which SQL Server has no room for";
static const char lacks_character[] =
	"has a character that the destination's code page lacks";
static const char too_long[] = "is longer than the destination's column";

/* A change that was mended stays in the change log as it was before. */
#define REMEDY "alter that column, or mend the row and request a full sync"

#define SET(member)                                                            \
	tds_bulk_set(encoder->conn, encoder->bulk_col, &encoder->value.member, \
		     sizeof(encoder->value.member))

static int64_t get_i64(const struct encoder *encoder, const struct batch *batch,
		       size_t row)
{
	return batch->columns[encoder->source_col].i64[row];
}

static double get_f64(const struct encoder *encoder, const struct batch *batch,
		      size_t row)
{
	return batch->columns[encoder->source_col].f64[row];
}

static const union row_wide *get_wide(const struct encoder *encoder,
				      const struct batch *batch, size_t row)
{
	return &batch->columns[encoder->source_col].wide[row];
}

static const char *encode_bit(struct encoder *encoder,
			      const struct batch *batch, size_t row)
{
	encoder->value.bit = get_i64(encoder, batch, row) != 0;
	SET(bit);
	return NULL;
}

static const char *encode_int1(struct encoder *encoder,
			       const struct batch *batch, size_t row)
{
	int64_t value = get_i64(encoder, batch, row);

	if (value < 0 || value > UINT8_MAX)
		return out_of_range;
	encoder->value.i1 = (DBTINYINT)value;
	SET(i1);
	return NULL;
}

static const char *encode_int2(struct encoder *encoder,
			       const struct batch *batch, size_t row)
{
	int64_t value = get_i64(encoder, batch, row);

	if (value < INT16_MIN || value > INT16_MAX)
		return out_of_range;
	encoder->value.i2 = (DBSMALLINT)value;
	SET(i2);
	return NULL;
}

static const char *encode_int4(struct encoder *encoder,
			       const struct batch *batch, size_t row)
{
	int64_t value = get_i64(encoder, batch, row);

	if (value < INT32_MIN || value > INT32_MAX)
		return out_of_range;
	encoder->value.i4 = (DBINT)value;
	SET(i4);
	return NULL;
}

static const char *encode_int8(struct encoder *encoder,
			       const struct batch *batch, size_t row)
{
	int64_t value = get_i64(encoder, batch, row);

	if (encoder->from->type == ROW_UINT64 && value < 0)
		return out_of_range;
	encoder->value.i8 = value;
	SET(i8);
	return NULL;
}

static const char *encode_real(struct encoder *encoder,
			       const struct batch *batch, size_t row)
{
	double value = get_f64(encoder, batch, row);

	if (!isfinite(value))
		return not_finite;
	encoder->value.real = (DBREAL)value;
	SET(real);
	return NULL;
}

static const char *encode_float(struct encoder *encoder,
				const struct batch *batch, size_t row)
{
	encoder->value.flt = get_f64(encoder, batch, row);
	if (!isfinite(encoder->value.flt))
		return not_finite;
	SET(flt);
	return NULL;
}

/* Integers go into decimals as well. */
static row_int128 get_unscaled(const struct encoder *encoder,
			       const struct batch *batch, size_t row)
{
	if (row_type_store(encoder->from->type) == ROW_STORE_WIDE)
		return get_wide(encoder, batch, row)->decimal;
	if (encoder->from->type == ROW_UINT64)
		return (uint64_t)get_i64(encoder, batch, row);
	return get_i64(encoder, batch, row);
}

/* The unscaled number for `scale` and at most `precision` digits. */
static const char *rescale(const struct encoder *encoder,
			   const struct batch *batch, size_t row, int precision,
			   int scale, row_int128 *out)
{
	row_int128 value = get_unscaled(encoder, batch, row);
	row_int128 limit = 1;
	int from = encoder->from->scale;

	for (int i = 0; i < precision; i++)
		limit *= 10;
	for (; from < scale; from++) {
		/* Ten times the limit would not fit into 128 bits. */
		if (value >= limit / 10 || value <= -limit / 10)
			return out_of_range;
		value *= 10;
	}
	for (; from > scale; from--) {
		if (value % 10)
			return "has more decimals than the destination's type";
		value /= 10;
	}
	if (value >= limit || value <= -limit)
		return out_of_range;
	*out = value;
	return NULL;
}

static const char *encode_decimal(struct encoder *encoder,
				  const struct batch *batch, size_t row)
{
	DBNUMERIC *number = &encoder->value.numeric;
	const char *problem;
	row_int128 value;

	problem = rescale(encoder, batch, row, encoder->to->precision,
			  encoder->to->scale, &value);
	if (problem)
		return problem;
	memset(number, 0, sizeof(*number));
	number->precision = (BYTE)encoder->to->precision;
	number->scale = (BYTE)encoder->to->scale;
	number->array[0] = value < 0;
	if (value < 0)
		value = -value;
	for (int i = sqlserver_numeric_bytes(encoder->to->precision) - 1; i > 0;
	     i--, value >>= 8)
		number->array[i] = (BYTE)(value & 0xff);
	SET(numeric);
	return NULL;
}

static const char *encode_money(struct encoder *encoder,
				const struct batch *batch, size_t row)
{
	const char *problem;
	row_int128 value;

	problem = rescale(encoder, batch, row, 38, 4, &value);
	if (problem)
		return problem;
	if (value < INT64_MIN || value > INT64_MAX)
		return out_of_range;
	encoder->value.money.mnyhigh = (DBINT)((int64_t)value >> 32);
	encoder->value.money.mnylow = (DBUINT)((uint64_t)value & 0xffffffffU);
	SET(money);
	return NULL;
}

static const char *encode_smallmoney(struct encoder *encoder,
				     const struct batch *batch, size_t row)
{
	const char *problem;
	row_int128 value;

	problem = rescale(encoder, batch, row, 38, 4, &value);
	if (problem)
		return problem;
	if (value < INT32_MIN || value > INT32_MAX)
		return out_of_range;
	encoder->value.smallmoney.mny4 = (DBINT)value;
	SET(smallmoney);
	return NULL;
}

static const char *encode_date(struct encoder *encoder,
			       const struct batch *batch, size_t row)
{
	int64_t days = get_i64(encoder, batch, row);

	if (days < 0 || days > LAST_DAY)
		return out_of_range;
	memset(&encoder->value.any, 0, sizeof(encoder->value.any));
	encoder->value.any.date = (DBINT)(days - DAYS_TO_1900);
	encoder->value.any.has_date = 1;
	SET(any);
	return NULL;
}

static const char *encode_time(struct encoder *encoder,
			       const struct batch *batch, size_t row)
{
	int64_t ticks = get_i64(encoder, batch, row);

	if (ticks < 0 || ticks >= ROW_TICKS_PER_DAY)
		return out_of_range;
	memset(&encoder->value.any, 0, sizeof(encoder->value.any));
	encoder->value.any.time = (DBUBIGINT)ticks;
	encoder->value.any.time_prec = (DBUSMALLINT)(encoder->to->scale & 7);
	encoder->value.any.has_time = 1;
	SET(any);
	return NULL;
}

/*
 * FreeTDS cuts what is finer than the column. That is never so but for
 * datetime, whose thirds of a hundredth are written with three digits.
 */
static int64_t round_ticks(const struct encoder *encoder, int64_t ticks)
{
	int64_t unit = 1;

	for (int i = encoder->to->scale; i < 7; i++)
		unit *= 10;
	return (ticks + unit / 2) / unit * unit;
}

static const char *set_ticks(struct encoder *encoder, int64_t ticks)
{
	DBDATETIMEALL *any = &encoder->value.any;

	if (ticks < 0 || ticks / ROW_TICKS_PER_DAY > LAST_DAY)
		return out_of_range;
	ticks = round_ticks(encoder, ticks);
	if (ticks / ROW_TICKS_PER_DAY > LAST_DAY)
		return out_of_range;
	memset(any, 0, sizeof(*any));
	any->date = (DBINT)(ticks / ROW_TICKS_PER_DAY - DAYS_TO_1900);
	any->time = (DBUBIGINT)(ticks % ROW_TICKS_PER_DAY);
	any->time_prec = (DBUSMALLINT)(encoder->to->scale & 7);
	any->has_date = 1;
	any->has_time = 1;
	return NULL;
}

static const char *encode_datetime2(struct encoder *encoder,
				    const struct batch *batch, size_t row)
{
	const char *problem = set_ticks(encoder, get_i64(encoder, batch, row));

	if (!problem)
		SET(any);
	return problem;
}

static const char *encode_datetimeoffset(struct encoder *encoder,
					 const struct batch *batch, size_t row)
{
	const struct row_timestamptz *value =
		&get_wide(encoder, batch, row)->timestamptz;
	const char *problem = set_ticks(encoder, value->utc);

	if (problem)
		return problem;
	encoder->value.any.offset = value->offset_minutes;
	encoder->value.any.has_offset = 1;
	SET(any);
	return NULL;
}

static const char *encode_datetime(struct encoder *encoder,
				   const struct batch *batch, size_t row)
{
	int64_t ticks = get_i64(encoder, batch, row);
	int64_t days = ticks / ROW_TICKS_PER_DAY;
	int64_t parts =
		(ticks % ROW_TICKS_PER_DAY * 300 + ROW_TICKS_PER_SECOND / 2) /
		ROW_TICKS_PER_SECOND;

	if (parts == INT64_C(86400) * 300) {
		parts = 0;
		days++;
	}
	if (ticks < 0 || days < DATETIME_FIRST_DAY || days > LAST_DAY)
		return out_of_range;
	encoder->value.datetime.dtdays = (DBINT)(days - DAYS_TO_1900);
	encoder->value.datetime.dttime = (DBINT)parts;
	SET(datetime);
	return NULL;
}

static const char *encode_smalldatetime(struct encoder *encoder,
					const struct batch *batch, size_t row)
{
	int64_t ticks = get_i64(encoder, batch, row);
	int64_t days = ticks / ROW_TICKS_PER_DAY - DAYS_TO_1900;

	if (ticks < 0 || days < 0 || days > UINT16_MAX)
		return out_of_range;
	encoder->value.smalldatetime.days = (DBUSMALLINT)days;
	encoder->value.smalldatetime.minutes =
		(DBUSMALLINT)(ticks % ROW_TICKS_PER_DAY /
			      (60 * ROW_TICKS_PER_SECOND));
	SET(smalldatetime);
	return NULL;
}

static const char *encode_guid(struct encoder *encoder,
			       const struct batch *batch, size_t row)
{
	const struct row_uuid *uuid = &get_wide(encoder, batch, row)->uuid;

	for (int i = 0; i < 16; i++)
		encoder->value.guid[sqlserver_guid_order[i]] = uuid->bytes[i];
	SET(guid);
	return NULL;
}

static const char *encode_slice(struct encoder *encoder,
				const struct batch *batch, size_t row)
{
	const struct row_slice *slice =
		&batch->columns[encoder->source_col].slice[row];
	const void *data = slice->data;
	size_t len = slice->len;

	if (encoder->charset.handle &&
	    charset_convert(&encoder->charset, data, len, &data, &len,
			    encoder->err) < 0)
		return lacks_character;
	if (encoder->to->max_length >= 0 &&
	    len > (size_t)encoder->to->max_length)
		return too_long;
	tds_bulk_set(encoder->conn, encoder->bulk_col, data, len);
	return NULL;
}

static const char *encode_foreign(struct encoder *encoder,
				  const struct batch *batch, size_t row)
{
	const struct row_slice *slice =
		&batch->columns[encoder->source_col].slice[row];
	const void *data = slice->data;
	size_t len = slice->len;

	if (encoder->charset.handle &&
	    charset_convert(&encoder->charset, data, len, &data, &len,
			    encoder->err) < 0)
		return lacks_character;
	if (encoder->to->max_length >= 0 &&
	    len > (size_t)encoder->to->max_length)
		return too_long;
	if (charset_convert(&encoder->unicode, slice->data, slice->len, &data,
			    &len, encoder->err) < 0)
		return lacks_character;
	tds_bulk_set(encoder->conn, encoder->bulk_col, data, len);
	return NULL;
}

/* ----------------------------------------------------------------- encoder */

bool encode_is_foreign(const struct catalog_table *dest,
		       const struct catalog_column *column)
{
	return column->wire == WIRE_CHAR &&
	       column->code_page != dest->code_page;
}

static enum tds_host_type choose(struct encoder *encoder)
{
	switch (encoder->to->wire) {
	case WIRE_BIT:
		encoder->encode = encode_bit;
		return TDS_HOST_BIT;
	case WIRE_INT:
		switch (encoder->to->max_length) {
		case 1:
			encoder->encode = encode_int1;
			return TDS_HOST_INT1;
		case 2:
			encoder->encode = encode_int2;
			return TDS_HOST_INT2;
		case 4:
			encoder->encode = encode_int4;
			return TDS_HOST_INT4;
		default:
			encoder->encode = encode_int8;
			return TDS_HOST_INT8;
		}
	case WIRE_REAL:
		encoder->encode = encode_real;
		return TDS_HOST_REAL;
	case WIRE_FLOAT:
		encoder->encode = encode_float;
		return TDS_HOST_FLOAT;
	case WIRE_DECIMAL:
		encoder->encode = encode_decimal;
		return TDS_HOST_NUMERIC;
	case WIRE_MONEY:
		encoder->encode = encoder->to->max_length == 4
					  ? encode_smallmoney
					  : encode_money;
		return encoder->to->max_length == 4 ? TDS_HOST_SMALLMONEY
						    : TDS_HOST_MONEY;
	case WIRE_DATE:
		encoder->encode = encode_date;
		return TDS_HOST_DATE;
	case WIRE_TIME:
		encoder->encode = encode_time;
		return TDS_HOST_TIME;
	case WIRE_DATETIME:
		encoder->encode = encode_datetime;
		return TDS_HOST_DATETIME;
	case WIRE_SMALLDATETIME:
		encoder->encode = encode_smalldatetime;
		return TDS_HOST_SMALLDATETIME;
	case WIRE_DATETIME2:
		encoder->encode = encode_datetime2;
		return TDS_HOST_DATETIME2;
	case WIRE_DATETIMEOFFSET:
		encoder->encode = encode_datetimeoffset;
		return TDS_HOST_DATETIMEOFFSET;
	case WIRE_GUID:
		encoder->encode = encode_guid;
		return TDS_HOST_GUID;
	case WIRE_CHAR:
	case WIRE_NCHAR:
		encoder->encode = encode_slice;
		return TDS_HOST_CHAR;
	case WIRE_BINARY:
	case WIRE_NONE:
		break;
	}
	encoder->encode = encode_slice;
	return TDS_HOST_BINARY;
}

static int init_charsets(struct encoder *encoder,
			 const struct catalog_table *dest, struct error *err)
{
	if (encoder->to->wire != WIRE_CHAR && encoder->to->wire != WIRE_NCHAR)
		return 0;
	if (encode_is_foreign(dest, encoder->to)) {
		encoder->encode = encode_foreign;
		if (charset_init(&encoder->unicode, encoder->from->charset,
				 "UTF-16LE", err) < 0)
			return -1;
	}
	return charset_init(&encoder->charset, encoder->from->charset,
			    catalog_charset(encoder->to), err);
}

struct encoder *encoder_new(struct tds *conn, const struct catalog_table *dest,
			    const struct table *shape, size_t i,
			    size_t bulk_col, bool nulls,
			    enum tds_host_type *type, struct error *err)
{
	struct encoder *encoder = calloc(1, sizeof(*encoder));

	if (!encoder) {
		error_memory(err, "a bulk load");
		return NULL;
	}
	encoder->conn = conn;
	encoder->from = &shape->columns[i];
	encoder->source_col = i;
	encoder->bulk_col = bulk_col;
	encoder->to = catalog_column(dest, encoder->from->name);
	if (!encoder->to) {
		error_set(err, ERROR_SCHEMA,
			  "column '%s' does not exist in the destination",
			  encoder->from->name);
		goto failed;
	}
	encoder->not_null = !encoder->to->nullable && !nulls;
	*type = choose(encoder);
	if (init_charsets(encoder, dest, err) == 0)
		return encoder;
failed:
	encoder_free(encoder);
	return NULL;
}

void encoder_free(struct encoder *encoder)
{
	if (!encoder)
		return;
	charset_release(&encoder->charset);
	charset_release(&encoder->unicode);
	free(encoder);
}

/*
 * Converted text may have twice as many bytes, here and in db-lib; and once
 * more as it was, to see whether it comes back.
 */
unsigned encoder_held(const struct encoder *encoder)
{
	if (!encoder->charset.handle || encoder->to->max_length > 0)
		return 1;
	return encoder->unicode.handle ? 8 : 5;
}

int encoder_set(struct encoder *encoder, const struct batch *batch, size_t row,
		struct error *err)
{
	const char *problem;

	if (batch_null(batch, encoder->source_col, row)) {
		if (encoder->not_null)
			return error_set(err, ERROR_DATA,
					 "column '%s' is NULL in a row, but "
					 "NOT NULL in the destination: " REMEDY,
					 encoder->to->name);
		tds_bulk_set_null(encoder->conn, encoder->bulk_col);
		return 0;
	}
	encoder->err = err;
	problem = encoder->encode(encoder, batch, row);
	if (problem)
		return error_set(err, ERROR_DATA,
				 "a value of column '%s' %s: " REMEDY,
				 encoder->to->name, problem);
	return 0;
}
