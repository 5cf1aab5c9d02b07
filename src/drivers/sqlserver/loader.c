/*
 * Values on their way into a bulk load.
 *
 * For each column an encoder brings the value of a batch into the very form
 * that db-lib's bulk load sends for the destination's type, so that db-lib has
 * nothing to convert: its conversions cut and round without a word.
 */
#include "drivers/sqlserver/loader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <sybfront.h>
#include <sybdb.h>

#include "drivers/sqlserver/sql.h"
#include "drivers/sqlserver/wire.h"
#include "row/charset.h"
#include "tds/bulk.h"

/* Rows between two flushes: keeps the destination's log from growing. */
#define FLUSH_ROWS 100000

/* 1753-01-01, the first day of a datetime; 9999-12-31 is its last. */
#define DATETIME_FIRST_DAY 639905
#define LAST_DAY	   3652058

struct slot;

/* Why a value cannot be sent, for the message; NULL: it was set. */
typedef const char *encode_fn(struct loader *loader, struct slot *slot,
			      const struct batch *batch, size_t row);

struct slot {
	encode_fn *encode;
	const struct catalog_column *to;
	const struct column *from;
	size_t source_col; /* in the batch */
	size_t bulk_col;
	bool not_null;
	struct charset charset;
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

struct loader {
	struct tds *conn;
	bool changes;
	uint64_t rows;
	DBBIGINT seq;
	DBTINYINT op;
	size_t slot_count;
	struct slot slots[];
};

/* ---------------------------------------------------------------- encoders */

static const char out_of_range[] =
	"is out of the range of the destination's type";

#define SET(member)                                                     \
	tds_bulk_set(loader->conn, slot->bulk_col, &slot->value.member, \
		     sizeof(slot->value.member))

static int64_t get_i64(const struct slot *slot, const struct batch *batch,
		       size_t row)
{
	return batch->columns[slot->source_col].i64[row];
}

static double get_f64(const struct slot *slot, const struct batch *batch,
		      size_t row)
{
	return batch->columns[slot->source_col].f64[row];
}

static const union row_wide *get_wide(const struct slot *slot,
				      const struct batch *batch, size_t row)
{
	return &batch->columns[slot->source_col].wide[row];
}

static const char *encode_bit(struct loader *loader, struct slot *slot,
			      const struct batch *batch, size_t row)
{
	slot->value.bit = get_i64(slot, batch, row) != 0;
	SET(bit);
	return NULL;
}

static const char *encode_int1(struct loader *loader, struct slot *slot,
			       const struct batch *batch, size_t row)
{
	int64_t value = get_i64(slot, batch, row);

	if (value < 0 || value > UINT8_MAX)
		return out_of_range;
	slot->value.i1 = (DBTINYINT)value;
	SET(i1);
	return NULL;
}

static const char *encode_int2(struct loader *loader, struct slot *slot,
			       const struct batch *batch, size_t row)
{
	int64_t value = get_i64(slot, batch, row);

	if (value < INT16_MIN || value > INT16_MAX)
		return out_of_range;
	slot->value.i2 = (DBSMALLINT)value;
	SET(i2);
	return NULL;
}

static const char *encode_int4(struct loader *loader, struct slot *slot,
			       const struct batch *batch, size_t row)
{
	int64_t value = get_i64(slot, batch, row);

	if (value < INT32_MIN || value > INT32_MAX)
		return out_of_range;
	slot->value.i4 = (DBINT)value;
	SET(i4);
	return NULL;
}

static const char *encode_int8(struct loader *loader, struct slot *slot,
			       const struct batch *batch, size_t row)
{
	int64_t value = get_i64(slot, batch, row);

	if (slot->from->type == ROW_UINT64 && value < 0)
		return out_of_range;
	slot->value.i8 = value;
	SET(i8);
	return NULL;
}

static const char *encode_real(struct loader *loader, struct slot *slot,
			       const struct batch *batch, size_t row)
{
	slot->value.real = (DBREAL)get_f64(slot, batch, row);
	SET(real);
	return NULL;
}

static const char *encode_float(struct loader *loader, struct slot *slot,
				const struct batch *batch, size_t row)
{
	slot->value.flt = get_f64(slot, batch, row);
	SET(flt);
	return NULL;
}

/* Integers go into decimals as well. */
static row_int128 get_unscaled(const struct slot *slot,
			       const struct batch *batch, size_t row)
{
	if (row_type_store(slot->from->type) == ROW_STORE_WIDE)
		return get_wide(slot, batch, row)->decimal;
	if (slot->from->type == ROW_UINT64)
		return (uint64_t)get_i64(slot, batch, row);
	return get_i64(slot, batch, row);
}

/* The unscaled number for `scale` and at most `precision` digits. */
static const char *rescale(const struct slot *slot, const struct batch *batch,
			   size_t row, int precision, int scale,
			   row_int128 *out)
{
	row_int128 value = get_unscaled(slot, batch, row);
	row_int128 limit = 1;
	int from = slot->from->scale;

	for (int i = 0; i < precision; i++)
		limit *= 10;
	for (; from < scale; from++) {
		if (value >= limit || value <= -limit)
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

static const char *encode_decimal(struct loader *loader, struct slot *slot,
				  const struct batch *batch, size_t row)
{
	DBNUMERIC *number = &slot->value.numeric;
	const char *problem;
	row_int128 value;

	problem = rescale(slot, batch, row, slot->to->precision,
			  slot->to->scale, &value);
	if (problem)
		return problem;
	memset(number, 0, sizeof(*number));
	number->precision = (BYTE)slot->to->precision;
	number->scale = (BYTE)slot->to->scale;
	number->array[0] = value < 0;
	if (value < 0)
		value = -value;
	for (int i = sqlserver_numeric_bytes(slot->to->precision) - 1; i > 0;
	     i--, value >>= 8)
		number->array[i] = (BYTE)(value & 0xff);
	SET(numeric);
	return NULL;
}

static const char *encode_money(struct loader *loader, struct slot *slot,
				const struct batch *batch, size_t row)
{
	const char *problem;
	row_int128 value;

	problem = rescale(slot, batch, row, 38, 4, &value);
	if (problem)
		return problem;
	if (value < INT64_MIN || value > INT64_MAX)
		return out_of_range;
	slot->value.money.mnyhigh = (DBINT)((int64_t)value >> 32);
	slot->value.money.mnylow = (DBUINT)((uint64_t)value & 0xffffffffU);
	SET(money);
	return NULL;
}

static const char *encode_smallmoney(struct loader *loader, struct slot *slot,
				     const struct batch *batch, size_t row)
{
	const char *problem;
	row_int128 value;

	problem = rescale(slot, batch, row, 38, 4, &value);
	if (problem)
		return problem;
	if (value < INT32_MIN || value > INT32_MAX)
		return out_of_range;
	slot->value.smallmoney.mny4 = (DBINT)value;
	SET(smallmoney);
	return NULL;
}

static const char *encode_date(struct loader *loader, struct slot *slot,
			       const struct batch *batch, size_t row)
{
	int64_t days = get_i64(slot, batch, row);

	if (days < 0 || days > LAST_DAY)
		return out_of_range;
	memset(&slot->value.any, 0, sizeof(slot->value.any));
	slot->value.any.date = (DBINT)(days - DAYS_TO_1900);
	slot->value.any.has_date = 1;
	SET(any);
	return NULL;
}

static const char *encode_time(struct loader *loader, struct slot *slot,
			       const struct batch *batch, size_t row)
{
	int64_t ticks = get_i64(slot, batch, row);

	if (ticks < 0 || ticks >= ROW_TICKS_PER_DAY)
		return out_of_range;
	memset(&slot->value.any, 0, sizeof(slot->value.any));
	slot->value.any.time = (DBUBIGINT)ticks;
	slot->value.any.time_prec = (DBUSMALLINT)(slot->to->scale & 7);
	slot->value.any.has_time = 1;
	SET(any);
	return NULL;
}

/*
 * FreeTDS cuts what is finer than the column. That is never so but for
 * datetime, whose thirds of a hundredth are written with three digits.
 */
static int64_t round_ticks(const struct slot *slot, int64_t ticks)
{
	int64_t unit = 1;

	for (int i = slot->to->scale; i < 7; i++)
		unit *= 10;
	return (ticks + unit / 2) / unit * unit;
}

static const char *set_ticks(struct slot *slot, int64_t ticks)
{
	DBDATETIMEALL *any = &slot->value.any;

	ticks = round_ticks(slot, ticks);

	if (ticks < 0 || ticks / ROW_TICKS_PER_DAY > LAST_DAY)
		return out_of_range;
	memset(any, 0, sizeof(*any));
	any->date = (DBINT)(ticks / ROW_TICKS_PER_DAY - DAYS_TO_1900);
	any->time = (DBUBIGINT)(ticks % ROW_TICKS_PER_DAY);
	any->time_prec = (DBUSMALLINT)(slot->to->scale & 7);
	any->has_date = 1;
	any->has_time = 1;
	return NULL;
}

static const char *encode_datetime2(struct loader *loader, struct slot *slot,
				    const struct batch *batch, size_t row)
{
	const char *problem = set_ticks(slot, get_i64(slot, batch, row));

	if (!problem)
		SET(any);
	return problem;
}

static const char *encode_datetimeoffset(struct loader *loader,
					 struct slot *slot,
					 const struct batch *batch, size_t row)
{
	const struct row_timestamptz *value =
		&get_wide(slot, batch, row)->timestamptz;
	const char *problem = set_ticks(slot, value->utc);

	if (problem)
		return problem;
	slot->value.any.offset = value->offset_minutes;
	slot->value.any.has_offset = 1;
	SET(any);
	return NULL;
}

static const char *encode_datetime(struct loader *loader, struct slot *slot,
				   const struct batch *batch, size_t row)
{
	int64_t ticks = get_i64(slot, batch, row);
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
	slot->value.datetime.dtdays = (DBINT)(days - DAYS_TO_1900);
	slot->value.datetime.dttime = (DBINT)parts;
	SET(datetime);
	return NULL;
}

static const char *encode_smalldatetime(struct loader *loader,
					struct slot *slot,
					const struct batch *batch, size_t row)
{
	int64_t ticks = get_i64(slot, batch, row);
	int64_t days = ticks / ROW_TICKS_PER_DAY - DAYS_TO_1900;

	if (ticks < 0 || days < 0 || days > UINT16_MAX)
		return out_of_range;
	slot->value.smalldatetime.days = (DBUSMALLINT)days;
	slot->value.smalldatetime.minutes =
		(DBUSMALLINT)(ticks % ROW_TICKS_PER_DAY /
			      (60 * ROW_TICKS_PER_SECOND));
	SET(smalldatetime);
	return NULL;
}

static const char *encode_guid(struct loader *loader, struct slot *slot,
			       const struct batch *batch, size_t row)
{
	const struct row_uuid *uuid = &get_wide(slot, batch, row)->uuid;

	for (int i = 0; i < 16; i++)
		slot->value.guid[sqlserver_guid_order[i]] = uuid->bytes[i];
	SET(guid);
	return NULL;
}

static const char *encode_slice(struct loader *loader, struct slot *slot,
				const struct batch *batch, size_t row)
{
	const struct row_slice *slice =
		&batch->columns[slot->source_col].slice[row];
	const void *data = slice->data;
	size_t len = slice->len;

	if (slot->charset.handle && charset_convert(&slot->charset, data, len,
						    &data, &len, slot->err) < 0)
		return "has a character that the destination's code page "
		       "lacks";
	if (slot->to->max_length >= 0 && len > (size_t)slot->to->max_length)
		return "is longer than the destination's column";
	tds_bulk_set(loader->conn, slot->bulk_col, data, len);
	return NULL;
}

/* ------------------------------------------------------------------- slots */

static enum tds_host_type choose(struct slot *slot)
{
	switch (slot->to->wire) {
	case WIRE_BIT:
		slot->encode = encode_bit;
		return TDS_HOST_BIT;
	case WIRE_INT:
		switch (slot->to->max_length) {
		case 1:
			slot->encode = encode_int1;
			return TDS_HOST_INT1;
		case 2:
			slot->encode = encode_int2;
			return TDS_HOST_INT2;
		case 4:
			slot->encode = encode_int4;
			return TDS_HOST_INT4;
		default:
			slot->encode = encode_int8;
			return TDS_HOST_INT8;
		}
	case WIRE_REAL:
		slot->encode = encode_real;
		return TDS_HOST_REAL;
	case WIRE_FLOAT:
		slot->encode = encode_float;
		return TDS_HOST_FLOAT;
	case WIRE_DECIMAL:
		slot->encode = encode_decimal;
		return TDS_HOST_NUMERIC;
	case WIRE_MONEY:
		slot->encode = slot->to->max_length == 4 ? encode_smallmoney
							 : encode_money;
		return slot->to->max_length == 4 ? TDS_HOST_SMALLMONEY
						 : TDS_HOST_MONEY;
	case WIRE_DATE:
		slot->encode = encode_date;
		return TDS_HOST_DATE;
	case WIRE_TIME:
		slot->encode = encode_time;
		return TDS_HOST_TIME;
	case WIRE_DATETIME:
		slot->encode = encode_datetime;
		return TDS_HOST_DATETIME;
	case WIRE_SMALLDATETIME:
		slot->encode = encode_smalldatetime;
		return TDS_HOST_SMALLDATETIME;
	case WIRE_DATETIME2:
		slot->encode = encode_datetime2;
		return TDS_HOST_DATETIME2;
	case WIRE_DATETIMEOFFSET:
		slot->encode = encode_datetimeoffset;
		return TDS_HOST_DATETIMEOFFSET;
	case WIRE_GUID:
		slot->encode = encode_guid;
		return TDS_HOST_GUID;
	case WIRE_CHAR:
	case WIRE_NCHAR:
		slot->encode = encode_slice;
		return TDS_HOST_CHAR;
	case WIRE_BINARY:
	case WIRE_NONE:
		break;
	}
	slot->encode = encode_slice;
	return TDS_HOST_BINARY;
}

static int slot_init(struct slot *slot, const struct catalog_table *dest,
		     const struct table *shape, size_t i, bool changes,
		     enum tds_host_type *type, struct error *err)
{
	slot->from = &shape->columns[i];
	slot->to = catalog_column(dest, slot->from->name);
	if (!slot->to)
		return error_set(err, ERROR_SCHEMA,
				 "column '%s' does not exist in the "
				 "destination",
				 slot->from->name);
	slot->source_col = i;
	slot->bulk_col = i + (changes ? 2 : 0);
	slot->not_null =
		!slot->to->nullable && (!changes || table_is_key(shape, i));
	*type = choose(slot);
	if (slot->to->wire != WIRE_CHAR && slot->to->wire != WIRE_NCHAR)
		return 0;
	return charset_init(&slot->charset, slot->from->charset,
			    catalog_charset(slot->to), err);
}

void loader_columns(struct strbuf *sql, const struct catalog_table *dest,
		    const struct table *shape, bool changes)
{
	if (changes)
		strbuf_addstr(sql, "[" LOADER_OP_COLUMN "] tinyint NOT NULL, "
				   "[" LOADER_SEQ_COLUMN "] bigint NOT NULL, ");
	for (size_t i = 0; i < shape->column_count; i++) {
		const struct catalog_column *to =
			catalog_column(dest, shape->columns[i].name);
		bool not_null = to && !to->nullable &&
				(!changes || table_is_key(shape, i));

		if (!to)
			continue; /* loader_new() reports it */
		strbuf_addstr(sql, i ? ", " : "");
		sql_name(sql, to->name);
		strbuf_addch(sql, ' ');
		/* Bulk load refuses xml: it goes in as text. */
		if (!strcmp(to->type, "xml"))
			strbuf_addstr(sql, "nvarchar(max)");
		else
			catalog_type(to, sql);
		if (to->collation)
			strbuf_addf(sql, " COLLATE %s", to->collation);
		strbuf_addstr(sql, not_null ? " NOT NULL" : " NULL");
	}
}

struct loader *loader_new(struct tds *conn, const char *table,
			  const struct catalog_table *dest,
			  const struct table *shape, bool changes,
			  struct error *err)
{
	size_t extra = changes ? 2 : 0, count = shape->column_count;
	enum tds_host_type *types;
	struct loader *loader;

	loader = calloc(1, sizeof(*loader) + count * sizeof(*loader->slots));
	types = calloc(count + extra, sizeof(*types));
	if (!loader || !types) {
		error_memory(err, "a bulk load");
		goto failed;
	}
	loader->conn = conn;
	loader->changes = changes;
	if (changes) {
		types[0] = TDS_HOST_INT1;
		types[1] = TDS_HOST_INT8;
	}
	for (; loader->slot_count < count; loader->slot_count++) {
		size_t i = loader->slot_count;

		if (slot_init(&loader->slots[i], dest, shape, i, changes,
			      &types[i + extra], err) < 0)
			goto failed;
	}
	if (tds_bulk_begin(conn, table, types, count + extra, err) < 0)
		goto failed;
	free(types);
	return loader;
failed:
	free(types);
	loader_free(loader);
	return NULL;
}

void loader_free(struct loader *loader)
{
	if (!loader)
		return;
	for (size_t i = 0; i < loader->slot_count; i++)
		charset_release(&loader->slots[i].charset);
	free(loader);
}

/* -------------------------------------------------------------------- rows */

static int set_column(struct loader *loader, struct slot *slot,
		      const struct batch *batch, size_t row, struct error *err)
{
	const char *problem;

	if (batch_null(batch, slot->source_col, row)) {
		if (slot->not_null)
			return error_set(err, ERROR_DATA,
					 "column '%s' is NULL in a row, but "
					 "NOT NULL in the destination",
					 slot->to->name);
		tds_bulk_set_null(loader->conn, slot->bulk_col);
		return 0;
	}
	slot->err = err;
	problem = slot->encode(loader, slot, batch, row);
	if (problem)
		return error_set(err, ERROR_DATA, "a value of column '%s' %s",
				 slot->to->name, problem);
	return 0;
}

static int send_row(struct loader *loader, const struct batch *batch,
		    size_t row, struct error *err)
{
	if (loader->changes) {
		loader->op = (DBTINYINT)batch_op(batch, row);
		loader->seq = (DBBIGINT)(loader->rows + 1);
		tds_bulk_set(loader->conn, 0, &loader->op, sizeof(loader->op));
		tds_bulk_set(loader->conn, 1, &loader->seq,
			     sizeof(loader->seq));
	}
	for (size_t i = 0; i < loader->slot_count; i++)
		if (set_column(loader, &loader->slots[i], batch, row, err) < 0)
			return -1;
	return tds_bulk_row(loader->conn, err);
}

int loader_write(struct loader *loader, const struct batch *batch,
		 struct error *err)
{
	for (size_t row = 0; row < batch->rows; row++) {
		if (send_row(loader, batch, row, err) < 0) {
			/* The load cannot go on without this row. */
			tds_mark_unusable(loader->conn);
			return -1;
		}
		loader->rows++;
		if (loader->rows % FLUSH_ROWS == 0 &&
		    tds_bulk_flush(loader->conn, err) < 0)
			return -1;
	}
	return 0;
}

uint64_t loader_rows(const struct loader *loader)
{
	return loader->rows;
}

int loader_end(struct loader *loader, uint64_t *rows, struct error *err)
{
	*rows = loader->rows;
	return tds_bulk_end(loader->conn, err);
}
