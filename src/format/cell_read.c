#include "format/cell.h"

#include <string.h>

#include "base/text.h"

static bool read_bool(const char *s, size_t len, int64_t *out)
{
	*out = len == 4 && !memcmp(s, "true", 4);
	return *out || (len == 5 && !memcmp(s, "false", 5));
}

static bool read_timestamp(const struct cell *cell, const char *s, size_t len,
			   int64_t *out)
{
	size_t date = cell->date.len;
	int64_t days, ticks;

	if (len <= date || s[date] != cell->between ||
	    !words_read_date_as(s, date, &cell->date, &days) ||
	    !words_read_time(s + date + 1, len - date - 1,
			     cell->column->precision, &ticks))
		return false;
	*out = days * ROW_TICKS_PER_DAY + ticks;
	return true;
}

#define OFFSET_LEN 6 /* +02:00 */

static bool read_timestamptz(const struct cell *cell, const char *s, size_t len,
			     struct row_timestamptz *out)
{
	int64_t local;
	int offset;

	if (len <= OFFSET_LEN ||
	    !read_timestamp(cell, s, len - OFFSET_LEN, &local) ||
	    !words_read_offset(s + len - OFFSET_LEN, OFFSET_LEN, &offset))
		return false;
	out->offset_minutes = (int16_t)offset;
	out->utc = local - offset * INT64_C(60) * ROW_TICKS_PER_SECOND;
	return out->utc >= 0 && out->utc < ROW_TICKS_END;
}

static bool read_number(const struct cell *cell, const char *s, size_t len,
			int64_t *out)
{
	row_int128 min, max;

	switch (cell->column->type) {
	case ROW_BOOL:
		return read_bool(s, len, out);
	case ROW_UINT64:
		return words_read_uint(s, len, (uint64_t *)out);
	case ROW_DATE:
		return words_read_date_as(s, len, &cell->date, out);
	case ROW_TIME:
		return words_read_time(s, len, cell->column->precision, out);
	case ROW_TIMESTAMP:
		return read_timestamp(cell, s, len, out);
	default:
		return words_read_int(s, len, out) &&
		       row_type_range(cell->column->type, &min, &max) &&
		       *out >= min && *out <= max;
	}
}

static bool read_wide(const struct cell *cell, const char *s, size_t len,
		      union row_wide *out)
{
	const struct column *column = cell->column;

	switch (column->type) {
	case ROW_DECIMAL:
		return words_read_decimal(s, len, column->precision,
					  column->scale, &out->decimal);
	case ROW_UUID:
		return words_read_uuid(s, len, &out->uuid);
	default:
		return read_timestamptz(cell, s, len, &out->timestamptz);
	}
}

static bool read_real(const struct cell *cell, const char *s, size_t len,
		      double *out)
{
	return cell->column->type == ROW_FLOAT32
		       ? words_read_float(s, len, out)
		       : words_read_double(s, len, out);
}

/* As cell_read(). */
static int read_bytes(const struct cell *cell, const char *s, size_t len,
		      struct batch *batch, size_t col)
{
	size_t most = cell->base64 ? len / 4 * 3 : len / 2, got = most;
	unsigned char *to = batch_put_slice(batch, col, most);

	if (!to)
		return 0;
	if (!(cell->base64 ? words_read_base64(s, len, to, &got)
			   : words_read_hex(s, len, to)))
		return -1;
	batch->columns[col].slice[batch->rows].len = got;
	return 1;
}

static int read_text(const char *s, size_t len, struct batch *batch, size_t col)
{
	unsigned char *to;

	if (!text_is_utf8(s, len))
		return -1;
	to = batch_put_slice(batch, col, len);
	if (to && len)
		memcpy(to, s, len);
	return to != NULL;
}

static int read_value(const struct cell *cell, const char *s, size_t len,
		      struct batch *batch, size_t col)
{
	int64_t number = 0;
	double real = 0;

	switch (batch->columns[col].store) {
	case ROW_STORE_I64:
		if (!read_number(cell, s, len, &number))
			return -1;
		batch_put_i64(batch, col, number);
		return 1;
	case ROW_STORE_F64:
		if (!read_real(cell, s, len, &real))
			return -1;
		batch_put_f64(batch, col, real);
		return 1;
	case ROW_STORE_WIDE:
		return read_wide(cell, s, len, batch_put_wide(batch, col)) ? 1
									   : -1;
	case ROW_STORE_SLICE:
		break;
	}
	return cell->column->type == ROW_BYTES
		       ? read_bytes(cell, s, len, batch, col)
		       : read_text(s, len, batch, col);
}

int cell_read(const struct cell *cell, const char *s, size_t len,
	      struct batch *batch, size_t col, struct error *err)
{
	int rc = read_value(cell, s, len, batch, col);

	if (rc < 0)
		return error_set(err, ERROR_DATA,
				 "a value of column '%s' in a file is none of "
				 "type %s",
				 cell->column->name,
				 row_type_name(cell->column->type));
	return rc;
}
