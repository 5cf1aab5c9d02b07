/*
 * Every field stands with its length in front, so that no value can look like
 * the end of another one: "3:abc,", and "-," for NULL. A value is written as
 * its number, instant or characters are, never as its type is declared, because
 * the two sides may declare it differently: 1.50 and 1.5 are the same number.
 *
 * Rejected: to digest the bytes of the batch as they are. It would be faster,
 * but the same text is other bytes in each code page.
 */
#include "row/canonical.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "row/extended.h"
#include "row/text.h"

#define FRACTION_DIGITS 7
#define FIELD_MAX	128 /* of everything but text and bytes */

/* Longer ones go into a digest piece by piece. */
#define LONG_VALUE ((size_t)64 * 1024)

static int no_md5(struct error *err)
{
	return error_set(err, ERROR_SYSTEM,
			 "OpenSSL has no MD5 here, which verification "
			 "compares rows by");
}

/* ---------------------------------------------------------------- a field */

static void add_decimal(struct strbuf *out, row_int128 value, int scale)
{
	while (scale > 0 && value % 10 == 0) {
		value /= 10;
		scale--;
	}
	row_format_decimal(out, value, scale);
}

/* Negative zero is zero to every system's comparison. */
static void add_float(struct strbuf *out, double value)
{
	if (isnan(value))
		strbuf_addstr(out, "NaN");
	else if (isinf(value))
		strbuf_addstr(out, value < 0 ? "-Infinity" : "Infinity");
	else
		strbuf_addf(out, "%.17g", value == 0 ? 0.0 : value);
}

/* As many digits as say it all. */
static int fraction_digits(int64_t ticks)
{
	int digits = FRACTION_DIGITS;

	while (digits > 0 && ticks % 10 == 0) {
		ticks /= 10;
		digits--;
	}
	return digits;
}

static void add_timestamptz(struct strbuf *out,
			    const struct row_timestamptz *value,
			    const struct canonical_column *column)
{
	int64_t utc = row_round_ticks(value->utc, column->fraction_max,
				      ROW_TICKS_END);
	int offset = column->offsetless ? 0 : value->offset_minutes;
	int minutes = abs(offset);

	row_format_timestamp(out, utc, fraction_digits(utc));
	strbuf_addf(out, "Z%c%02d:%02d", offset < 0 ? '-' : '+', minutes / 60,
		    minutes % 60);
}

static void add_short(struct strbuf *out, const struct column *def,
		      const struct batch_column *values, size_t row,
		      const struct canonical_column *column)
{
	int fraction_max = column->fraction_max;
	int64_t ticks;

	if (def->extended && row_format_extended(out, def->type, values, row))
		return;
	switch (def->type) {
	case ROW_FLOAT32:
	case ROW_FLOAT64:
		add_float(out, values->f64[row]);
		break;
	case ROW_DECIMAL:
		add_decimal(out, values->wide[row].decimal, def->scale);
		break;
	case ROW_UINT64:
		strbuf_addf(out, "%llu", (unsigned long long)values->i64[row]);
		break;
	case ROW_DATE:
		row_format_date(out, values->i64[row]);
		break;
	case ROW_TIME:
		ticks = row_round_ticks(values->i64[row], fraction_max,
					ROW_TICKS_PER_DAY);
		row_format_time(out, ticks, fraction_digits(ticks));
		break;
	case ROW_TIMESTAMP:
		ticks = row_round_ticks(values->i64[row], fraction_max,
					ROW_TICKS_END);
		row_format_timestamp(out, ticks, fraction_digits(ticks));
		break;
	case ROW_TIMESTAMPTZ:
		add_timestamptz(out, &values->wide[row].timestamptz, column);
		break;
	case ROW_UUID:
		row_format_uuid(out, &values->wide[row].uuid);
		break;
	default:
		strbuf_addf(out, "%lld", (long long)values->i64[row]);
		break;
	}
}

static void add_digits(struct strbuf *out, const unsigned char *data,
		       size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *to = strbuf_reserve(out, len * 2);

	if (!to)
		return;
	for (size_t i = 0; i < len; i++) {
		*to++ = digits[data[i] >> 4];
		*to++ = digits[data[i] & 15];
	}
	*to = '\0';
	out->len += len * 2;
}

static void add_bytes(struct strbuf *out, const struct row_slice *slice)
{
	strbuf_addf(out, "%zu:", slice->len * 2);
	add_digits(out, slice->data, slice->len);
}

static int add_text(struct canonical *canonical,
		    struct canonical_column *column,
		    const struct row_slice *slice, struct error *err)
{
	const void *utf8 = slice->data;
	size_t len = slice->len;

	if (charset_spell(&column->charset, slice->data, slice->len, &utf8,
			  &len, err) < 0)
		return -1;
	strbuf_addf(&canonical->text, "%zu:", len);
	strbuf_add(&canonical->text, utf8, len);
	return 0;
}

/* ------------------------------------------- long values, for a digest alone */

static int digest(struct canonical *canonical, const void *data, size_t len,
		  struct error *err)
{
	if (EVP_DigestUpdate(canonical->md5, data, len) == 1)
		return 0;
	return no_md5(err);
}

/* What was written so far. */
static int flush(struct canonical *canonical, struct error *err)
{
	if (strbuf_check(&canonical->text, err) < 0 ||
	    digest(canonical, canonical->text.data, canonical->text.len, err) <
		    0)
		return -1;
	strbuf_reset(&canonical->text);
	return 0;
}

static int digest_bytes(struct canonical *canonical,
			const struct row_slice *slice, struct error *err)
{
	size_t piece;

	strbuf_addf(&canonical->text, "%zu:", slice->len * 2);
	for (size_t at = 0; at < slice->len; at += piece) {
		piece = slice->len - at < LONG_VALUE ? slice->len - at
						     : LONG_VALUE;
		add_digits(&canonical->text, slice->data + at, piece);
		if (flush(canonical, err) < 0)
			return -1;
	}
	return 0;
}

/* Twice over it, for the length that comes first. */
static int digest_text(struct canonical *canonical, struct charset *charset,
		       const struct row_slice *slice, struct error *err)
{
	struct charset_text text;
	const void *utf8;
	size_t len, total = 0;
	int rc;

	charset_text_begin(charset, &text, slice->data, slice->len);
	while ((rc = charset_text_next(charset, &text, &utf8, &len, err)) > 0)
		total += len;
	strbuf_addf(&canonical->text, "%zu:", total);
	if (rc < 0 || flush(canonical, err) < 0)
		return -1;
	charset_text_begin(charset, &text, slice->data, slice->len);
	while ((rc = charset_text_next(charset, &text, &utf8, &len, err)) > 0)
		if (digest(canonical, utf8, len, err) < 0)
			return -1;
	return rc;
}

static int digest_slice(struct canonical *canonical,
			struct canonical_column *column, enum row_type type,
			const struct row_slice *slice, struct error *err)
{
	return type == ROW_BYTES
		       ? digest_bytes(canonical, slice, err)
		       : digest_text(canonical, &column->charset, slice, err);
}

/* ---------------------------------------------------------------- any field */

static bool is_long(const struct canonical *canonical,
		    const struct batch_column *values, size_t row)
{
	return canonical->digesting && values->store == ROW_STORE_SLICE &&
	       values->slice[row].len > LONG_VALUE;
}

/* The length comes first, and is known when the value is written. */
static void add_measured(struct canonical *canonical, const struct column *def,
			 const struct batch_column *values, size_t row,
			 const struct canonical_column *column)
{
	struct strbuf *out = &canonical->text;
	size_t begin, len;
	char prefix[24];
	char *room;

	begin = out->len;
	add_short(out, def, values, row, column);
	len = out->len - begin;
	snprintf(prefix, sizeof(prefix), "%zu:", len);
	room = strbuf_reserve(out, strlen(prefix));
	if (!room)
		return;
	memmove(out->data + begin + strlen(prefix), out->data + begin, len);
	memcpy(out->data + begin, prefix, strlen(prefix));
	out->len += strlen(prefix);
	out->data[out->len] = '\0';
}

static int add_field(struct canonical *canonical,
		     struct canonical_column *column, const struct batch *batch,
		     size_t row, struct error *err)
{
	const struct column *def = &batch->table->columns[column->index];
	const struct batch_column *values = &batch->columns[column->index];

	if (batch_null(batch, column->index, row)) {
		strbuf_addch(&canonical->text, '-');
	} else if (is_long(canonical, values, row)) {
		if (digest_slice(canonical, column, def->type,
				 &values->slice[row], err) < 0)
			return error_wrap(err, "column '%s'", def->name);
	} else if (def->type == ROW_BYTES) {
		add_bytes(&canonical->text, &values->slice[row]);
	} else if (values->store == ROW_STORE_SLICE) {
		if (add_text(canonical, column, &values->slice[row], err) < 0)
			return error_wrap(err, "column '%s'", def->name);
	} else {
		add_measured(canonical, def, values, row, column);
	}
	strbuf_addch(&canonical->text, ',');
	return 0;
}

/* -------------------------------------------------------------------- a row */

static int at_most(int max, const struct column *column)
{
	return (column->coarse || column->finest) && column->precision < max
		       ? column->precision
		       : max;
}

/* A time that one side rounds to its own steps is compared by its digits. */
static int fraction_that_counts(const struct column *one,
				const struct column *other)
{
	int max = at_most(FRACTION_DIGITS, one);

	return other ? at_most(max, other) : max;
}

static int init_column(struct canonical_column *column,
		       const struct table *table, const struct table *other,
		       size_t index, struct error *err)
{
	const struct column *def = &table->columns[index];

	column->index = index;
	column->fraction_max = fraction_that_counts(
		def, other ? &other->columns[index] : NULL);
	column->offsetless =
		def->offsetless || (other && other->columns[index].offsetless);
	if (row_type_store(def->type) != ROW_STORE_SLICE ||
	    def->type == ROW_BYTES)
		return 0;
	return charset_init(&column->charset, def->charset, NULL, err);
}

int canonical_init(struct canonical *canonical, const struct table *table,
		   const struct table *other, const size_t *take, size_t count,
		   struct error *err)
{
	memset(canonical, 0, sizeof(*canonical));
	strbuf_init(&canonical->text);
	canonical->columns = calloc(count + 1, sizeof(*canonical->columns));
	canonical->md5 = EVP_MD_CTX_new();
	if (!canonical->columns || !canonical->md5) {
		error_memory(err, "canonical texts");
		goto failed;
	}
	for (size_t i = 0; i < count; i++) {
		if (init_column(&canonical->columns[i], table, other, take[i],
				err) < 0)
			goto failed;
		canonical->count++;
	}
	return 0;
failed:
	canonical_release(canonical);
	return -1;
}

void canonical_release(struct canonical *canonical)
{
	for (size_t i = 0; i < canonical->count; i++)
		charset_release(&canonical->columns[i].charset);
	free(canonical->columns);
	EVP_MD_CTX_free(canonical->md5);
	if (canonical->text.data)
		strbuf_release(&canonical->text);
	memset(canonical, 0, sizeof(*canonical));
}

static int add_fields(struct canonical *canonical, const struct batch *batch,
		      size_t row, struct error *err)
{
	strbuf_reset(&canonical->text);
	for (size_t i = 0; i < canonical->count; i++)
		if (add_field(canonical, &canonical->columns[i], batch, row,
			      err) < 0)
			return -1;
	return strbuf_check(&canonical->text, err);
}

int canonical_text(struct canonical *canonical, const struct batch *batch,
		   size_t row, const struct strbuf **out, struct error *err)
{
	canonical->digesting = false;
	*out = &canonical->text;
	return add_fields(canonical, batch, row, err);
}

int canonical_digest(struct canonical *canonical, const struct batch *batch,
		     size_t row, struct row_digest *out, struct error *err)
{
	canonical->digesting = true;
	if (EVP_DigestInit_ex(canonical->md5, EVP_md5(), NULL) != 1)
		return no_md5(err);
	if (add_fields(canonical, batch, row, err) < 0 ||
	    flush(canonical, err) < 0)
		return -1;
	if (EVP_DigestFinal_ex(canonical->md5, out->md5, NULL) != 1)
		return no_md5(err);
	return 0;
}

/* --------------------------------------------------------------------- sums */

void row_sum_add(struct row_sum *sum, const struct row_digest *digest)
{
	sum->rows++;
	for (int i = 0; i < 4; i++) {
		const unsigned char *b = &digest->md5[4 * i];

		sum->words[i] += (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
				 (uint32_t)b[2] << 8 | b[3];
	}
}

void row_sum_merge(struct row_sum *sum, const struct row_sum *more)
{
	sum->rows += more->rows;
	for (int i = 0; i < 4; i++)
		sum->words[i] += more->words[i];
}

bool row_sum_equal(const struct row_sum *a, const struct row_sum *b)
{
	return a->rows == b->rows &&
	       !memcmp(a->words, b->words, sizeof(a->words));
}

int row_sum_md5(const struct row_sum *sum, char out[ROW_SUM_MD5_MAX],
		struct error *err)
{
	unsigned char md5[CANONICAL_MD5_BYTES];
	char text[128];
	int len = snprintf(text, sizeof(text), "%llu:%llu:%llu:%llu:%llu",
			   (unsigned long long)sum->rows,
			   (unsigned long long)sum->words[0],
			   (unsigned long long)sum->words[1],
			   (unsigned long long)sum->words[2],
			   (unsigned long long)sum->words[3]);

	if (EVP_Digest(text, (size_t)len, md5, NULL, EVP_md5(), NULL) != 1)
		return no_md5(err);
	for (int i = 0; i < CANONICAL_MD5_BYTES; i++)
		snprintf(out + 2 * (size_t)i, 3, "%02x", md5[i]);
	return 0;
}
