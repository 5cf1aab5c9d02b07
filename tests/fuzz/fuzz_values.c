/*
 * Values of SQL Server, drivers/sqlserver/decode.h and encode.h.
 *
 * Bytes that db-lib holds out for a column of any type become a value that its
 * type can have, or an ERROR_DATA; bytes of another type than the catalog says
 * are ERROR_SCHEMA. The value, made ready for a column of the same type, is
 * the same bytes again; and made ready for a column of any other type that the
 * engine's schema check lets through, it is not refused and means the same.
 */
#include "fuzz/fuzz.h"

#include <math.h>
#include <string.h>

#include <sybfront.h>
#include <sybdb.h>

#include "drivers/sqlserver/decode.h"
#include "drivers/sqlserver/encode.h"
#include "engine/schema_check.h"
#include "fuzz/dblib.h"
#include "row/charset.h"
#include "row/text.h"
#include "unit/utf8.h"

#ifndef SYBUNIQUE
#define SYBUNIQUE 36
#endif

/* 9999-12-31, from 0001-01-01 and from 1900-01-01 */
#define LAST_DAY      3652058
#define FIRST_DAY_OLD (-693595)
#define LAST_DAY_OLD  2958463

/* A type, how db-lib tells it, and the length of its values (0: any). */
static const struct type {
	const char *name;
	int db_type;
	size_t size;
	int max_length;
} types[] = {
	{"bit", SYBBIT, 1, 1},
	{"tinyint", SYBINT1, 1, 1},
	{"smallint", SYBINT2, 2, 2},
	{"int", SYBINT4, 4, 4},
	{"bigint", SYBINT8, 8, 8},
	{"real", SYBREAL, 4, 4},
	{"float", SYBFLT8, 8, 8},
	{"decimal", SYBDECIMAL, sizeof(DBNUMERIC), 17},
	{"numeric", SYBNUMERIC, sizeof(DBNUMERIC), 17},
	{"money", SYBMONEY, 8, 8},
	{"smallmoney", SYBMONEY4, 4, 4},
	{"date", SYBMSDATE, sizeof(DBDATETIMEALL), 3},
	{"time", SYBMSTIME, sizeof(DBDATETIMEALL), 5},
	{"datetime", SYBDATETIME, 8, 8},
	{"smalldatetime", SYBDATETIME4, 4, 4},
	{"datetime2", SYBMSDATETIME2, sizeof(DBDATETIMEALL), 8},
	{"datetimeoffset", SYBMSDATETIMEOFFSET, sizeof(DBDATETIMEALL), 10},
	{"uniqueidentifier", SYBUNIQUE, 16, 16},
	{"varbinary", SYBVARBINARY, 0, -1},
	{"varchar", SYBVARBINARY, 0, -1},
	{"nvarchar", SYBVARBINARY, 0, -1},
	{"xml", SYBVARBINARY, 0, -1},
};

#define TYPES (sizeof(types) / sizeof(*types))

/* A table of one column, as the catalog and as the engine knows it. */
struct one {
	struct catalog_column column;
	struct catalog_table catalog;
	struct table table;
	const struct type *type;
	bool native_text; /* bytes of the column's own, taken as they are */
};

static struct tds *conn;
static struct strbuf sent; /* what encode() made */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	conn = dblib_connection();
	strbuf_init(&sent);
	return 0;
}

static void make_one(struct one *one, struct input *in)
{
	static const int code_pages[] = {1252, 932, 65001};
	const struct type *type = &types[take_below(in, TYPES)];
	struct table_name name = {"db", "dbo", "t"};
	struct error err = ERROR_INIT;
	struct catalog_column *column = &one->column;

	one->type = type;
	one->native_text = false;
	*column = (struct catalog_column){
		.name = "c",
		.type = type->name,
		.wire = catalog_wire(type->name),
		.max_length = type->max_length,
		.nullable = true,
		.code_page = code_pages[take_below(in, 3)],
	};
	if (column->wire == WIRE_DECIMAL) {
		column->precision = (int)take_below(in, 38) + 1;
		column->scale =
			(int)take_below(in, (size_t)column->precision + 1);
	} else if (column->wire == WIRE_MONEY) {
		column->precision = type->size == 4 ? 10 : 19;
		column->scale = 4;
	} else if (column->wire == WIRE_DATETIME) {
		column->scale = 3;
	} else if (column->wire == WIRE_TIME ||
		   column->wire == WIRE_DATETIME2 ||
		   column->wire == WIRE_DATETIMEOFFSET) {
		column->scale = (int)take_below(in, 8);
	}
	if (type->max_length < 0 && strcmp(type->name, "xml") != 0 &&
	    take_byte(in) & 1)
		column->max_length = 2 * ((int)take_below(in, 40) + 1);
	one->catalog = (struct catalog_table){
		.columns = column,
		.column_count = 1,
		.code_page = code_pages[take_below(in, 3)],
	};
	table_init(&one->table);
	HOLDS(catalog_describe(&one->catalog, &name, &one->table, &err) == 0);
}

/* ------------------------------------------------------------ from the wire */

/* Bytes that make sense, most of the time, or any. */
static void make_sense(const struct one *one, unsigned char *bytes)
{
	DBNUMERIC number;
	DBDATETIMEALL any;
	DBDATETIME old;
	DBDATETIME4 small;

	switch (one->column.wire) {
	case WIRE_BIT:
		bytes[0] &= 1;
		break;
	case WIRE_REAL:
		/* Finite, as all are that a server has. */
		if ((bytes[3] & 0x7f) == 0x7f && bytes[2] & 0x80)
			bytes[3] ^= 0x40;
		break;
	case WIRE_FLOAT:
		if ((bytes[7] & 0x7f) == 0x7f && (bytes[6] & 0xf0) == 0xf0)
			bytes[7] ^= 0x40;
		break;
	case WIRE_DECIMAL:
		memcpy(&number, bytes, sizeof(number));
		number.precision = (BYTE)one->column.precision;
		number.scale = (BYTE)one->column.scale;
		number.array[0] &= 1;
		memcpy(bytes, &number, sizeof(number));
		break;
	case WIRE_DATE:
	case WIRE_TIME:
	case WIRE_DATETIME2:
	case WIRE_DATETIMEOFFSET:
		memcpy(&any, bytes, sizeof(any));
		/* Neither end, which is outside in some zones. */
		any.date = (DBINT)((uint32_t)any.date % (LAST_DAY - 1)) +
			   FIRST_DAY_OLD + 1;
		any.time %= (uint64_t)ROW_TICKS_PER_DAY;
		for (int i = one->column.scale; i < 7; i++)
			any.time /= 10;
		for (int i = one->column.scale; i < 7; i++)
			any.time *= 10;
		any.offset = (DBSMALLINT)(any.offset % 841);
		memcpy(bytes, &any, sizeof(any));
		break;
	case WIRE_DATETIME:
		memcpy(&old, bytes, sizeof(old));
		old.dtdays = (DBINT)((uint32_t)old.dtdays % 3012154) - 53690;
		old.dttime = (DBINT)((uint32_t)old.dttime % 25920000);
		memcpy(bytes, &old, sizeof(old));
		break;
	case WIRE_SMALLDATETIME:
		memcpy(&small, bytes, sizeof(small));
		small.minutes %= 1440;
		memcpy(bytes, &small, sizeof(small));
		break;
	default:
		break;
	}
}

static row_int128 power_of_ten(int exponent)
{
	row_int128 power = 1;

	for (; exponent > 0; exponent--)
		power *= 10;
	return power;
}

/* What its type can have; everything behind relies on it. */
static void check_value(const struct one *one, const struct batch *batch)
{
	const struct batch_column *values = &batch->columns[0];
	const struct row_timestamptz *zoned;
	row_int128 limit = power_of_ten(38);

	switch (one->table.columns[0].type) {
	case ROW_BOOL:
		HOLDS(values->i64[0] == 0 || values->i64[0] == 1);
		break;
	case ROW_DECIMAL:
		HOLDS(values->wide[0].decimal < limit &&
		      values->wide[0].decimal > -limit);
		break;
	case ROW_DATE:
		HOLDS(values->i64[0] >= 0 && values->i64[0] <= LAST_DAY);
		break;
	case ROW_TIME:
		HOLDS(values->i64[0] >= 0 &&
		      values->i64[0] < ROW_TICKS_PER_DAY);
		break;
	case ROW_TIMESTAMP:
		HOLDS(values->i64[0] >= 0 &&
		      values->i64[0] < (LAST_DAY + 1) * ROW_TICKS_PER_DAY);
		break;
	case ROW_TIMESTAMPTZ:
		zoned = &values->wide[0].timestamptz;
		HOLDS(zoned->utc >= 0 &&
		      zoned->utc < (LAST_DAY + 1) * ROW_TICKS_PER_DAY);
		HOLDS(zoned->offset_minutes >= -840 &&
		      zoned->offset_minutes <= 840);
		break;
	case ROW_TEXT:
	case ROW_XML:
		if (!one->native_text)
			HOLDS(is_utf8_bytes(values->slice[0].data,
					    values->slice[0].len));
		break;
	default:
		break;
	}
}

/* 1: a value; 0: the bytes are none. */
static int decode(struct one *one, struct batch *batch)
{
	struct error err = ERROR_INIT;
	struct decoder *decoder = decoder_new(
		conn, 0, &one->catalog, &one->table, one->native_text, &err);
	int rc;

	HOLDS(decoder);
	rc = decoder_read(decoder, batch, false, &err);
	decoder_free(decoder);
	if (rc < 0) {
		check_error(&err);
		HOLDS(err.kind == ERROR_DATA);
		return 0;
	}
	HOLDS(rc == 1);
	batch_add_row(batch, ROW_UPSERT);
	return 1;
}

/* The row's value as text; "" for a NULL would be one too, hence "NULL". */
static void format(const struct batch *batch, struct strbuf *out)
{
	strbuf_init(out);
	row_format(out, batch, 0, 0);
	HOLDS(!out->failed);
}

/* -------------------------------------------------------------- to the wire */

static bool encode(struct one *from, struct one *to, struct batch *batch)
{
	struct error err = ERROR_INIT;
	enum tds_host_type type;
	const void *bytes;
	size_t len;
	struct encoder *encoder = encoder_new(conn, &to->catalog, &from->table,
					      0, 0, true, &type, &err);
	int rc;

	HOLDS(encoder);
	rc = encoder_set(encoder, batch, 0, &err);
	if (rc < 0) {
		check_error(&err);
		HOLDS(err.kind == ERROR_DATA);
	} else {
		bytes = dblib_bulk_value(conn, &len);
		HOLDS(bytes);
		strbuf_reset(&sent);
		strbuf_add(&sent, bytes, len);
	}
	encoder_free(encoder);
	return rc == 0;
}

/* Two forms of the same number, date or time. */
static void check_same_bytes(const struct one *one, const void *went,
			     const void *came)
{
	DBNUMERIC a, b;
	DBDATETIMEALL s, c;

	switch (one->column.wire) {
	case WIRE_DECIMAL:
		memcpy(&a, went, sizeof(a));
		memcpy(&b, came, sizeof(b));
		/* There is a minus zero on the wire, and bytes behind it. */
		HOLDS(a.precision == b.precision && a.scale == b.scale);
		for (int i = 1; i < 1 + (a.precision * 3322 / 1000 + 8) / 8;
		     i++)
			HOLDS(a.array[i] == b.array[i]);
		break;
	case WIRE_DATE:
	case WIRE_TIME:
	case WIRE_DATETIME2:
	case WIRE_DATETIMEOFFSET:
		memcpy(&s, went, sizeof(s));
		memcpy(&c, came, sizeof(c));
		if (one->column.wire != WIRE_TIME)
			HOLDS(s.date == c.date);
		if (one->column.wire != WIRE_DATE)
			HOLDS(s.time == c.time);
		if (one->column.wire == WIRE_DATETIMEOFFSET)
			HOLDS(s.offset == c.offset);
		break;
	default:
		HOLDS(!memcmp(went, came, one->type->size));
	}
}

/* A server that keeps to the column's definition sends no others. */
static bool is_within(const struct one *one, const struct batch *batch,
		      size_t len)
{
	row_int128 limit = power_of_ten(one->column.precision);
	row_int128 value;

	if (one->column.wire == WIRE_DECIMAL) {
		value = batch->columns[0].wide[0].decimal;
		return value < limit && value > -limit;
	}
	return one->type->size || one->column.max_length < 0 ||
	       len <= (size_t)one->column.max_length;
}

/* Back into a column just like the one it came from. */
static void check_round_trip(struct one *one, struct batch *batch,
			     const unsigned char *bytes, size_t len)
{
	bool fits = is_within(one, batch, len);

	/* What is read as Unicode may lack a place in the code page. */
	if (one->column.wire == WIRE_CHAR) {
		(void)!encode(one, one, batch);
		return;
	}
	if ((one->column.wire == WIRE_REAL || one->column.wire == WIRE_FLOAT) &&
	    !isfinite(batch->columns[0].f64[0]))
		return; /* SQL Server has none */
	HOLDS(encode(one, one, batch) == fits);
	if (!fits)
		return;
	HOLDS(sent.len == len);
	if (one->type->size)
		check_same_bytes(one, sent.data, bytes);
	else
		HOLDS(!memcmp(sent.data, bytes, len));
}

/* ---------------------------------------------------- into another column */

/* A number's or a time's text without the noughts of a larger scale. */
static void strip(struct strbuf *text)
{
	if (!strchr(text->data, '.'))
		return;
	while (text->data[text->len - 1] == '0')
		text->data[--text->len] = '\0';
	if (text->data[text->len - 1] == '.')
		text->data[--text->len] = '\0';
}

/* What has one text only, whichever type it is in. */
static bool is_comparable(const struct one *one)
{
	switch (one->column.wire) {
	case WIRE_INT:
	case WIRE_DECIMAL:
	case WIRE_MONEY:
	case WIRE_DATE:
	case WIRE_TIME:
	case WIRE_DATETIME2:
	case WIRE_GUID:
	case WIRE_BINARY:
		return true;
	default:
		return false;
	}
}

static void check_same_meaning(struct one *to, const struct batch *batch)
{
	struct error err = ERROR_INIT;
	struct strbuf before, after;
	struct batch again;

	dblib_show(conn, to->type->db_type, to->column.precision,
		   to->column.scale, sent.data, sent.len);
	HOLDS(batch_init(&again, &to->table, 1, 65536, &err) == 0);
	HOLDS(decode(to, &again));
	format(batch, &before);
	format(&again, &after);
	strip(&before);
	strip(&after);
	HOLDS(!strcmp(before.data, after.data));
	strbuf_release(&after);
	strbuf_release(&before);
	batch_release(&again);
}

static bool is_let_through(struct one *from, struct one *to)
{
	struct error err = ERROR_INIT;
	struct strbuf differences;
	struct table shape;
	int rc;

	strbuf_init(&differences);
	table_init(&shape);
	rc = schema_check(&from->table, &to->table, &shape, &differences, &err);
	table_release(&shape);
	strbuf_release(&differences);
	return rc == 0;
}

static void check_other_column(struct one *from, struct batch *batch,
			       struct input *in)
{
	struct one to;

	make_one(&to, in);
	if (is_let_through(from, &to)) {
		bool taken = encode(from, &to, batch);

		/* A code page may lack a character, or have no such bytes. */
		HOLDS(taken || to.column.wire == WIRE_CHAR ||
		      from->native_text);
		if (taken && is_comparable(from) && is_comparable(&to))
			check_same_meaning(&to, batch);
	}
	table_release(&to.table);
}

/* ------------------------------------------------------------------- inputs */

static void check_wrong_type(struct one *one, const unsigned char *bytes,
			     size_t len, const struct type *other)
{
	struct error err = ERROR_INIT;
	struct decoder *decoder;

	if (other->db_type == one->type->db_type ||
	    (one->column.wire == WIRE_DECIMAL &&
	     catalog_wire(other->name) == WIRE_DECIMAL))
		return;
	dblib_show(conn, other->db_type, one->column.precision,
		   one->column.scale, bytes, len);
	decoder = decoder_new(conn, 0, &one->catalog, &one->table, false, &err);
	HOLDS(!decoder);
	check_error(&err);
	HOLDS(err.kind == ERROR_SCHEMA);
}

static void check_bytes(struct one *one, struct input *in, unsigned flags)
{
	bool is_sensible;
	struct error err = ERROR_INIT;
	struct strbuf text;
	struct batch batch;
	unsigned char *bytes;
	size_t len;

	bytes = take_bytes(in, one->type->size ? one->type->size : in->len / 2,
			   &len);
	is_sensible = flags & 2 && (!one->type->size || len == one->type->size);
	if (is_sensible)
		make_sense(one, bytes);
	one->native_text = flags & 1;
	if (one->native_text &&
	    (one->column.wire == WIRE_CHAR || one->column.wire == WIRE_NCHAR))
		one->table.columns[0].charset = catalog_charset(&one->column);
	check_wrong_type(one, bytes, len, &types[flags >> 3 & 15]);
	dblib_show(conn, one->type->db_type, one->column.precision,
		   one->column.scale, bytes, len);
	HOLDS(batch_init(&batch, &one->table, 1, 65536 + 2 * len, &err) == 0);
	if (decode(one, &batch)) {
		check_value(one, &batch);
		format(&batch, &text);
		if (!one->native_text)
			HOLDS(is_utf8_bytes(text.data, text.len));
		strbuf_release(&text);
		if (is_sensible)
			check_round_trip(one, &batch, bytes, len);
		if (is_sensible && is_within(one, &batch, len))
			check_other_column(one, &batch, in);
	} else {
		/* What a server may send is always taken. */
		HOLDS(!is_sensible || !one->type->size ||
		      one->column.wire == WIRE_DECIMAL);
	}
	batch_release(&batch);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	unsigned flags = take_byte(&in);
	struct one one;

	if (size > 20000)
		return 0;
	make_one(&one, &in);
	check_bytes(&one, &in, flags);
	table_release(&one.table);
	return 0;
}
