/*
 * UTF-8 with single surrogates, and UTF-16LE. Case mapping covers the scripts
 * that have case and that code pages know: Latin, Greek, Cyrillic, Armenian.
 * towupper() would depend on the process's locale, which the server's does
 * not.
 */
#include "value/utf.h"

#include <string.h>

uint32_t utf_next(const char *s, size_t len, size_t *pos)
{
	const unsigned char *p = (const unsigned char *)s + *pos;
	size_t left = len - *pos;
	unsigned c = p[0];

	if (c < 0x80) {
		*pos += 1;
		return c;
	}
	if (c >= 0xC2 && c < 0xE0 && left >= 2 && (p[1] & 0xC0) == 0x80) {
		*pos += 2;
		return (c & 0x1Fu) << 6 | (p[1] & 0x3Fu);
	}
	if ((c & 0xF0) == 0xE0 && left >= 3 && (p[1] & 0xC0) == 0x80 &&
	    (p[2] & 0xC0) == 0x80) {
		*pos += 3;
		return (c & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
	}
	if ((c & 0xF8) == 0xF0 && left >= 4 && (p[1] & 0xC0) == 0x80 &&
	    (p[2] & 0xC0) == 0x80 && (p[3] & 0xC0) == 0x80) {
		*pos += 4;
		return ((c & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 |
			(p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu)) &
		       0x1FFFFF;
	}
	*pos += 1;
	return 0xFFFD;
}

size_t utf_encode(uint32_t cp, char *out)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xC0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3F));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xE0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
		out[2] = (char)(0x80 | (cp & 0x3F));
		return 3;
	}
	if (cp > 0x10FFFF)
		return utf_encode(0xFFFD, out);
	out[0] = (char)(0xF0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
	out[3] = (char)(0x80 | (cp & 0x3F));
	return 4;
}

void utf_put(struct strbuf *sb, uint32_t cp)
{
	char out[4];

	strbuf_add(sb, out, utf_encode(cp, out));
}

void utf_from_16le(struct strbuf *sb, const unsigned char *s, size_t bytes)
{
	size_t units = bytes / 2, i;
	/* three bytes a unit at most; a pair gives four */
	char *out = strbuf_reserve(sb, units * 3);
	size_t n = 0;

	if (!out)
		return;
	for (i = 0; i < units; i++) {
		uint32_t cp = s[2 * i] | (uint32_t)s[2 * i + 1] << 8;

		if (cp >= 0xD800 && cp < 0xDC00 && i + 1 < units) {
			uint32_t low = s[2 * i + 2] | (uint32_t)s[2 * i + 3]
							      << 8;

			if (low >= 0xDC00 && low < 0xE000) {
				cp = 0x10000 + ((cp - 0xD800) << 10) +
				     (low - 0xDC00);
				i++;
			}
		}
		n += utf_encode(cp, out + n);
	}
	sb->len += n;
	sb->data[sb->len] = '\0';
}

void utf_to_16le(struct strbuf *sb, const char *s, size_t len)
{
	unsigned char *out = (unsigned char *)strbuf_reserve(sb, len * 2);
	size_t pos = 0, n = 0;

	if (!out)
		return;
	while (pos < len) {
		uint32_t cp = utf_next(s, len, &pos);

		if (cp >= 0x10000) {
			uint32_t high = 0xD800 + ((cp - 0x10000) >> 10);

			out[n++] = (unsigned char)high;
			out[n++] = (unsigned char)(high >> 8);
			cp = 0xDC00 + ((cp - 0x10000) & 0x3FF);
		}
		out[n++] = (unsigned char)cp;
		out[n++] = (unsigned char)(cp >> 8);
	}
	sb->len += n;
	sb->data[sb->len] = '\0';
}

bool utf_is_ascii(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		uint64_t word;

		memcpy(&word, s + i, 8);
		if (word & UINT64_C(0x8080808080808080))
			return false;
	}
	for (; i < len; i++)
		if ((unsigned char)s[i] >= 0x80)
			return false;
	return true;
}

size_t utf_units(const char *s, size_t len)
{
	size_t pos = 0, units = 0;

	if (utf_is_ascii(s, len))
		return len;
	while (pos < len)
		units += utf_next(s, len, &pos) >= 0x10000 ? 2 : 1;
	return units;
}

size_t utf_points(const char *s, size_t len)
{
	size_t pos = 0, points = 0;

	if (utf_is_ascii(s, len))
		return len;
	for (; pos < len; points++)
		utf_next(s, len, &pos);
	return points;
}

size_t utf_offset(const char *s, size_t len, size_t units)
{
	size_t pos = 0, seen = 0;

	if (utf_is_ascii(s, len))
		return units < len ? units : len;
	while (pos < len && seen < units) {
		size_t at = pos;

		seen += utf_next(s, len, &pos) >= 0x10000 ? 2 : 1;
		if (seen > units)
			return at;
	}
	return pos;
}

/* Ranges where capital and small letters alternate, capital first or not. */
static bool alternates(uint32_t cp, bool *capital_is_even)
{
	*capital_is_even = true;
	if ((cp >= 0x100 && cp <= 0x137 && cp != 0x130 && cp != 0x131) ||
	    (cp >= 0x14A && cp <= 0x177) || (cp >= 0x1DE && cp <= 0x1EF) ||
	    (cp >= 0x1F8 && cp <= 0x21F) || (cp >= 0x222 && cp <= 0x233) ||
	    (cp >= 0x460 && cp <= 0x481) || (cp >= 0x48A && cp <= 0x4BF) ||
	    (cp >= 0x4D0 && cp <= 0x52F) || (cp >= 0x1E00 && cp <= 0x1E95) ||
	    (cp >= 0x1EA0 && cp <= 0x1EFF))
		return true;
	*capital_is_even = false;
	return (cp >= 0x139 && cp <= 0x148) || (cp >= 0x179 && cp <= 0x17E) ||
	       (cp >= 0x1CD && cp <= 0x1DC);
}

uint32_t utf_upper(uint32_t cp)
{
	bool even;

	if (cp < 0x80)
		return cp >= 'a' && cp <= 'z' ? cp - 32 : cp;
	if (cp == 0xB5)
		return 0x39C;
	if (cp == 0xFF)
		return 0x178;
	if (cp >= 0xE0 && cp <= 0xFE && cp != 0xF7)
		return cp - 32;
	if (alternates(cp, &even))
		return (cp & 1) == (even ? 1u : 0u) ? cp - 1 : cp;
	if (cp >= 0x3B1 && cp <= 0x3CB && cp != 0x3C2)
		return cp - 32;
	if (cp == 0x3AC)
		return 0x386;
	if (cp >= 0x3AD && cp <= 0x3AF)
		return cp - 37;
	if (cp == 0x3CC)
		return 0x38C;
	if (cp == 0x3CD || cp == 0x3CE)
		return cp - 63;
	if (cp >= 0x430 && cp <= 0x44F)
		return cp - 32;
	if (cp >= 0x450 && cp <= 0x45F)
		return cp - 80;
	if (cp >= 0x561 && cp <= 0x586)
		return cp - 48;
	if (cp >= 0xFF41 && cp <= 0xFF5A)
		return cp - 32;
	return cp;
}

uint32_t utf_lower(uint32_t cp)
{
	bool even;

	if (cp < 0x80)
		return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
	if (cp == 0x178)
		return 0xFF;
	if (cp >= 0xC0 && cp <= 0xDE && cp != 0xD7)
		return cp + 32;
	if (alternates(cp, &even))
		return (cp & 1) == (even ? 0u : 1u) ? cp + 1 : cp;
	if (cp >= 0x391 && cp <= 0x3AB && cp != 0x3A2)
		return cp + 32;
	if (cp == 0x386)
		return 0x3AC;
	if (cp >= 0x388 && cp <= 0x38A)
		return cp + 37;
	if (cp == 0x38C)
		return 0x3CC;
	if (cp == 0x38E || cp == 0x38F)
		return cp + 63;
	if (cp >= 0x410 && cp <= 0x42F)
		return cp + 32;
	if (cp >= 0x400 && cp <= 0x40F)
		return cp + 80;
	if (cp >= 0x531 && cp <= 0x556)
		return cp + 48;
	if (cp >= 0xFF21 && cp <= 0xFF3A)
		return cp + 32;
	return cp;
}
