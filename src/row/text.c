#include "row/text.h"

#include <string.h>

#include "row/charset.h"
#include "row/extended.h"

void row_format_decimal(struct strbuf *out, row_int128 value, int scale)
{
	char digits[64];
	int at = sizeof(digits), count = 0;
	unsigned __int128 rest = value < 0 ? -(unsigned __int128)value
					   : (unsigned __int128)value;

	digits[--at] = '\0';
	do {
		if (count == scale && scale > 0)
			digits[--at] = '.';
		digits[--at] = (char)('0' + (int)(rest % 10));
		rest /= 10;
		count++;
	} while (rest || count <= scale);
	if (value < 0)
		digits[--at] = '-';
	strbuf_addstr(out, digits + at);
}

void row_format_date(struct strbuf *out, int64_t days)
{
	int year, month, day;

	row_date_split(days, &year, &month, &day);
	strbuf_addf(out, "%04d-%02d-%02d", year, month, day);
}

void row_format_time(struct strbuf *out, int64_t ticks, int precision)
{
	int64_t seconds = ticks / ROW_TICKS_PER_SECOND;

	strbuf_addf(out, "%02d:%02d:%02d", (int)(seconds / 3600),
		    (int)(seconds / 60 % 60), (int)(seconds % 60));
	if (precision > 0 && precision <= 7)
		strbuf_addf(out, ".%.*s", precision,
			    (char[8]){(char)('0' + ticks / 1000000 % 10),
				      (char)('0' + ticks / 100000 % 10),
				      (char)('0' + ticks / 10000 % 10),
				      (char)('0' + ticks / 1000 % 10),
				      (char)('0' + ticks / 100 % 10),
				      (char)('0' + ticks / 10 % 10),
				      (char)('0' + ticks % 10), '\0'});
}

void row_format_timestamp(struct strbuf *out, int64_t ticks, int precision)
{
	row_format_date(out, ticks / ROW_TICKS_PER_DAY);
	strbuf_addch(out, 'T');
	row_format_time(out, ticks % ROW_TICKS_PER_DAY, precision);
}

/* What is finer than its digits is shown as the server shows it. */
static int64_t nearest(const struct column *column, int64_t ticks)
{
	int64_t unit = 1;

	if (!column->coarse)
		return ticks;
	for (int i = column->precision; i < 7; i++)
		unit *= 10;
	return (ticks + unit / 2) / unit * unit;
}

static void add_timestamptz(struct strbuf *out,
			    const struct row_timestamptz *value, int precision)
{
	int offset = value->offset_minutes;

	row_format_timestamp(
		out, value->utc + offset * INT64_C(60) * ROW_TICKS_PER_SECOND,
		precision);
	strbuf_addf(out, "%c%02d:%02d", offset < 0 ? '-' : '+',
		    (offset < 0 ? -offset : offset) / 60,
		    (offset < 0 ? -offset : offset) % 60);
}

static void add_hex(struct strbuf *out, const unsigned char *data, size_t len)
{
	strbuf_addstr(out, "0x");
	for (size_t i = 0; i < len; i++)
		strbuf_addf(out, "%02X", data[i]);
}

void row_format_uuid(struct strbuf *out, const struct row_uuid *uuid)
{
	const unsigned char *bytes = uuid->bytes;

	for (int i = 0; i < 16; i++)
		strbuf_addf(out, "%s%02x",
			    i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			    bytes[i]);
}

static void add_text(struct strbuf *out, const struct column *column,
		     const struct row_slice *slice)
{
	long need;
	char *to;

	if (!column->charset) {
		strbuf_add(out, slice->data, slice->len);
		return;
	}
	need = charset_equal(column->charset, "UTF-16LE")
		       ? charset_utf8_length(slice->data, slice->len)
		       : -1;
	to = need >= 0 ? strbuf_reserve(out, (size_t)need) : NULL;
	if (!to) {
		add_hex(out, slice->data, slice->len);
		return;
	}
	charset_utf8_write(slice->data, slice->len, (unsigned char *)to);
	out->len += (size_t)need;
	out->data[out->len] = '\0';
}

void row_format(struct strbuf *out, const struct batch *batch, size_t col,
		size_t row)
{
	const struct column *def = &batch->table->columns[col];
	const struct batch_column *values = &batch->columns[col];

	if (batch_null(batch, col, row)) {
		strbuf_addstr(out, "NULL");
		return;
	}
	if (def->extended && row_format_extended(out, def->type, values, row))
		return;
	switch (def->type) {
	case ROW_BOOL:
	case ROW_UINT8:
	case ROW_INT8:
	case ROW_INT16:
	case ROW_INT32:
	case ROW_INT64:
		strbuf_addf(out, "%lld", (long long)values->i64[row]);
		break;
	case ROW_UINT64:
		strbuf_addf(out, "%llu", (unsigned long long)values->i64[row]);
		break;
	case ROW_FLOAT32:
		strbuf_addf(out, "%.9g", values->f64[row]);
		break;
	case ROW_FLOAT64:
		strbuf_addf(out, "%.17g", values->f64[row]);
		break;
	case ROW_DECIMAL:
		row_format_decimal(out, values->wide[row].decimal, def->scale);
		break;
	case ROW_DATE:
		row_format_date(out, values->i64[row]);
		break;
	case ROW_TIME:
		row_format_time(out, values->i64[row], def->precision);
		break;
	case ROW_TIMESTAMP:
		row_format_timestamp(out, nearest(def, values->i64[row]),
				     def->precision);
		break;
	case ROW_TIMESTAMPTZ:
		add_timestamptz(out, &values->wide[row].timestamptz,
				def->precision);
		break;
	case ROW_UUID:
		row_format_uuid(out, &values->wide[row].uuid);
		break;
	case ROW_BYTES:
		add_hex(out, values->slice[row].data, values->slice[row].len);
		break;
	case ROW_TEXT:
	case ROW_JSON:
	case ROW_XML:
		add_text(out, def, &values->slice[row]);
		break;
	}
}

void row_format_key(struct strbuf *out, const struct batch *batch, size_t row)
{
	const struct table *table = batch->table;

	for (size_t k = 0; k < table->key_count; k++) {
		if (k)
			strbuf_addstr(out, ", ");
		row_format(out, batch, table->key[k], row);
	}
}

void row_wrap_error(struct error *err, const struct batch *batch, size_t row)
{
	struct strbuf key;

	if (!batch->table->key_count)
		return;
	strbuf_init(&key);
	row_format_key(&key, batch, row);
	if (!key.failed)
		error_wrap(err, "the row with key %s", key.data);
	strbuf_release(&key);
}
