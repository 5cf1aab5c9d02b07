#include "row/extended.h"

#define US_PER_DAY INT64_C(86400000000)

/* From 0001-01-01 to 2000-01-01. */
#define DAYS_TO_2000 INT64_C(730119)

/* The year 0 of the calendar is 1 BC. */
static bool add_date(struct strbuf *out, int64_t days)
{
	int year, month, day;

	row_date_split(days, &year, &month, &day);
	strbuf_addf(out, "%04d-%02d-%02d", year > 0 ? year : 1 - year, month,
		    day);
	return year <= 0;
}

static bool add_infinity(struct strbuf *out, int64_t value)
{
	if (value == ROW_INFINITE_FUTURE)
		strbuf_addstr(out, "infinity");
	else if (value == ROW_INFINITE_PAST)
		strbuf_addstr(out, "-infinity");
	else
		return false;
	return true;
}

static void add_any_date(struct strbuf *out, int64_t days)
{
	if (!add_infinity(out, days) && add_date(out, days))
		strbuf_addstr(out, " BC");
}

static void add_timestamp(struct strbuf *out, int64_t us, const char *zone)
{
	int64_t days = us / US_PER_DAY, rest = us % US_PER_DAY;
	bool before_christ;
	int digits = 6;

	if (add_infinity(out, us))
		return;
	if (rest < 0) {
		rest += US_PER_DAY;
		days--;
	}
	before_christ = add_date(out, days + DAYS_TO_2000);
	strbuf_addf(out, "T%02d:%02d:%02d", (int)(rest / 3600000000),
		    (int)(rest / 60000000 % 60), (int)(rest / 1000000 % 60));
	rest %= 1000000;
	for (; digits && rest % 10 == 0; digits--)
		rest /= 10;
	if (digits)
		strbuf_addf(out, ".%0*d", digits, (int)rest);
	strbuf_addstr(out, zone);
	if (before_christ)
		strbuf_addstr(out, " BC");
}

bool row_format_extended(struct strbuf *out, enum row_type type,
			 const struct batch_column *values, size_t row)
{
	switch (type) {
	case ROW_DECIMAL:
		if (values->wide[row].decimal != ROW_DECIMAL_NAN)
			return false;
		strbuf_addstr(out, "NaN");
		return true;
	case ROW_DATE:
		add_any_date(out, values->i64[row]);
		return true;
	case ROW_TIMESTAMP:
		add_timestamp(out, values->i64[row], "");
		return true;
	case ROW_TIMESTAMPTZ:
		add_timestamp(out, values->wide[row].timestamptz.utc, "Z");
		return true;
	default:
		return false;
	}
}
