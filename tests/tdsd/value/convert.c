#include "value/convert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value/codepage.h"
#include "value/collation.h"
#include "value/decimal.h"
#include "value/utf.h"

int64_t type_int_min(enum type_kind kind)
{
	switch (kind) {
	case TY_SMALLINT:
		return INT16_MIN;
	case TY_INT:
	case TY_SMALLMONEY:
		return INT32_MIN;
	case TY_BIGINT:
	case TY_MONEY:
		return INT64_MIN;
	default:
		return 0;
	}
}

int64_t type_int_max(enum type_kind kind)
{
	switch (kind) {
	case TY_BIT:
		return 1;
	case TY_TINYINT:
		return UINT8_MAX;
	case TY_SMALLINT:
		return INT16_MAX;
	case TY_INT:
	case TY_SMALLMONEY:
		return INT32_MAX;
	default:
		return INT64_MAX;
	}
}

/* Groups of types that convert alike. */
enum group {
	G_NUMBER,
	G_TEXT,
	G_BINARY,
	G_DATETIME, /* datetime, smalldatetime: half numbers */
	G_TIME,	    /* date, time, datetime2, datetimeoffset */
	G_GUID,
	G_XML,
	G_VARIANT,
	G_LOBTEXT,
	G_IMAGE,
};

static enum group group_of(struct type t)
{
	switch (t.kind) {
	case TY_XML:
		return G_XML;
	case TY_VARIANT:
		return G_VARIANT;
	case TY_GUID:
		return G_GUID;
	case TY_DATETIME:
	case TY_SMALLDATETIME:
		return G_DATETIME;
	case TY_TEXT:
	case TY_NTEXT:
		return G_LOBTEXT;
	case TY_IMAGE:
		return G_IMAGE;
	default:
		if (type_is_number(t))
			return G_NUMBER;
		if (type_is_text(t))
			return G_TEXT;
		return type_is_binary(t) ? G_BINARY : G_TIME;
	}
}

enum convert_rule convert_rule(struct type from, struct type to)
{
	/* rows: from, columns: to; I implicit, E explicit, N never */
	static const char *const rules[] = {
		/*             num txt bin dtm tim gid xml var ltx img */
		[G_NUMBER] = "IIIINNNINN",  [G_TEXT] = "IIEIIIIIII",
		[G_BINARY] = "IIIIEIIIEI",  [G_DATETIME] = "EIEIINNINN",
		[G_TIME] = "NIEIINNINN",    [G_GUID] = "NIINNINIIN",
		[G_XML] = "NEENNNINNN",	    [G_VARIANT] = "EEEEEENINN",
		[G_LOBTEXT] = "NINNNNININ", [G_IMAGE] = "NNINNNNNNI",
	};
	char rule;

	if (from.null || from.kind == to.kind)
		return CONVERT_IMPLICIT;
	rule = rules[group_of(from)][group_of(to)];
	if (from.kind == TY_DATE && to.kind == TY_TIME)
		return CONVERT_NEVER;
	if (from.kind == TY_TIME && to.kind == TY_DATE)
		return CONVERT_NEVER;
	if (to.kind == TY_VARIANT && type_is_lob(from))
		return CONVERT_NEVER;
	if (type_is_float(from) && to.kind == TY_ROWVERSION)
		return CONVERT_NEVER;
	if (type_is_binary(from) && type_is_float(to))
		return CONVERT_NEVER;
	if (to.kind == TY_MONEY && type_is_text(from) && rule == 'I')
		return CONVERT_IMPLICIT;
	return rule == 'I'   ? CONVERT_IMPLICIT
	       : rule == 'E' ? CONVERT_EXPLICIT
			     : CONVERT_NEVER;
}

/* "numeric" is what the server says for both in messages. */
static const char *number_name(struct type t)
{
	return type_is_decimal(t) ? "numeric" : type_name(t);
}

static void trim(const char **s, size_t *n)
{
	while (*n && **s == ' ') {
		++*s;
		--*n;
	}
	while (*n && (*s)[*n - 1] == ' ')
		--*n;
}

static int not_a_number(const char *s, size_t n, struct type from,
			struct type to, struct diag *d)
{
	if (to.kind == TY_BIGINT || type_is_float(to) || type_is_decimal(to))
		return diag_set(d, 8114, type_name(from), number_name(to));
	if (type_is_money(to))
		return diag_set(d, 235);
	return diag_free_text(d, 245, 16, 1,
			      "Conversion failed when converting the %s value "
			      "'%.*s' to data type %s.",
			      type_name(from), (int)(n > 1000 ? 1000 : n), s,
			      type_name(to));
}

static int text_overflow(const char *s, size_t n, struct type from,
			 struct type to, struct diag *d)
{
	char value[128];

	snprintf(value, sizeof(value), "%.*s", (int)(n > 100 ? 100 : n), s);
	switch (to.kind) {
	case TY_TINYINT:
		return diag_set(d, 244, type_name(from), value, "INT1");
	case TY_SMALLINT:
		return diag_set(d, 244, type_name(from), value, "INT2");
	case TY_INT:
		return diag_set(d, 248, type_name(from), value);
	case TY_MONEY:
	case TY_SMALLMONEY:
		return diag_set(d, 236);
	default:
		return diag_set(d, 8115, type_name(from), number_name(to));
	}
}

/* Text to bit … bigint. */
static int text_to_int(const char *s, size_t n, struct type from,
		       struct type to, int64_t *out, struct diag *d)
{
	const char *all = s;
	size_t all_n = n;
	int128 value;
	int code;

	trim(&s, &n);
	*out = 0;
	if (!n)
		return 0;
	if (to.kind == TY_BIT && n == 4 && !memcmp(s, "true", 4)) {
		*out = 1;
		return 0;
	}
	if (to.kind == TY_BIT &&
	    ((n == 4 && (s[0] | 32) == 't' && (s[1] | 32) == 'r' &&
	      (s[2] | 32) == 'u' && (s[3] | 32) == 'e') ||
	     (n == 5 && (s[0] | 32) == 'f' && (s[1] | 32) == 'a' &&
	      (s[2] | 32) == 'l' && (s[3] | 32) == 's' &&
	      (s[4] | 32) == 'e'))) {
		*out = n == 4;
		return 0;
	}
	if (memchr(s, '.', n))
		return not_a_number(all, all_n, from, to, d);
	code = decimal_parse(s, n, 0, false, &value);
	if (code == 8114)
		return not_a_number(all, all_n, from, to, d);
	if (to.kind == TY_BIT && !code) {
		*out = value != 0;
		return 0;
	}
	if (code || value < type_int_min((enum type_kind)to.kind) ||
	    value > type_int_max((enum type_kind)to.kind))
		return text_overflow(s, n, from, to, d);
	*out = (int64_t)value;
	return 0;
}

/* Money allows a currency sign and commas. */
static int text_to_money(const char *s, size_t n, struct type from,
			 struct type to, int64_t *out, struct diag *d)
{
	char clean[64];
	size_t i, len = 0;
	int128 value;
	int code;

	trim(&s, &n);
	*out = 0;
	if (!n)
		return 0;
	for (i = 0; i < n; i++) {
		if (s[i] == ',' || s[i] == '$' || s[i] == ' ')
			continue;
		if (len >= sizeof(clean) - 1)
			return text_overflow(s, n, from, to, d);
		clean[len++] = s[i];
	}
	code = decimal_parse(clean, len, 4, false, &value);
	if (code == 8114)
		return not_a_number(s, n, from, to, d);
	if (code || value < type_int_min((enum type_kind)to.kind) ||
	    value > type_int_max((enum type_kind)to.kind))
		return text_overflow(s, n, from, to, d);
	*out = (int64_t)value;
	return 0;
}

static int text_to_double(const char *s, size_t n, struct type from,
			  struct type to, double *out, struct diag *d)
{
	char copy[400], *end;
	size_t i;

	trim(&s, &n);
	*out = 0;
	if (!n)
		return 0;
	if (n >= sizeof(copy))
		return not_a_number(s, n, from, to, d);
	for (i = 0; i < n; i++)
		if (!strchr("0123456789+-.eEdD", s[i]) || !s[i])
			return not_a_number(s, n, from, to, d);
	for (i = 0; i < n; i++)
		copy[i] = s[i] == 'd' || s[i] == 'D' ? 'e' : s[i];
	copy[n] = '\0';
	*out = strtod(copy, &end);
	if (*end || end == copy)
		return not_a_number(s, n, from, to, d);
	if (!isfinite(*out) ||
	    (to.kind == TY_REAL && fabs(*out) > 3.4028235677973366e38))
		return diag_set(d, 8115, type_name(from), type_name(to));
	return 0;
}

/* --- numbers to numbers --- */

static int overflow_int(struct type from, struct type to, int64_t value,
			struct diag *d)
{
	char text[32];

	if (to.kind == TY_TINYINT || to.kind == TY_SMALLINT) {
		if (from.kind == TY_BIGINT || type_is_decimal(from) ||
		    type_is_money(from))
			return diag_set(d, 8115,
					type_is_integer(from)
						? "expression"
						: number_name(from),
					type_name(to));
		snprintf(text, sizeof(text), "%lld", (long long)value);
		return diag_set(d, 220, type_name(to), text);
	}
	return diag_set(d, 8115,
			type_is_integer(from) ? "expression"
					      : number_name(from),
			type_name(to));
}

static int store_int(int128 value, struct type from, struct type to,
		     struct val *out, struct diag *d)
{
	if (to.kind == TY_BIT) {
		*out = val_int(value != 0);
		return 0;
	}
	if (value < type_int_min((enum type_kind)to.kind) ||
	    value > type_int_max((enum type_kind)to.kind))
		return overflow_int(from, to, (int64_t)value, d);
	*out = val_int((int64_t)value);
	return 0;
}

static int too_large(double r, struct type to, struct diag *d)
{
	char text[400];

	snprintf(text, sizeof(text), "%.6f", r);
	return diag_set(d, 232, type_name(to), text);
}

static int double_to_int(double r, struct type from, struct type to,
			 struct val *out, struct diag *d)
{
	if (to.kind == TY_BIT) {
		*out = val_int(r != 0);
		return 0;
	}
	r = trunc(r);
	if (!(r >= -9223372036854775808.0 && r < 9223372036854775808.0) ||
	    (int64_t)r < type_int_min((enum type_kind)to.kind) ||
	    (int64_t)r > type_int_max((enum type_kind)to.kind)) {
		if (to.kind == TY_BIGINT)
			return diag_set(d, 8115, "expression", "bigint");
		return too_large(r, to, d);
	}
	(void)from;
	*out = val_int((int64_t)r);
	return 0;
}

/* The exact number in an integer, decimal or money value and its scale. */
static int128 exact(const struct val *in, struct type from, int *scale)
{
	*scale = type_is_decimal(from) ? from.scale
		 : type_is_money(from) ? 4
				       : 0;
	return decimal_load(in);
}

static uint64_t binary_to_bits(const struct val *in, size_t width)
{
	size_t n = in->n < width ? in->n : width, i;
	const char *p = in->p + in->n - n;
	uint64_t bits = 0;

	for (i = 0; i < n; i++)
		bits = bits << 8 | (unsigned char)p[i];
	return bits;
}

static int64_t binary_to_int(const struct val *in, enum type_kind kind)
{
	switch (kind) {
	case TY_BIT:
		return binary_to_bits(in, 1) != 0;
	case TY_TINYINT:
		return (int64_t)binary_to_bits(in, 1);
	case TY_SMALLINT:
		return (int16_t)binary_to_bits(in, 2);
	case TY_INT:
	case TY_SMALLMONEY:
		return (int32_t)binary_to_bits(in, 4);
	default:
		return (int64_t)binary_to_bits(in, 8);
	}
}

static int to_integer(const struct convert *c, const struct val *in,
		      struct type from, struct type to, struct val *out,
		      struct diag *d)
{
	int64_t i;
	int scale;
	int128 n;

	(void)c;
	if (type_is_text(from)) {
		if (text_to_int(in->p, in->n, from, to, &i, d) < 0)
			return -1;
		*out = val_int(i);
		return 0;
	}
	if (type_is_binary(from)) {
		*out = val_int(binary_to_int(in, (enum type_kind)to.kind));
		return 0;
	}
	if (type_is_float(from))
		return double_to_int(in->r, from, to, out, d);
	if (type_is_temporal(from))
		return store_int((int128)floor(convert_days(from, in) + 0.5),
				 from, to, out, d);
	n = exact(in, from, &scale);
	if (to.kind == TY_BIT)
		return store_int(n, from, to, out, d);
	decimal_rescale(&n, scale, 0, !type_is_money(from));
	return store_int(n, from, to, out, d);
}

static int to_float(const struct val *in, struct type from, struct type to,
		    struct val *out, struct diag *d)
{
	double r;
	int scale;

	if (type_is_text(from)) {
		if (text_to_double(in->p, in->n, from, to, &r, d) < 0)
			return -1;
	} else if (type_is_float(from)) {
		r = in->r;
	} else if (type_is_temporal(from)) {
		r = convert_days(from, in);
	} else if (type_is_integer(from)) {
		r = (double)in->i;
	} else {
		int128 n = exact(in, from, &scale);

		r = decimal_to_double(n, scale);
	}
	if (to.kind == TY_REAL) {
		if (fabs(r) > 3.4028235677973366e38)
			return too_large(r, to, d);
		r = (double)(float)r;
	}
	*out = val_real(r);
	return 0;
}

/* The bytes that CONVERT makes of a decimal: precision, scale, 0, sign, and
 * the number from its lowest byte on. */
static bool decimal_from_bytes(const struct val *in, int *scale, int128 *out)
{
	const unsigned char *p = (const unsigned char *)in->p;
	uint128 m = 0;

	if (in->n < 5 || in->n > 20 || !p[0] || p[0] > 38 || p[1] > p[0] ||
	    p[2] || p[3] > 1)
		return false;
	for (size_t i = in->n; i > 4; i--)
		m = m << 8 | p[i - 1];
	if (m >> 127)
		return false;
	*scale = p[1];
	*out = p[3] ? (int128)m : -(int128)m;
	return decimal_fits(*out, p[0]);
}

static int to_decimal(const struct convert *c, const struct val *in,
		      struct type from, struct type to, struct val *out,
		      struct diag *d)
{
	int scale, code;
	int128 n;
	char *buf;

	if (type_is_text(from)) {
		const char *s = in->p;
		size_t len = in->n;

		trim(&s, &len);
		code = decimal_parse(s, len, to.scale, false, &n);
		if (code == 8114)
			return not_a_number(s, len, from, to, d);
		if (code)
			return text_overflow(s, len, from, to, d);
	} else if (type_is_float(from)) {
		if (!decimal_from_double(in->r, to.scale, &n))
			return diag_set(d, 8115, type_name(from), "numeric");
	} else if (type_is_temporal(from)) {
		if (!decimal_from_double(convert_days(from, in), to.scale, &n))
			return diag_set(d, 8115, type_name(from), "numeric");
	} else {
		if (!type_is_binary(from))
			n = exact(in, from, &scale);
		else if (!decimal_from_bytes(in, &scale, &n))
			return diag_set(d, 8114, type_name(from), "numeric");
		if (!decimal_rescale(&n, scale, to.scale, false))
			return diag_set(d, 8115, number_name(from), "numeric");
	}
	if (!decimal_fits(n, to.prec)) {
		diag_set(d, 8115, number_name(from), "numeric");
		d->state = 8;
		return -1;
	}
	buf = strbuf_reserve(c->mem, DECIMAL_BLOB);
	*out = decimal_store(n, to.prec, buf);
	return 0;
}

static int to_money(const struct val *in, struct type from, struct type to,
		    struct val *out, struct diag *d)
{
	int64_t i;
	int scale;
	int128 n;

	if (type_is_text(from)) {
		if (text_to_money(in->p, in->n, from, to, &i, d) < 0)
			return -1;
		*out = val_int(i);
		return 0;
	}
	if (type_is_binary(from)) {
		*out = val_int(binary_to_int(in, (enum type_kind)to.kind));
		return 0;
	}
	if (type_is_float(from) || type_is_temporal(from)) {
		double r = type_is_float(from) ? in->r : convert_days(from, in);

		if (!decimal_from_double(r, 4, &n))
			return diag_set(d, 8115, type_name(from),
					type_name(to));
	} else {
		n = exact(in, from, &scale);
		if (!decimal_rescale(&n, scale, 4, false))
			return diag_set(d, 8115, number_name(from),
					type_name(to));
	}
	if (n < type_int_min((enum type_kind)to.kind) ||
	    n > type_int_max((enum type_kind)to.kind))
		return diag_set(d, 8115,
				type_is_integer(from) ? "expression"
						      : number_name(from),
				type_name(to));
	*out = val_int((int64_t)n);
	return 0;
}

void variant_pack(const struct val *in, struct type t, struct strbuf *mem,
		  struct val *out)
{
	int64_t packed = type_pack(t);
	size_t at = mem->len;

	strbuf_add(mem, &packed, sizeof(packed));
	if (in->cls == VAL_INT)
		strbuf_add(mem, &in->i, sizeof(in->i));
	else if (in->cls == VAL_REAL)
		strbuf_add(mem, &in->r, sizeof(in->r));
	else
		strbuf_add(mem, in->p, in->n);
	*out = val_blob(mem->data + at, mem->len - at);
}

bool variant_unpack(const struct val *in, struct type *t, struct val *out)
{
	int64_t packed;

	if (in->cls != VAL_BLOB || in->n < sizeof(packed))
		return false;
	memcpy(&packed, in->p, sizeof(packed));
	*t = type_unpack(packed);
	if (type_is_text(*t)) {
		*out = val_text(in->p + 8, in->n - 8);
	} else if (type_is_float(*t) && in->n == 16) {
		out->cls = VAL_REAL;
		memcpy(&out->r, in->p + 8, 8);
	} else if (type_is_binary(*t) || t->kind == TY_GUID ||
		   t->kind == TY_DATETIMEOFFSET ||
		   (type_is_decimal(*t) && t->prec > 18)) {
		*out = val_blob(in->p + 8, in->n - 8);
	} else if (in->n == 16) {
		out->cls = VAL_INT;
		memcpy(&out->i, in->p + 8, 8);
	} else {
		return false;
	}
	return true;
}

static int from_variant(const struct convert *c, const struct val *in,
			struct type to, struct val *out, struct diag *d)
{
	struct type t;
	struct val inner;

	if (!variant_unpack(in, &t, &inner)) {
		*out = val_null();
		return 0;
	}
	return convert_value(c, &inner, t, to, out, d);
}

int convert_value(const struct convert *c, const struct val *in,
		  struct type from, struct type to, struct val *out,
		  struct diag *d)
{
	strbuf_reset(c->mem);
	if (in->cls == VAL_NULL) {
		*out = val_null();
		return 0;
	}
	if (from.kind == TY_VARIANT && to.kind != TY_VARIANT)
		return from_variant(c, in, to, out, d);
	if (to.kind == TY_VARIANT) {
		if (from.kind == TY_VARIANT)
			*out = *in;
		else
			variant_pack(in, from, c->mem, out);
		return 0;
	}
	if (type_is_integer(to))
		return to_integer(c, in, from, to, out, d);
	if (type_is_float(to))
		return to_float(in, from, to, out, d);
	if (type_is_decimal(to))
		return to_decimal(c, in, from, to, out, d);
	if (type_is_money(to))
		return to_money(in, from, to, out, d);
	if (type_is_text(to))
		return convert_to_text(c, in, from, to, out, d);
	if (type_is_temporal(to))
		return convert_to_temporal(c, in, from, to, out, d);
	if (to.kind == TY_GUID)
		return convert_to_guid(c, in, from, out, d);
	if (type_is_binary(to))
		return convert_to_binary(c, in, from, to, out, d);
	return diag_set(d, 529, type_name(from), type_name(to));
}
