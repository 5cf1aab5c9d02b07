#include "drivers/postgresql/encode.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "row/charset.h"
#include "row/text.h"

#define DAYS_TO_2000   730119 /* from 0001-01-01 */
#define TICKS_PER_US   10
#define LAST_DAY       3652058 /* 9999-12-31 */
#define VARHDRSZ       4       /* what typmods of text have added */
#define NUMERIC_GROUPS 12      /* of four digits; 128 bits have 39 */

bool encode_is_long(const struct batch *batch, size_t row)
{
	size_t bytes = 0;

	for (size_t i = 0; i < batch->table->column_count; i++)
		if (batch->columns[i].store == ROW_STORE_SLICE &&
		    !batch_null(batch, i, row))
			bytes += batch->columns[i].slice[row].len;
	return bytes > PG_SINK_ROW;
}

/* --------------------------------------------------------------- encoders */

/*
 * Why a value cannot be sent; NULL: it was put. A problem without words is one
 * of the connection, and err is filled.
 */
typedef const char *encode_fn(struct encoder_pg *encoder,
			      const struct batch *batch, size_t row,
			      struct pg_sink *sink);

struct encoder_pg {
	encode_fn *encode;
	const struct column *from;
	const struct pg_dest_column *to;
	size_t col; /* in the batch */
	bool not_null;
	int64_t min, max; /* of integers */
	int length;	  /* characters of text; 0: no limit */
	int precision, scale;
	unsigned __int128 end; /* decimals are below that; 0: not so simple */
	bool versioned;	       /* jsonb has a byte in front */
	struct charset charset;
	struct strbuf text; /* of values that go as text */
	struct error *err;
};

static const char broken[] = "";
static const char out_of_range[] =
	"is out of the range of the destination's type";
static const char too_fine[] =
	"has more digits of a second than the destination's type";
static const char too_many_decimals[] =
	"has more decimals than the destination's type";
static const char too_long[] = "is longer than the destination's column";
static const char not_utf8[] = "is not valid text in its encoding";
static const char has_nul[] =
	"has a character of the number 0, which no text of PostgreSQL can have";
static const char not_bits[] = "is not a row of 0s and 1s";

/* A change that was mended stays in the change log as it was before. */
#define REMEDY "alter that column, or mend the row and request a full sync"

static int64_t get_i64(const struct encoder_pg *encoder,
		       const struct batch *batch, size_t row)
{
	return batch->columns[encoder->col].i64[row];
}

static const union row_wide *get_wide(const struct encoder_pg *encoder,
				      const struct batch *batch, size_t row)
{
	return &batch->columns[encoder->col].wide[row];
}

static const struct row_slice *get_slice(const struct encoder_pg *encoder,
					 const struct batch *batch, size_t row)
{
	return &batch->columns[encoder->col].slice[row];
}

static const char *encode_bool(struct encoder_pg *encoder,
			       const struct batch *batch, size_t row,
			       struct pg_sink *sink)
{
	pg_sink_int32(sink, 1);
	pg_sink_uint(sink, get_i64(encoder, batch, row) != 0, 1);
	return NULL;
}

static const char *check_range(const struct encoder_pg *encoder, int64_t value)
{
	if (encoder->from->type == ROW_UINT64 && value < 0)
		return out_of_range; /* beyond what 63 bits hold */
	return value < encoder->min || value > encoder->max ? out_of_range
							    : NULL;
}

static const char *encode_i16(struct encoder_pg *encoder,
			      const struct batch *batch, size_t row,
			      struct pg_sink *sink)
{
	int64_t value = get_i64(encoder, batch, row);

	pg_sink_int32(sink, 2);
	pg_sink_int16(sink, (int)value);
	return check_range(encoder, value);
}

static const char *encode_i32(struct encoder_pg *encoder,
			      const struct batch *batch, size_t row,
			      struct pg_sink *sink)
{
	int64_t value = get_i64(encoder, batch, row);

	pg_sink_int32(sink, 4);
	pg_sink_int32(sink, value);
	return check_range(encoder, value);
}

static const char *encode_i64(struct encoder_pg *encoder,
			      const struct batch *batch, size_t row,
			      struct pg_sink *sink)
{
	int64_t value = get_i64(encoder, batch, row);

	pg_sink_int32(sink, 8);
	pg_sink_int64(sink, value);
	return check_range(encoder, value);
}

static const char *encode_float4(struct encoder_pg *encoder,
				 const struct batch *batch, size_t row,
				 struct pg_sink *sink)
{
	float value = (float)batch->columns[encoder->col].f64[row];
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	pg_sink_int32(sink, 4);
	pg_sink_int32(sink, bits);
	return NULL;
}

static const char *encode_float8(struct encoder_pg *encoder,
				 const struct batch *batch, size_t row,
				 struct pg_sink *sink)
{
	uint64_t bits;

	memcpy(&bits, &batch->columns[encoder->col].f64[row], sizeof(bits));
	pg_sink_int32(sink, 8);
	pg_sink_uint(sink, bits, 8);
	return NULL;
}

/* ----------------------------------------------------------------- numeric */

static row_int128 get_unscaled(const struct encoder_pg *encoder,
			       const struct batch *batch, size_t row)
{
	if (encoder->from->type == ROW_DECIMAL)
		return get_wide(encoder, batch, row)->decimal;
	if (encoder->from->type == ROW_UINT64)
		return (uint64_t)get_i64(encoder, batch, row);
	return get_i64(encoder, batch, row);
}

/* numeric(p,s) rounds what does not fit into s; it must fit before. */
static const char *check_numeric(const struct encoder_pg *encoder,
				 unsigned __int128 value, int scale)
{
	int digits = 0;

	if (encoder->end)
		return value < encoder->end ? NULL : out_of_range;
	if (!encoder->precision || !value)
		return NULL;
	while (scale > encoder->scale && value % 10 == 0) {
		value /= 10;
		scale--;
	}
	if (scale > encoder->scale)
		return too_many_decimals;
	for (; value; value /= 10)
		digits++;
	return digits - scale > encoder->precision - encoder->scale
		       ? out_of_range
		       : NULL;
}

/*
 * Groups of four digits from the lowest up; those of the fraction are as many
 * as the scale needs. How many there are.
 */
static int split_groups(unsigned __int128 value, int scale,
			uint16_t groups[NUMERIC_GROUPS])
{
	static const unsigned power[] = {1, 10, 100, 1000};
	int rest = scale % 4, count = 0;

	if (rest) {
		groups[count++] = (uint16_t)((unsigned)(value % power[rest]) *
					     power[4 - rest]);
		value /= power[rest];
	}
	for (; value > UINT64_MAX; value /= 10000)
		groups[count++] = (uint16_t)(value % 10000);
	for (uint64_t low = (uint64_t)value; low; low /= 10000)
		groups[count++] = (uint16_t)(low % 10000);
	while (count < (scale + 3) / 4)
		groups[count++] = 0;
	return count;
}

static const char *put_nan(struct pg_sink *sink)
{
	pg_sink_int32(sink, 8);
	pg_sink_int32(sink, 0);
	pg_sink_int16(sink, 0xc000);
	pg_sink_int16(sink, 0);
	return NULL;
}

static const char *encode_numeric(struct encoder_pg *encoder,
				  const struct batch *batch, size_t row,
				  struct pg_sink *sink)
{
	row_int128 number = get_unscaled(encoder, batch, row);
	int scale =
		encoder->from->type == ROW_DECIMAL ? encoder->from->scale : 0;
	unsigned __int128 value = number < 0 ? -(unsigned __int128)number
					     : (unsigned __int128)number;
	const char *problem = check_numeric(encoder, value, scale);
	uint16_t groups[NUMERIC_GROUPS];
	int count, low = 0, weight;

	if (encoder->from->extended && number == ROW_DECIMAL_NAN)
		return put_nan(sink);
	if (problem)
		return problem;
	count = split_groups(value, scale, groups);
	weight = count - (scale + 3) / 4 - 1;
	while (count > 0 && !groups[count - 1]) {
		count--;
		weight--;
	}
	while (low < count && !groups[low])
		low++;
	if (count == 0)
		weight = 0;
	pg_sink_int32(sink, 8 + 2 * (count - low));
	pg_sink_int16(sink, count - low);
	pg_sink_int16(sink, weight);
	pg_sink_int16(sink, number < 0 ? 0x4000 : 0);
	pg_sink_int16(sink, scale);
	while (count-- > low)
		pg_sink_int16(sink, groups[count]);
	return NULL;
}

/* ------------------------------------------------------------------- times */

/* From a server that has the same dates, endless ones too. */
static const char *put_any_date(int64_t days, struct pg_sink *sink)
{
	bool endless = days == ROW_INFINITE_PAST || days == ROW_INFINITE_FUTURE;

	pg_sink_int32(sink, 4);
	if (endless)
		pg_sink_int32(sink, days < 0 ? INT32_MIN : INT32_MAX);
	else
		pg_sink_int32(sink, days - DAYS_TO_2000);
	return NULL;
}

static const char *encode_date(struct encoder_pg *encoder,
			       const struct batch *batch, size_t row,
			       struct pg_sink *sink)
{
	int64_t days = get_i64(encoder, batch, row);

	if (encoder->from->extended)
		return put_any_date(days, sink);
	if (days < 0 || days > LAST_DAY)
		return out_of_range;
	pg_sink_int32(sink, 4);
	pg_sink_int32(sink, days - DAYS_TO_2000);
	return NULL;
}

/*
 * As the source shows it, if it counts in steps of its own; and to
 * microseconds, which is as fine as it gets here (struct column, finest).
 */
static int64_t round_ticks(const struct encoder_pg *encoder, int64_t ticks,
			   int64_t end)
{
	int digits = encoder->from->coarse ? encoder->from->precision : 6;

	return row_round_ticks(ticks, digits < 6 ? digits : 6, end);
}

/* Fewer digits than six are rounded to by the server: they must be 0. */
static const char *check_fraction(const struct encoder_pg *encoder,
				  int64_t ticks)
{
	int64_t unit = TICKS_PER_US;

	for (int i = encoder->scale; i < 6; i++)
		unit *= 10;
	return ticks % unit ? too_fine : NULL;
}

static const char *encode_time(struct encoder_pg *encoder,
			       const struct batch *batch, size_t row,
			       struct pg_sink *sink)
{
	int64_t ticks = get_i64(encoder, batch, row);

	if (ticks < 0 || ticks > ROW_TICKS_PER_DAY)
		return out_of_range;
	if (ticks < ROW_TICKS_PER_DAY)
		ticks = round_ticks(encoder, ticks, ROW_TICKS_PER_DAY);
	pg_sink_int32(sink, 8);
	pg_sink_int64(sink, ticks / TICKS_PER_US);
	return check_fraction(encoder, ticks);
}

/* From a server that counts in the same way, endless ones too. */
static const char *put_us(const struct encoder_pg *encoder, int64_t us,
			  struct pg_sink *sink)
{
	pg_sink_int32(sink, 8);
	pg_sink_int64(sink, us);
	if (us == ROW_INFINITE_PAST || us == ROW_INFINITE_FUTURE)
		return NULL;
	return check_fraction(encoder, us % 1000000 * TICKS_PER_US);
}

static const char *put_ticks(const struct encoder_pg *encoder, int64_t ticks,
			     struct pg_sink *sink)
{
	if (encoder->from->extended)
		return put_us(encoder, ticks, sink);
	if (ticks < 0 || ticks / ROW_TICKS_PER_DAY > LAST_DAY)
		return out_of_range;
	ticks = round_ticks(encoder, ticks, ROW_TICKS_END);
	pg_sink_int32(sink, 8);
	pg_sink_int64(sink, (ticks - DAYS_TO_2000 * ROW_TICKS_PER_DAY) /
				    TICKS_PER_US);
	return check_fraction(encoder, ticks);
}

static const char *encode_timestamp(struct encoder_pg *encoder,
				    const struct batch *batch, size_t row,
				    struct pg_sink *sink)
{
	return put_ticks(encoder, get_i64(encoder, batch, row), sink);
}

static const char *encode_timestamptz(struct encoder_pg *encoder,
				      const struct batch *batch, size_t row,
				      struct pg_sink *sink)
{
	return put_ticks(encoder,
			 get_wide(encoder, batch, row)->timestamptz.utc, sink);
}

static const char *encode_uuid(struct encoder_pg *encoder,
			       const struct batch *batch, size_t row,
			       struct pg_sink *sink)
{
	pg_sink_int32(sink, 16);
	pg_sink_bytes(sink, get_wide(encoder, batch, row)->uuid.bytes, 16);
	return NULL;
}

/* -------------------------------------------------------- text and the like */

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* The bytes of the character at the front; 0: it is none. */
static size_t utf8_length(const unsigned char *s, size_t len)
{
	if (s[0] < 0x80)
		return 1;
	if (len >= 2 && s[0] >= 0xc2 && s[0] < 0xe0 && is_tail(s[1]))
		return 2;
	if (len >= 3 && (s[0] & 0xf0) == 0xe0 && is_tail(s[1]) &&
	    is_tail(s[2]) && (s[0] != 0xe0 || s[1] >= 0xa0) &&
	    (s[0] != 0xed || s[1] < 0xa0))
		return 3;
	if (len >= 4 && s[0] >= 0xf0 && s[0] < 0xf5 && is_tail(s[1]) &&
	    is_tail(s[2]) && is_tail(s[3]) && (s[0] != 0xf0 || s[1] >= 0x90) &&
	    (s[0] != 0xf4 || s[1] < 0x90))
		return 4;
	return 0;
}

/* Eight bytes of ASCII, none of them 0, and so on: what most text is. */
static size_t plain_bytes(const unsigned char *s, size_t len)
{
	size_t at = 0;
	uint64_t word;

	for (; at + 8 <= len; at += 8) {
		memcpy(&word, s + at, 8);
		if (word & UINT64_C(0x8080808080808080) ||
		    (word - UINT64_C(0x0101010101010101)) & ~word &
			    UINT64_C(0x8080808080808080))
			break;
	}
	return at;
}

static const char *check_text(const struct encoder_pg *encoder,
			      const unsigned char *s, size_t len)
{
	size_t at = plain_bytes(s, len), chars = at;

	while (at < len) {
		size_t step = utf8_length(s + at, len - at);

		if (!step)
			return not_utf8;
		if (!s[at])
			return has_nul;
		at += step;
		chars++;
	}
	return encoder->length && chars > (size_t)encoder->length ? too_long
								  : NULL;
}

static const char *put_slice(struct encoder_pg *encoder,
			     const unsigned char *data, size_t len,
			     struct pg_sink *sink)
{
	if (len >= INT32_MAX - 1)
		return too_long;
	pg_sink_int32(sink, (int64_t)len + encoder->versioned);
	if (encoder->versioned)
		pg_sink_uint(sink, 1, 1);
	return pg_sink_long(sink, data, len, encoder->err) < 0 ? broken : NULL;
}

static const char *encode_utf8(struct encoder_pg *encoder,
			       const struct batch *batch, size_t row,
			       struct pg_sink *sink)
{
	const struct row_slice *slice = get_slice(encoder, batch, row);
	const void *data = slice->data;
	size_t len = slice->len;
	const char *problem;

	if (encoder->charset.handle &&
	    charset_convert(&encoder->charset, data, len, &data, &len,
			    encoder->err) < 0)
		return not_utf8;
	problem = check_text(encoder, data, len);
	return problem ? problem : put_slice(encoder, data, len, sink);
}

static const char *encode_bytea(struct encoder_pg *encoder,
				const struct batch *batch, size_t row,
				struct pg_sink *sink)
{
	const struct row_slice *slice = get_slice(encoder, batch, row);

	return put_slice(encoder, slice->data, slice->len, sink);
}

/* bit(n) and varbit(n), whose casts would cut and pad. */
static const char *encode_bits(struct encoder_pg *encoder,
			       const struct batch *batch, size_t row,
			       struct pg_sink *sink)
{
	const struct row_slice *slice = get_slice(encoder, batch, row);
	unsigned char *to;

	if (encoder->length && slice->len > (size_t)encoder->length)
		return too_long;
	strbuf_reset(&encoder->text);
	to = (unsigned char *)strbuf_reserve(&encoder->text,
					     slice->len / 8 + 5);
	if (!to) {
		error_memory(encoder->err, "a bit string");
		return broken;
	}
	memset(to, 0, slice->len / 8 + 5);
	for (int i = 0; i < 4; i++)
		to[i] = (unsigned char)(slice->len >> (24 - 8 * i));
	for (size_t i = 0; i < slice->len; i++) {
		if (slice->data[i] != '0' && slice->data[i] != '1')
			return not_bits;
		to[4 + i / 8] |=
			(unsigned char)((slice->data[i] & 1) << (7 - i % 8));
	}
	return put_slice(encoder, to, 4 + (slice->len + 7) / 8, sink);
}

/* Anything that is no text, as text. */
static const char *encode_as_text(struct encoder_pg *encoder,
				  const struct batch *batch, size_t row,
				  struct pg_sink *sink)
{
	strbuf_reset(&encoder->text);
	row_format(&encoder->text, batch, encoder->col, row);
	if (strbuf_check(&encoder->text, encoder->err) < 0)
		return broken;
	return put_slice(encoder, (const unsigned char *)encoder->text.data,
			 encoder->text.len, sink);
}

/* ----------------------------------------------------------------- choosing */

static bool is_integer(enum row_type type)
{
	return type == ROW_BOOL || type == ROW_UINT8 || type == ROW_INT8 ||
	       type == ROW_INT16 || type == ROW_INT32 || type == ROW_INT64 ||
	       type == ROW_UINT64;
}

static bool is_text(enum row_type type)
{
	return type == ROW_TEXT || type == ROW_JSON || type == ROW_XML;
}

enum source_kind {
	FROM_INTEGER,
	FROM_NUMBER, /* those, and decimals */
	FROM_FLOAT,
	FROM_TEXT,
	FROM_BYTES,
	FROM_DATE,
	FROM_TIME,
	FROM_TIMESTAMP,
	FROM_TIMESTAMPTZ,
	FROM_UUID,
};

static bool is_kind(enum row_type type, enum source_kind kind)
{
	switch (kind) {
	case FROM_INTEGER:
		return is_integer(type);
	case FROM_NUMBER:
		return is_integer(type) || type == ROW_DECIMAL;
	case FROM_FLOAT:
		return type == ROW_FLOAT32 || type == ROW_FLOAT64;
	case FROM_TEXT:
		return is_text(type);
	case FROM_BYTES:
		return type == ROW_BYTES;
	case FROM_DATE:
		return type == ROW_DATE;
	case FROM_TIME:
		return type == ROW_TIME;
	case FROM_TIMESTAMP:
		return type == ROW_TIMESTAMP;
	case FROM_TIMESTAMPTZ:
		return type == ROW_TIMESTAMPTZ;
	case FROM_UUID:
		return type == ROW_UUID;
	}
	return false;
}

/* What receive functions read, and what is sent to them. */
static const struct wire {
	const char *receive;
	enum source_kind kind;
	encode_fn *encode;
	int64_t min, max;
} wires[] = {
	{"boolrecv", FROM_INTEGER, encode_bool, 0, 0},
	{"int2recv", FROM_INTEGER, encode_i16, INT16_MIN, INT16_MAX},
	{"int4recv", FROM_INTEGER, encode_i32, INT32_MIN, INT32_MAX},
	{"int8recv", FROM_INTEGER, encode_i64, INT64_MIN, INT64_MAX},
	{"oidrecv", FROM_INTEGER, encode_i32, 0, UINT32_MAX},
	{"float4recv", FROM_FLOAT, encode_float4, 0, 0},
	{"float8recv", FROM_FLOAT, encode_float8, 0, 0},
	{"numeric_recv", FROM_NUMBER, encode_numeric, 0, 0},
	{"textrecv", FROM_TEXT, encode_utf8, 0, 0},
	{"varcharrecv", FROM_TEXT, encode_utf8, 0, 0},
	{"bpcharrecv", FROM_TEXT, encode_utf8, 0, 0},
	{"enum_recv", FROM_TEXT, encode_utf8, 0, 0},
	{"json_recv", FROM_TEXT, encode_utf8, 0, 0},
	{"jsonb_recv", FROM_TEXT, encode_utf8, 0, 0},
	{"xml_recv", FROM_TEXT, encode_utf8, 0, 0},
	{"bit_recv", FROM_TEXT, encode_bits, 0, 0},
	{"varbit_recv", FROM_TEXT, encode_bits, 0, 0},
	{"bytearecv", FROM_BYTES, encode_bytea, 0, 0},
	{"date_recv", FROM_DATE, encode_date, 0, 0},
	{"time_recv", FROM_TIME, encode_time, 0, 0},
	{"timestamp_recv", FROM_TIMESTAMP, encode_timestamp, 0, 0},
	{"timestamptz_recv", FROM_TIMESTAMPTZ, encode_timestamptz, 0, 0},
	{"uuid_recv", FROM_UUID, encode_uuid, 0, 0},
};

static const struct wire *find_wire(enum row_type type, const char *receive)
{
	for (size_t i = 0; i < sizeof(wires) / sizeof(*wires); i++)
		if (!strcmp(wires[i].receive, receive) &&
		    is_kind(type, wires[i].kind))
			return &wires[i];
	return NULL;
}

bool encode_by_cast(const struct column *from, const struct pg_dest_column *to)
{
	return !find_wire(from->type, to->receive);
}

bool encode_staged_as_text(const struct column *from,
			   const struct pg_dest_column *to)
{
	static const char *const picky[] = {"enum_recv", "json_recv",
					    "jsonb_recv", "xml_recv"};

	for (size_t i = 0; i < sizeof(picky) / sizeof(*picky); i++)
		if (!strcmp(to->receive, picky[i]))
			return true;
	return encode_by_cast(from, to) || !to->built_in;
}

/* With no fewer decimals than come, only the whole part may be too long. */
static void find_end(struct encoder_pg *encoder)
{
	int scale =
		encoder->from->type == ROW_DECIMAL ? encoder->from->scale : 0;
	int digits = encoder->precision - encoder->scale + scale;

	if (!encoder->precision || encoder->scale < scale || digits < 0 ||
	    digits > 38)
		return;
	for (encoder->end = 1; digits > 0; digits--)
		encoder->end *= 10;
}

/* The limits of the destination's type, out of its typmod. */
static void read_typmod(struct encoder_pg *encoder)
{
	const char *receive = encoder->to->receive;
	int typmod = encoder->to->typmod;

	encoder->scale = 6; /* of a second */
	if (typmod < 0)
		return;
	if (!strcmp(receive, "varcharrecv") || !strcmp(receive, "bpcharrecv")) {
		encoder->length = typmod - VARHDRSZ;
	} else if (!strcmp(receive, "bit_recv") ||
		   !strcmp(receive, "varbit_recv")) {
		encoder->length = typmod;
	} else if (!strcmp(receive, "numeric_recv")) {
		encoder->precision = (typmod - VARHDRSZ) >> 16 & 0xffff;
		/* Eleven bits, with a sign. */
		encoder->scale = ((typmod - VARHDRSZ) & 0x7ff) ^ 1024;
		encoder->scale -= 1024;
		find_end(encoder);
	} else {
		encoder->scale = typmod;
	}
}

struct encoder_pg *encoder_pg_new(const struct table *shape, size_t i,
				  const struct pg_dest_column *to, bool staged,
				  bool nulls, struct error *err)
{
	const struct column *from = &shape->columns[i];
	struct encoder_pg *encoder = calloc(1, sizeof(*encoder));
	const struct wire *wire;

	if (!encoder) {
		error_memory(err, "a load");
		return NULL;
	}
	wire = staged && encode_staged_as_text(from, to)
		       ? NULL
		       : find_wire(from->type, to->receive);
	encoder->from = from;
	encoder->to = to;
	encoder->col = i;
	encoder->not_null = to->not_null && !nulls;
	strbuf_init_max(&encoder->text, INT32_MAX);
	if (wire) {
		encoder->encode = wire->encode;
		encoder->min = wire->min;
		encoder->max = wire->max;
		encoder->versioned = !strcmp(wire->receive, "jsonb_recv");
		read_typmod(encoder);
	} else {
		encoder->encode =
			is_text(from->type) ? encode_utf8 : encode_as_text;
	}
	if (is_text(from->type) &&
	    charset_init(&encoder->charset, from->charset, NULL, err) < 0) {
		encoder_pg_free(encoder);
		return NULL;
	}
	return encoder;
}

void encoder_pg_free(struct encoder_pg *encoder)
{
	if (!encoder)
		return;
	charset_release(&encoder->charset);
	strbuf_release(&encoder->text);
	free(encoder);
}

/* Converted, and once more as it was, to see whether it comes back. */
unsigned encoder_pg_held(const struct encoder_pg *encoder)
{
	if (encoder->charset.handle)
		return 5;
	if (encoder->encode == encode_as_text &&
	    encoder->from->type == ROW_BYTES)
		return 3;
	return 1;
}

int encoder_pg_put(struct encoder_pg *encoder, const struct batch *batch,
		   size_t row, struct pg_sink *sink, struct error *err)
{
	const char *problem;

	if (batch_null(batch, encoder->col, row)) {
		if (encoder->not_null)
			return error_set(err, ERROR_DATA,
					 "column '%s' is NULL in a row, but "
					 "NOT NULL in the destination: " REMEDY,
					 encoder->to->name);
		pg_sink_int32(sink, -1);
		return 0;
	}
	encoder->err = err;
	problem = encoder->encode(encoder, batch, row, sink);
	if (problem == broken)
		return -1;
	if (problem)
		return error_set(err, ERROR_DATA,
				 "a value of column '%s' %s: " REMEDY,
				 encoder->to->name, problem);
	return 0;
}
