#include "fn/datepart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fn/fn.h"
#include "value/datetime.h"
#include "value/decimal.h"

static const struct {
	const char *name;
	enum date_part part;
} part_names[] = {
	{"year", PART_YEAR},
	{"yy", PART_YEAR},
	{"yyyy", PART_YEAR},
	{"quarter", PART_QUARTER},
	{"qq", PART_QUARTER},
	{"q", PART_QUARTER},
	{"month", PART_MONTH},
	{"mm", PART_MONTH},
	{"m", PART_MONTH},
	{"dayofyear", PART_DAYOFYEAR},
	{"dy", PART_DAYOFYEAR},
	{"y", PART_DAYOFYEAR},
	{"day", PART_DAY},
	{"dd", PART_DAY},
	{"d", PART_DAY},
	{"week", PART_WEEK},
	{"wk", PART_WEEK},
	{"ww", PART_WEEK},
	{"weekday", PART_WEEKDAY},
	{"dw", PART_WEEKDAY},
	{"w", PART_WEEKDAY},
	{"iso_week", PART_ISO_WEEK},
	{"isowk", PART_ISO_WEEK},
	{"isoww", PART_ISO_WEEK},
	{"hour", PART_HOUR},
	{"hh", PART_HOUR},
	{"minute", PART_MINUTE},
	{"mi", PART_MINUTE},
	{"n", PART_MINUTE},
	{"second", PART_SECOND},
	{"ss", PART_SECOND},
	{"s", PART_SECOND},
	{"millisecond", PART_MILLISECOND},
	{"ms", PART_MILLISECOND},
	{"microsecond", PART_MICROSECOND},
	{"mcs", PART_MICROSECOND},
	{"nanosecond", PART_NANOSECOND},
	{"ns", PART_NANOSECOND},
	{"tzoffset", PART_TZOFFSET},
	{"tz", PART_TZOFFSET},
};

enum date_part date_part_find(const char *name)
{
	size_t i;

	for (i = 0; i < LENGTH_OF(part_names); i++)
		if (!strcasecmp(part_names[i].name, name))
			return part_names[i].part;
	return PART_NONE;
}

static struct moment moment_arg(sqlite3_value *v, sqlite3_value *type)
{
	struct val x = fn_val(v);
	struct moment m;

	moment_load(&m, type_unpack(sqlite3_value_int64(type)), &x);
	return m;
}

static void moment_result(sqlite3_context *ctx, const struct moment *m,
			  struct type t)
{
	char buf[DATETIMEOFFSET_BLOB];
	struct val v;

	if (moment_store(m, t, &v, buf))
		fn_result(ctx, &v);
	else
		fn_fail_number(ctx, 517, type_name(t), NULL);
}

/* --- DATEADD --- */

static bool add_months(struct moment *m, int64_t n)
{
	int year, month, day, days;
	int64_t total;

	civil_from_days(m->days, &year, &month, &day);
	if (n > 200000 || n < -200000)
		return false;
	total = (int64_t)year * 12 + month - 1 + n;
	if (total < 12 || total >= 120000)
		return false;
	year = (int)(total / 12);
	month = (int)(total % 12) + 1;
	days = civil_month_days(year, month);
	m->days = civil_to_days(year, month, day > days ? days : day);
	return true;
}

static bool add_days(struct moment *m, int64_t n)
{
	if (n > 4000000 || n < -4000000)
		return false;
	m->days += n;
	return m->days >= 0 && m->days <= DAYS_MAX;
}

static bool add_ticks(struct moment *m, int64_t n, int64_t unit)
{
	if (n > INT64_MAX / 4 / unit || n < -(INT64_MAX / 4 / unit))
		return false;
	return moment_add_ticks(m, n * unit);
}

static bool add_part(struct moment *m, enum date_part part, int64_t n)
{
	switch (part) {
	case PART_YEAR:
		return n < 20000 && n > -20000 && add_months(m, n * 12);
	case PART_QUARTER:
		return n < 50000 && n > -50000 && add_months(m, n * 3);
	case PART_MONTH:
		return add_months(m, n);
	case PART_DAYOFYEAR:
	case PART_DAY:
	case PART_WEEKDAY:
		return add_days(m, n);
	case PART_WEEK:
		return n < 600000 && n > -600000 && add_days(m, n * 7);
	case PART_HOUR:
		return add_ticks(m, n, 3600 * TICKS_PER_SECOND);
	case PART_MINUTE:
		return add_ticks(m, n, 60 * TICKS_PER_SECOND);
	case PART_SECOND:
		return add_ticks(m, n, TICKS_PER_SECOND);
	case PART_MILLISECOND:
		return add_ticks(m, n, 10000);
	case PART_MICROSECOND:
		return add_ticks(m, n, 10);
	case PART_NANOSECOND:
		return add_ticks(m, (n + (n < 0 ? -50 : 50)) / 100, 1);
	default:
		return false;
	}
}

/* dateadd_(part, n, date, type) */
static void fn_dateadd(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct type t = type_unpack(sqlite3_value_int64(argv[3]));
	struct moment m;
	int64_t n;

	(void)argc;
	if (fn_null(ctx, 3, argv))
		return;
	m = moment_arg(argv[2], argv[3]);
	n = sqlite3_value_int64(argv[1]);
	if (t.kind == TY_TIME)
		m.days = DAYS_1900 + 1000000; /* time wraps around */
	if (!add_part(&m, (enum date_part)sqlite3_value_int(argv[0]), n)) {
		fn_fail_number(ctx, 517, type_name(t), NULL);
		return;
	}
	moment_result(ctx, &m, t);
}

/* --- DATEDIFF: boundaries crossed --- */

static int64_t boundary(const struct moment *m, enum date_part part)
{
	struct civil c;

	civil_from_moment(m, &c);
	switch (part) {
	case PART_YEAR:
		return c.year;
	case PART_QUARTER:
		return c.year * 4 + (c.month - 1) / 3;
	case PART_MONTH:
		return c.year * 12 + c.month;
	case PART_WEEK:
		return (m->days + 1) / 7; /* weeks begin on Sunday */
	case PART_ISO_WEEK:
		return m->days / 7;
	default:
		return m->days;
	}
}

static bool time_diff(const struct moment *a, const struct moment *b,
		      enum date_part part, int128 *out)
{
	int64_t unit;
	int128 x, y;

	switch (part) {
	case PART_HOUR:
		unit = 3600 * TICKS_PER_SECOND;
		break;
	case PART_MINUTE:
		unit = 60 * TICKS_PER_SECOND;
		break;
	case PART_SECOND:
		unit = TICKS_PER_SECOND;
		break;
	case PART_MILLISECOND:
		unit = 10000;
		break;
	case PART_MICROSECOND:
		unit = 10;
		break;
	case PART_NANOSECOND:
		unit = 1;
		break;
	default:
		return false;
	}
	x = (int128)a->days * TICKS_PER_DAY + a->ticks;
	y = (int128)b->days * TICKS_PER_DAY + b->ticks;
	*out = y / unit - x / unit;
	if (part == PART_NANOSECOND)
		*out *= 100;
	return true;
}

/* datediff_(part, a, type, b, type, big) */
static void fn_datediff(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	enum date_part part = (enum date_part)sqlite3_value_int(argv[0]);
	bool big = sqlite3_value_int(argv[5]);
	struct moment a, b;
	int128 n;

	(void)argc;
	if (fn_null(ctx, 5, argv))
		return;
	a = moment_arg(argv[1], argv[2]);
	b = moment_arg(argv[3], argv[4]);
	/* with a zone on both sides, compare in UTC */
	moment_add_ticks(&a, -(a.offset * 60 * TICKS_PER_SECOND));
	moment_add_ticks(&b, -(b.offset * 60 * TICKS_PER_SECOND));
	if (!time_diff(&a, &b, part, &n))
		n = boundary(&b, part) - boundary(&a, part);
	if (n > (big ? INT64_MAX : INT32_MAX) ||
	    n < (big ? INT64_MIN : INT32_MIN)) {
		fn_fail_number(ctx, 535, NULL);
		return;
	}
	sqlite3_result_int64(ctx, (int64_t)n);
}

/* --- DATEPART, DATENAME --- */

static int iso_week(const struct moment *m)
{
	/* the week of its Thursday */
	int64_t thursday = m->days - civil_weekday(m->days) + 3;
	int year, month, day;

	civil_from_days(thursday, &year, &month, &day);
	return (int)((thursday - civil_to_days(year, 1, 1)) / 7) + 1;
}

static int64_t part_value(const struct session *s, const struct moment *m,
			  enum date_part part)
{
	struct civil c;
	int first = s->set.datefirst - 1; /* 0 = Monday */

	civil_from_moment(m, &c);
	switch (part) {
	case PART_YEAR:
		return c.year;
	case PART_QUARTER:
		return (c.month + 2) / 3;
	case PART_MONTH:
		return c.month;
	case PART_DAYOFYEAR:
		return m->days - civil_to_days(c.year, 1, 1) + 1;
	case PART_DAY:
		return c.day;
	case PART_WEEK: {
		int64_t jan1 = civil_to_days(c.year, 1, 1);
		int lead = (civil_weekday(jan1) - first + 7) % 7;

		return (m->days - jan1 + lead) / 7 + 1;
	}
	case PART_WEEKDAY:
		return (civil_weekday(m->days) - first + 7) % 7 + 1;
	case PART_ISO_WEEK:
		return iso_week(m);
	case PART_HOUR:
		return c.hour;
	case PART_MINUTE:
		return c.minute;
	case PART_SECOND:
		return c.second;
	case PART_MILLISECOND:
		return c.fraction / 10000;
	case PART_MICROSECOND:
		return c.fraction / 10;
	case PART_NANOSECOND:
		return (int64_t)c.fraction * 100;
	case PART_TZOFFSET:
		return m->offset;
	default:
		return 0;
	}
}

static void fn_datepart(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct moment m;

	(void)argc;
	if (fn_null(ctx, 2, argv))
		return;
	m = moment_arg(argv[1], argv[2]);
	sqlite3_result_int64(
		ctx, part_value(fn_session(ctx), &m,
				(enum date_part)sqlite3_value_int(argv[0])));
}

static void fn_datename(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	enum date_part part = (enum date_part)sqlite3_value_int(argv[0]);
	struct moment m;
	char text[40];
	int64_t n;

	(void)argc;
	if (fn_null(ctx, 2, argv))
		return;
	m = moment_arg(argv[1], argv[2]);
	n = part_value(fn_session(ctx), &m, part);
	if (part == PART_MONTH)
		snprintf(text, sizeof(text), "%s",
			 month_name((int)n - 1, true));
	else if (part == PART_WEEKDAY)
		snprintf(text, sizeof(text), "%s",
			 weekday_name(civil_weekday(m.days)));
	else if (part == PART_TZOFFSET)
		snprintf(text, sizeof(text), "%c%02d:%02d", n < 0 ? '-' : '+',
			 abs((int)n) / 60, abs((int)n) % 60);
	else
		snprintf(text, sizeof(text), "%lld", (long long)n);
	fn_result_text(ctx, text, strlen(text));
}

static void fn_eomonth(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct moment m;
	int year, month, day;

	(void)argc;
	if (fn_null(ctx, 2, argv))
		return;
	m = moment_arg(argv[0], argv[1]);
	if (!add_months(&m, sqlite3_value_int64(argv[2]))) {
		fn_fail_number(ctx, 517, "date", NULL);
		return;
	}
	civil_from_days(m.days, &year, &month, &day);
	sqlite3_result_int64(
		ctx, civil_to_days(year, month, civil_month_days(year, month)));
}

/* --- …FROMPARTS --- */

static void bad_parts(sqlite3_context *ctx, struct type t)
{
	struct diag d;

	diag_free_text(&d, 289, 16, 1,
		       "Cannot construct data type %s, some of the arguments "
		       "have values which are not valid.",
		       type_name(t));
	fn_fail(ctx, &d);
}

/* fromparts_(type, layout, …) */
static void fn_fromparts(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct type t = type_unpack(sqlite3_value_int64(argv[0]));
	const char *layout = (const char *)sqlite3_value_text(argv[1]);
	int64_t y = 1900, mo = 1, d = 1, h = 0, mi = 0, s = 0, f = 0, o = 0,
		z = 0, scale = 1;
	struct moment m;
	int i;

	for (i = 0; i < argc - 2; i++) {
		int64_t n;

		if (sqlite3_value_type(argv[i + 2]) == SQLITE_NULL)
			return;
		n = sqlite3_value_int64(argv[i + 2]);
		switch (layout[i]) {
		case 'y':
			y = n;
			break;
		case 'm':
			mo = n;
			break;
		case 'd':
			d = n;
			break;
		case 'h':
			h = n;
			break;
		case 'n':
			mi = n;
			break;
		case 's':
			s = n;
			break;
		case 'i': /* milliseconds */
			f = n * 10000;
			break;
		case 'f':
			f = n;
			for (scale = t.scale; scale < 7; scale++)
				f *= 10;
			break;
		case 'o':
			o = n;
			break;
		default:
			z = n;
			break;
		}
	}
	if (y < 1 || y > 9999 || mo < 1 || mo > 12 || d < 1 || d > 31 ||
	    !civil_valid_date((int)y, (int)mo, (int)d) || h < 0 || h > 23 ||
	    mi < 0 || mi > 59 || s < 0 || s > 59 || f < 0 ||
	    f >= TICKS_PER_SECOND || o < -14 || o > 14 || z < -59 || z > 59) {
		bad_parts(ctx, t);
		return;
	}
	m.days = civil_to_days((int)y, (int)mo, (int)d);
	m.ticks = ((h * 60 + mi) * 60 + s) * TICKS_PER_SECOND + f;
	m.offset = (int)(o * 60 + z);
	{
		char buf[DATETIMEOFFSET_BLOB];
		struct val v;

		if (moment_store(&m, t, &v, buf))
			fn_result(ctx, &v);
		else
			bad_parts(ctx, t);
	}
}

/* now_('l' or 'u', type): the same moment all through a statement */
static void fn_now(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);

	(void)argc;
	session_clock(s);
	moment_result(ctx,
		      sqlite3_value_text(argv[0])[0] == 'u' ? &s->now_utc
							    : &s->now,
		      type_unpack(sqlite3_value_int64(argv[1])));
}

/* --- zones --- */

/* "+05:30" to minutes. */
static bool parse_offset(sqlite3_value *v, int *minutes)
{
	const char *s;
	int h, mi;

	if (sqlite3_value_type(v) == SQLITE_INTEGER) {
		*minutes = sqlite3_value_int(v);
		return *minutes >= -840 && *minutes <= 840;
	}
	s = (const char *)sqlite3_value_text(v);
	if (!s || (s[0] != '+' && s[0] != '-') ||
	    sscanf(s + 1, "%2d:%2d", &h, &mi) != 2 || h > 14 || mi > 59)
		return false;
	*minutes = (h * 60 + mi) * (s[0] == '-' ? -1 : 1);
	return *minutes >= -840 && *minutes <= 840;
}

/* setoffset_(date, type, offset, result type, keep utc) */
static void fn_setoffset(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct moment m;
	int minutes;
	bool keep = sqlite3_value_int(argv[4]);

	(void)argc;
	if (fn_null(ctx, 3, argv))
		return;
	m = moment_arg(argv[0], argv[1]);
	if (!parse_offset(argv[2], &minutes)) {
		fn_fail_number(ctx, 9813,
			       keep ? "switchoffset" : "todatetimeoffset",
			       NULL);
		return;
	}
	if (keep)
		moment_add_ticks(&m,
				 (minutes - m.offset) * 60 * TICKS_PER_SECOND);
	m.offset = minutes;
	moment_result(ctx, &m, type_unpack(sqlite3_value_int64(argv[3])));
}

/* The zones that scripts name most; the rest needs a table we do not have. */
static bool zone_offset(const char *name, const struct moment *m, int *minutes)
{
	static const struct {
		const char *name;
		int standard;
		int dst; /* 0 none, 1 Europe, 2 United States */
	} zones[] = {
		{"UTC", 0, 0},
		{"GMT Standard Time", 0, 1},
		{"W. Europe Standard Time", 60, 1},
		{"Central Europe Standard Time", 60, 1},
		{"Central European Standard Time", 60, 1},
		{"Romance Standard Time", 60, 1},
		{"E. Europe Standard Time", 120, 1},
		{"Russian Standard Time", 180, 0},
		{"India Standard Time", 330, 0},
		{"China Standard Time", 480, 0},
		{"Tokyo Standard Time", 540, 0},
		{"Eastern Standard Time", -300, 2},
		{"Central Standard Time", -360, 2},
		{"Mountain Standard Time", -420, 2},
		{"US Mountain Standard Time", -420, 0},
		{"Pacific Standard Time", -480, 2},
	};
	size_t i;

	for (i = 0; i < LENGTH_OF(zones); i++) {
		int year, month, day, sunday;
		bool summer = false;

		if (strcasecmp(zones[i].name, name) != 0)
			continue;
		civil_from_days(m->days, &year, &month, &day);
		sunday = day - (civil_weekday(m->days) + 1) % 7;
		if (zones[i].dst == 1)
			summer = (month > 3 && month < 10) ||
				 (month == 3 && sunday >= 25) ||
				 (month == 10 && sunday < 25);
		else if (zones[i].dst == 2)
			summer = (month > 3 && month < 11) ||
				 (month == 3 && sunday >= 8) ||
				 (month == 11 && sunday < 1);
		*minutes = zones[i].standard + (summer ? 60 : 0);
		return true;
	}
	return false;
}

/* at_zone(date, type, zone, result type) */
static void fn_at_zone(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct type from = type_unpack(sqlite3_value_int64(argv[1]));
	struct moment m;
	int minutes;

	(void)argc;
	if (fn_null(ctx, 3, argv))
		return;
	m = moment_arg(argv[0], argv[1]);
	if (!zone_offset((const char *)sqlite3_value_text(argv[2]), &m,
			 &minutes)) {
		struct diag d;

		diag_free_text(&d, 9820, 16, 1,
			       "The time zone parameter '%s' provided to AT "
			       "TIME ZONE clause is invalid.",
			       (const char *)sqlite3_value_text(argv[2]));
		fn_fail(ctx, &d);
		return;
	}
	if (from.kind == TY_DATETIMEOFFSET)
		moment_add_ticks(&m,
				 (minutes - m.offset) * 60 * TICKS_PER_SECOND);
	m.offset = minutes;
	moment_result(ctx, &m, type_unpack(sqlite3_value_int64(argv[3])));
}

/* date_arith(op, a, b, type): datetime as a number of days. */
static void fn_date_arith(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct type t = type_unpack(sqlite3_value_int64(argv[3]));
	int op = sqlite3_value_text(argv[0])[0];
	int64_t a, b, n;

	(void)argc;
	if (fn_null(ctx, 3, argv))
		return;
	a = sqlite3_value_int64(argv[1]);
	b = sqlite3_value_int64(argv[2]);
	n = op == '+' ? a + b : a - b;
	if (t.kind == TY_DATETIME
		    ? n < (DAYS_1753 - DAYS_1900) * INT64_C(25920000) ||
			      n >= (DAYS_MAX + 1 - DAYS_1900) *
					      INT64_C(25920000)
		    : n < 0 || n >= 65536 * INT64_C(1440)) {
		fn_fail_number(ctx, 8115, "expression", type_name(t), NULL);
		return;
	}
	sqlite3_result_int64(ctx, n);
}

static void fn_isdate(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct session *s = fn_session(ctx);
	struct moment m;
	const char *text;
	size_t n;

	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL) {
		sqlite3_result_int(ctx, 0);
		return;
	}
	text = fn_text(argv[0], &n);
	sqlite3_result_int(ctx,
			   n &&
				   moment_parse(&m, text, n, s->set.date_order,
						true, 0) == PARSE_OK &&
				   m.days >= DAYS_1753);
}

static const struct fn_def defs[] = {
	{"dateadd_", 4, FN_PURE, fn_dateadd},
	{"datediff_", 6, FN_PURE, fn_datediff},
	{"datepart_", 3, 0, fn_datepart},
	{"datename_", 3, 0, fn_datename},
	{"eomonth_", 3, FN_PURE, fn_eomonth},
	{"fromparts_", -1, FN_PURE, fn_fromparts},
	{"now_", 2, 0, fn_now},
	{"setoffset_", 5, FN_PURE, fn_setoffset},
	{"at_zone", 4, FN_PURE, fn_at_zone},
	{"date_arith", 4, FN_PURE, fn_date_arith},
	{"isdate_", 1, 0, fn_isdate},
};

void fn_register_date(struct session *s)
{
	fn_register(s, defs, (int)LENGTH_OF(defs));
}
