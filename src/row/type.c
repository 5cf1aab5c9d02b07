#include "row/type.h"

static const struct {
	const char *name;
	enum row_store store;
} types[] = {
	[ROW_BOOL] = {"bool", ROW_STORE_I64},
	[ROW_UINT8] = {"uint8", ROW_STORE_I64},
	[ROW_INT8] = {"int8", ROW_STORE_I64},
	[ROW_INT16] = {"int16", ROW_STORE_I64},
	[ROW_INT32] = {"int32", ROW_STORE_I64},
	[ROW_INT64] = {"int64", ROW_STORE_I64},
	[ROW_UINT64] = {"uint64", ROW_STORE_I64},
	[ROW_FLOAT32] = {"float32", ROW_STORE_F64},
	[ROW_FLOAT64] = {"float64", ROW_STORE_F64},
	[ROW_DECIMAL] = {"decimal", ROW_STORE_WIDE},
	[ROW_TEXT] = {"text", ROW_STORE_SLICE},
	[ROW_BYTES] = {"bytes", ROW_STORE_SLICE},
	[ROW_DATE] = {"date", ROW_STORE_I64},
	[ROW_TIME] = {"time", ROW_STORE_I64},
	[ROW_TIMESTAMP] = {"timestamp", ROW_STORE_I64},
	[ROW_TIMESTAMPTZ] = {"timestamptz", ROW_STORE_WIDE},
	[ROW_UUID] = {"uuid", ROW_STORE_WIDE},
	[ROW_JSON] = {"json", ROW_STORE_SLICE},
	[ROW_XML] = {"xml", ROW_STORE_SLICE},
};

enum row_store row_type_store(enum row_type type)
{
	return types[type].store;
}

const char *row_type_name(enum row_type type)
{
	return types[type].name;
}

bool row_type_range(enum row_type type, row_int128 *min, row_int128 *max)
{
	static const struct {
		int64_t min;
		uint64_t max;
	} ranges[] = {
		[ROW_BOOL] = {0, 1},
		[ROW_UINT8] = {0, UINT8_MAX},
		[ROW_INT8] = {INT8_MIN, INT8_MAX},
		[ROW_INT16] = {INT16_MIN, INT16_MAX},
		[ROW_INT32] = {INT32_MIN, INT32_MAX},
		[ROW_INT64] = {INT64_MIN, INT64_MAX},
		[ROW_UINT64] = {0, UINT64_MAX},
	};

	if (type >= sizeof(ranges) / sizeof(*ranges))
		return false;
	*min = ranges[type].min;
	*max = ranges[type].max;
	return true;
}

/*
 * The proleptic Gregorian calendar, in years that begin on 1 March, so that
 * the leap day is the last day of its year.
 */
int64_t row_date_join(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;
	int64_t eras = y < 0 ? (399 - y) / 400 : 0;

	y += eras * 400;
	return y * 365 + y / 4 - y / 100 + y / 400 + in_year + day - 307 -
	       eras * 146097;
}

void row_date_split(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 306; /* days since 0000-03-01 */
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t in_era = z - era * 146097;
	int64_t y =
		(in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) /
		365;
	int64_t in_year = in_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * in_year + 2) / 153;

	*day = (int)(in_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = (int)(y + era * 400 + (*month <= 2));
}

int64_t row_round_ticks(int64_t ticks, int digits, int64_t end)
{
	int64_t unit = 1, rounded;

	for (int i = digits; i < 7; i++)
		unit *= 10;
	rounded = (ticks + unit / 2) / unit * unit;
	return rounded >= end ? ticks / unit * unit : rounded;
}
