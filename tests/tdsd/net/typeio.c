#include "net/typeio.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "value/codepage.h"
#include "value/collation.h"
#include "value/convert.h"
#include "value/datetime.h"
#include "value/decimal.h"
#include "value/utf.h"

enum {
	W_NULL = 0x1F,
	W_IMAGE = 0x22,
	W_TEXT = 0x23,
	W_GUID = 0x24,
	W_VARBINARY_OLD = 0x25,
	W_INTN = 0x26,
	W_VARCHAR_OLD = 0x27,
	W_DATE = 0x28,
	W_TIME = 0x29,
	W_DATETIME2 = 0x2A,
	W_DATETIMEOFFSET = 0x2B,
	W_BINARY_OLD = 0x2D,
	W_CHAR_OLD = 0x2F,
	W_INT1 = 0x30,
	W_BIT = 0x32,
	W_INT2 = 0x34,
	W_INT4 = 0x38,
	W_DATETIM4 = 0x3A,
	W_FLT4 = 0x3B,
	W_MONEY = 0x3C,
	W_DATETIME = 0x3D,
	W_FLT8 = 0x3E,
	W_VARIANT = 0x62,
	W_NTEXT = 0x63,
	W_BITN = 0x68,
	W_DECIMALN = 0x6A,
	W_NUMERICN = 0x6C,
	W_FLTN = 0x6D,
	W_MONEYN = 0x6E,
	W_DATETIMN = 0x6F,
	W_MONEY4 = 0x7A,
	W_INT8 = 0x7F,
	W_BIGVARBIN = 0xA5,
	W_BIGVARCHAR = 0xA7,
	W_BIGBINARY = 0xAD,
	W_BIGCHAR = 0xAF,
	W_NVARCHAR = 0xE7,
	W_NCHAR = 0xEF,
	W_UDT = 0xF0,
	W_XML = 0xF1,
	W_TVP = 0xF3,
};

static bool older_than(const struct conn *c, unsigned version)
{
	return c->tds_version >> 24 < version;
}

struct type wire_type(const struct conn *c, struct type t)
{
	if (older_than(c, 0x73) &&
	    (t.kind == TY_DATE || t.kind == TY_TIME || t.kind == TY_DATETIME2 ||
	     t.kind == TY_DATETIMEOFFSET))
		return type_char(TY_NVARCHAR, t.prec * 2, COLLATION_DEFAULT);
	if (older_than(c, 0x72)) {
		if (t.kind == TY_XML ||
		    (t.kind == TY_NVARCHAR && t.len == TYPE_MAX))
			return type_char(TY_NTEXT, 16, t.coll);
		if (t.kind == TY_VARCHAR && t.len == TYPE_MAX)
			return type_char(TY_TEXT, 16, t.coll);
		if (t.kind == TY_VARBINARY && t.len == TYPE_MAX)
			return type_of(TY_IMAGE);
	}
	return t;
}

static void put_collation(struct conn *c, struct type t)
{
	conn_put(c, collation_get(t.coll)->tds, 5);
}

/* The token of a fixed-size type that cannot be NULL, 0 when it has none. */
static unsigned fixed_token(struct type t)
{
	switch (t.kind) {
	case TY_BIT:
		return W_BIT;
	case TY_TINYINT:
		return W_INT1;
	case TY_SMALLINT:
		return W_INT2;
	case TY_INT:
		return W_INT4;
	case TY_BIGINT:
		return W_INT8;
	case TY_REAL:
		return W_FLT4;
	case TY_FLOAT:
		return W_FLT8;
	case TY_MONEY:
		return W_MONEY;
	case TY_SMALLMONEY:
		return W_MONEY4;
	case TY_DATETIME:
		return W_DATETIME;
	case TY_SMALLDATETIME:
		return W_DATETIM4;
	default:
		return 0;
	}
}

static void put_sized(struct conn *c, unsigned token, unsigned size)
{
	conn_put8(c, token);
	conn_put8(c, size);
}

static unsigned short_len(struct type t)
{
	return t.len == TYPE_MAX ? 0xFFFF : (unsigned)t.len;
}

void wire_put_type(struct conn *c, struct type t, bool nullable)
{
	if (!nullable && fixed_token(t)) {
		conn_put8(c, fixed_token(t));
		return;
	}
	switch (t.kind) {
	case TY_BIT:
		put_sized(c, W_BITN, 1);
		break;
	case TY_TINYINT:
	case TY_SMALLINT:
	case TY_INT:
	case TY_BIGINT:
		put_sized(c, W_INTN, (unsigned)t.len);
		break;
	case TY_REAL:
	case TY_FLOAT:
		put_sized(c, W_FLTN, (unsigned)t.len);
		break;
	case TY_MONEY:
	case TY_SMALLMONEY:
		put_sized(c, W_MONEYN, (unsigned)t.len);
		break;
	case TY_DATETIME:
	case TY_SMALLDATETIME:
		put_sized(c, W_DATETIMN, (unsigned)t.len);
		break;
	case TY_DECIMAL:
	case TY_NUMERIC:
		put_sized(c, t.kind == TY_DECIMAL ? W_DECIMALN : W_NUMERICN,
			  (unsigned)type_decimal(t.prec, t.scale).len);
		conn_put8(c, t.prec);
		conn_put8(c, t.scale);
		break;
	case TY_GUID:
		put_sized(c, W_GUID, 16);
		break;
	case TY_DATE:
		conn_put8(c, W_DATE);
		break;
	case TY_TIME:
		put_sized(c, W_TIME, t.scale);
		break;
	case TY_DATETIME2:
		put_sized(c, W_DATETIME2, t.scale);
		break;
	case TY_DATETIMEOFFSET:
		put_sized(c, W_DATETIMEOFFSET, t.scale);
		break;
	case TY_CHAR:
	case TY_VARCHAR:
	case TY_NCHAR:
	case TY_NVARCHAR:
		conn_put8(c, t.kind == TY_CHAR	    ? W_BIGCHAR
			     : t.kind == TY_VARCHAR ? W_BIGVARCHAR
			     : t.kind == TY_NCHAR   ? W_NCHAR
						    : W_NVARCHAR);
		conn_put16(c, short_len(t));
		put_collation(c, t);
		break;
	case TY_BINARY:
	case TY_VARBINARY:
		conn_put8(c, t.kind == TY_BINARY ? W_BIGBINARY : W_BIGVARBIN);
		conn_put16(c, short_len(t));
		break;
	case TY_ROWVERSION:
		conn_put8(c, W_BIGBINARY);
		conn_put16(c, 8);
		break;
	case TY_TEXT:
	case TY_NTEXT:
		conn_put8(c, t.kind == TY_TEXT ? W_TEXT : W_NTEXT);
		conn_put32(c, t.kind == TY_TEXT ? 0x7FFFFFFF : 0x7FFFFFFE);
		put_collation(c, t);
		break;
	case TY_IMAGE:
		conn_put8(c, W_IMAGE);
		conn_put32(c, 0x7FFFFFFF);
		break;
	case TY_XML:
		conn_put8(c, W_XML);
		conn_put8(c, 0); /* no schema collection */
		break;
	case TY_VARIANT:
		conn_put8(c, W_VARIANT);
		conn_put32(c, 8009);
		break;
	default:
		put_sized(c, W_INTN, 4);
		break;
	}
}

/* --- values out --- */

static void put_le(struct conn *c, uint64_t n, int bytes)
{
	unsigned char b[8];
	int i;

	for (i = 0; i < bytes; i++)
		b[i] = (unsigned char)(n >> (8 * i));
	conn_put(c, b, (size_t)bytes);
}

static void put_float(struct conn *c, double r, int bytes)
{
	uint64_t bits = 0;

	if (bytes == 4) {
		float f = (float)r;
		uint32_t b4;

		memcpy(&b4, &f, 4);
		bits = b4;
	} else {
		memcpy(&bits, &r, 8);
	}
	put_le(c, bits, bytes);
}

static void put_money(struct conn *c, int64_t n, int bytes)
{
	if (bytes == 4) {
		put_le(c, (uint64_t)n, 4);
	} else { /* the high half first */
		put_le(c, (uint64_t)n >> 32, 4);
		put_le(c, (uint64_t)n, 4);
	}
}

static void put_datetime(struct conn *c, const struct val *v, int bytes)
{
	int64_t day;

	if (bytes == 4) {
		put_le(c, (uint64_t)(v->i / 1440), 2);
		put_le(c, (uint64_t)(v->i % 1440), 2);
		return;
	}
	day = v->i / 25920000 - (v->i % 25920000 < 0);
	put_le(c, (uint64_t)day, 4);
	put_le(c, (uint64_t)(v->i - day * 25920000), 4);
}

static int time_bytes(int scale)
{
	return scale <= 2 ? 3 : scale <= 4 ? 4 : 5;
}

static uint64_t scaled_ticks(int64_t ticks, int scale)
{
	for (; scale < 7; scale++)
		ticks /= 10;
	return (uint64_t)ticks;
}

/* date, time, datetime2, datetimeoffset: without the length byte. */
static void put_temporal(struct conn *c, struct type t, const struct val *v)
{
	struct moment m;

	moment_load(&m, t, v);
	if (t.kind == TY_DATETIMEOFFSET)
		moment_add_ticks(&m, -(m.offset * 60 * TICKS_PER_SECOND));
	if (t.kind != TY_DATE)
		put_le(c, scaled_ticks(m.ticks, t.scale), time_bytes(t.scale));
	if (t.kind != TY_TIME)
		put_le(c, (uint64_t)m.days, 3);
	if (t.kind == TY_DATETIMEOFFSET)
		put_le(c, (uint64_t)m.offset, 2);
}

static int temporal_bytes(struct type t)
{
	return (t.kind == TY_DATE ? 0 : time_bytes(t.scale)) +
	       (t.kind == TY_TIME ? 0 : 3) +
	       (t.kind == TY_DATETIMEOFFSET ? 2 : 0);
}

static void put_decimal(struct conn *c, struct type t, const struct val *v)
{
	int128 n = decimal_load(v);
	uint128 m = n < 0 ? -(uint128)n : (uint128)n;
	int bytes = type_decimal(t.prec, t.scale).len - 1;

	conn_put8(c, n >= 0);
	put_le(c, (uint64_t)m, bytes > 8 ? 8 : bytes);
	if (bytes > 8)
		put_le(c, (uint64_t)(m >> 64), bytes - 8);
}

/* The bytes of text or binary as they travel. */
static void wire_bytes(struct type t, const struct val *v,
		       struct strbuf *scratch, const char **p, size_t *n)
{
	*p = v->p;
	*n = v->n;
	if (v->cls != VAL_TEXT)
		return;
	strbuf_reset(scratch);
	if (type_is_unicode(t)) {
		utf_to_16le(scratch, v->p, v->n);
	} else {
		int page = collation_get(t.coll)->page;

		if (page == 65001 || utf_is_ascii(v->p, v->n))
			return;
		codepage_encode(page, v->p, v->n, scratch);
	}
	*p = scratch->data;
	*n = scratch->len;
}

static void put_plp(struct conn *c, const char *p, size_t n)
{
	conn_put64(c, n);
	if (n) {
		conn_put32(c, (uint32_t)n);
		conn_put(c, p, n);
	}
	conn_put32(c, 0);
}

static void put_bytes(struct conn *c, struct type t, const struct val *v,
		      struct strbuf *scratch)
{
	const char *p;
	size_t n;

	wire_bytes(t, v, scratch, &p, &n);
	switch (t.kind) {
	case TY_TEXT:
	case TY_NTEXT:
	case TY_IMAGE:
		conn_put8(c, 16);
		conn_put(c, "tdsd textptr 16B", 16);
		conn_put(c, "\0\0\0\0\0\0\0", 8);
		conn_put32(c, (uint32_t)n);
		conn_put(c, p, n);
		break;
	default:
		if (t.len == TYPE_MAX || t.kind == TY_XML) {
			put_plp(c, p, n);
			break;
		}
		conn_put16(c, (unsigned)n);
		conn_put(c, p, n);
	}
}

static void put_guid(struct conn *c, const struct val *v)
{
	unsigned char sorted[16] = {0}, raw[16];

	memcpy(sorted, v->p, v->n < 16 ? v->n : 16);
	guid_from_sorted(sorted, raw);
	conn_put(c, raw, 16);
}

/* The value alone, for types of fixed size. */
static void put_fixed(struct conn *c, struct type t, const struct val *v)
{
	if (type_is_integer(t))
		put_le(c, (uint64_t)v->i, t.len);
	else if (type_is_float(t))
		put_float(c, v->cls == VAL_INT ? (double)v->i : v->r, t.len);
	else if (type_is_money(t))
		put_money(c, v->i, t.len);
	else
		put_datetime(c, v, t.len);
}

static void put_variant(struct conn *c, const struct val *v,
			struct strbuf *scratch)
{
	struct type t;
	struct val inner;
	const char *p;
	size_t n;

	if (!variant_unpack(v, &t, &inner)) {
		conn_put32(c, 0);
		return;
	}
	if (type_is_text(t) || type_is_binary(t)) {
		bool text = type_is_text(t);

		wire_bytes(t, &inner, scratch, &p, &n);
		conn_put32(c, (uint32_t)(n + (text ? 9 : 4)));
		conn_put8(c, t.kind == TY_CHAR	     ? W_BIGCHAR
			     : t.kind == TY_VARCHAR  ? W_BIGVARCHAR
			     : t.kind == TY_NCHAR    ? W_NCHAR
			     : t.kind == TY_NVARCHAR ? W_NVARCHAR
			     : t.kind == TY_BINARY   ? W_BIGBINARY
						     : W_BIGVARBIN);
		conn_put8(c, text ? 7 : 2);
		if (text)
			put_collation(c, t);
		conn_put16(c, t.len > 0 ? (unsigned)t.len : 8000);
		conn_put(c, p, n);
		return;
	}
	if (type_is_decimal(t)) {
		int bytes = type_decimal(t.prec, t.scale).len;

		conn_put32(c, (uint32_t)(4 + bytes));
		conn_put8(c, t.kind == TY_DECIMAL ? W_DECIMALN : W_NUMERICN);
		conn_put8(c, 2);
		conn_put8(c, t.prec);
		conn_put8(c, t.scale);
		put_decimal(c, t, &inner);
		return;
	}
	if (t.kind == TY_GUID) {
		conn_put32(c, 18);
		conn_put8(c, W_GUID);
		conn_put8(c, 0);
		put_guid(c, &inner);
		return;
	}
	if (t.kind == TY_DATE || t.kind == TY_TIME || t.kind == TY_DATETIME2 ||
	    t.kind == TY_DATETIMEOFFSET) {
		bool scale = t.kind != TY_DATE;

		conn_put32(c, (uint32_t)(2 + scale + temporal_bytes(t)));
		conn_put8(c, t.kind == TY_DATE	      ? W_DATE
			     : t.kind == TY_TIME      ? W_TIME
			     : t.kind == TY_DATETIME2 ? W_DATETIME2
						      : W_DATETIMEOFFSET);
		conn_put8(c, scale);
		if (scale)
			conn_put8(c, t.scale);
		put_temporal(c, t, &inner);
		return;
	}
	conn_put32(c, (uint32_t)(2 + t.len));
	conn_put8(c, fixed_token(t));
	conn_put8(c, 0);
	put_fixed(c, t, &inner);
}

static void put_null(struct conn *c, struct type t)
{
	if (type_is_text(t) || t.kind == TY_BINARY || t.kind == TY_VARBINARY ||
	    t.kind == TY_ROWVERSION) {
		if (t.kind == TY_TEXT || t.kind == TY_NTEXT)
			conn_put8(c, 0);
		else if (t.len == TYPE_MAX || t.kind == TY_XML)
			conn_put64(c, UINT64_MAX);
		else
			conn_put16(c, 0xFFFF);
	} else if (t.kind == TY_VARIANT) {
		conn_put32(c, 0);
	} else {
		conn_put8(c, 0);
	}
}

/* Old clients get new types as text. */
static void put_converted(struct conn *c, struct type from, struct type to,
			  bool nullable, const struct val *v,
			  struct strbuf *scratch)
{
	struct strbuf mem;
	struct convert cv = {.style = -1, .mem = &mem};
	struct val out;
	struct diag d;

	strbuf_init(&mem);
	if (convert_value(&cv, v, from, to, &out, &d) < 0)
		out = val_null();
	wire_put_value(c, to, nullable, &out, scratch);
	strbuf_release(&mem);
}

void wire_put_value(struct conn *c, struct type t, bool nullable,
		    const struct val *v, struct strbuf *scratch)
{
	static const struct val zero = {.cls = VAL_INT};
	struct type sent = wire_type(c, t);

	if (sent.kind != t.kind && v->cls != VAL_NULL && type_is_temporal(t)) {
		put_converted(c, t, sent, nullable, v, scratch);
		return;
	}
	t = sent;
	if (v->cls == VAL_NULL) {
		if (nullable || !fixed_token(t)) {
			put_null(c, t);
			return;
		}
		v = &zero;
	}
	if (fixed_token(t)) {
		if (nullable)
			conn_put8(c, (unsigned)t.len);
		put_fixed(c, t, v);
		return;
	}
	switch (t.kind) {
	case TY_DECIMAL:
	case TY_NUMERIC:
		conn_put8(c, (unsigned)type_decimal(t.prec, t.scale).len);
		put_decimal(c, t, v);
		break;
	case TY_GUID:
		conn_put8(c, 16);
		put_guid(c, v);
		break;
	case TY_DATE:
	case TY_TIME:
	case TY_DATETIME2:
	case TY_DATETIMEOFFSET:
		conn_put8(c, (unsigned)temporal_bytes(t));
		put_temporal(c, t, v);
		break;
	case TY_VARIANT:
		put_variant(c, v, scratch);
		break;
	default:
		if (v->cls == VAL_TEXT || v->cls == VAL_BLOB)
			put_bytes(c, t, v, scratch);
		else
			put_null(c, t);
		break;
	}
}

/* --- input --- */

void rd_bytes(struct reader *r, void *out, size_t n)
{
	if (r->failed) {
		memset(out, 0, n);
		return;
	}
	if (r->c) {
		if (conn_read(r->c, out, n) < 0) {
			r->failed = true;
			memset(out, 0, n);
		}
		return;
	}
	if (n > r->left) {
		r->failed = true;
		memset(out, 0, n);
		return;
	}
	memcpy(out, r->p, n);
	r->p += n;
	r->left -= n;
}

void rd_skip(struct reader *r, size_t n)
{
	unsigned char waste[256];

	while (n && !r->failed) {
		size_t part = n < sizeof(waste) ? n : sizeof(waste);

		rd_bytes(r, waste, part);
		n -= part;
	}
}

unsigned rd8(struct reader *r)
{
	unsigned char b;

	rd_bytes(r, &b, 1);
	return b;
}

unsigned rd16(struct reader *r)
{
	unsigned char b[2];

	rd_bytes(r, b, 2);
	return (unsigned)(b[0] | b[1] << 8);
}

uint32_t rd32(struct reader *r)
{
	unsigned char b[4];

	rd_bytes(r, b, 4);
	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
	       (uint32_t)b[3] << 24;
}

uint64_t rd64(struct reader *r)
{
	uint64_t low = rd32(r);

	return low | (uint64_t)rd32(r) << 32;
}

char *rd_text16(struct reader *r, size_t chars, struct arena *pool)
{
	struct strbuf sb;
	unsigned char *raw;
	char *text;

	if (r->failed || (!r->c && chars * 2 > r->left)) {
		r->failed = true;
		return pool_strdup(pool, "");
	}
	raw = mem_alloc(chars * 2);
	rd_bytes(r, raw, chars * 2);
	strbuf_init(&sb);
	utf_from_16le(&sb, raw, chars * 2);
	text = pool_strndup(pool, sb.data, sb.len);
	strbuf_release(&sb);
	free(raw);
	return text;
}

static int rd_collation(struct reader *r)
{
	unsigned char tds[5];

	rd_bytes(r, tds, 5);
	return collation_from_tds(tds);
}

static void long_type(struct reader *r, struct wire_info *o,
		      enum type_kind kind, bool text)
{
	o->size = rd16(r);
	o->plp = o->size == 0xFFFF;
	o->type = type_char(kind, o->plp ? TYPE_MAX : (int32_t)o->size, 0);
	if (text)
		o->type.coll = (uint16_t)rd_collation(r);
	/* TDS knows no length 0, and (max) only for the variable kinds */
	if (!o->plp && !o->type.len)
		o->type.len = kind == TY_NCHAR || kind == TY_NVARCHAR ? 2 : 1;
}

static enum type_kind int_kind(uint32_t size)
{
	return size == 1   ? TY_TINYINT
	       : size == 2 ? TY_SMALLINT
	       : size == 4 ? TY_INT
			   : TY_BIGINT;
}

static void short_type(struct wire_info *o, enum type_kind kind, uint32_t size)
{
	o->type = type_of(kind);
	o->size = size;
}

void rd_type(struct reader *r, const struct conn *c, struct wire_info *o)
{
	memset(o, 0, sizeof(*o));
	o->token = rd8(r);
	switch (o->token) {
	case W_NULL:
		o->is_null = true;
		o->type = type_null();
		break;
	case W_INT1:
		short_type(o, TY_TINYINT, 1);
		break;
	case W_BIT:
		short_type(o, TY_BIT, 1);
		break;
	case W_INT2:
		short_type(o, TY_SMALLINT, 2);
		break;
	case W_INT4:
		short_type(o, TY_INT, 4);
		break;
	case W_INT8:
		short_type(o, TY_BIGINT, 8);
		break;
	case W_FLT4:
		short_type(o, TY_REAL, 4);
		break;
	case W_FLT8:
		short_type(o, TY_FLOAT, 8);
		break;
	case W_MONEY:
		short_type(o, TY_MONEY, 8);
		break;
	case W_MONEY4:
		short_type(o, TY_SMALLMONEY, 4);
		break;
	case W_DATETIME:
		short_type(o, TY_DATETIME, 8);
		break;
	case W_DATETIM4:
		short_type(o, TY_SMALLDATETIME, 4);
		break;
	case W_INTN:
		o->size = rd8(r);
		o->type = type_of(int_kind(o->size));
		break;
	case W_BITN:
		short_type(o, TY_BIT, rd8(r));
		break;
	case W_FLTN:
		o->size = rd8(r);
		o->type = type_of(o->size == 4 ? TY_REAL : TY_FLOAT);
		break;
	case W_MONEYN:
		o->size = rd8(r);
		o->type = type_of(o->size == 4 ? TY_SMALLMONEY : TY_MONEY);
		break;
	case W_DATETIMN:
		o->size = rd8(r);
		o->type =
			type_of(o->size == 4 ? TY_SMALLDATETIME : TY_DATETIME);
		break;
	case W_GUID:
		short_type(o, TY_GUID, rd8(r));
		break;
	case W_DECIMALN:
	case W_NUMERICN: {
		unsigned prec, scale;

		o->size = rd8(r);
		prec = rd8(r);
		scale = rd8(r);
		if (prec < 1 || prec > 38 || scale > prec)
			r->failed = true;
		o->type = type_decimal((int)(prec ? prec : 1), (int)scale);
		if (o->token == W_NUMERICN)
			o->type.kind = TY_NUMERIC;
		break;
	}
	case W_DATE:
		short_type(o, TY_DATE, 3);
		break;
	case W_TIME:
	case W_DATETIME2:
	case W_DATETIMEOFFSET: {
		unsigned scale = rd8(r);

		if (scale > 7)
			r->failed = true;
		o->type = type_scaled(o->token == W_TIME ? TY_TIME
				      : o->token == W_DATETIME2
					      ? TY_DATETIME2
					      : TY_DATETIMEOFFSET,
				      (int)(scale & 7));
		break;
	}
	case W_BIGVARCHAR:
		long_type(r, o, TY_VARCHAR, true);
		break;
	case W_BIGCHAR:
		long_type(r, o, TY_CHAR, true);
		break;
	case W_NVARCHAR:
		long_type(r, o, TY_NVARCHAR, true);
		break;
	case W_NCHAR:
		long_type(r, o, TY_NCHAR, true);
		break;
	case W_BIGVARBIN:
		long_type(r, o, TY_VARBINARY, false);
		break;
	case W_BIGBINARY:
		long_type(r, o, TY_BINARY, false);
		break;
	case W_VARCHAR_OLD:
	case W_CHAR_OLD:
		o->size = rd8(r);
		o->type = type_char(
			o->token == W_CHAR_OLD ? TY_CHAR : TY_VARCHAR,
			(int32_t)(o->size ? o->size : 1), COLLATION_DEFAULT);
		break;
	case W_VARBINARY_OLD:
	case W_BINARY_OLD:
		o->size = rd8(r);
		o->type = type_char(o->token == W_BINARY_OLD ? TY_BINARY
							     : TY_VARBINARY,
				    (int32_t)(o->size ? o->size : 1), 0);
		break;
	case W_TEXT:
	case W_NTEXT:
		o->size = rd32(r);
		o->type = type_of(o->token == W_TEXT ? TY_TEXT : TY_NTEXT);
		o->type.coll = (uint16_t)rd_collation(r);
		break;
	case W_IMAGE:
		o->size = rd32(r);
		o->type = type_of(TY_IMAGE);
		break;
	case W_XML:
		if (rd8(r)) { /* a schema collection's three names */
			rd_skip(r, rd8(r) * 2u);
			rd_skip(r, rd8(r) * 2u);
			rd_skip(r, rd16(r) * 2u);
		}
		o->plp = true;
		o->type = type_of(TY_XML);
		break;
	case W_VARIANT:
		o->size = rd32(r);
		o->type = type_of(TY_VARIANT);
		break;
	default:
		o->unknown = true;
		r->failed = true;
		break;
	}
	(void)c;
}

/* Sizes that the fixed kinds may have on the wire. */
static int64_t signed_of(uint64_t n, uint32_t bytes)
{
	switch (bytes) {
	case 1:
		return (int64_t)(uint8_t)n; /* tinyint has no sign */
	case 2:
		return (int16_t)n;
	case 4:
		return (int32_t)n;
	default:
		return (int64_t)n;
	}
}

static uint64_t rd_le(struct reader *r, uint32_t bytes)
{
	unsigned char b[8] = {0};
	uint64_t n = 0;
	int i;

	if (bytes > 8) {
		r->failed = true;
		return 0;
	}
	rd_bytes(r, b, bytes);
	for (i = 7; i >= 0; i--)
		n = n << 8 | b[i];
	return n;
}

static void rd_fixed(struct reader *r, struct type t, uint32_t bytes,
		     struct val *out)
{
	if (type_is_integer(t)) {
		*out = val_int(signed_of(rd_le(r, bytes), bytes));
		if (t.kind == TY_BIT)
			out->i = out->i != 0;
	} else if (type_is_float(t)) {
		uint64_t bits = rd_le(r, bytes);
		uint32_t b4 = (uint32_t)bits;
		double d;
		float f;

		memcpy(&d, &bits, 8);
		memcpy(&f, &b4, 4);
		*out = val_real(bytes == 4 ? (double)f : d);
		if (!isfinite(out->r))
			r->failed = true;
	} else if (type_is_money(t)) {
		if (bytes == 4) {
			*out = val_int((int32_t)rd_le(r, 4));
		} else {
			uint64_t high = rd_le(r, 4);

			*out = val_int((int64_t)(high << 32 | rd_le(r, 4)));
		}
	} else if (bytes == 4) {
		int64_t day = (int64_t)rd_le(r, 2);

		*out = val_int(day * 1440 + (int64_t)rd_le(r, 2));
	} else {
		int64_t day = (int32_t)rd_le(r, 4);

		*out = val_int(day * 25920000 + (int64_t)rd_le(r, 4));
	}
}

static void rd_decimal(struct reader *r, struct type t, uint32_t bytes,
		       struct strbuf *mem, struct val *out)
{
	bool positive = rd8(r);
	uint128 m = 0;
	char *buf;

	if (bytes < 2 || bytes > 17) {
		r->failed = true;
		*out = val_null();
		return;
	}
	m = rd_le(r, bytes - 1 > 8 ? 8 : bytes - 1);
	if (bytes - 1 > 8)
		m |= (uint128)rd_le(r, bytes - 9) << 64;
	if (m >= (uint128)decimal_pow10(t.prec)) {
		r->failed = true; /* more digits than it says */
		m = 0;
	}
	buf = strbuf_reserve(mem, DECIMAL_BLOB);
	*out = decimal_store(positive ? (int128)m : -(int128)m, t.prec, buf);
	mem->len += DECIMAL_BLOB;
}

static void rd_temporal(struct reader *r, struct type t, uint32_t bytes,
			struct strbuf *mem, struct val *out)
{
	struct moment m = {.days = DAYS_1900};
	int tb = t.kind == TY_DATE
			 ? 0
			 : (int)bytes - (t.kind == TY_TIME ? 0 : 3) -
				   (t.kind == TY_DATETIMEOFFSET ? 2 : 0);
	char *buf;
	int i;

	if (tb < 0 || tb > 5) {
		r->failed = true;
		*out = val_null();
		return;
	}
	m.ticks = (int64_t)rd_le(r, (uint32_t)tb);
	for (i = t.scale; i < 7; i++)
		m.ticks *= 10;
	if (t.kind != TY_TIME)
		m.days = (int64_t)rd_le(r, 3);
	if (t.kind == TY_DATETIMEOFFSET) {
		m.offset = (int16_t)rd_le(r, 2);
		if (m.offset < -840 || m.offset > 840)
			r->failed = true;
		moment_add_ticks(&m, m.offset * 60 * TICKS_PER_SECOND);
	}
	buf = strbuf_reserve(mem, DATETIMEOFFSET_BLOB);
	mem->len += DATETIMEOFFSET_BLOB;
	if (m.ticks >= TICKS_PER_DAY || !moment_store(&m, t, out, buf)) {
		r->failed = true;
		*out = val_null();
	}
}

/* Bytes of the wire become text or a blob in `mem`. */
static void take_bytes(struct type t, const unsigned char *p, size_t n,
		       struct strbuf *mem, struct val *out)
{
	size_t at;

	if (t.kind == TY_GUID) {
		unsigned char raw[16] = {0};
		char *to = strbuf_reserve(mem, 16);

		memcpy(raw, p, n < 16 ? n : 16);
		guid_to_sorted(raw, (unsigned char *)to);
		mem->len += 16;
		*out = val_blob(to, 16);
		return;
	}
	strbuf_reserve(mem, n * 3 + 1);
	at = mem->len;
	if (type_is_unicode(t))
		utf_from_16le(mem, p, n);
	else if (type_is_text(t))
		codepage_decode(collation_get(t.coll)->page, (const char *)p, n,
				mem);
	else
		strbuf_add(mem, p, n);
	*out = type_is_text(t) ? val_text(mem->data + at, mem->len - at)
			       : val_blob(mem->data + at, mem->len - at);
}

static void rd_raw(struct reader *r, struct type t, size_t n,
		   struct strbuf *mem, struct val *out)
{
	unsigned char small[512], *raw = small;

	if (!r->c && n > r->left) {
		r->failed = true;
		*out = val_null();
		return;
	}
	if (n > sizeof(small))
		raw = mem_alloc(n);
	rd_bytes(r, raw, n);
	if (type_is_unicode(t) && n % 2)
		r->failed = true;
	take_bytes(t, raw, n, mem, out);
	if (raw != small)
		free(raw);
}

static void rd_plp(struct reader *r, struct type t, struct strbuf *mem,
		   struct val *out)
{
	uint64_t total = rd64(r);
	struct strbuf raw;
	uint32_t chunk;

	*out = val_null();
	if (total == UINT64_MAX || r->failed)
		return;
	strbuf_init_max(&raw, MESSAGE_LIMIT);
	while ((chunk = rd32(r)) != 0 && !r->failed) {
		char *to;

		if ((!r->c && chunk > r->left) ||
		    !(to = strbuf_reserve(&raw, chunk))) {
			r->failed = true;
			break;
		}
		rd_bytes(r, to, chunk);
		raw.len += chunk;
	}
	if (type_is_unicode(t) && raw.len % 2)
		r->failed = true;
	if (t.kind == TY_XML && raw.len >= 2 &&
	    (unsigned char)raw.data[0] == 0xFF &&
	    (unsigned char)raw.data[1] == 0xFE)
		take_bytes(t, (unsigned char *)raw.data + 2, raw.len - 2, mem,
			   out);
	else
		take_bytes(t, (unsigned char *)raw.data, raw.len, mem, out);
	strbuf_release(&raw);
}

static void rd_variant(struct reader *r, struct strbuf *mem, struct val *out)
{
	uint32_t total = rd32(r);
	struct wire_info info;
	unsigned props;
	struct val inner;
	size_t data;

	*out = val_null();
	if (!total || r->failed)
		return;
	memset(&info, 0, sizeof(info));
	info.token = rd8(r);
	props = rd8(r);
	if (total < props + 2) {
		r->failed = true;
		return;
	}
	data = total - 2 - props;
	switch (info.token) {
	case W_BIGVARCHAR:
	case W_BIGCHAR:
	case W_NVARCHAR:
	case W_NCHAR:
	case W_BIGVARBIN:
	case W_BIGBINARY: {
		bool text =
			info.token != W_BIGVARBIN && info.token != W_BIGBINARY;
		int coll = text ? rd_collation(r) : 0;
		unsigned len = rd16(r);

		info.type = type_char(info.token == W_BIGVARCHAR  ? TY_VARCHAR
				      : info.token == W_BIGCHAR	  ? TY_CHAR
				      : info.token == W_NVARCHAR  ? TY_NVARCHAR
				      : info.token == W_NCHAR	  ? TY_NCHAR
				      : info.token == W_BIGVARBIN ? TY_VARBINARY
								  : TY_BINARY,
				      (int32_t)(len ? len : 1), coll);
		rd_raw(r, info.type, data, mem, &inner);
		break;
	}
	case W_DECIMALN:
	case W_NUMERICN: {
		unsigned prec = rd8(r), scale = rd8(r);

		if (prec < 1 || prec > 38 || scale > prec) {
			r->failed = true;
			return;
		}
		info.type = type_decimal((int)prec, (int)scale);
		rd_decimal(r, info.type, (uint32_t)data, mem, &inner);
		break;
	}
	case W_GUID:
		info.type = type_of(TY_GUID);
		rd_raw(r, info.type, data, mem, &inner);
		break;
	case W_DATE:
		info.type = type_of(TY_DATE);
		rd_temporal(r, info.type, (uint32_t)data, mem, &inner);
		break;
	case W_TIME:
	case W_DATETIME2:
	case W_DATETIMEOFFSET:
		info.type = type_scaled(info.token == W_TIME ? TY_TIME
					: info.token == W_DATETIME2
						? TY_DATETIME2
						: TY_DATETIMEOFFSET,
					(int)(rd8(r) & 7));
		rd_temporal(r, info.type, (uint32_t)data, mem, &inner);
		break;
	default: {
		struct reader one = {
			.p = (unsigned char[]){(unsigned char)info.token},
			.left = 1};

		rd_type(&one, NULL, &info);
		if (one.failed || info.size != data) {
			r->failed = true;
			return;
		}
		rd_fixed(r, info.type, info.size, &inner);
		break;
	}
	}
	if (!r->failed && inner.cls != VAL_NULL) {
		struct strbuf packed;
		struct val blob;
		size_t at = mem->len;

		strbuf_init(&packed);
		variant_pack(&inner, info.type, &packed, &blob);
		strbuf_add(mem, blob.p, blob.n);
		*out = val_blob(mem->data + at, blob.n);
		strbuf_release(&packed);
	}
}

void rd_value(struct reader *r, const struct wire_info *info,
	      struct strbuf *mem, struct val *out)
{
	struct type t = info->type;
	uint32_t n;

	*out = val_null();
	if (r->failed || info->is_null)
		return;
	if (info->plp) {
		rd_plp(r, t, mem, out);
		return;
	}
	switch (info->token) {
	case W_INT1:
	case W_BIT:
	case W_INT2:
	case W_INT4:
	case W_INT8:
	case W_FLT4:
	case W_FLT8:
	case W_MONEY:
	case W_MONEY4:
	case W_DATETIME:
	case W_DATETIM4:
		rd_fixed(r, t, info->size, out);
		return;
	case W_TEXT:
	case W_NTEXT:
	case W_IMAGE:
		n = rd32(r);
		if (n != 0xFFFFFFFF)
			rd_raw(r, t, n, mem, out);
		return;
	case W_VARIANT:
		rd_variant(r, mem, out);
		return;
	case W_VARCHAR_OLD:
	case W_CHAR_OLD:
	case W_VARBINARY_OLD:
	case W_BINARY_OLD:
		n = rd8(r);
		if (n)
			rd_raw(r, t, n, mem, out);
		return;
	default:
		break;
	}
	if (type_is_text(t) || type_is_binary(t)) {
		n = rd16(r);
		if (n != 0xFFFF)
			rd_raw(r, t, n, mem, out);
		return;
	}
	n = rd8(r);
	if (!n)
		return;
	if (t.kind == TY_GUID)
		rd_raw(r, t, n, mem, out);
	else if (type_is_decimal(t))
		rd_decimal(r, t, n, mem, out);
	else if (t.kind == TY_DATE || t.kind == TY_TIME ||
		 t.kind == TY_DATETIME2 || t.kind == TY_DATETIMEOFFSET)
		rd_temporal(r, t, n, mem, out);
	else
		rd_fixed(r, t, n, out);
}
