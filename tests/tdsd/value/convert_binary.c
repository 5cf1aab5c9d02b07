#include <stdio.h>
#include <string.h>

#include "value/codepage.h"
#include "value/collation.h"
#include "value/convert.h"
#include "value/datetime.h"
#include "value/decimal.h"
#include "value/utf.h"

static const int guid_order[16] = {10, 11, 12, 13, 14, 15, 8, 9,
				   6,  7,  4,  5,  0,  1,  2, 3};

void guid_to_sorted(const unsigned char raw[16], unsigned char sorted[16])
{
	int i;

	for (i = 0; i < 16; i++)
		sorted[i] = raw[guid_order[i]];
}

void guid_from_sorted(const unsigned char sorted[16], unsigned char raw[16])
{
	int i;

	for (i = 0; i < 16; i++)
		raw[guid_order[i]] = sorted[i];
}

void guid_format(const unsigned char r[16], char *buf)
{
	snprintf(buf, 37,
		 "%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-"
		 "%02X%02X%02X%02X%02X%02X",
		 r[3], r[2], r[1], r[0], r[5], r[4], r[7], r[6], r[8], r[9],
		 r[10], r[11], r[12], r[13], r[14], r[15]);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* "6F9619FF-8B86-D011-B42D-00C04FC964FF", braces allowed. */
static bool guid_parse(const char *s, size_t n, unsigned char raw[16])
{
	static const int place[16] = {3, 2, 1,	0,  5,	4,  7,	6,
				      8, 9, 10, 11, 12, 13, 14, 15};
	size_t pos = 0;
	int i;

	if (n && s[0] == '{') {
		if (n < 38 || s[37] != '}')
			return false;
		s++;
		n = 36;
	}
	if (n < 36)
		return false;
	for (i = 0; i < 16; i++) {
		int high, low;

		if (i == 4 || i == 6 || i == 8 || i == 10)
			if (s[pos++] != '-')
				return false;
		high = hex_digit(s[pos]);
		low = hex_digit(s[pos + 1]);
		if (high < 0 || low < 0)
			return false;
		raw[place[i]] = (unsigned char)(high << 4 | low);
		pos += 2;
	}
	return true;
}

int convert_to_guid(const struct convert *c, const struct val *in,
		    struct type from, struct val *out, struct diag *d)
{
	unsigned char raw[16] = {0}, *sorted;

	if (from.kind == TY_GUID) {
		*out = *in;
		return 0;
	}
	if (type_is_text(from)) {
		if (!guid_parse(in->p, in->n, raw))
			return diag_set(d, 8169);
	} else if (type_is_binary(from)) {
		memcpy(raw, in->p, in->n < 16 ? in->n : 16);
	} else {
		return diag_set(d, 529, type_name(from), "uniqueidentifier");
	}
	sorted = (unsigned char *)strbuf_reserve(c->mem, 16);
	guid_to_sorted(raw, sorted);
	*out = val_blob(sorted, 16);
	return 0;
}

int convert_fit_binary(const struct convert *c, const char *s, size_t n,
		       struct type to, struct val *out, struct diag *d)
{
	size_t max = (size_t)type_chars(to);
	char *p;

	if (n > max) {
		if (c->strict_length)
			return diag_set(d, 8152);
		n = max;
	}
	if ((to.kind != TY_BINARY && to.kind != TY_ROWVERSION) || n == max) {
		*out = val_blob(s, n);
		return 0;
	}
	p = strbuf_reserve(c->mem, max);
	memmove(p, s, n);
	memset(p + n, 0, max - n);
	*out = val_blob(p, max);
	return 0;
}

/* Numbers keep their last bytes and are padded in front. */
static int fit_number(const struct convert *c, const char *bytes, size_t n,
		      struct type to, struct val *out)
{
	size_t max = (size_t)type_chars(to);
	char *p = strbuf_reserve(c->mem, n + 8000);

	if (n > max) {
		bytes += n - max;
		n = max;
	}
	if (to.kind == TY_BINARY && n < max) {
		memset(p, 0, max - n);
		memcpy(p + max - n, bytes, n);
		n = max;
	} else {
		memcpy(p, bytes, n);
	}
	*out = val_blob(p, n);
	return 0;
}

static void put_be(char *p, uint64_t n, int width)
{
	int i;

	for (i = 0; i < width; i++)
		p[i] = (char)(n >> (8 * (width - 1 - i)));
}

static int integer_to_binary(const struct convert *c, const struct val *in,
			     struct type from, struct type to, struct val *out)
{
	char bytes[8];
	int width = from.len > 0 && from.len <= 8 ? (int)from.len : 8;

	put_be(bytes, (uint64_t)in->i, width);
	return fit_number(c, bytes, (size_t)width, to, out);
}

static int float_to_binary(const struct convert *c, const struct val *in,
			   struct type from, struct type to, struct val *out)
{
	char bytes[8];
	uint64_t bits;
	uint32_t bits4;
	float f = (float)in->r;

	memcpy(&bits, &in->r, 8);
	memcpy(&bits4, &f, 4);
	if (from.kind == TY_REAL)
		put_be(bytes, bits4, 4);
	else
		put_be(bytes, bits, 8);
	return fit_number(c, bytes, from.kind == TY_REAL ? 4 : 8, to, out);
}

static int decimal_to_binary(const struct convert *c, const struct val *in,
			     struct type from, struct type to, struct val *out,
			     struct diag *d)
{
	int128 n = decimal_load(in);
	uint128 m = n < 0 ? -(uint128)n : (uint128)n;
	char bytes[20] = {(char)from.prec, (char)from.scale, 0, n >= 0};
	int i, len = 4 + (from.len > 1 ? (int)from.len - 1 : 4);

	for (i = 4; i < len && i < 20; i++) {
		bytes[i] = (char)m;
		m >>= 8;
	}
	return convert_fit_binary(
		c, memcpy(strbuf_reserve(c->mem, 8020), bytes, 20), (size_t)len,
		to, out, d);
}

static int temporal_to_binary(const struct convert *c, const struct val *in,
			      struct type from, struct type to, struct val *out,
			      struct diag *d)
{
	char bytes[MOMENT_BYTES_MAX];
	struct moment m;
	int64_t day;
	size_t len;

	if (from.kind == TY_DATETIME) {
		day = in->i / 25920000 - (in->i % 25920000 < 0);
		put_be(bytes, (uint32_t)(int32_t)day, 4);
		put_be(bytes + 4, (uint64_t)(in->i - day * 25920000), 4);
		return fit_number(c, bytes, 8, to, out);
	}
	if (from.kind == TY_SMALLDATETIME) {
		put_be(bytes, (uint64_t)(in->i / 1440), 2);
		put_be(bytes + 2, (uint64_t)(in->i % 1440), 2);
		return fit_number(c, bytes, 4, to, out);
	}
	moment_load(&m, from, in);
	len = moment_to_bytes(m, from, (unsigned char *)bytes);
	return convert_fit_binary(
		c, memcpy(strbuf_reserve(c->mem, 8020), bytes, len), len, to,
		out, d);
}

static int hex_to_binary(const struct convert *c, const struct val *in,
			 struct type from, struct type to, struct val *out,
			 struct diag *d)
{
	const char *s = in->p;
	size_t n = in->n, i;
	char *p;

	if (c->style == 1) {
		if (n < 2 || s[0] != '0' || (s[1] != 'x' && s[1] != 'X'))
			return diag_set(d, 8114, type_name(from),
					type_name(to));
		s += 2;
		n -= 2;
	}
	if (n % 2)
		return diag_set(d, 8114, type_name(from), type_name(to));
	p = strbuf_reserve(c->mem, n / 2 + 8000);
	for (i = 0; i < n / 2; i++) {
		int high = hex_digit(s[2 * i]), low = hex_digit(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return diag_set(d, 8114, type_name(from),
					type_name(to));
		p[i] = (char)(high << 4 | low);
	}
	return convert_fit_binary(c, p, n / 2, to, out, d);
}

static int text_to_binary(const struct convert *c, const struct val *in,
			  struct type from, struct type to, struct val *out,
			  struct diag *d)
{
	size_t at = c->mem->len;

	if (c->style == 1 || c->style == 2)
		return hex_to_binary(c, in, from, to, out, d);
	if (type_is_unicode(from))
		utf_to_16le(c->mem, in->p, in->n);
	else
		codepage_encode(collation_get(from.coll)->page, in->p, in->n,
				c->mem);
	at = c->mem->len - at;
	strbuf_reserve(c->mem, 8000);
	return convert_fit_binary(c, c->mem->data + c->mem->len - at, at, to,
				  out, d);
}

int convert_to_binary(const struct convert *c, const struct val *in,
		      struct type from, struct type to, struct val *out,
		      struct diag *d)
{
	unsigned char *raw;

	if (type_is_binary(from))
		return convert_fit_binary(c, in->p, in->n, to, out, d);
	if (type_is_text(from))
		return text_to_binary(c, in, from, to, out, d);
	if (type_is_integer(from) || type_is_money(from))
		return integer_to_binary(c, in, from, to, out);
	if (type_is_float(from))
		return float_to_binary(c, in, from, to, out);
	if (type_is_decimal(from))
		return decimal_to_binary(c, in, from, to, out, d);
	if (type_is_temporal(from))
		return temporal_to_binary(c, in, from, to, out, d);
	if (from.kind == TY_GUID && in->n == 16) {
		raw = (unsigned char *)strbuf_reserve(c->mem, 8016);
		guid_from_sorted((const unsigned char *)in->p, raw);
		return convert_fit_binary(c, (char *)raw, 16, to, out, d);
	}
	return diag_set(d, 529, type_name(from), type_name(to));
}
