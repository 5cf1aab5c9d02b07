#include "format/cell.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "format/format_ops.h"
#include "row/text.h"

#define LAST_DAY      3652058 /* 9999-12-31 */
#define FINEST_DIGITS 7

/* Why a value cannot be written. */
static const char out_of_years[] = "is not in the years 1 to 9999";
static const char out_of_day[] = "is no time of a day";
static const char too_fine[] = "has more digits of a second than its column";
static const char not_utf8[] = "is not valid text in its encoding";
static const char is_null[] =
	"is NULL, which a NOT NULL column of a file cannot be";

static int refuse(const struct cell *cell, const struct batch *batch,
		  size_t row, const char *why, struct error *err)
{
	error_set(err, ERROR_DATA, "the value of column '%s' %s",
		  cell->column->name, why);
	row_wrap_error(err, batch, row);
	return -1;
}

int cell_init(struct cell *cell, const struct column *column,
	      const struct format_options *options, bool optional,
	      struct error *err)
{
	memset(cell, 0, sizeof(*cell));
	cell->column = column;
	cell->optional = optional;
	cell->between = options->blank ? ' ' : 'T';
	cell->base64 = options->base64;
	words_pattern_init(&cell->date, options->date);
	return format_check_column(column, err);
}

void cell_release(struct cell *cell)
{
	charset_release(&cell->charset);
}

struct cell *cells_new(const struct table *table,
		       const struct format_options *options,
		       const bool *required, struct error *err)
{
	struct cell *cells = calloc(table->column_count + 1, sizeof(*cells));

	if (!cells)
		error_memory(err, "the columns of a file");
	for (size_t i = 0; cells && i < table->column_count; i++) {
		const struct column *column = &table->columns[i];
		bool optional = required ? !required[i] : column->nullable;

		if (cell_init(&cells[i], column, options, optional, err) < 0) {
			cells_free(cells, table->column_count);
			return NULL;
		}
	}
	return cells;
}

void cells_free(struct cell *cells, size_t count)
{
	for (size_t i = 0; cells && i < count; i++)
		cell_release(&cells[i]);
	free(cells);
}

int cell_check_null(const struct cell *cell, const struct batch *batch,
		    size_t row, struct error *err)
{
	return cell->optional ? 0 : refuse(cell, batch, row, is_null, err);
}

/* -------------------------------------------------------------------- times */

/*
 * A datetime of SQL Server is rounded as that shows it; nothing else is finer
 * than its column says.
 */
static const char *check_digits(const struct column *column, int64_t end,
				int64_t *ticks)
{
	int64_t rounded;

	if (column->precision >= FINEST_DIGITS)
		return NULL;
	rounded = row_round_ticks(*ticks, column->precision, end);
	if (rounded != *ticks && !column->coarse)
		return too_fine;
	*ticks = rounded;
	return NULL;
}

static const char *put_timestamp(const struct cell *cell, int64_t ticks,
				 char **to)
{
	const char *why;

	if (ticks < 0 || ticks >= ROW_TICKS_END)
		return out_of_years;
	why = check_digits(cell->column, ROW_TICKS_END, &ticks);
	if (why)
		return why;
	*to = words_date_as(*to, ticks / ROW_TICKS_PER_DAY, &cell->date);
	*(*to)++ = cell->between;
	*to = words_time(*to, ticks % ROW_TICKS_PER_DAY,
			 cell->column->precision);
	return NULL;
}

static const char *put_timestamptz(const struct cell *cell,
				   const struct row_timestamptz *value,
				   char **to)
{
	const char *why;

	if (value->utc < 0 || value->utc >= ROW_TICKS_END)
		return out_of_years;
	why = put_timestamp(cell,
			    value->utc + value->offset_minutes * INT64_C(60) *
						 ROW_TICKS_PER_SECOND,
			    to);
	if (!why)
		*to = words_offset(*to, value->offset_minutes);
	return why;
}

static const char *put_time(const struct cell *cell, int64_t ticks, char **to)
{
	const char *why;

	if (ticks < 0 || ticks >= ROW_TICKS_PER_DAY)
		return out_of_day;
	why = check_digits(cell->column, ROW_TICKS_PER_DAY, &ticks);
	if (!why)
		*to = words_time(*to, ticks, cell->column->precision);
	return why;
}

static const char *put_date(const struct cell *cell, int64_t days, char **to)
{
	if (days < 0 || days > LAST_DAY)
		return out_of_years;
	*to = words_date_as(*to, days, &cell->date);
	return NULL;
}

/* ------------------------------------------------------------------- writing */

static char *put_bool(char *to, bool value)
{
	memcpy(to, value ? "true" : "false", 5);
	return to + (value ? 4 : 5);
}

/* Why not, or NULL; `to` moves behind it. */
static const char *put_words(const struct cell *cell,
			     const struct batch_column *values, size_t row,
			     char **to)
{
	switch (cell->column->type) {
	case ROW_BOOL:
		*to = put_bool(*to, values->i64[row] != 0);
		return NULL;
	case ROW_UINT8:
	case ROW_INT8:
	case ROW_INT16:
	case ROW_INT32:
	case ROW_INT64:
		*to = words_int(*to, values->i64[row]);
		return NULL;
	case ROW_UINT64:
		*to = words_uint(*to, (uint64_t)values->i64[row]);
		return NULL;
	case ROW_FLOAT32:
		*to = words_float(*to, (float)values->f64[row]);
		return NULL;
	case ROW_FLOAT64:
		*to = words_double(*to, values->f64[row]);
		return NULL;
	case ROW_DECIMAL:
		*to = words_decimal(*to, values->wide[row].decimal,
				    cell->column->scale);
		return NULL;
	case ROW_DATE:
		return put_date(cell, values->i64[row], to);
	case ROW_TIME:
		return put_time(cell, values->i64[row], to);
	case ROW_TIMESTAMP:
		return put_timestamp(cell, values->i64[row], to);
	case ROW_TIMESTAMPTZ:
		return put_timestamptz(cell, &values->wide[row].timestamptz,
				       to);
	case ROW_UUID:
		*to = words_uuid(*to, &values->wide[row].uuid);
		return NULL;
	default:
		return not_utf8; /* a slice is none of these */
	}
}

int cell_words(const struct cell *cell, const struct batch *batch, size_t col,
	       size_t row, char *to, struct error *err)
{
	char *end = to;
	const char *why = put_words(cell, &batch->columns[col], row, &end);

	if (why)
		return refuse(cell, batch, row, why, err);
	return (int)(end - to);
}

/* The converter of the batch's own text. */
static int find_charset(struct cell *cell, const char *name, struct error *err)
{
	if (cell->charset_name && charset_equal(cell->charset_name, name))
		return 0;
	charset_release(&cell->charset);
	cell->charset_name = name;
	return charset_init(&cell->charset, name, NULL, err);
}

int cell_slice(struct cell *cell, const struct batch *batch, size_t col,
	       size_t row, struct row_slice *out, struct error *err)
{
	const char *name = batch->table->columns[col].charset;
	const void *text;

	*out = batch->columns[col].slice[row];
	if (cell->column->type == ROW_BYTES)
		return 0;
	if (name && !charset_equal(name, NULL)) {
		if (find_charset(cell, name, err) < 0)
			return -1;
		if (charset_convert(&cell->charset, out->data, out->len, &text,
				    &out->len, err) < 0)
			return err->kind == ERROR_DATA
				       ? refuse(cell, batch, row, not_utf8, err)
				       : -1;
		out->data = text;
		return 0;
	}
	return text_is_utf8((const char *)out->data, out->len)
		       ? 0
		       : refuse(cell, batch, row, not_utf8, err);
}

int cell_describe(const struct format_options *options, struct column *column,
		  struct arena *arena, struct error *err)
{
	struct cell cell;

	(void)arena;
	if (cell_init(&cell, column, options, column->nullable, err) < 0)
		return -1;
	column->native = row_type_name(column->type);
	column->length = 0;
	column->fixed = false;
	column->coarse = false;
	return 0;
}
