/*
 * Reading dates as the server does. The text is cut into tokens (numbers,
 * words, separators) and then matched: a time is what has colons or AM/PM, a
 * zone what follows a time with a sign, the rest is a date. One scanner for
 * all the forms that SQL Server takes was easier to get right than one
 * function for each of its thirty styles.
 */
#include <string.h>
#include <strings.h>

#include "value/datetime.h"
#include "mem.h"

struct scan {
	const char *s;
	size_t len, pos;
	enum date_order order;
	bool legacy;
	int style;
	int part[3], digits[3], parts; /* numbers of the date */
	int month_at;	/* which part was a month's name, or -1 */
	char separator; /* between the parts of the date, or 0 */
	bool have_date, have_time, have_zone;
	bool bad_range;
	struct moment m;
};

static char peek(const struct scan *sc)
{
	return sc->pos < sc->len ? sc->s[sc->pos] : '\0';
}

static void skip_blanks(struct scan *sc)
{
	while (peek(sc) == ' ' || peek(sc) == '\t')
		sc->pos++;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Digits at the current place; returns how many, at most 9. */
static int number(struct scan *sc, int *out)
{
	int n = 0, value = 0;

	while (is_digit(peek(sc)) && n < 9) {
		value = value * 10 + (peek(sc) - '0');
		sc->pos++;
		n++;
	}
	*out = value;
	return n;
}

static bool word_is(const struct scan *sc, size_t at, size_t n, const char *w)
{
	return strlen(w) == n && strncasecmp(sc->s + at, w, n) == 0;
}

/* AM or PM behind a time. */
static bool meridiem(struct scan *sc, int *hour)
{
	size_t save = sc->pos;
	char c;

	skip_blanks(sc);
	c = peek(sc);
	if (sc->pos + 1 < sc->len &&
	    (c == 'a' || c == 'A' || c == 'p' || c == 'P') &&
	    (sc->s[sc->pos + 1] == 'm' || sc->s[sc->pos + 1] == 'M')) {
		if (*hour < 1 || *hour > 12)
			return false;
		*hour = *hour % 12 + (c == 'p' || c == 'P' ? 12 : 0);
		sc->pos += 2;
		return true;
	}
	sc->pos = save;
	return true;
}

/* ".1234567" or ":123" behind the seconds. */
static bool fraction(struct scan *sc, int64_t *ticks)
{
	char sep = peek(sc);
	int digits = 0;
	int64_t n = 0;

	if (sep != '.' && sep != ':')
		return true;
	sc->pos++;
	if (!is_digit(peek(sc)))
		return false;
	for (; is_digit(peek(sc)); sc->pos++, digits++)
		if (digits < 7)
			n = n * 10 + (peek(sc) - '0');
	if (sc->legacy && digits > 3)
		return false;
	if (digits > 9)
		return false;
	if (sep == ':') { /* a plain count of milliseconds */
		*ticks += n * 10000;
		return digits <= 3;
	}
	for (; digits < 7; digits++)
		n *= 10;
	*ticks += n;
	return true;
}

/* The part behind "hh": the colon has not been read yet. */
static bool time_rest(struct scan *sc, int hour)
{
	int minute = 0, second = 0;
	int64_t ticks = 0;

	if (sc->have_time)
		return false;
	if (peek(sc) == ':') {
		sc->pos++;
		if (!number(sc, &minute))
			return false;
		if (peek(sc) == ':') {
			sc->pos++;
			if (!number(sc, &second) || !fraction(sc, &ticks))
				return false;
		}
	}
	if (!meridiem(sc, &hour))
		return false;
	if (hour > 23 || minute > 59 || second > 59)
		sc->bad_range = true;
	sc->m.ticks = ((hour * 60 + minute) * INT64_C(60) + second) *
			      TICKS_PER_SECOND +
		      ticks;
	sc->have_time = true;
	return true;
}

static bool zone(struct scan *sc)
{
	int sign = peek(sc) == '-' ? -1 : 1, hour, minute = 0;

	if (peek(sc) == 'Z' || peek(sc) == 'z') {
		sc->pos++;
		sc->have_zone = true;
		return !sc->legacy || sc->style == 127 || sc->style == 0;
	}
	sc->pos++;
	if (number(sc, &hour) != 2 || peek(sc) != ':')
		return false;
	sc->pos++;
	if (number(sc, &minute) != 2)
		return false;
	if (hour > 14 || minute > 59 || (hour == 14 && minute))
		return false;
	sc->m.offset = sign * (hour * 60 + minute);
	sc->have_zone = true;
	return !sc->legacy;
}

/* "20240131", "240131" or a bare year. */
static bool packed_date(struct scan *sc, int value, int digits)
{
	int year, month = 1, day = 1;

	if (digits == 8) {
		year = value / 10000;
		month = value / 100 % 100;
		day = value % 100;
	} else if (digits == 6) {
		year = value / 10000;
		year += year < 50 ? 2000 : 1900;
		month = value / 100 % 100;
		day = value % 100;
	} else {
		year = value;
	}
	if (!civil_valid_date(year, month, day)) {
		sc->bad_range = true;
		return true;
	}
	sc->m.days = civil_to_days(year, month, day);
	sc->have_date = true;
	return true;
}

static bool add_part(struct scan *sc, int value, int digits)
{
	if (sc->parts >= 3)
		return false;
	sc->part[sc->parts] = value;
	sc->digits[sc->parts++] = digits;
	return true;
}

/* A number: part of a time, a packed date, or a part of the date. */
static bool scan_number(struct scan *sc)
{
	int value, digits = number(sc, &value);
	size_t save;

	if (is_digit(peek(sc)))
		return false;
	if (digits <= 2 && peek(sc) == ':')
		return time_rest(sc, value);
	save = sc->pos;
	skip_blanks(sc);
	if (digits <= 2 && (sc->parts == 3 || sc->parts == 0) &&
	    sc->pos + 1 < sc->len && strchr("aApP", peek(sc)) &&
	    strchr("mM", sc->s[sc->pos + 1])) {
		sc->pos = save;
		return time_rest(sc, value);
	}
	sc->pos = save;
	if (!sc->parts && !sc->have_date &&
	    (digits == 8 || digits == 6 ||
	     (digits == 4 && (sc->pos == sc->len || peek(sc) == ' '))))
		if (digits != 4 || sc->pos == sc->len)
			return packed_date(sc, value, digits);
	if (digits != 4 && digits > 2)
		return false;
	return add_part(sc, value, digits);
}

static bool scan_word(struct scan *sc)
{
	size_t at = sc->pos, n;
	int i;

	while (is_letter(peek(sc)))
		sc->pos++;
	n = sc->pos - at;
	if (n == 1 && (sc->s[at] == 'T' || sc->s[at] == 't') &&
	    (sc->parts == 3 || sc->have_date) && is_digit(peek(sc)))
		return true;
	if (n == 1 && (sc->s[at] == 'Z' || sc->s[at] == 'z') && sc->have_time) {
		sc->pos = at;
		return zone(sc);
	}
	for (i = 0; i < 12; i++) {
		if (!word_is(sc, at, n, month_name(i, true)) &&
		    !word_is(sc, at, n, month_name(i, false)))
			continue;
		if (sc->month_at >= 0)
			return false;
		sc->month_at = sc->parts;
		return add_part(sc, i + 1, 2);
	}
	return false;
}

static bool scan_all(struct scan *sc)
{
	for (;;) {
		char c;

		skip_blanks(sc);
		c = peek(sc);
		if (sc->pos >= sc->len)
			return true;
		if (is_digit(c)) {
			if (!scan_number(sc))
				return false;
		} else if (is_letter(c)) {
			if (!scan_word(sc))
				return false;
		} else if ((c == '+' || c == '-') && sc->have_time) {
			if (!zone(sc))
				return false;
		} else if ((c == '-' || c == '/' || c == '.' || c == ',') &&
			   sc->parts > 0 && sc->parts < 3) {
			sc->pos++;
			sc->separator = c;
		} else {
			return false;
		}
	}
}

static int full_year(int year, int digits)
{
	if (digits > 2)
		return year;
	return year + (year < 50 ? 2000 : 1900);
}

/* Which part is what, for three numbers. */
static void order_parts(const struct scan *sc, int *y, int *m, int *d)
{
	static const int places[][3] = {
		/* year, month, day */
		[DATE_MDY] = {2, 0, 1}, [DATE_DMY] = {2, 1, 0},
		[DATE_YMD] = {0, 1, 2}, [DATE_YDM] = {0, 2, 1},
		[DATE_MYD] = {1, 0, 2}, [DATE_DYM] = {1, 2, 0}};
	enum date_order order = sc->order;

	switch (sc->style % 100) {
	case 1:
	case 10:
		order = DATE_MDY;
		break;
	case 3:
	case 4:
	case 5:
		order = DATE_DMY;
		break;
	case 2:
	case 11:
	case 20:
	case 21:
	case 23:
	case 26:
	case 27:
		order = DATE_YMD;
		break;
	default:
		break;
	}
	if (sc->digits[0] == 4) {
		bool dm = sc->legacy && order == DATE_DMY && sc->style == 0;

		*y = 0;
		*m = dm ? 2 : 1;
		*d = dm ? 1 : 2;
		return;
	}
	*y = places[order][0];
	*m = places[order][1];
	*d = places[order][2];
	if (sc->digits[1] == 4 && *y != 1) {
		*m = *m > *d;
		*d = !*m;
		*m = *m ? 2 : 0;
		*d = *d ? 2 : 0;
		*y = 1;
	} else if (sc->digits[2] == 4 && *y != 2) {
		bool day_first = order == DATE_YDM || order == DATE_DYM;

		*m = day_first;
		*d = !day_first;
		*y = 2;
	}
}

/* Put the parts of the date together. */
static bool assemble(struct scan *sc)
{
	int y, m, d, year, month, day;

	if (sc->month_at >= 0) {
		int a = sc->month_at == 0 ? 1 : 0;
		int b = sc->month_at == 2 ? 1 : 2;

		month = sc->part[sc->month_at];
		if (sc->parts == 2) { /* a month and a year */
			year = full_year(sc->part[a], sc->digits[a]);
			day = 1;
		} else if (sc->digits[a] == 4) {
			year = sc->part[a];
			day = sc->part[b];
		} else {
			day = sc->part[a];
			year = full_year(sc->part[b], sc->digits[b]);
		}
		if (sc->parts < 2)
			return false;
	} else {
		if (sc->parts != 3)
			return false;
		order_parts(sc, &y, &m, &d);
		year = full_year(sc->part[y], sc->digits[y]);
		month = sc->part[m];
		day = sc->part[d];
	}
	if (!civil_valid_date(year, month, day)) {
		sc->bad_range = true;
		return true;
	}
	sc->m.days = civil_to_days(year, month, day);
	sc->have_date = true;
	return true;
}

enum parse_result moment_parse(struct moment *m, const char *s, size_t len,
			       enum date_order order, bool legacy, int style)
{
	struct scan sc = {.s = s,
			  .len = len,
			  .order = order,
			  .legacy = legacy,
			  .style = style,
			  .month_at = -1};

	while (sc.len && s[sc.len - 1] == ' ')
		sc.len--;
	sc.m.days = DAYS_1900;
	if (!scan_all(&sc))
		return PARSE_BAD;
	if (sc.parts && (sc.have_date || !assemble(&sc)))
		return PARSE_BAD;
	if (sc.bad_range)
		return PARSE_RANGE;
	*m = sc.m;
	return PARSE_OK;
}
