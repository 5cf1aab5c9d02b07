#include "fuzz/rowgen.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static int64_t whole_ticks(uint64_t chance, int64_t end, int precision)
{
	int64_t ticks = (int64_t)(chance % (uint64_t)end), unit = 1;

	for (; precision < 7; precision++)
		unit *= 10;
	return ticks - ticks % unit;
}

void rowgen_table(struct input *in, struct table *table)
{
	static const char *const names[ROWGEN_COLUMNS] = {"a", "b", "c",
							  "d", "e", "f"};
	struct column columns[ROWGEN_COLUMNS] = {{0}};
	struct table from = {.name = {"", "", "t"}, .columns = columns};
	struct error err = ERROR_INIT;

	from.column_count = take_below(in, ROWGEN_COLUMNS) + 1;
	for (size_t i = 0; i < from.column_count; i++) {
		struct column *column = &columns[i];

		column->name = names[i];
		column->type = (enum row_type)take_below(in, ROW_XML + 1);
		column->native = row_type_name(column->type);
		column->nullable = take_byte(in) & 1;
		column->precision = (int)take_below(in, 8);
		if (column->type == ROW_DECIMAL) {
			column->precision = (int)take_below(in, 38) + 1;
			column->scale = (int)take_below(
				in, (size_t)column->precision + 1);
		}
	}
	table_init(table);
	HOLDS(table_copy(table, &from, NULL, &err) == 0);
}

static int64_t make_number(struct input *in, const struct column *column)
{
	uint64_t number = take_number(in, 1 + take_below(in, 8));

	switch (column->type) {
	case ROW_BOOL:
		return number & 1;
	case ROW_UINT8:
		return (uint8_t)number;
	case ROW_INT8:
		return (int8_t)number;
	case ROW_INT16:
		return (int16_t)number;
	case ROW_INT32:
		return (int32_t)number;
	case ROW_DATE:
		return (int64_t)(number %
				 (uint64_t)(ROW_TICKS_END / ROW_TICKS_PER_DAY));
	case ROW_TIME:
		return whole_ticks(number, ROW_TICKS_PER_DAY,
				   column->precision);
	case ROW_TIMESTAMP:
		return whole_ticks(number, ROW_TICKS_END, column->precision);
	default:
		return (int64_t)number;
	}
}

static double make_real(struct input *in, enum row_type type)
{
	uint64_t number = take_number(in, 8);
	uint32_t half = (uint32_t)number;
	double wide;
	float real;

	memcpy(&real, &half, sizeof(real));
	memcpy(&wide, &number, sizeof(wide));
	wide = type == ROW_FLOAT32 ? (double)real : wide;
	return isnan(wide) ? (double)NAN : wide;
}

static void make_wide(struct input *in, const struct column *column,
		      union row_wide *to)
{
	row_int128 end = 1;

	memset(to, 0, sizeof(*to));
	switch (column->type) {
	case ROW_DECIMAL:
		for (int i = 0; i < column->precision; i++)
			end *= 10;
		to->decimal = (row_int128)((unsigned __int128)take_number(in, 8)
						   << 63 |
					   take_number(in, 8) >> 1) %
			      end;
		if (take_byte(in) & 1)
			to->decimal = -to->decimal;
		break;
	case ROW_UUID:
		for (size_t i = 0; i < sizeof(to->uuid.bytes); i++)
			to->uuid.bytes[i] = (unsigned char)take_byte(in);
		break;
	default: /* a day from either end, since offsets lead beyond it */
		to->timestamptz.utc =
			ROW_TICKS_PER_DAY +
			whole_ticks(take_number(in, 8),
				    ROW_TICKS_END - 2 * ROW_TICKS_PER_DAY,
				    column->precision);
		to->timestamptz.offset_minutes =
			(int16_t)((int)take_below(in, 1681) - 840);
	}
}

static void make_slice(struct input *in, struct batch *batch, size_t col)
{
	bool is_text = batch->table->columns[col].type != ROW_BYTES;
	size_t most = take_below(in, 300), len;
	char *text = is_text ? take_utf8(in, most) : NULL;
	unsigned char *bytes = is_text ? NULL : take_bytes(in, most, &len);
	unsigned char *to;

	if (is_text)
		len = strlen(text);
	to = batch_put_slice(batch, col, len);
	HOLDS(to);
	if (len)
		memcpy(to, is_text ? (const void *)text : bytes, len);
	free(text);
	free(bytes);
}

void rowgen_row(struct input *in, struct batch *batch)
{
	for (size_t i = 0; i < batch->table->column_count; i++) {
		const struct column *column = &batch->table->columns[i];

		if (column->nullable && take_byte(in) % 4 == 0) {
			batch_put_null(batch, i);
			continue;
		}
		switch (batch->columns[i].store) {
		case ROW_STORE_I64:
			batch_put_i64(batch, i, make_number(in, column));
			break;
		case ROW_STORE_F64:
			batch_put_f64(batch, i, make_real(in, column->type));
			break;
		case ROW_STORE_WIDE:
			make_wide(in, column, batch_put_wide(batch, i));
			break;
		case ROW_STORE_SLICE:
			make_slice(in, batch, i);
		}
	}
	batch_add_row(batch, ROW_UPSERT);
}

static bool same_wide(enum row_type type, const union row_wide *a,
		      const union row_wide *b, bool offsets)
{
	if (type == ROW_DECIMAL)
		return a->decimal == b->decimal;
	if (type == ROW_UUID)
		return !memcmp(&a->uuid, &b->uuid, sizeof(a->uuid));
	return a->timestamptz.utc == b->timestamptz.utc &&
	       (!offsets ||
		a->timestamptz.offset_minutes == b->timestamptz.offset_minutes);
}

static bool same_value(const struct batch *a, const struct batch *b, size_t col,
		       size_t row, bool offsets)
{
	const struct batch_column *left = &a->columns[col];
	const struct batch_column *right = &b->columns[col];

	switch (left->store) {
	case ROW_STORE_I64:
		return left->i64[row] == right->i64[row];
	case ROW_STORE_F64:
		return isnan(left->f64[row])
			       ? isnan(right->f64[row])
			       : !memcmp(&left->f64[row], &right->f64[row],
					 sizeof(double));
	case ROW_STORE_WIDE:
		return same_wide(a->table->columns[col].type, &left->wide[row],
				 &right->wide[row], offsets);
	case ROW_STORE_SLICE:
		break;
	}
	return left->slice[row].len == right->slice[row].len &&
	       (!left->slice[row].len ||
		!memcmp(left->slice[row].data, right->slice[row].data,
			left->slice[row].len));
}

bool rowgen_same(const struct batch *a, const struct batch *b, bool offsets)
{
	if (a->rows != b->rows)
		return false;
	for (size_t row = 0; row < a->rows; row++)
		for (size_t i = 0; i < a->table->column_count; i++)
			if (batch_null(a, i, row) != batch_null(b, i, row) ||
			    (!batch_null(a, i, row) &&
			     !same_value(a, b, i, row, offsets)))
				return false;
	return true;
}
