#include <math.h>
#include <string.h>

#include "value/convert.h"
#include "value/decimal.h"

double convert_days(struct type from, const struct val *in)
{
	struct moment m;

	moment_load(&m, from, in);
	return (double)(m.days - DAYS_1900) +
	       (double)m.ticks / (double)TICKS_PER_DAY;
}

static int from_text(const struct convert *c, const struct val *in,
		     struct type from, struct type to, struct moment *m,
		     struct diag *d)
{
	bool legacy = to.kind == TY_DATETIME || to.kind == TY_SMALLDATETIME;
	int style = c->style > 0 ? c->style : 0;
	enum parse_result r =
		moment_parse(m, in->p, in->n, c->date_order, legacy, style);

	if (r == PARSE_OK) {
		/* a zone is kept by datetimeoffset and applied by nobody */
		return 0;
	}
	if (r == PARSE_RANGE && legacy)
		return diag_set(d, 242, type_name(from), type_name(to));
	if (to.kind == TY_SMALLDATETIME)
		return diag_free_text(d, 295, 16, 3,
				      "Conversion failed when converting "
				      "character string to smalldatetime data "
				      "type.");
	return diag_set(d, 241);
}

/* Days since 1900 as a number, for datetime and smalldatetime only. */
static int from_number(const struct convert *c, const struct val *in,
		       struct type from, struct type to, struct moment *m,
		       struct diag *d)
{
	struct val days;
	double whole;

	if (convert_value(c, in, from, type_of(TY_FLOAT), &days, d) < 0)
		return -1;
	if (fabs(days.r) > 4e6)
		return diag_set(d, 8115, "expression", type_name(to));
	whole = floor(days.r);
	m->days = DAYS_1900 + (int64_t)whole;
	m->ticks = (int64_t)((days.r - whole) * (double)TICKS_PER_DAY + 0.5);
	m->offset = 0;
	if (m->ticks >= TICKS_PER_DAY) {
		m->ticks -= TICKS_PER_DAY;
		m->days++;
	}
	if (m->days < 0)
		return diag_set(d, 8115, "expression", type_name(to));
	return 0;
}

static uint32_t be32(const char *p)
{
	return (uint32_t)(unsigned char)p[0] << 24 |
	       (uint32_t)(unsigned char)p[1] << 16 |
	       (uint32_t)(unsigned char)p[2] << 8 | (unsigned char)p[3];
}

/* The server's own bytes of a datetime: days, then 1/300 s. */
static int from_binary(const struct val *in, struct type to, struct moment *m,
		       struct diag *d)
{
	char bytes[8] = {0};
	size_t n = in->n > 8 ? 8 : in->n;

	if (to.kind != TY_DATETIME && to.kind != TY_SMALLDATETIME)
		return moment_from_bytes(m, to, (const unsigned char *)in->p,
					 in->n)
			       ? 0
			       : diag_set(d, 241);
	memcpy(bytes + 8 - n, in->p + in->n - n, n);
	m->days = DAYS_1900 + (int32_t)be32(bytes);
	m->ticks = (int64_t)be32(bytes + 4) * 100000 / 3;
	m->offset = 0;
	if (m->ticks >= TICKS_PER_DAY)
		return diag_set(d, 8115, "expression", type_name(to));
	return 0;
}

static int out_of_range(struct type from, struct type to, struct diag *d)
{
	if (to.kind == TY_DATE || to.kind == TY_DATETIME2 ||
	    to.kind == TY_DATETIMEOFFSET)
		return diag_set(d, 8115, "expression", type_name(to));
	return diag_set(d, 242, type_name(from), type_name(to));
}

int convert_to_temporal(const struct convert *c, const struct val *in,
			struct type from, struct type to, struct val *out,
			struct diag *d)
{
	struct moment m;
	char *buf;

	if (from.kind == to.kind && from.scale == to.scale) {
		*out = *in;
		return 0;
	}
	if (type_is_text(from)) {
		if (from_text(c, in, from, to, &m, d) < 0)
			return -1;
	} else if (type_is_temporal(from)) {
		moment_load(&m, from, in);
	} else if (type_is_number(from)) {
		if (from_number(c, in, from, to, &m, d) < 0)
			return -1;
	} else if (type_is_binary(from)) {
		if (from_binary(in, to, &m, d) < 0)
			return -1;
	} else {
		return diag_set(d, 529, type_name(from), type_name(to));
	}
	buf = strbuf_reserve(c->mem, DATETIMEOFFSET_BLOB);
	if (!moment_store(&m, to, out, buf))
		return out_of_range(from, to, d);
	return 0;
}
