#include "row/extended.h"

#define US_PER_DAY INT64_C(86400000000)

/* From 0001-01-01, and from 0000-03-01, to 2000-01-01. */
#define DAYS_TO_2000	  INT64_C(730119)
#define DAYS_MARCH_TO_ONE INT64_C(306)

#define DAYS_PER_400_YEARS INT64_C(146097)

/*
 * A year that begins in March has its leap day at its end, which makes the
 * rest a matter of division.
 */
static void split(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t since = days + DAYS_MARCH_TO_ONE;
	int64_t era = (since >= 0 ? since : since - DAYS_PER_400_YEARS + 1) /
		      DAYS_PER_400_YEARS;
	int64_t in_era = since - era * DAYS_PER_400_YEARS;
	int64_t years = (in_era - in_era / 1460 + in_era / 36524 -
			 in_era / (DAYS_PER_400_YEARS - 1)) /
			365;
	int64_t in_year = in_era - (365 * years + years / 4 - years / 100);
	int64_t months = (5 * in_year + 2) / 153;

	*day = (int)(in_year - (153 * months + 2) / 5 + 1);
	*month = (int)(months < 10 ? months + 3 : months - 9);
	*year = years + era * 400 + (*month <= 2);
}

/* The year 0 of the calendar is 1 BC. */
static bool add_date(struct strbuf *out, int64_t days)
{
	int64_t year;
	int month, day;

	split(days, &year, &month, &day);
	strbuf_addf(out, "%04lld-%02d-%02d",
		    (long long)(year > 0 ? year : 1 - year), month, day);
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
