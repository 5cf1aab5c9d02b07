/*
 * Tables are made once per page from the C library's iconv, then used without
 * a lock. Windows maps the holes of its single-byte pages to the C1 controls,
 * so that every byte survives a round trip; iconv calls them errors, and the
 * tables follow Windows.
 */
#include "value/codepage.h"

#include <iconv.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "value/utf.h"

struct page {
	int number;
	const char *iconv_name;
	bool double_byte;
	uint16_t high[256];	 /* single-byte: code point of each byte */
	uint16_t pair[256][256]; /* double-byte: code point, 0 = none */
	uint16_t *back;		 /* 65536 entries: bytes of a code point */
};

static struct page pages[] = {
	{.number = 437, .iconv_name = "CP437"},
	{.number = 850, .iconv_name = "CP850"},
	{.number = 874, .iconv_name = "CP874"},
	{.number = 932, .iconv_name = "CP932", .double_byte = true},
	{.number = 936, .iconv_name = "CP936", .double_byte = true},
	{.number = 949, .iconv_name = "CP949", .double_byte = true},
	{.number = 950, .iconv_name = "CP950", .double_byte = true},
	{.number = 1250, .iconv_name = "CP1250"},
	{.number = 1251, .iconv_name = "CP1251"},
	{.number = 1252, .iconv_name = "CP1252"},
	{.number = 1253, .iconv_name = "CP1253"},
	{.number = 1254, .iconv_name = "CP1254"},
	{.number = 1255, .iconv_name = "CP1255"},
	{.number = 1256, .iconv_name = "CP1256"},
	{.number = 1257, .iconv_name = "CP1257"},
	{.number = 1258, .iconv_name = "CP1258"},
};

static pthread_mutex_t build_lock = PTHREAD_MUTEX_INITIALIZER;

/* One code point for `n` bytes, or 0. */
static uint32_t ask_iconv(iconv_t cd, const unsigned char *bytes, size_t n)
{
	char in[2], out[8];
	char *ip = in, *op = out;
	size_t left = n, room = sizeof(out);

	memcpy(in, bytes, n);
	iconv(cd, NULL, NULL, NULL, NULL);
	if (iconv(cd, &ip, &left, &op, &room) == (size_t)-1 || left)
		return 0;
	/* composed pages (1255, 1258) hold a letter back until they are told */
	if (iconv(cd, NULL, NULL, &op, &room) == (size_t)-1 ||
	    sizeof(out) - room != 2)
		return 0;
	return (unsigned char)out[0] | (uint32_t)(unsigned char)out[1] << 8;
}

/* Fill the tables; returns what is to become `page->back`. */
static uint16_t *page_build(struct page *page)
{
	iconv_t cd = iconv_open("UTF-16LE", page->iconv_name);
	uint16_t *back = mem_calloc(65536, sizeof(*back));
	unsigned char b[2];
	int i, j;

	for (i = 0; i < 256; i++) {
		uint32_t cp = 0;

		b[0] = (unsigned char)i;
		if (i && cd != (iconv_t)-1)
			cp = ask_iconv(cd, b, 1);
		if (!cp && (!page->double_byte || i < 0x81))
			cp = (uint32_t)i;
		page->high[i] = (uint16_t)cp;
		if (cp && !back[cp])
			back[cp] = (uint16_t)i;
		for (j = 0x40; !cp && i && page->double_byte && j < 255; j++) {
			b[1] = (unsigned char)j;
			cp = ask_iconv(cd, b, 2);
			page->pair[i][j] = (uint16_t)cp;
			if (cp && !back[cp])
				back[cp] = (uint16_t)(i << 8 | j);
			cp = 0;
		}
	}
	if (cd != (iconv_t)-1)
		iconv_close(cd);
	return back;
}

static const struct page *page_get(int number)
{
	struct page *page = NULL;
	size_t i;

	for (i = 0; i < LENGTH_OF(pages) && !page; i++)
		if (pages[i].number == number)
			page = &pages[i];
	if (!page)
		return page_get(1252);
	if (!__atomic_load_n(&page->back, __ATOMIC_ACQUIRE)) {
		pthread_mutex_lock(&build_lock);
		if (!page->back)
			__atomic_store_n(&page->back, page_build(page),
					 __ATOMIC_RELEASE);
		pthread_mutex_unlock(&build_lock);
	}
	return page;
}

void codepage_decode(int number, const char *s, size_t len, struct strbuf *out)
{
	const struct page *page;
	size_t i;

	if (utf_is_ascii(s, len)) {
		strbuf_add(out, s, len);
		return;
	}
	if (number == 65001) {
		for (i = 0; i < len;)
			utf_put(out, utf_next(s, len, &i));
		return;
	}
	page = page_get(number);
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		uint32_t cp = page->high[c];

		if (!cp && c) {
			unsigned char d =
				i + 1 < len ? (unsigned char)s[i + 1] : 0;

			cp = page->pair[c][d];
			if (cp)
				i++;
			else
				cp = 0xFFFD;
		}
		utf_put(out, cp);
	}
}

/* What Windows writes when the page has no such letter. */
static uint32_t best_fit(uint32_t cp)
{
	static const char plain[] = "AAAAAAACEEEEIIIIDNOOOOOxOUUUUYTs"
				    "aaaaaaaceeeeiiiidnooooo/ouuuuyty"
				    "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGg"
				    "GgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlL"
				    "lLlNnNnNnnNnOoOoOoOoRrRrRrSsSsSs"
				    "SsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs";

	if (cp >= 0xC0 && cp < 0x180)
		return (unsigned char)plain[cp - 0xC0];
	if (cp >= 0xFF01 && cp <= 0xFF5E)
		return cp - 0xFEE0;
	switch (cp) {
	case 0x2010:
	case 0x2011:
		return '-';
	case 0x2018:
	case 0x2019:
		return '\'';
	case 0x201C:
	case 0x201D:
		return '"';
	case 0x2002:
	case 0x2003:
	case 0x2009:
	case 0xA0:
		return ' ';
	default:
		return '?';
	}
}

static uint32_t encode_point(const struct page *page, uint32_t cp)
{
	uint32_t code = cp < 0x10000 ? page->back[cp] : 0;

	if (!code && cp) {
		uint32_t fit = best_fit(cp);

		code = page->back[fit] ? page->back[fit] : '?';
	}
	return code;
}

void codepage_encode(int number, const char *s, size_t len, struct strbuf *out)
{
	const struct page *page;
	size_t pos = 0;

	if (number == 65001 || utf_is_ascii(s, len)) {
		strbuf_add(out, s, len);
		return;
	}
	page = page_get(number);
	while (pos < len) {
		uint32_t cp = utf_next(s, len, &pos);
		uint32_t code = encode_point(page, cp);

		if (cp >= 0x10000)
			strbuf_addch(out, '?'); /* one for each half */
		if (code > 0xFF)
			strbuf_addch(out, (char)(code >> 8));
		strbuf_addch(out, (char)code);
	}
}

size_t codepage_bytes(int number, const char *s, size_t len)
{
	const struct page *page;
	size_t pos = 0, n = 0;

	if (number == 65001 || utf_is_ascii(s, len))
		return len;
	page = page_get(number);
	if (!page->double_byte)
		return utf_units(s, len);
	while (pos < len) {
		uint32_t cp = utf_next(s, len, &pos);

		n += cp >= 0x10000 || encode_point(page, cp) > 0xFF ? 2 : 1;
	}
	return n;
}
