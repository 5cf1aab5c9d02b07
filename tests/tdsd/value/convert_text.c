/*
 * Values as text. Numbers, dates and bytes are first written to a small
 * buffer, then made to fit as any text is, except that a number which does not
 * fit is an error or a '*', never cut.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "value/codepage.h"
#include "value/collation.h"
#include "value/convert.h"
#include "value/decimal.h"
#include "value/utf.h"
#include "value/xml.h"

static int too_long(const struct convert *c, const char *s, size_t n,
		    size_t kept, struct diag *d)
{
	size_t i;

	if (!c->strict_length)
		return 0;
	for (i = kept; i < n; i++)
		if (s[i] != ' ')
			return diag_set(d, 8152);
	return 0;
}

/* The bytes of the longest prefix that takes at most `max` page bytes. */
static size_t fit_page(int page, const char *s, size_t n, size_t max)
{
	size_t pos = 0, used = 0;

	while (pos < n) {
		size_t at = pos;

		utf_next(s, n, &pos);
		used += codepage_bytes(page, s + at, pos - at);
		if (used > max)
			return at;
	}
	return n;
}

static void pad(struct strbuf *mem, const char *s, size_t n, size_t blanks,
		struct val *out)
{
	/* the text may lie in `mem`, which may move */
	bool inside = s >= mem->data && s <= mem->data + mem->len;
	size_t at = inside ? (size_t)(s - mem->data) : 0;
	char *p = strbuf_reserve(mem, n + blanks);

	memmove(p, inside ? mem->data + at : s, n);
	memset(p + n, ' ', blanks);
	mem->len += n + blanks;
	*out = val_text(p, n + blanks);
}

/*
 * Letters that the code page has not are replaced, as the server does when it
 * stores them. The result lies in `mem`.
 */
static void through_page(struct strbuf *mem, int page, const char **s,
			 size_t *n)
{
	struct strbuf bytes;
	size_t at;

	strbuf_init(&bytes);
	codepage_encode(page, *s, *n, &bytes);
	at = mem->len;
	codepage_decode(page, bytes.data, bytes.len, mem);
	strbuf_release(&bytes);
	*s = mem->data + at;
	*n = mem->len - at;
}

int convert_fit_text(const struct convert *c, const char *s, size_t n,
		     struct type to, struct val *out, struct diag *d)
{
	int32_t max = type_chars(to);
	bool fixed = to.kind == TY_CHAR || to.kind == TY_NCHAR;
	bool ascii = utf_is_ascii(s, n);
	size_t kept = n, size;

	if (!type_is_unicode(to) && !ascii) {
		int page = collation_get(to.coll)->page;

		if (page != 65001)
			through_page(c->mem, page, &s, &n);
		kept = n;
		size = codepage_bytes(page, s, n);
		if (max != INT32_MAX && size > (size_t)max) {
			kept = fit_page(page, s, n, (size_t)max);
			size = codepage_bytes(page, s, kept);
		}
	} else if (max != INT32_MAX && n > (size_t)max) {
		kept = utf_offset(s, n, (size_t)max);
		size = fixed ? utf_units(s, kept) : 0;
	} else {
		size = ascii ? n : utf_units(s, n);
	}
	if (kept < n && too_long(c, s, n, kept, d) < 0)
		return -1;
	if (fixed && size < (size_t)max)
		pad(c->mem, s, kept, (size_t)max - size, out);
	else
		*out = val_text(s, kept);
	return 0;
}

/* A number's text, which must not be cut. */
static int fit_number(const struct convert *c, const char *s, size_t n,
		      struct type from, struct type to, struct val *out,
		      struct diag *d)
{
	char *p;

	if (n > (size_t)type_chars(to)) {
		if (type_is_integer(from) && !type_is_unicode(to)) {
			s = "*";
			n = 1;
		} else {
			const char *name = type_is_decimal(from) ? "numeric"
					   : type_is_integer(from)
						   ? "expression"
						   : type_name(from);

			return diag_set(d, 8115, name, type_name(to));
		}
	}
	if (to.kind == TY_CHAR || to.kind == TY_NCHAR)
		return convert_fit_text(c, s, n, to, out, d);
	p = strbuf_reserve(c->mem, n);
	memcpy(p, s, n);
	*out = val_text(p, n);
	return 0;
}

/* The server writes three digits of exponent. */
static void exponent3(char *s, size_t size)
{
	char *e = strchr(s, 'e');
	int exp;

	if (!e || sscanf(e + 1, "%d", &exp) != 1)
		return;
	snprintf(e, size - (size_t)(e - s), "e%c%03d", exp < 0 ? '-' : '+',
		 exp < 0 ? -exp : exp);
}

static void format_float(double r, struct type from, int style, char *buf,
			 size_t size)
{
	bool real = from.kind == TY_REAL;

	switch (style) {
	case 1:
		snprintf(buf, size, "%.7e", r);
		break;
	case 2:
		snprintf(buf, size, "%.15e", r);
		break;
	case 3:
		snprintf(buf, size, real ? "%.8e" : "%.16e", r);
		break;
	default:
		snprintf(buf, size, "%.6g", r);
		break;
	}
	if (r == 0 && style <= 0)
		snprintf(buf, size, "0");
	exponent3(buf, size);
}

static void format_money(int64_t value, int style, char *buf)
{
	int128 n = value;
	char plain[64];
	size_t len, i, at = 0, whole;

	if (style == 2 || style == 126) {
		decimal_format(n, 4, buf);
		return;
	}
	decimal_rescale(&n, 4, 2, false);
	len = decimal_format(n, 2, plain);
	whole = len - 3;
	for (i = 0; i < len; i++) {
		buf[at++] = plain[i];
		if (style == 1 && i + 1 < whole && plain[i] != '-' &&
		    (whole - i - 1) % 3 == 0)
			buf[at++] = ',';
	}
	buf[at] = '\0';
}

static int number_to_text(const struct convert *c, const struct val *in,
			  struct type from, struct type to, struct val *out,
			  struct diag *d)
{
	char buf[80];

	if (type_is_integer(from))
		snprintf(buf, sizeof(buf), "%lld", (long long)in->i);
	else if (type_is_float(from))
		format_float(in->r, from, c->style, buf, sizeof(buf));
	else if (type_is_money(from))
		format_money(in->i, c->style, buf);
	else
		decimal_format(decimal_load(in), from.scale, buf);
	return fit_number(c, buf, strlen(buf), from, to, out, d);
}

static int temporal_to_text(const struct convert *c, const struct val *in,
			    struct type from, struct type to, struct val *out,
			    struct diag *d)
{
	struct moment m;
	char buf[80], *p;
	size_t n;

	moment_load(&m, from, in);
	if (!moment_format(&m, from, c->style, buf, sizeof(buf)))
		return diag_set(d, 281, c->style, type_name(from));
	n = strlen(buf);
	p = strbuf_reserve(c->mem, 80);
	memcpy(p, buf, n + 1);
	/* dates are cut without a word */
	return convert_fit_text(
		&(struct convert){.style = c->style, .mem = c->mem}, p, n, to,
		out, d);
}

static int binary_to_text(const struct convert *c, const struct val *in,
			  struct type to, struct val *out, struct diag *d)
{
	static const char digit[] = "0123456789ABCDEF";
	struct strbuf text;
	size_t i, at;

	strbuf_init_max(&text, SIZE_MAX / 4);
	if (c->style == 1 || c->style == 2) {
		if (c->style == 1)
			strbuf_add(&text, "0x", 2);
		for (i = 0; i < in->n; i++) {
			strbuf_addch(&text, digit[in->p[i] >> 4 & 15]);
			strbuf_addch(&text, digit[in->p[i] & 15]);
		}
	} else if (type_is_unicode(to)) {
		utf_from_16le(&text, (const unsigned char *)in->p, in->n);
	} else {
		codepage_decode(collation_get(to.coll)->page, in->p, in->n,
				&text);
	}
	at = c->mem->len;
	strbuf_add(c->mem, text.data, text.len);
	strbuf_release(&text);
	return convert_fit_text(c, c->mem->data + at, c->mem->len - at, to, out,
				d);
}

static int guid_to_text(const struct convert *c, const struct val *in,
			struct type to, struct val *out, struct diag *d)
{
	unsigned char raw[16] = {0};
	char *p = strbuf_reserve(c->mem, 40);

	if (type_chars(to) < 36)
		return diag_set(d, 8170);
	if (in->cls == VAL_BLOB && in->n == 16)
		guid_from_sorted((const unsigned char *)in->p, raw);
	guid_format(raw, p);
	c->mem->len += 36;
	return convert_fit_text(c, p, 36, to, out, d);
}

static int text_to_xml(const struct convert *c, const struct val *in,
		       struct type from, struct type to, struct val *out,
		       struct diag *d)
{
	bool keep_blanks = c->style == 1 || c->style == 3;
	struct strbuf text;
	int ret;

	strbuf_init_max(&text, SIZE_MAX / 4);
	ret = xml_normalize(in->p, in->n, type_is_unicode(from), keep_blanks,
			    &text, d);
	strbuf_add(c->mem, text.data, text.len);
	strbuf_release(&text);
	if (ret < 0)
		return -1;
	return convert_fit_text(c, c->mem->data, c->mem->len, to, out, d);
}

int convert_to_text(const struct convert *c, const struct val *in,
		    struct type from, struct type to, struct val *out,
		    struct diag *d)
{
	if (in->cls == VAL_TEXT && to.kind == TY_XML && from.kind != TY_XML)
		return text_to_xml(c, in, from, to, out, d);
	if (in->cls == VAL_TEXT)
		return convert_fit_text(c, in->p, in->n, to, out, d);
	if (type_is_number(from))
		return number_to_text(c, in, from, to, out, d);
	if (type_is_temporal(from))
		return temporal_to_text(c, in, from, to, out, d);
	if (from.kind == TY_GUID)
		return guid_to_text(c, in, to, out, d);
	if (type_is_binary(from) && in->cls == VAL_BLOB)
		return binary_to_text(c, in, to, out, d);
	return diag_set(d, 529, type_name(from), type_name(to));
}
