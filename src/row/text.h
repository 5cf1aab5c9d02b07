#ifndef ROW_TEXT_H
#define ROW_TEXT_H

#include "base/strbuf.h"
#include "row/batch.h"

/*
 * Append the value of a batch as text for people: numbers in full, bytes as
 * 0x…, times as ISO 8601, text as it is. NULL is "NULL". Text in another
 * charset than UTF-8 is shown as its bytes unless it is UTF-16.
 */
void row_format(struct strbuf *out, const struct batch *batch, size_t col,
		size_t row);

/* Its parts: a number with `scale` digits behind the point, and times with
 * `precision` digits of a fraction of a second. */
void row_format_decimal(struct strbuf *out, row_int128 value, int scale);
void row_format_date(struct strbuf *out, int64_t days);
void row_format_time(struct strbuf *out, int64_t ticks, int precision);
void row_format_timestamp(struct strbuf *out, int64_t ticks, int precision);
void row_format_uuid(struct strbuf *out, const struct row_uuid *uuid);

/* The key of a row, its values separated by commas. */
void row_format_key(struct strbuf *out, const struct batch *batch, size_t row);

/* Put "the row with key …" in front of an error that it made; no other value of
 * it is told. */
void row_wrap_error(struct error *err, const struct batch *batch, size_t row);

#endif
