#include "drivers/sqlserver/decode.h"

#include <stdlib.h>
#include <string.h>

#include <sybfront.h>
#include <sybdb.h>

#ifndef SYBUNIQUE
#define SYBUNIQUE 36 /* uniqueidentifier; sybdb.h leaves it out */
#endif

#include "drivers/sqlserver/sql.h"
#include "drivers/sqlserver/wire.h"
#include "row/charset.h"

#define NVARCHAR_MAX_LENGTH 4000
#define OFFSET_MAX	    (14 * 60) /* minutes, either way */

/*
 * A value's way into a batch: 1 done, 0 no room, -1 cannot be carried: no
 * server sends such a value, and nothing behind could do with it. `len` is
 * what db-lib says; a value of fixed size has that size. It is copied out of
 * db-lib's buffer, which is not aligned.
 */
typedef int decode_fn(struct batch *batch, size_t col, const BYTE *data,
		      size_t len);

struct decoder {
	DBPROCESS *db;
	const struct table *shape;
	size_t first;
	size_t count;
	struct {
		struct way {
			decode_fn *decode;
			size_t size; /* of every value; 0: of any length */
		} way;
		bool key;
	} columns[];
};

/* ------------------------------------------------------------ expressions */

static bool is_text(const struct catalog_column *column)
{
	return column->wire == WIRE_CHAR || column->wire == WIRE_NCHAR;
}

static void text_expression(struct strbuf *sql,
			    const struct catalog_column *column,
			    const char *value, bool native_text)
{
	bool lob = !strcmp(column->type, "text") ||
		   !strcmp(column->type, "ntext") ||
		   !strcmp(column->type, "xml");
	bool to_utf16 = !strcmp(column->type, "xml") ||
			(column->wire == WIRE_CHAR && !native_text);
	int length = lob ? -1 : column->max_length;
	int units =
		column->wire == WIRE_CHAR || length < 0 ? length : length / 2;

	if (to_utf16 && units > NVARCHAR_MAX_LENGTH)
		units = -1;
	if (to_utf16)
		length = units < 0 ? -1 : units * 2;
	strbuf_addstr(sql, "CONVERT(varbinary(");
	if (length < 0)
		strbuf_addstr(sql, "max), ");
	else
		strbuf_addf(sql, "%d), ", length);
	if (to_utf16 && units < 0)
		strbuf_addf(sql, "CONVERT(nvarchar(max), %s)", value);
	else if (to_utf16)
		strbuf_addf(sql, "CONVERT(nvarchar(%d), %s)", units, value);
	else if (lob)
		strbuf_addf(sql, "CONVERT(%svarchar(max), %s)",
			    column->wire == WIRE_NCHAR ? "n" : "", value);
	else
		strbuf_addstr(sql, value);
	strbuf_addch(sql, ')');
}

void decode_expression(struct strbuf *sql, const struct catalog_column *column,
		       const char *alias, bool native_text, bool as_reset)
{
	struct strbuf value;

	strbuf_init(&value);
	strbuf_addf(&value, "%s.", alias);
	sql_name(&value, column->name);
	if (value.failed) {
		sql->failed = value.failed;
	} else if (as_reset) {
		strbuf_addstr(sql, "CONVERT(");
		catalog_type(column, sql);
		strbuf_addf(sql, ", CASE WHEN %s = 1 THEN 0 ELSE %s END)",
			    value.data, value.data);
	} else if (is_text(column)) {
		text_expression(sql, column, value.data, native_text);
	} else if (!strcmp(column->type, "image")) {
		strbuf_addf(sql, "CONVERT(varbinary(max), %s)", value.data);
	} else {
		strbuf_addstr(sql, value.data);
	}
	strbuf_release(&value);
}

/* ------------------------------------------------------------------ values */

static int decode_bit(struct batch *batch, size_t col, const BYTE *data,
		      size_t len)
{
	(void)len;
	batch_put_i64(batch, col, *data != 0);
	return 1;
}

static int decode_int1(struct batch *batch, size_t col, const BYTE *data,
		       size_t len)
{
	(void)len;
	batch_put_i64(batch, col, *data);
	return 1;
}

static int decode_int2(struct batch *batch, size_t col, const BYTE *data,
		       size_t len)
{
	DBSMALLINT value;

	(void)len;
	memcpy(&value, data, sizeof(value));
	batch_put_i64(batch, col, value);
	return 1;
}

static int decode_int4(struct batch *batch, size_t col, const BYTE *data,
		       size_t len)
{
	DBINT value;

	(void)len;
	memcpy(&value, data, sizeof(value));
	batch_put_i64(batch, col, value);
	return 1;
}

static int decode_int8(struct batch *batch, size_t col, const BYTE *data,
		       size_t len)
{
	DBBIGINT value;

	(void)len;
	memcpy(&value, data, sizeof(value));
	batch_put_i64(batch, col, value);
	return 1;
}

static int decode_real(struct batch *batch, size_t col, const BYTE *data,
		       size_t len)
{
	DBREAL value;

	(void)len;
	memcpy(&value, data, sizeof(value));
	batch_put_f64(batch, col, (double)value);
	return 1;
}

static int decode_float(struct batch *batch, size_t col, const BYTE *data,
			size_t len)
{
	DBFLT8 value;

	(void)len;
	memcpy(&value, data, sizeof(value));
	batch_put_f64(batch, col, value);
	return 1;
}

/*
 * FreeTDS's numeric: the sign, then the unscaled number, most significant byte
 * first, in as many bytes as its precision needs.
 */
static int decode_decimal(struct batch *batch, size_t col, const BYTE *data,
			  size_t len)
{
	/* What 38 digits cannot write; 16 bytes hold more. */
	static const unsigned __int128 limit =
		(unsigned __int128)10000000000000000000U *
		10000000000000000000U;
	unsigned __int128 value = 0;
	DBNUMERIC number;

	(void)len;
	memcpy(&number, data, sizeof(number));
	if (number.precision < 1 || number.precision > 38)
		return -1;
	for (int i = 1; i < sqlserver_numeric_bytes(number.precision); i++)
		value = value << 8 | number.array[i];
	if (value >= limit)
		return -1;
	batch_put_wide(batch, col)->decimal =
		number.array[0] ? -(row_int128)value : (row_int128)value;
	return 1;
}

static int decode_money(struct batch *batch, size_t col, const BYTE *data,
			size_t len)
{
	DBMONEY money;

	(void)len;
	memcpy(&money, data, sizeof(money));
	batch_put_wide(batch, col)->decimal =
		(int64_t)((uint64_t)(uint32_t)money.mnyhigh << 32 |
			  (uint32_t)money.mnylow);
	return 1;
}

static int decode_smallmoney(struct batch *batch, size_t col, const BYTE *data,
			     size_t len)
{
	DBMONEY4 money;

	(void)len;
	memcpy(&money, data, sizeof(money));
	batch_put_wide(batch, col)->decimal = money.mny4;
	return 1;
}

static bool is_day(int64_t day)
{
	return day >= 0 && day <= LAST_DAY;
}

static int decode_date(struct batch *batch, size_t col, const BYTE *data,
		       size_t len)
{
	DBDATETIMEALL value;
	int64_t day;

	(void)len;
	memcpy(&value, data, sizeof(value));
	day = (int64_t)value.date + DAYS_TO_1900;
	if (!is_day(day))
		return -1;
	batch_put_i64(batch, col, day);
	return 1;
}

static int decode_time(struct batch *batch, size_t col, const BYTE *data,
		       size_t len)
{
	DBDATETIMEALL value;

	(void)len;
	memcpy(&value, data, sizeof(value));
	if (value.time >= (DBUBIGINT)ROW_TICKS_PER_DAY)
		return -1;
	batch_put_i64(batch, col, (int64_t)value.time);
	return 1;
}

/* The ticks of a day and a time of day; -1: there is no such moment. */
static int64_t ticks_of(int64_t day, uint64_t time)
{
	if (!is_day(day) || time >= (uint64_t)ROW_TICKS_PER_DAY)
		return -1;
	return day * ROW_TICKS_PER_DAY + (int64_t)time;
}

static int put_ticks(struct batch *batch, size_t col, int64_t ticks)
{
	if (ticks < 0)
		return -1;
	batch_put_i64(batch, col, ticks);
	return 1;
}

static int decode_datetime2(struct batch *batch, size_t col, const BYTE *data,
			    size_t len)
{
	DBDATETIMEALL value;

	(void)len;
	memcpy(&value, data, sizeof(value));
	return put_ticks(
		batch, col,
		ticks_of((int64_t)value.date + DAYS_TO_1900, value.time));
}

/* On the clock of its zone it is a moment, too. */
static int decode_datetimeoffset(struct batch *batch, size_t col,
				 const BYTE *data, size_t len)
{
	union row_wide *to = batch_put_wide(batch, col);
	DBDATETIMEALL value;
	int64_t ticks, local;

	(void)len;
	memcpy(&value, data, sizeof(value));
	ticks = ticks_of((int64_t)value.date + DAYS_TO_1900, value.time);
	local = ticks + value.offset * INT64_C(60) * ROW_TICKS_PER_SECOND;
	if (ticks < 0 || value.offset < -OFFSET_MAX ||
	    value.offset > OFFSET_MAX || local < 0 ||
	    !is_day(local / ROW_TICKS_PER_DAY))
		return -1;
	to->timestamptz.utc = ticks;
	to->timestamptz.offset_minutes = value.offset;
	return 1;
}

/* Days since 1900 and 1/300 seconds, rounded to the ticks they stand for. */
static int decode_datetime(struct batch *batch, size_t col, const BYTE *data,
			   size_t len)
{
	DBDATETIME value;
	int64_t time;

	(void)len;
	memcpy(&value, data, sizeof(value));
	time = ((int64_t)value.dttime * ROW_TICKS_PER_SECOND + 150) / 300;
	return put_ticks(
		batch, col,
		ticks_of((int64_t)value.dtdays + DAYS_TO_1900, (uint64_t)time));
}

static int decode_smalldatetime(struct batch *batch, size_t col,
				const BYTE *data, size_t len)
{
	DBDATETIME4 value;

	(void)len;
	memcpy(&value, data, sizeof(value));
	return put_ticks(
		batch, col,
		ticks_of((int64_t)value.days + DAYS_TO_1900,
			 (uint64_t)value.minutes * 60 * ROW_TICKS_PER_SECOND));
}

static int decode_guid(struct batch *batch, size_t col, const BYTE *data,
		       size_t len)
{
	union row_wide *to = batch_put_wide(batch, col);

	(void)len;
	for (int i = 0; i < 16; i++)
		to->uuid.bytes[i] = data[sqlserver_guid_order[i]];
	return 1;
}

static int decode_bytes(struct batch *batch, size_t col, const BYTE *data,
			size_t len)
{
	unsigned char *to;

	if (batch->lone) {
		batch_put_borrowed(batch, col, data, len);
		return 1;
	}
	to = batch_put_slice(batch, col, len);
	if (!to)
		return 0;
	memcpy(to, data, len);
	return 1;
}

static int decode_utf16(struct batch *batch, size_t col, const BYTE *data,
			size_t len)
{
	long need = charset_utf8_length(data, len);
	unsigned char *to;

	if (need < 0)
		return -1;
	to = batch_put_slice(batch, col, (size_t)need);
	if (!to)
		return 0;
	charset_utf8_write(data, len, to);
	return 1;
}

/* ----------------------------------------------------------------- decoder */

#define FIXED(decode, type)          \
	(struct way)                 \
	{                            \
		decode, sizeof(type) \
	}

static struct way choose_integer(const struct catalog_column *column)
{
	switch (column->max_length) {
	case 1:
		return FIXED(decode_int1, DBTINYINT);
	case 2:
		return FIXED(decode_int2, DBSMALLINT);
	case 4:
		return FIXED(decode_int4, DBINT);
	default:
		return FIXED(decode_int8, DBBIGINT);
	}
}

static struct way choose(const struct catalog_column *column, bool native_text)
{
	switch (column->wire) {
	case WIRE_BIT:
		return FIXED(decode_bit, DBBIT);
	case WIRE_INT:
		return choose_integer(column);
	case WIRE_REAL:
		return FIXED(decode_real, DBREAL);
	case WIRE_FLOAT:
		return FIXED(decode_float, DBFLT8);
	case WIRE_DECIMAL:
		return FIXED(decode_decimal, DBNUMERIC);
	case WIRE_MONEY:
		return column->max_length == 4
			       ? FIXED(decode_smallmoney, DBMONEY4)
			       : FIXED(decode_money, DBMONEY);
	case WIRE_DATE:
		return FIXED(decode_date, DBDATETIMEALL);
	case WIRE_TIME:
		return FIXED(decode_time, DBDATETIMEALL);
	case WIRE_DATETIME:
		return FIXED(decode_datetime, DBDATETIME);
	case WIRE_SMALLDATETIME:
		return FIXED(decode_smalldatetime, DBDATETIME4);
	case WIRE_DATETIME2:
		return FIXED(decode_datetime2, DBDATETIMEALL);
	case WIRE_DATETIMEOFFSET:
		return FIXED(decode_datetimeoffset, DBDATETIMEALL);
	case WIRE_GUID:
		return FIXED(decode_guid, BYTE[16]);
	case WIRE_CHAR:
	case WIRE_NCHAR:
		return (struct way){native_text ? decode_bytes : decode_utf16,
				    0};
	case WIRE_BINARY:
		return (struct way){decode_bytes, 0};
	case WIRE_NONE:
		break;
	}
	return (struct way){NULL, 0};
}

/*
 * What the server must send for a column. If somebody altered it since the
 * catalog was read, the bytes would be taken for something else.
 */
static int expected_type(const struct catalog_column *column)
{
	switch (column->wire) {
	case WIRE_BIT:
		return SYBBIT;
	case WIRE_INT:
		return column->max_length == 1	 ? SYBINT1
		       : column->max_length == 2 ? SYBINT2
		       : column->max_length == 4 ? SYBINT4
						 : SYBINT8;
	case WIRE_REAL:
		return SYBREAL;
	case WIRE_FLOAT:
		return SYBFLT8;
	case WIRE_DECIMAL:
		return strcmp(column->type, "numeric") ? SYBDECIMAL
						       : SYBNUMERIC;
	case WIRE_MONEY:
		return column->max_length == 4 ? SYBMONEY4 : SYBMONEY;
	case WIRE_DATE:
		return SYBMSDATE;
	case WIRE_TIME:
		return SYBMSTIME;
	case WIRE_DATETIME:
		return SYBDATETIME;
	case WIRE_SMALLDATETIME:
		return SYBDATETIME4;
	case WIRE_DATETIME2:
		return SYBMSDATETIME2;
	case WIRE_DATETIMEOFFSET:
		return SYBMSDATETIMEOFFSET;
	case WIRE_GUID:
		return SYBUNIQUE;
	case WIRE_CHAR:
	case WIRE_NCHAR:
	case WIRE_BINARY:
	case WIRE_NONE:
		break;
	}
	return SYBBINARY;
}

static bool is_as_expected(DBPROCESS *db, int db_col,
			   const struct catalog_column *column)
{
	DBTYPEINFO *info;
	int type = dbcoltype(db, db_col);
	int expected = expected_type(column);

	if (expected == SYBBINARY)
		return type == SYBBINARY || type == SYBVARBINARY ||
		       type == SYBIMAGE;
	if (expected != SYBDECIMAL && expected != SYBNUMERIC)
		return type == expected;
	if (type != SYBDECIMAL && type != SYBNUMERIC)
		return false;
	info = dbcoltypeinfo(db, db_col);
	return info && info->scale == column->scale;
}

struct decoder *decoder_new(struct tds *conn, size_t first,
			    const struct catalog_table *catalog,
			    const struct table *shape, bool native_text,
			    struct error *err)
{
	struct decoder *decoder;

	decoder =
		calloc(1, sizeof(*decoder) + shape->column_count *
						     sizeof(*decoder->columns));
	if (!decoder) {
		error_memory(err, "reading a table");
		return NULL;
	}
	decoder->db = tds_handle(conn);
	decoder->shape = shape;
	decoder->first = first;
	decoder->count = shape->column_count;
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct catalog_column *column =
			catalog_column(catalog, shape->columns[i].name);

		if (column)
			decoder->columns[i].way = choose(column, native_text);
		decoder->columns[i].key = table_is_key(shape, i);
		if (!decoder->columns[i].way.decode ||
		    !is_as_expected(decoder->db, (int)(first + i) + 1,
				    column)) {
			error_set(err, ERROR_SCHEMA,
				  "column '%s' is not of the type it was when "
				  "the table was looked at",
				  shape->columns[i].name);
			decoder_free(decoder);
			return NULL;
		}
	}
	return decoder;
}

void decoder_free(struct decoder *decoder)
{
	free(decoder);
}

/* The value of a column that is not NULL; as decode_fn. */
static int read_value(const struct decoder *decoder, size_t i,
		      struct batch *batch, const BYTE *data)
{
	const struct way *way = &decoder->columns[i].way;
	DBINT len = dbdatlen(decoder->db, (int)(decoder->first + i) + 1);

	if (len < 0 || (way->size && (size_t)len != way->size))
		return -1;
	return way->decode(batch, i, data, (size_t)len);
}

int decoder_read(struct decoder *decoder, struct batch *batch, bool key_only,
		 struct error *err)
{
	for (size_t i = 0; i < decoder->count; i++) {
		const BYTE *data = NULL;
		int rc;

		if (!key_only || decoder->columns[i].key)
			data = dbdata(decoder->db,
				      (int)(decoder->first + i) + 1);
		if (!data) {
			batch_put_null(batch, i);
			continue;
		}
		rc = read_value(decoder, i, batch, data);
		if (rc < 0)
			return error_set(err, ERROR_DATA,
					 "a value of column '%s' is broken or "
					 "has no form in UTF-8",
					 decoder->shape->columns[i].name);
		if (rc == 0)
			return 0;
	}
	return 1;
}
