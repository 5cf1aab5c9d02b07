/* From what stands in a Parquet file to the value of a row. */
#include "format/parquet_column.h"

#include <string.h>

#include "base/text.h"
#include "format/words.h"

static bool int_fits(enum row_type type, int64_t value)
{
	row_int128 min, max;

	return row_type_range(type, &min, &max) && value >= min && value <= max;
}

/* Ticks from the file's units since `zero`, between 0 and `end`. */
static bool to_ticks(const struct parquet_leaf *leaf, int64_t value,
		     int64_t zero, int64_t end, int64_t *out)
{
	if (leaf->nanos) {
		if (value % PARQUET_NANOS_PER_TICK)
			return false;
		*out = value / PARQUET_NANOS_PER_TICK;
	} else if (__builtin_mul_overflow(value, PARQUET_TICKS_PER_MICRO,
					  out)) {
		return false;
	}
	return !__builtin_add_overflow(*out, zero, out) && *out >= 0 &&
	       *out < end;
}

static row_int128 get_fixed(const struct row_slice *slice)
{
	unsigned __int128 value = slice->data[0] & 0x80 ? -1 : 0;

	for (size_t i = 0; i < slice->len; i++)
		value = value << 8 | slice->data[i];
	return (row_int128)value;
}

static bool put_decimal(const struct parquet_column *column,
			struct batch *batch, size_t col)
{
	const struct parquet_leaf *leaf = &column->leaf;
	row_int128 end = parquet_power(leaf->precision);
	row_int128 value = leaf->form == PARQUET_AS_SMALL_DECIMAL
				   ? column->number
				   : get_fixed(&column->slice);

	if (leaf->form == PARQUET_AS_UINT64) {
		batch_put_i64(batch, col, (int64_t)(uint64_t)value);
		return value >= 0 && value <= UINT64_MAX;
	}
	batch_put_wide(batch, col)->decimal = value;
	return value > -end && value < end;
}

static bool put_time(const struct parquet_column *column, struct batch *batch,
		     size_t col)
{
	const struct parquet_leaf *leaf = &column->leaf;
	bool is_time = leaf->form == PARQUET_AS_TIME;
	int64_t ticks;

	if (!to_ticks(leaf, column->number, is_time ? 0 : PARQUET_TICKS_TO_1970,
		      is_time ? ROW_TICKS_PER_DAY : ROW_TICKS_END, &ticks))
		return false;
	if (leaf->form == PARQUET_AS_TIMESTAMPTZ)
		batch_put_wide(batch, col)->timestamptz =
			(struct row_timestamptz){.utc = ticks};
	else
		batch_put_i64(batch, col, ticks);
	return true;
}

static void put_real(const struct parquet_column *column, struct batch *batch,
		     size_t col)
{
	uint32_t half = (uint32_t)column->number;
	double value;
	float single;

	if (column->leaf.form == PARQUET_AS_FLOAT) {
		memcpy(&single, &half, sizeof(single));
		value = (double)single;
	} else {
		memcpy(&value, &column->number, sizeof(value));
	}
	batch_put_f64(batch, col, value);
}

static bool put_words(const struct parquet_column *column, struct batch *batch,
		      size_t col)
{
	const char *s = (const char *)column->slice.data;
	size_t len = column->slice.len;
	int digits = column->leaf.digits;
	union row_wide *wide;
	int64_t ticks;

	if (column->leaf.column->type == ROW_TIMESTAMP) {
		if (!words_read_timestamp(s, len, digits, &ticks))
			return false;
		batch_put_i64(batch, col, ticks);
		return true;
	}
	wide = batch_put_wide(batch, col);
	if (column->leaf.column->type == ROW_UUID)
		return words_read_uuid(s, len, &wide->uuid);
	return words_read_timestamptz(s, len, digits, &wide->timestamptz);
}

/* As parquet_column_put(). */
static int put_slice(const struct parquet_column *column, struct batch *batch,
		     size_t col)
{
	const struct row_slice *slice = &column->slice;
	unsigned char *to;

	if (column->leaf.column->type != ROW_BYTES &&
	    !text_is_utf8((const char *)slice->data, slice->len))
		return -1;
	to = batch_put_slice(batch, col, slice->len);
	if (to && slice->len)
		memcpy(to, slice->data, slice->len);
	return to != NULL;
}

/* As parquet_column_put(). */
static int put_value(const struct parquet_column *column, struct batch *batch,
		     size_t col)
{
	int64_t number = column->number;

	switch (column->leaf.form) {
	case PARQUET_AS_INT:
		batch_put_i64(batch, col, number);
		return int_fits(column->leaf.column->type, number) ? 1 : -1;
	case PARQUET_AS_DATE:
		batch_put_i64(batch, col, number + PARQUET_DAYS_TO_1970);
		return number >= -PARQUET_DAYS_TO_1970 &&
				       number + PARQUET_DAYS_TO_1970 <=
					       PARQUET_LAST_DAY
			       ? 1
			       : -1;
	case PARQUET_AS_TIME:
	case PARQUET_AS_TIMESTAMP:
	case PARQUET_AS_TIMESTAMPTZ:
		return put_time(column, batch, col) ? 1 : -1;
	case PARQUET_AS_SMALL_DECIMAL:
	case PARQUET_AS_DECIMAL:
	case PARQUET_AS_UINT64:
		return put_decimal(column, batch, col) ? 1 : -1;
	case PARQUET_AS_FLOAT:
	case PARQUET_AS_DOUBLE:
		put_real(column, batch, col);
		return 1;
	case PARQUET_AS_UUID:
		memcpy(batch_put_wide(batch, col)->uuid.bytes,
		       column->slice.data, column->slice.len);
		return 1;
	case PARQUET_AS_SLICE:
		return put_slice(column, batch, col);
	case PARQUET_AS_WORDS:
		return put_words(column, batch, col) ? 1 : -1;
	}
	return -1;
}

int parquet_column_put(const struct parquet_column *column, struct batch *batch,
		       size_t col, struct error *err)
{
	int rc = 1;

	if (column->null)
		batch_put_null(batch, col);
	else
		rc = put_value(column, batch, col);
	if (rc < 0)
		return error_set(err, ERROR_DATA,
				 "a value of column '%s' in a Parquet file is "
				 "none of type %s",
				 column->leaf.column->name,
				 row_type_name(column->leaf.column->type));
	return rc;
}
