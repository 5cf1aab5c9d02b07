/*
 * A collation is read out of its name: a locale, then suffixes. Comparison is
 * by weights in three levels (letter, accent, case) as Windows collations
 * have it, close enough for Latin, Greek and Cyrillic text; other scripts
 * compare by code point. ICU would know more, and would be one more library
 * on every machine that runs the tests.
 */
#include "value/collation.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mem.h"
#include "value/utf.h"

struct locale_row {
	const char *name;
	uint32_t lcid;
	int page;
};

static const struct locale_row locales[] = {
	{"Latin1_General", 0x0409, 1252},
	{"Albanian", 0x041C, 1250},
	{"Arabic", 0x0401, 1256},
	{"Chinese_PRC", 0x0804, 936},
	{"Chinese_Simplified_Pinyin", 0x0804, 936},
	{"Chinese_Taiwan_Stroke", 0x0404, 950},
	{"Chinese_Hong_Kong_Stroke", 0x0C04, 950},
	{"Croatian", 0x041A, 1250},
	{"Cyrillic_General", 0x0419, 1251},
	{"Czech", 0x0405, 1250},
	{"Danish_Norwegian", 0x0406, 1252},
	{"Danish_Greenlandic", 0x0406, 1252},
	{"Estonian", 0x0425, 1257},
	{"Finnish_Swedish", 0x040B, 1252},
	{"French", 0x040C, 1252},
	{"Georgian_Modern_Sort", 0x10437, 1252},
	{"German_PhoneBook", 0x10407, 1252},
	{"Greek", 0x0408, 1253},
	{"Hebrew", 0x040D, 1255},
	{"Hungarian", 0x040E, 1250},
	{"Icelandic", 0x040F, 1252},
	{"Japanese", 0x0411, 932},
	{"Japanese_XJIS", 0x0411, 932},
	{"Korean", 0x0412, 949},
	{"Korean_Wansung", 0x0412, 949},
	{"Latvian", 0x0426, 1257},
	{"Lithuanian", 0x0427, 1257},
	{"Macedonian_FYROM", 0x042F, 1251},
	{"Modern_Spanish", 0x0C0A, 1252},
	{"Norwegian", 0x0414, 1252},
	{"Polish", 0x0415, 1250},
	{"Romanian", 0x0418, 1250},
	{"Serbian_Cyrillic", 0x0C1A, 1251},
	{"Serbian_Latin", 0x081A, 1250},
	{"Slovak", 0x041B, 1250},
	{"Slovenian", 0x0424, 1250},
	{"Thai", 0x041E, 874},
	{"Traditional_Spanish", 0x040A, 1252},
	{"Turkish", 0x041F, 1254},
	{"Ukrainian", 0x0422, 1251},
	{"Vietnamese", 0x042A, 1258},
};

/* SQL_* collations: the locale's rules and a sort id of their own. */
struct sql_row {
	const char *name;
	uint32_t lcid;
	int page;
	uint8_t sort_id;
};

static const struct sql_row sql_rows[] = {
	{"SQL_Latin1_General_CP1_CI_AS", 0x0409, 1252, 52},
	{"SQL_Latin1_General_CP1_CS_AS", 0x0409, 1252, 51},
	{"SQL_Latin1_General_CP1_CI_AI", 0x0409, 1252, 54},
	{"SQL_Latin1_General_CP437_CI_AS", 0x0409, 437, 32},
	{"SQL_Latin1_General_CP437_CS_AS", 0x0409, 437, 31},
	{"SQL_Latin1_General_CP437_CI_AI", 0x0409, 437, 34},
	{"SQL_Latin1_General_CP437_BIN", 0x0409, 437, 30},
	{"SQL_Latin1_General_CP437_BIN2", 0x0409, 437, 30},
	{"SQL_Latin1_General_CP850_CI_AS", 0x0409, 850, 42},
	{"SQL_Latin1_General_CP850_CS_AS", 0x0409, 850, 41},
	{"SQL_Latin1_General_CP850_CI_AI", 0x0409, 850, 44},
	{"SQL_Latin1_General_CP850_BIN", 0x0409, 850, 40},
	{"SQL_Latin1_General_CP850_BIN2", 0x0409, 850, 40},
	{"SQL_Latin1_General_CP1250_CI_AS", 0x0405, 1250, 82},
	{"SQL_Latin1_General_CP1250_CS_AS", 0x0405, 1250, 81},
	{"SQL_Latin1_General_CP1251_CI_AS", 0x0419, 1251, 106},
	{"SQL_Latin1_General_CP1251_CS_AS", 0x0419, 1251, 105},
	{"SQL_Latin1_General_CP1253_CI_AS", 0x0408, 1253, 114},
	{"SQL_Latin1_General_CP1253_CS_AS", 0x0408, 1253, 113},
	{"SQL_Latin1_General_CP1254_CI_AS", 0x041F, 1254, 130},
	{"SQL_Latin1_General_CP1254_CS_AS", 0x041F, 1254, 129},
	{"SQL_Latin1_General_CP1255_CI_AS", 0x040D, 1255, 138},
	{"SQL_Latin1_General_CP1255_CS_AS", 0x040D, 1255, 137},
	{"SQL_Latin1_General_CP1256_CI_AS", 0x0401, 1256, 146},
	{"SQL_Latin1_General_CP1256_CS_AS", 0x0401, 1256, 145},
	{"SQL_Latin1_General_CP1257_CI_AS", 0x0427, 1257, 154},
	{"SQL_Latin1_General_CP1257_CS_AS", 0x0427, 1257, 153},
	{"SQL_Latin1_General_Pref_CP1_CI_AS", 0x0409, 1252, 53},
	{"SQL_Czech_CP1250_CI_AS", 0x0405, 1250, 84},
	{"SQL_Hungarian_CP1250_CI_AS", 0x040E, 1250, 86},
	{"SQL_Polish_CP1250_CI_AS", 0x0415, 1250, 88},
	{"SQL_Romanian_CP1250_CI_AS", 0x0418, 1250, 90},
	{"SQL_Croatian_CP1250_CI_AS", 0x041A, 1250, 92},
	{"SQL_Slovak_CP1250_CI_AS", 0x041B, 1250, 94},
	{"SQL_Slovenian_CP1250_CI_AS", 0x0424, 1250, 96},
	{"SQL_Ukrainian_CP1251_CI_AS", 0x0422, 1251, 108},
	{"SQL_Danish_Pref_CP1_CI_AS", 0x0406, 1252, 183},
	{"SQL_Icelandic_Pref_CP1_CI_AS", 0x040F, 1252, 186},
	{"SQL_SwedishStd_Pref_CP1_CI_AS", 0x040B, 1252, 185},
	{"SQL_EBCDIC037_CP1_CS_AS", 0x0409, 1252, 210},
};

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t table_once = PTHREAD_ONCE_INIT;
/* Filled in order and never freed: readers need no lock. */
static struct collation *table[COLLATION_MAX];
static int table_count = 1; /* number 0 is not used */

/* Does *s start with the word, ending at '_' or the end? Then step over it. */
static bool eat(const char **s, const char *word)
{
	size_t n = strlen(word);

	if (strncasecmp(*s, word, n) != 0 || ((*s)[n] && (*s)[n] != '_'))
		return false;
	*s += n;
	if (**s == '_')
		++*s;
	return true;
}

static const struct locale_row *find_locale(const char **rest)
{
	const struct locale_row *best = NULL;
	size_t i;

	for (i = 0; i < LENGTH_OF(locales); i++) {
		const char *s = *rest;

		if (eat(&s, locales[i].name) &&
		    (!best || strlen(locales[i].name) > strlen(best->name)))
			best = &locales[i];
	}
	if (best)
		eat(rest, best->name);
	return best;
}

/* The suffixes after the locale, in the order the server wants them. */
static bool parse_suffixes(struct collation *c, const char *s)
{
	if (eat(&s, "90"))
		c->version = 1;
	else if (eat(&s, "100"))
		c->version = 2;
	else if (eat(&s, "140"))
		c->version = 3;
	if (eat(&s, "BIN2"))
		c->binary = c->binary2 = true;
	else if (eat(&s, "BIN"))
		c->binary = true;
	if (c->binary) {
		c->utf8 = eat(&s, "UTF8");
		return !*s;
	}
	if (eat(&s, "CI"))
		c->ignore_case = true;
	else if (!eat(&s, "CS"))
		return false;
	if (eat(&s, "AI"))
		c->ignore_accent = true;
	else if (!eat(&s, "AS"))
		return false;
	c->ignore_kana = !eat(&s, "KS");
	c->ignore_width = !eat(&s, "WS");
	c->supplementary = eat(&s, "SC") || c->version == 3;
	eat(&s, "VSS");
	c->utf8 = eat(&s, "UTF8");
	return !*s;
}

/* The server's spelling: the locale as in the table, suffixes in capitals. */
static void spell(struct collation *c, const char *locale, const char *name)
{
	size_t i, n = strlen(locale);

	snprintf(c->name, sizeof(c->name), "%s%s", locale, name + n);
	for (i = n; c->name[i]; i++)
		if (c->name[i] >= 'a' && c->name[i] <= 'z')
			c->name[i] = (char)(c->name[i] - 32);
}

static void finish(struct collation *c)
{
	uint32_t bits = c->lcid;

	bits |= (uint32_t)c->ignore_case << 20;
	bits |= (uint32_t)c->ignore_accent << 21;
	bits |= (uint32_t)(c->ignore_kana && !c->binary) << 22;
	bits |= (uint32_t)(c->ignore_width && !c->binary) << 23;
	bits |= (uint32_t)(c->binary && !c->binary2) << 24;
	bits |= (uint32_t)c->binary2 << 25;
	bits |= (uint32_t)c->utf8 << 26;
	bits |= (uint32_t)c->version << 28;
	if (c->utf8)
		c->page = 65001;
	c->tds[0] = (unsigned char)bits;
	c->tds[1] = (unsigned char)(bits >> 8);
	c->tds[2] = (unsigned char)(bits >> 16);
	c->tds[3] = (unsigned char)(bits >> 24);
	c->tds[4] = c->sort_id;
}

static bool parse_sql(struct collation *c, const char *name)
{
	size_t i, n = strlen(name);

	for (i = 0; i < LENGTH_OF(sql_rows); i++) {
		const struct sql_row *row = &sql_rows[i];

		if (strcasecmp(name, row->name) != 0)
			continue;
		snprintf(c->name, sizeof(c->name), "%s", row->name);
		c->lcid = row->lcid;
		c->page = row->page;
		c->sort_id = row->sort_id;
		c->sql = true;
		c->binary = n > 4 && strstr(row->name, "_BIN") != NULL;
		c->binary2 = c->binary && strstr(row->name, "_BIN2") != NULL;
		c->ignore_case = strstr(row->name, "_CI_") != NULL;
		c->ignore_accent = strcmp(row->name + n - 3, "_AI") == 0;
		c->ignore_kana = c->ignore_width = true;
		return true;
	}
	return false;
}

static bool parse(struct collation *c, const char *name)
{
	const struct locale_row *locale;
	const char *rest = name;

	memset(c, 0, sizeof(*c));
	if (strlen(name) >= sizeof(c->name))
		return false;
	if (!parse_sql(c, name)) {
		locale = find_locale(&rest);
		if (!locale || !parse_suffixes(c, rest))
			return false;
		c->lcid = locale->lcid;
		c->page = locale->page;
		spell(c, locale->name, name);
	}
	finish(c);
	return true;
}

static int table_find(const char *name)
{
	int i;

	for (i = 1; i < table_count; i++)
		if (strcasecmp(table[i]->name, name) == 0)
			return i;
	return 0;
}

/* Call with the lock held. */
static int table_add(const struct collation *c)
{
	if (table_count >= COLLATION_MAX)
		return 0;
	table[table_count] = mem_alloc(sizeof(*c));
	*table[table_count] = *c;
	__atomic_store_n(&table_count, table_count + 1, __ATOMIC_RELEASE);
	return table_count - 1;
}

static void table_init(void)
{
	struct collation c;

	if (parse(&c, "SQL_Latin1_General_CP1_CI_AS"))
		table_add(&c);
}

int collation_find(const char *name)
{
	struct collation c;
	int number;

	if (!parse(&c, strcasecmp(name, "database_default") == 0
			       ? "SQL_Latin1_General_CP1_CI_AS"
			       : name))
		return 0;
	pthread_once(&table_once, table_init);
	pthread_mutex_lock(&table_lock);
	number = table_find(c.name);
	if (!number)
		number = table_add(&c);
	pthread_mutex_unlock(&table_lock);
	return number;
}

const struct collation *collation_get(int number)
{
	pthread_once(&table_once, table_init);
	if (number <= 0 ||
	    number >= __atomic_load_n(&table_count, __ATOMIC_ACQUIRE))
		number = COLLATION_DEFAULT;
	return table[number];
}

int collation_from_tds(const unsigned char tds[5])
{
	char name[80];
	int i, number = 0;

	pthread_once(&table_once, table_init);
	pthread_mutex_lock(&table_lock);
	for (i = 1; i < table_count && !number; i++)
		if (memcmp(table[i]->tds, tds, 5) == 0)
			number = i;
	pthread_mutex_unlock(&table_lock);
	for (i = 0; !number && collation_list(i, name, sizeof(name)); i++) {
		struct collation c;

		if (parse(&c, name) && memcmp(c.tds, tds, 5) == 0)
			number = collation_find(name);
	}
	return number ? number : COLLATION_DEFAULT;
}

const char *collation_list(int index, char *buf, size_t size)
{
	static const char *const versions[] = {"", "_90", "_100"};
	static const char *const kinds[] = {
		"_BIN",	     "_BIN2",	  "_CI_AI",	    "_CI_AS",
		"_CS_AI",    "_CS_AS",	  "_CI_AS_KS_WS",   "_CS_AS_KS_WS",
		"_CI_AS_SC", "_CS_AS_SC", "_CI_AS_SC_UTF8", "_CS_AS_SC_UTF8",
		"_BIN2_UTF8"};
	const int per = (int)(LENGTH_OF(versions) * LENGTH_OF(kinds));
	const int windows = (int)LENGTH_OF(locales) * per;

	if (index < windows) {
		int kind = index % (int)LENGTH_OF(kinds);
		int version = index % per / (int)LENGTH_OF(kinds);

		snprintf(buf, size, "%s%s%s", locales[index / per].name,
			 versions[version], kinds[kind]);
		return buf;
	}
	index -= windows;
	if (index >= (int)LENGTH_OF(sql_rows))
		return NULL;
	snprintf(buf, size, "%s", sql_rows[index].name);
	return buf;
}

/*
 * The letter under an accent and the number of the accent, for U+00C0 to
 * U+017F. Two letters with different numbers differ in accent only.
 */
static const char base_letters[] = "AAAAAA\0CEEEEIIII\0NOOOOO\0OUUUUY\0\0"
				   "aaaaaa\0ceeeeiiii\0nooooo\0ouuuuy\0y"
				   "AaAaAaCcCcCcCcDd\0\0EeEeEeEeEeGgGg"
				   "GgGgHh\0\0IiIiIiIiI\0\0\0JjKk\0LlLlLl\0"
				   "\0\0\0NnNnNnn\0\0OoOoOo\0\0RrRrRrSsSsSs"
				   "SsTtTt\0\0UuUuUuUuUuUuWwYyYZzZzZzs";

struct weight {
	uint32_t letter; /* first level */
	uint16_t accent;
	uint8_t small; /* 0: capital or no case */
};

static struct weight weigh(uint32_t cp)
{
	struct weight w = {0, 0, 0};
	uint32_t lower;

	if (cp >= 0xC0 && cp < 0x180 && base_letters[cp - 0xC0]) {
		uint32_t up = utf_upper(cp);

		w.accent = (uint16_t)up;
		w.small = up != cp;
		cp = (unsigned char)base_letters[cp - 0xC0];
	} else if (cp >= 0xFF01 && cp <= 0xFF5E) {
		cp -= 0xFEE0; /* full width */
	}
	lower = utf_lower(cp);
	if (!w.accent)
		w.small = lower == cp && utf_upper(cp) != cp;
	if (lower >= 'a' && lower <= 'z')
		w.letter = 0x400 + (lower - 'a') * 16;
	else if (lower >= '0' && lower <= '9')
		w.letter = 0x300 + lower;
	else if (lower < 0x80)
		w.letter = lower;
	else
		w.letter = 0x1000 + lower;
	return w;
}

bool collation_same_char(const struct collation *c, uint32_t a, uint32_t b)
{
	struct weight x, y;

	if (a == b)
		return true;
	if (c->binary)
		return false;
	x = weigh(a);
	y = weigh(b);
	return x.letter == y.letter &&
	       (c->ignore_accent || x.accent == y.accent) &&
	       (c->ignore_case || x.small == y.small);
}

int collation_order_char(const struct collation *c, uint32_t a, uint32_t b)
{
	struct weight x, y;

	if (collation_same_char(c, a, b))
		return 0;
	if (c->binary)
		return a < b ? -1 : 1;
	x = weigh(a);
	y = weigh(b);
	if (x.letter != y.letter)
		return x.letter < y.letter ? -1 : 1;
	if (!c->ignore_accent && x.accent != y.accent)
		return x.accent < y.accent ? -1 : 1;
	return x.small ? -1 : 1; /* small letters come first */
}

/* Both ASCII: no weights needed while the bytes agree. */
static int compare_weights(const struct collation *c, const char *a,
			   size_t alen, const char *b, size_t blen)
{
	size_t i = 0, j = 0;
	int accent = 0, small = 0;

	while (i < alen && j < blen) {
		struct weight x, y;

		if (a[i] == b[j] && !(a[i] & 0x80)) {
			i++;
			j++;
			continue;
		}
		x = weigh(utf_next(a, alen, &i));
		y = weigh(utf_next(b, blen, &j));
		if (x.letter != y.letter)
			return x.letter < y.letter ? -1 : 1;
		if (!accent && x.accent != y.accent)
			accent = x.accent < y.accent ? -1 : 1;
		if (!small && x.small != y.small)
			small = x.small ? -1 : 1;
	}
	/* the shorter one is padded with blanks */
	while (i < alen) {
		struct weight x = weigh(utf_next(a, alen, &i));

		if (x.letter != ' ')
			return x.letter < ' ' ? -1 : 1;
	}
	while (j < blen) {
		struct weight y = weigh(utf_next(b, blen, &j));

		if (y.letter != ' ')
			return y.letter < ' ' ? 1 : -1;
	}
	if (accent && !c->ignore_accent)
		return accent;
	return c->ignore_case ? 0 : small;
}

int collation_compare(const struct collation *c, const char *a, size_t alen,
		      const char *b, size_t blen)
{
	size_t i, n;
	int cmp;

	while (alen && a[alen - 1] == ' ')
		alen--;
	while (blen && b[blen - 1] == ' ')
		blen--;
	if (!c->binary)
		return compare_weights(c, a, alen, b, blen);
	n = alen < blen ? alen : blen;
	cmp = n ? memcmp(a, b, n) : 0;
	if (cmp)
		return cmp;
	for (i = n; i < alen; i++)
		if (a[i] != ' ')
			return (unsigned char)a[i] < ' ' ? -1 : 1;
	for (i = n; i < blen; i++)
		if (b[i] != ' ')
			return (unsigned char)b[i] < ' ' ? 1 : -1;
	return 0;
}
