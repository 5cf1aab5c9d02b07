#include "format/parquet_values.h"

#include <string.h>

#include "base/text.h"
#include "format/words.h"
#include "row/text.h"

/* Why a value cannot be stored. */
static const char out_of_range[] = "is out of the range of its type";
static const char out_of_years[] = "is not in the years 1 to 9999";
static const char out_of_nanos[] =
	"is not in the years 1678 to 2261, which are all that nanoseconds "
	"reach: use the option 'timestamps=micros' or 'timestamps=text'";
static const char too_fine[] = "has more digits of a second than its column";
static const char too_wide[] = "has more digits than its column";
static const char not_utf8[] = "is not valid text in its encoding";
static const char too_long[] =
	"is longer than the 2 GiB that a page of a Parquet file can hold";
static const char is_null[] =
	"is NULL, which a NOT NULL column of a file cannot be";

/* What one call works on. */
struct taking {
	struct parquet_values *values;
	const struct parquet_leaf *leaf;
	const struct batch *batch;
	const struct batch_column *column;
	size_t first;
};

void parquet_values_init(struct parquet_values *values)
{
	memset(values, 0, sizeof(*values));
	strbuf_init_max(&values->text, (size_t)4 << 30);
}

void parquet_values_release(struct parquet_values *values)
{
	charset_release(&values->charset);
	strbuf_release(&values->text);
}

/* The row of a batch in which value number `i` stands. */
static size_t row_of(const struct taking *taking, size_t i)
{
	return taking->first + taking->values->pick[i];
}

/* -1, with the value's column and row told; `i` is its place in `pick`. */
static int refuse(const struct taking *taking, size_t i, const char *why,
		  struct error *err)
{
	error_set(err, ERROR_DATA, "the value of column '%s' %s",
		  taking->leaf->column->name, why);
	row_wrap_error(err, taking->batch, row_of(taking, i));
	return -1;
}

/* ----------------------------------------------------------------- numbers */

static int take_ints(struct taking *taking, struct error *err)
{
	row_int128 min = 0, max = 0;
	const int64_t *from = taking->column->i64;
	int64_t *to = taking->values->numbers;

	row_type_range(taking->leaf->column->type, &min, &max);
	for (size_t i = 0; i < taking->values->count; i++) {
		size_t row = row_of(taking, i);

		to[i] = from[row];
		if (from[row] < min || from[row] > max)
			return refuse(taking, i, out_of_range, err);
	}
	return 0;
}

static int take_dates(struct taking *taking, struct error *err)
{
	const int64_t *from = taking->column->i64;

	for (size_t i = 0; i < taking->values->count; i++) {
		size_t row = row_of(taking, i);

		if (from[row] < 0 || from[row] > PARQUET_LAST_DAY)
			return refuse(taking, i, out_of_years, err);
		taking->values->numbers[i] = from[row] - PARQUET_DAYS_TO_1970;
	}
	return 0;
}

/*
 * Ticks, which lie between `begin` and `end`, in the file's units since `zero`.
 * Why not, or NULL.
 */
static const char *to_units(const struct parquet_leaf *leaf, int64_t ticks,
			    int64_t zero, int64_t end, int64_t *out)
{
	if (ticks < 0 || ticks >= end)
		return out_of_years;
	if (leaf->nanos)
		return __builtin_mul_overflow(ticks - zero,
					      PARQUET_NANOS_PER_TICK, out)
			       ? out_of_nanos
			       : NULL;
	if (leaf->rounds &&
	    (ticks % PARQUET_TICKS_PER_MICRO || leaf->digits < 6))
		ticks = row_round_ticks(ticks, leaf->digits, end);
	if (ticks % PARQUET_TICKS_PER_MICRO)
		return too_fine;
	*out = (ticks - zero) / PARQUET_TICKS_PER_MICRO;
	return NULL;
}

static int take_times(struct taking *taking, int64_t zero, int64_t end,
		      struct error *err)
{
	bool zoned = taking->leaf->form == PARQUET_AS_TIMESTAMPTZ;
	const char *why;
	int64_t ticks;

	for (size_t i = 0; i < taking->values->count; i++) {
		size_t row = row_of(taking, i);

		ticks = zoned ? taking->column->wide[row].timestamptz.utc
			      : taking->column->i64[row];
		why = to_units(taking->leaf, ticks, zero, end,
			       &taking->values->numbers[i]);
		if (why)
			return refuse(taking, i, why, err);
	}
	return 0;
}

static int take_floats(struct taking *taking)
{
	const double *from = taking->column->f64;
	uint32_t bits;
	float value;

	for (size_t i = 0; i < taking->values->count; i++) {
		size_t row = row_of(taking, i);

		value = (float)from[row];
		memcpy(&bits, &value, sizeof(bits));
		taking->values->numbers[i] = bits;
	}
	return 0;
}

static int take_doubles(struct taking *taking)
{
	const double *from = taking->column->f64;

	for (size_t i = 0; i < taking->values->count; i++)
		memcpy(&taking->values->numbers[i], &from[row_of(taking, i)],
		       sizeof(*from));
	return 0;
}

/* ---------------------------------------------------------------- decimals */

static int take_small_decimals(struct taking *taking, struct error *err)
{
	int64_t end = (int64_t)parquet_power(taking->leaf->precision);
	row_int128 value;

	for (size_t i = 0; i < taking->values->count; i++) {
		size_t row = row_of(taking, i);

		value = taking->column->wide[row].decimal;
		if (value <= -end || value >= end)
			return refuse(taking, i, too_wide, err);
		taking->values->numbers[i] = (int64_t)value;
	}
	return 0;
}

/* The lowest bytes of a number, most significant first. */
static struct row_slice put_fixed(unsigned char *to, row_int128 value,
				  size_t width)
{
	for (size_t i = width; i-- > 0; value >>= 8)
		to[i] = (unsigned char)value;
	return (struct row_slice){to, width};
}

static int take_decimals(struct taking *taking, struct error *err)
{
	bool is_uint = taking->leaf->form == PARQUET_AS_UINT64;
	row_int128 end = parquet_power(taking->leaf->precision);
	unsigned char *to = taking->values->fixed;
	row_int128 value;

	for (size_t i = 0; i < taking->values->count; i++) {
		size_t row = row_of(taking, i);

		value = is_uint ? (row_int128)(uint64_t)taking->column->i64[row]
				: taking->column->wide[row].decimal;
		if (value <= -end || value >= end)
			return refuse(taking, i, too_wide, err);
		taking->values->slices[i] =
			put_fixed(to, value, taking->leaf->width);
		to += taking->leaf->width;
	}
	return 0;
}

/* ------------------------------------------------------------------ slices */

static int take_uuids(struct taking *taking)
{
	for (size_t i = 0; i < taking->values->count; i++)
		taking->values->slices[i] = (struct row_slice){
			taking->column->wide[row_of(taking, i)].uuid.bytes,
			taking->leaf->width};
	return 0;
}

/* The converter of the batch's own text, NULL if it is UTF-8. */
static int find_charset(struct taking *taking, const char *name,
			struct error *err)
{
	struct parquet_values *values = taking->values;

	if (values->charset_name && name &&
	    charset_equal(values->charset_name, name))
		return 0;
	charset_release(&values->charset);
	values->charset_name = name;
	return name ? charset_init(&values->charset, name, NULL, err) : 0;
}

/* Their bytes follow each other in `text`, which moves while it grows. */
static void place_texts(struct parquet_values *values)
{
	const unsigned char *at = (const unsigned char *)values->text.data;

	for (size_t i = 0; i < values->count; i++) {
		values->slices[i].data = at;
		at += values->slices[i].len;
	}
}

static int convert_texts(struct taking *taking, struct error *err)
{
	struct parquet_values *values = taking->values;
	const void *text;
	size_t len;

	strbuf_reset(&values->text);
	for (size_t i = 0; i < taking->values->count; i++) {
		size_t row = row_of(taking, i);
		const struct row_slice *from = &taking->column->slice[row];

		if (charset_convert(&values->charset, from->data, from->len,
				    &text, &len, err) < 0)
			return err->kind == ERROR_DATA
				       ? refuse(taking, i, not_utf8, err)
				       : -1;
		strbuf_add(&values->text, text, len);
		values->slices[i].len = len;
	}
	place_texts(values);
	return strbuf_check(&values->text, err);
}

static int take_slices(struct taking *taking, size_t col, struct error *err)
{
	bool is_text = taking->leaf->column->type != ROW_BYTES;
	const char *name =
		is_text ? taking->batch->table->columns[col].charset : NULL;
	struct row_slice *slices = taking->values->slices;

	if (name && charset_equal(name, NULL))
		name = NULL;
	if (is_text && find_charset(taking, name, err) < 0)
		return -1;
	if (name && convert_texts(taking, err) < 0)
		return -1;
	for (size_t i = 0; i < taking->values->count; i++) {
		size_t row = row_of(taking, i);

		if (!name)
			slices[i] = taking->column->slice[row];
		if (slices[i].len > PARQUET_VALUE_MAX)
			return refuse(taking, i, too_long, err);
		if (is_text && !name &&
		    !text_is_utf8((const char *)slices[i].data, slices[i].len))
			return refuse(taking, i, not_utf8, err);
	}
	return 0;
}

static char *put_moment(char *to, const struct taking *taking, size_t row)
{
	int digits = taking->leaf->digits;
	const struct row_timestamptz *zoned;

	if (taking->leaf->column->type == ROW_TIMESTAMP)
		return words_timestamp(to, taking->column->i64[row], digits,
				       'T');
	zoned = &taking->column->wide[row].timestamptz;
	to = words_timestamp(to,
			     zoned->utc + zoned->offset_minutes * INT64_C(60) *
						  ROW_TICKS_PER_SECOND,
			     digits, 'T');
	return words_offset(to, zoned->offset_minutes);
}

/* A moment as text shows all of it, or is refused. */
static const char *check_moment(const struct taking *taking, size_t row)
{
	bool zoned = taking->leaf->column->type == ROW_TIMESTAMPTZ;
	const struct row_timestamptz *tz =
		&taking->column->wide[row].timestamptz;
	int64_t ticks = zoned ? tz->utc : taking->column->i64[row];
	int64_t local = ticks;

	if (zoned)
		local +=
			tz->offset_minutes * INT64_C(60) * ROW_TICKS_PER_SECOND;
	if (ticks < 0 || ticks >= ROW_TICKS_END || local < 0 ||
	    local >= ROW_TICKS_END)
		return out_of_years;
	return row_round_ticks(ticks, taking->leaf->digits, ROW_TICKS_END) ==
			       ticks
		       ? NULL
		       : too_fine;
}

static int take_words(struct taking *taking, struct error *err)
{
	struct parquet_values *values = taking->values;
	bool is_uuid = taking->leaf->column->type == ROW_UUID;
	char word[WORDS_MAX], *end;
	const char *why;

	strbuf_reset(&values->text);
	for (size_t i = 0; i < taking->values->count; i++) {
		size_t row = row_of(taking, i);

		why = is_uuid ? NULL : check_moment(taking, row);
		if (why)
			return refuse(taking, i, why, err);
		end = is_uuid ? words_uuid(word,
					   &taking->column->wide[row].uuid)
			      : put_moment(word, taking, row);
		values->slices[i].len = (size_t)(end - word);
		strbuf_add(&values->text, word, values->slices[i].len);
	}
	place_texts(values);
	return strbuf_check(&values->text, err);
}

/* ------------------------------------------------------------------------- */

static void pick_rows(struct taking *taking, size_t col, size_t rows)
{
	struct parquet_values *values = taking->values;
	size_t count = 0;

	for (size_t i = 0; i < rows; i++) {
		values->pick[count] = (uint16_t)i;
		count += !batch_null(taking->batch, col, taking->first + i);
	}
	values->rows = rows;
	values->count = count;
}

static int refuse_null(struct taking *taking, struct error *err)
{
	size_t i = 0;

	while (i < taking->values->count && taking->values->pick[i] == i)
		i++;
	taking->values->pick[0] = (uint16_t)i;
	return refuse(taking, 0, is_null, err);
}

int parquet_values_take(struct parquet_values *values,
			const struct parquet_leaf *leaf,
			const struct batch *batch, size_t col, size_t first,
			size_t rows, struct error *err)
{
	struct taking taking = {
		.values = values,
		.leaf = leaf,
		.batch = batch,
		.column = &batch->columns[col],
		.first = first,
	};

	pick_rows(&taking, col, rows);
	if (values->count < rows && !leaf->optional)
		return refuse_null(&taking, err);
	switch (leaf->form) {
	case PARQUET_AS_INT:
		return take_ints(&taking, err);
	case PARQUET_AS_DATE:
		return take_dates(&taking, err);
	case PARQUET_AS_TIME:
		return take_times(&taking, 0, ROW_TICKS_PER_DAY, err);
	case PARQUET_AS_TIMESTAMP:
	case PARQUET_AS_TIMESTAMPTZ:
		return take_times(&taking, PARQUET_TICKS_TO_1970, ROW_TICKS_END,
				  err);
	case PARQUET_AS_SMALL_DECIMAL:
		return take_small_decimals(&taking, err);
	case PARQUET_AS_DECIMAL:
	case PARQUET_AS_UINT64:
		return take_decimals(&taking, err);
	case PARQUET_AS_FLOAT:
		return take_floats(&taking);
	case PARQUET_AS_DOUBLE:
		return take_doubles(&taking);
	case PARQUET_AS_UUID:
		return take_uuids(&taking);
	case PARQUET_AS_SLICE:
		return take_slices(&taking, col, err);
	case PARQUET_AS_WORDS:
		return take_words(&taking, err);
	}
	return 0;
}
