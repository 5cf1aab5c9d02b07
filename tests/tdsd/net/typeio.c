/* Types and values on their way out. */
#include "net/typeio.h"

#include <string.h>

#include "net/typetoken.h"
#include "value/codepage.h"
#include "value/collation.h"
#include "value/convert.h"
#include "value/datetime.h"
#include "value/decimal.h"
#include "value/utf.h"

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

/* Types whose length takes more than a byte. */
static void put_long_type(struct conn *c, struct type t)
{
	switch (t.kind) {
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
	default:
		put_long_type(c, t);
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
