/*
 * Writing dates in the styles of CONVERT. Each style is a pattern:
 * Y year, y two digits of it, M month, m its name, D day, d day padded with a
 * blank, H hour 0-23, h hour 1-12 padded with a blank, N minute, S second,
 * F milliseconds, f the type's own fraction with its point, P AM or PM.
 */
#include <stdio.h>
#include <string.h>

#include "value/datetime.h"
#include "mem.h"

static const struct {
	int style;
	const char *pattern;
} patterns[] = {
	{0, "m d Y h:NP"},
	{1, "M/D/y"},
	{2, "y.M.D"},
	{3, "D/M/y"},
	{4, "D.M.y"},
	{5, "D-M-y"},
	{6, "D m y"},
	{7, "m D, y"},
	{8, "H:N:S"},
	{9, "m d Y h:N:SFP"},
	{10, "M-D-y"},
	{11, "y/M/D"},
	{12, "yMD"},
	{13, "D m Y H:N:SF"},
	{14, "H:N:SF"},
	{20, "Y-M-D H:N:S"},
	{21, "Y-M-D H:N:Sf"},
	{22, "M/D/y h:N:S P"},
	{23, "Y-M-D"},
	{24, "H:N:S"},
	{25, "Y-M-D H:N:Sf"},
	{100, "m d Y h:NP"},
	{101, "M/D/Y"},
	{102, "Y.M.D"},
	{103, "D/M/Y"},
	{104, "D.M.Y"},
	{105, "D-M-Y"},
	{106, "D m Y"},
	{107, "m D, Y"},
	{108, "H:N:S"},
	{109, "m d Y h:N:SFP"},
	{110, "M-D-Y"},
	{111, "Y/M/D"},
	{112, "YMD"},
	{113, "D m Y H:N:SF"},
	{114, "H:N:SF"},
	{120, "Y-M-D H:N:S"},
	{121, "Y-M-D H:N:Sf"},
	{126, "Y-M-DTH:N:Sf"},
	{127, "Y-M-DTH:N:Sf"},
};

struct out {
	char *buf;
	size_t size, len;
};

static void put(struct out *o, const char *s)
{
	size_t n = strlen(s);

	if (o->len + n < o->size) {
		memcpy(o->buf + o->len, s, n + 1);
		o->len += n;
	}
}

static void put_number(struct out *o, int n, int width, char pad)
{
	char text[16];

	snprintf(text, sizeof(text), pad == '0' ? "%0*d" : "%*d", width, n);
	put(o, text);
}

/* The fraction as the type has it: datetime three digits, others `scale`. */
static void put_fraction(struct out *o, const struct civil *c, struct type t,
			 char mark, int digits)
{
	char text[16];

	if (digits <= 0)
		return;
	snprintf(text, sizeof(text), "%c%07d", mark, c->fraction);
	if (t.kind == TY_DATETIME) /* .003, .007, .000 */
		snprintf(text, sizeof(text), "%c%03d", mark,
			 (c->fraction + 5000) / 10000);
	text[1 + digits] = '\0';
	put(o, text);
}

static int fraction_digits(struct type t)
{
	switch (t.kind) {
	case TY_DATETIME:
		return 3;
	case TY_TIME:
	case TY_DATETIME2:
	case TY_DATETIMEOFFSET:
		return t.scale;
	default:
		return 0;
	}
}

static void put_field(struct out *o, char code, const struct civil *c,
		      struct type t, int style)
{
	char text[2] = {code, '\0'};
	int digits = fraction_digits(t);

	switch (code) {
	case 'Y':
		put_number(o, c->year, 4, '0');
		break;
	case 'y':
		put_number(o, c->year % 100, 2, '0');
		break;
	case 'M':
		put_number(o, c->month, 2, '0');
		break;
	case 'm':
		put(o, month_name(c->month - 1, false));
		break;
	case 'D':
		put_number(o, c->day, 2, '0');
		break;
	case 'd':
		put_number(o, c->day, 2, ' ');
		break;
	case 'H':
		put_number(o, c->hour, 2, '0');
		break;
	case 'h':
		put_number(o, (c->hour + 11) % 12 + 1, 2, ' ');
		break;
	case 'N':
		put_number(o, c->minute, 2, '0');
		break;
	case 'S':
		put_number(o, c->second, 2, '0');
		break;
	case 'F':
		put_fraction(o, c, t, t.kind == TY_DATETIME ? ':' : '.',
			     digits);
		break;
	case 'f':
		if ((style == 126 || style == 127) && !c->fraction)
			break;
		if (t.kind == TY_SMALLDATETIME && style < 126)
			put(o, ".000");
		put_fraction(o, c, t, '.', digits);
		break;
	case 'P':
		put(o, c->hour < 12 ? "AM" : "PM");
		break;
	default:
		put(o, text);
	}
}

/* Types without a date or without a time show only what they have. */
static const char *cut_pattern(const char *pattern, struct type t, char *buf)
{
	const char *p;

	if (t.kind == TY_TIME) {
		p = strpbrk(pattern, "Hh");
		return p ? p : "H:N:Sf";
	}
	if (t.kind == TY_DATE) {
		size_t n;

		p = strpbrk(pattern, "Hh");
		n = p ? (size_t)(p - pattern) : strlen(pattern);
		while (n && (pattern[n - 1] == ' ' || pattern[n - 1] == 'T'))
			n--;
		if (!n)
			return "Y-M-D";
		memcpy(buf, pattern, n);
		buf[n] = '\0';
		return buf;
	}
	return pattern;
}

static void put_offset(struct out *o, int offset, bool blank)
{
	char text[16];
	int n = offset < 0 ? -offset : offset;

	snprintf(text, sizeof(text), "%s%c%02d:%02d", blank ? " " : "",
		 offset < 0 ? '-' : '+', n / 60 % 100, n % 60);
	put(o, text);
}

bool moment_format(const struct moment *m, struct type t, int style, char *buf,
		   size_t size)
{
	struct out o = {buf, size, 0};
	struct moment shown = *m;
	const char *pattern = NULL;
	struct civil c;
	char cut[40];
	size_t i;

	buf[0] = '\0';
	if (style < 0)
		style = t.kind == TY_DATETIME || t.kind == TY_SMALLDATETIME
				? 0
				: 121;
	for (i = 0; i < LENGTH_OF(patterns); i++)
		if (patterns[i].style == style)
			pattern = patterns[i].pattern;
	if (!pattern)
		return false;
	if (t.kind == TY_DATETIMEOFFSET && style == 127)
		moment_add_ticks(&shown, -(m->offset * 60 * TICKS_PER_SECOND));
	civil_from_moment(&shown, &c);
	for (pattern = cut_pattern(pattern, t, cut); *pattern; pattern++)
		put_field(&o, *pattern, &c, t, style);
	if (t.kind == TY_DATETIMEOFFSET) {
		if (style == 127)
			put(&o, "Z");
		else if (strchr("Hh", 'H') && style != 23 &&
			 style % 100 != 12 &&
			 (style >= 120 || style == 0 || style == 100 ||
			  style == 20 || style == 21 || style == 25 ||
			  style % 100 == 9 || style % 100 == 13))
			put_offset(&o, m->offset, style != 126);
	}
	return true;
}
