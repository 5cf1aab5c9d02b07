/* Types and values on their way in: parameters, bulk rows. */
#include "net/typeio.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "net/typetoken.h"
#include "value/codepage.h"
#include "value/collation.h"
#include "value/convert.h"
#include "value/datetime.h"
#include "value/decimal.h"
#include "value/utf.h"

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

/* Tokens that say everything. */
static const struct {
	unsigned token;
	enum type_kind kind;
	uint32_t size;
} plain[] = {
	{W_INT1, TY_TINYINT, 1},
	{W_BIT, TY_BIT, 1},
	{W_INT2, TY_SMALLINT, 2},
	{W_INT4, TY_INT, 4},
	{W_INT8, TY_BIGINT, 8},
	{W_FLT4, TY_REAL, 4},
	{W_FLT8, TY_FLOAT, 8},
	{W_MONEY, TY_MONEY, 8},
	{W_MONEY4, TY_SMALLMONEY, 4},
	{W_DATETIME, TY_DATETIME, 8},
	{W_DATETIM4, TY_SMALLDATETIME, 4},
	{W_DATE, TY_DATE, 3},
};

static bool plain_type(struct wire_info *o)
{
	size_t i;

	for (i = 0; i < LENGTH_OF(plain); i++) {
		if (plain[i].token != o->token)
			continue;
		short_type(o, plain[i].kind, plain[i].size);
		return true;
	}
	return false;
}

/* Tokens with a length of one byte that chooses among two kinds or more. */
static bool sized_type(struct reader *r, struct wire_info *o)
{
	enum type_kind four, other;

	switch (o->token) {
	case W_INTN:
		o->size = rd8(r);
		o->type = type_of(int_kind(o->size));
		return true;
	case W_BITN:
		four = other = TY_BIT;
		break;
	case W_FLTN:
		four = TY_REAL;
		other = TY_FLOAT;
		break;
	case W_MONEYN:
		four = TY_SMALLMONEY;
		other = TY_MONEY;
		break;
	case W_DATETIMN:
		four = TY_SMALLDATETIME;
		other = TY_DATETIME;
		break;
	case W_GUID:
		four = other = TY_GUID;
		break;
	default:
		return false;
	}
	o->size = rd8(r);
	o->type = type_of(o->size == 4 ? four : other);
	return true;
}

static void decimal_type(struct reader *r, struct wire_info *o)
{
	unsigned prec, scale;

	o->size = rd8(r);
	prec = rd8(r);
	scale = rd8(r);
	if (prec < 1 || prec > 38 || scale > prec)
		r->failed = true;
	o->type = type_decimal((int)(prec ? prec : 1), (int)scale);
	if (o->token == W_NUMERICN)
		o->type.kind = TY_NUMERIC;
}

static enum type_kind time_kind(unsigned token)
{
	return token == W_TIME	      ? TY_TIME
	       : token == W_DATETIME2 ? TY_DATETIME2
				      : TY_DATETIMEOFFSET;
}

static void time_type(struct reader *r, struct wire_info *o)
{
	unsigned scale = rd8(r);

	if (scale > 7)
		r->failed = true;
	o->type = type_scaled(time_kind(o->token), (int)(scale & 7));
}

/* Text and binary with a length of two bytes. */
static const struct {
	unsigned token;
	enum type_kind kind;
	bool text;
} longs[] = {
	{W_BIGVARCHAR, TY_VARCHAR, true},   {W_BIGCHAR, TY_CHAR, true},
	{W_NVARCHAR, TY_NVARCHAR, true},    {W_NCHAR, TY_NCHAR, true},
	{W_BIGVARBIN, TY_VARBINARY, false}, {W_BIGBINARY, TY_BINARY, false},
};

static int find_long(unsigned token)
{
	size_t i;

	for (i = 0; i < LENGTH_OF(longs); i++)
		if (longs[i].token == token)
			return (int)i;
	return -1;
}

/* As before SQL Server 7.0, and the large ones. */
static void old_type(struct reader *r, struct wire_info *o)
{
	switch (o->token) {
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
	default:
		o->unknown = true;
		r->failed = true;
		break;
	}
}

void rd_type(struct reader *r, struct wire_info *o)
{
	int i;

	memset(o, 0, sizeof(*o));
	o->token = rd8(r);
	if (plain_type(o) || sized_type(r, o))
		return;
	i = find_long(o->token);
	if (i >= 0) {
		long_type(r, o, longs[i].kind, longs[i].text);
		return;
	}
	switch (o->token) {
	case W_NULL:
		o->is_null = true;
		o->type = type_null();
		break;
	case W_DECIMALN:
	case W_NUMERICN:
		decimal_type(r, o);
		break;
	case W_TIME:
	case W_DATETIME2:
	case W_DATETIMEOFFSET:
		time_type(r, o);
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
		old_type(r, o);
		break;
	}
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
	} else {
		/* smalldatetime in minutes, datetime in 300ths of a second */
		int64_t per_day = bytes == 4 ? 1440 : 25920000;
		int64_t day = bytes == 4 ? (int64_t)rd_le(r, 2)
					 : (int32_t)rd_le(r, 4);
		int64_t time = (int64_t)rd_le(r, bytes / 2);

		*out = val_int(day * per_day + time);
		if (time >= per_day || day < DAYS_1753 - DAYS_1900 ||
		    day > DAYS_MAX - DAYS_1900)
			r->failed = true;
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

/* The value inside of a variant: `data` bytes of the type that `info` gets. */
static void rd_inner(struct reader *r, struct wire_info *info, size_t data,
		     struct strbuf *mem, struct val *inner)
{
	struct reader one = {.p = (unsigned char[]){(unsigned char)info->token},
			     .left = 1};
	int i = find_long(info->token);
	unsigned prec, scale;

	if (i >= 0) {
		int coll = longs[i].text ? rd_collation(r) : 0;
		unsigned len = rd16(r);

		info->type = type_char(longs[i].kind, (int32_t)(len ? len : 1),
				       coll);
		rd_raw(r, info->type, data, mem, inner);
		return;
	}
	switch (info->token) {
	case W_DECIMALN:
	case W_NUMERICN:
		prec = rd8(r);
		scale = rd8(r);
		if (prec < 1 || prec > 38 || scale > prec) {
			r->failed = true;
			return;
		}
		info->type = type_decimal((int)prec, (int)scale);
		rd_decimal(r, info->type, (uint32_t)data, mem, inner);
		return;
	case W_GUID:
		info->type = type_of(TY_GUID);
		rd_raw(r, info->type, data, mem, inner);
		return;
	case W_DATE:
		info->type = type_of(TY_DATE);
		rd_temporal(r, info->type, (uint32_t)data, mem, inner);
		return;
	case W_TIME:
	case W_DATETIME2:
	case W_DATETIMEOFFSET:
		info->type =
			type_scaled(time_kind(info->token), (int)(rd8(r) & 7));
		rd_temporal(r, info->type, (uint32_t)data, mem, inner);
		return;
	default:
		break;
	}
	rd_type(&one, info);
	if (one.failed || info->size != data)
		r->failed = true;
	else
		rd_fixed(r, info->type, info->size, inner);
}

static void rd_variant(struct reader *r, struct strbuf *mem, struct val *out)
{
	uint32_t total = rd32(r);
	struct wire_info info;
	struct strbuf packed;
	struct val inner = val_null(), blob;
	unsigned props;
	size_t at;

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
	rd_inner(r, &info, total - 2 - props, mem, &inner);
	if (r->failed || inner.cls == VAL_NULL)
		return;
	at = mem->len;
	strbuf_init(&packed);
	variant_pack(&inner, info.type, &packed, &blob);
	strbuf_add(mem, blob.p, blob.n);
	*out = val_blob(mem->data + at, blob.n);
	strbuf_release(&packed);
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
