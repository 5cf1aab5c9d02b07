#include "value/datetime.h"

#include <string.h>
#include <time.h>

#include "mem.h"

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int civil_month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30,
				   31, 31, 30, 31, 30, 31};

	if (month < 1 || month > 12)
		return 0;
	return days[month - 1] + (month == 2 && is_leap(year));
}

bool civil_valid_date(int year, int month, int day)
{
	return year >= 1 && year <= 9999 && month >= 1 && month <= 12 &&
	       day >= 1 && day <= civil_month_days(year, month);
}

/* Counted in years that start in March, so that the leap day comes last. */
int64_t civil_to_days(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day -
	       307;
}

void civil_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t n = days + 306; /* since 0000-03-01 */
	int64_t era = n / 146097;
	int64_t doe = n - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

void civil_from_moment(const struct moment *m, struct civil *c)
{
	int64_t seconds = m->ticks / TICKS_PER_SECOND;

	civil_from_days(m->days, &c->year, &c->month, &c->day);
	c->hour = (int)(seconds / 3600);
	c->minute = (int)(seconds / 60 % 60);
	c->second = (int)(seconds % 60);
	c->fraction = (int)(m->ticks % TICKS_PER_SECOND);
}

int civil_weekday(int64_t days)
{
	return (int)(days % 7); /* 0001-01-01 was a Monday */
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

bool moment_add_ticks(struct moment *m, int64_t ticks)
{
	int64_t days = floor_div(ticks, TICKS_PER_DAY);

	m->ticks += ticks - days * TICKS_PER_DAY;
	m->days += days;
	if (m->ticks >= TICKS_PER_DAY) {
		m->ticks -= TICKS_PER_DAY;
		m->days++;
	}
	return m->days >= 0 && m->days <= DAYS_MAX;
}

static int64_t load_be64(const char *p)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < 8; i++)
		n = n << 8 | (unsigned char)p[i];
	return (int64_t)n;
}

void moment_load(struct moment *m, struct type t, const struct val *v)
{
	int64_t n = v->i;

	m->days = DAYS_1900;
	m->ticks = 0;
	m->offset = 0;
	switch (t.kind) {
	case TY_DATE:
		m->days = n;
		break;
	case TY_TIME:
		m->ticks = n;
		break;
	case TY_SMALLDATETIME:
		m->days += floor_div(n, 1440);
		m->ticks =
			(n - floor_div(n, 1440) * 1440) * 60 * TICKS_PER_SECOND;
		break;
	case TY_DATETIME: {
		int64_t day = floor_div(n, 25920000);

		m->days += day;
		m->ticks = ((n - day * 25920000) * 100000 + 1) / 3;
		break;
	}
	case TY_DATETIME2:
		m->days = n / TICKS_PER_DAY;
		m->ticks = n % TICKS_PER_DAY;
		break;
	case TY_DATETIMEOFFSET:
		if (v->cls != VAL_BLOB || v->n != DATETIMEOFFSET_BLOB)
			break;
		n = load_be64(v->p);
		m->days = n / TICKS_PER_DAY;
		m->ticks = n % TICKS_PER_DAY;
		m->offset = (int16_t)((unsigned char)v->p[8] << 8 |
				      (unsigned char)v->p[9]);
		moment_add_ticks(m, m->offset * 60 * TICKS_PER_SECOND);
		break;
	default:
		break;
	}
}

/* Round the ticks to so many fraction digits; the day may be carried. */
static void round_ticks(struct moment *m, int digits)
{
	static const int64_t unit[] = {10000000, 1000000, 100000, 10000,
				       1000,	 100,	  10,	  1};
	int64_t u = unit[digits < 0 || digits > 7 ? 7 : digits];

	m->ticks = (m->ticks + u / 2) / u * u;
	if (m->ticks >= TICKS_PER_DAY) {
		m->ticks -= TICKS_PER_DAY;
		m->days++;
	}
}

static bool store_offset(struct moment m, struct val *out, char *buf)
{
	int64_t utc;
	int i;

	if (!moment_add_ticks(&m, -(m.offset * 60 * TICKS_PER_SECOND)))
		return false;
	utc = m.days * TICKS_PER_DAY + m.ticks;
	for (i = 0; i < 8; i++)
		buf[i] = (char)(utc >> (56 - 8 * i));
	buf[8] = (char)(m.offset >> 8);
	buf[9] = (char)m.offset;
	*out = val_blob(buf, DATETIMEOFFSET_BLOB);
	return true;
}

bool moment_store(const struct moment *from, struct type t, struct val *out,
		  char *buf)
{
	struct moment m = *from;
	int64_t day = m.days - DAYS_1900;

	if (m.days < 0 || m.days > DAYS_MAX)
		return false;
	switch (t.kind) {
	case TY_DATE:
		*out = val_int(m.days);
		return true;
	case TY_TIME:
		round_ticks(&m, t.scale);
		*out = val_int(m.ticks);
		return true;
	case TY_SMALLDATETIME:
		*out = val_int(day * 1440 + (m.ticks / 10000 + 30001) / 60000);
		return out->i >= 0 && out->i < 65536 * INT64_C(1440);
	case TY_DATETIME:
		*out = val_int(day * 25920000 + (m.ticks * 3 + 50000) / 100000);
		return m.days >= DAYS_1753 &&
		       out->i < (DAYS_MAX + 1 - DAYS_1900) * INT64_C(25920000);
	case TY_DATETIME2:
		round_ticks(&m, t.scale);
		*out = val_int(m.days * TICKS_PER_DAY + m.ticks);
		return m.days <= DAYS_MAX;
	case TY_DATETIMEOFFSET:
		round_ticks(&m, t.scale);
		return m.days <= DAYS_MAX && store_offset(m, out, buf);
	default:
		return false;
	}
}

int moment_zone(const struct moment *utc)
{
	time_t when = (time_t)((utc->days - 719162) * 86400 +
			       utc->ticks / TICKS_PER_SECOND);
	struct tm tm;
	int64_t local;

	if (!localtime_r(&when, &tm))
		return 0;
	local = civil_to_days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) -
		719162;
	local = local * 86400 + tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;
	return (int)((local - (int64_t)when) / 60);
}

void moment_last(struct moment *m, int scale)
{
	int64_t unit = 1;

	for (; scale < 7; scale++)
		unit *= 10;
	m->days = DAYS_MAX;
	m->ticks = TICKS_PER_DAY - unit;
	m->offset = 0;
}

void moment_now(struct moment *m, bool utc)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	m->days = ts.tv_sec / 86400 + 719162;
	m->ticks = ts.tv_sec % 86400 * TICKS_PER_SECOND + ts.tv_nsec / 100;
	m->offset = 0;
	if (!utc) {
		m->offset = moment_zone(m);
		moment_add_ticks(m, m->offset * 60 * TICKS_PER_SECOND);
	}
}

const char *month_name(int month, bool full)
{
	static const char *const names[] = {"January", "February", "March",
					    "April",   "May",	   "June",
					    "July",    "August",   "September",
					    "October", "November", "December"};
	static const char *const shorts[] = {"Jan", "Feb", "Mar", "Apr",
					     "May", "Jun", "Jul", "Aug",
					     "Sep", "Oct", "Nov", "Dec"};

	return full ? names[month % 12] : shorts[month % 12];
}

const char *weekday_name(int weekday)
{
	static const char *const names[] = {"Monday",	"Tuesday", "Wednesday",
					    "Thursday", "Friday",  "Saturday",
					    "Sunday"};

	return names[weekday % 7];
}

/* ------------------------------------------------------- as CONVERT has them */

static int64_t ticks_per_unit(int scale)
{
	int64_t unit = 1;

	for (; scale < 7; scale++)
		unit *= 10;
	return unit;
}

static size_t time_size(int scale)
{
	return scale < 3 ? 3 : scale < 5 ? 4 : 5;
}

static size_t put_le(unsigned char *to, uint64_t n, size_t len)
{
	for (size_t i = 0; i < len; i++, n >>= 8)
		to[i] = (unsigned char)n;
	return len;
}

static uint64_t get_le(const unsigned char *from, size_t len)
{
	uint64_t n = 0;

	while (len--)
		n = n << 8 | from[len];
	return n;
}

size_t moment_to_bytes(struct moment m, struct type t, unsigned char *bytes)
{
	size_t len = 0;

	if (t.kind == TY_DATETIMEOFFSET)
		moment_add_ticks(&m, -m.offset * 60 * TICKS_PER_SECOND);
	if (t.kind != TY_DATE) {
		bytes[len++] = (unsigned char)t.scale;
		len += put_le(bytes + len,
			      (uint64_t)(m.ticks / ticks_per_unit(t.scale)),
			      time_size(t.scale));
	}
	if (t.kind != TY_TIME)
		len += put_le(bytes + len, (uint64_t)m.days, 3);
	if (t.kind == TY_DATETIMEOFFSET)
		len += put_le(bytes + len, (uint64_t)(int64_t)m.offset, 2);
	return len;
}

bool moment_from_bytes(struct moment *m, struct type t,
		       const unsigned char *bytes, size_t len)
{
	size_t at = 0, want = (t.kind == TY_TIME ? 0 : 3) +
			      (t.kind == TY_DATETIMEOFFSET ? 2 : 0);
	int scale = t.kind == TY_DATE || !len ? 0 : bytes[0];

	if (scale > 7)
		return false;
	if (t.kind != TY_DATE)
		want += 1 + time_size(scale);
	if (len != want)
		return false;
	*m = (struct moment){.days = DAYS_1900};
	if (t.kind != TY_DATE) {
		m->ticks = (int64_t)get_le(bytes + 1, time_size(scale)) *
			   ticks_per_unit(scale);
		at = 1 + time_size(scale);
	}
	if (t.kind != TY_TIME)
		m->days = (int64_t)get_le(bytes + at, 3);
	if (m->ticks >= TICKS_PER_DAY || m->days > DAYS_MAX)
		return false;
	if (t.kind != TY_DATETIMEOFFSET)
		return true;
	m->offset = (int16_t)get_le(bytes + at + 3, 2);
	return moment_add_ticks(m, m->offset * 60 * TICKS_PER_SECOND);
}
