#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void text_copy(char *dst, size_t size, const char *src)
{
	dst[0] = '\0';
	text_append(dst, size, src);
}

void text_append(char *dst, size_t size, const char *src)
{
	size_t used = strlen(dst);
	size_t len = strlen(src);

	if (used + 1 >= size)
		return;
	if (len > size - used - 1)
		len = size - used - 1;
	memcpy(dst + used, src, len);
	dst[used + len] = '\0';
	text_trim_partial_utf8(dst);
}

void text_trim_partial_utf8(char *s)
{
	size_t len = strlen(s);
	size_t tail = 0;
	size_t need;
	unsigned char lead;

	while (tail < len && tail < 3 &&
	       ((unsigned char)s[len - 1 - tail] & 0xc0) == 0x80)
		tail++;
	if (tail >= len)
		return;
	lead = (unsigned char)s[len - 1 - tail];
	need = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
	if (tail < need)
		s[len - 1 - tail] = '\0';
}

/* The length of the valid character at `s`; 0: it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *s)
{
	size_t len = s[0] < 0x80   ? 1
		     : s[0] < 0xc2 ? 0
		     : s[0] < 0xe0 ? 2
		     : s[0] < 0xf0 ? 3
		     : s[0] < 0xf5 ? 4
				   : 0;

	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

void text_make_utf8(char *s)
{
	while (*s) {
		size_t len = utf8_length((unsigned char *)s);

		if (!len)
			*s = '?';
		s += len ? len : 1;
	}
}

static bool is_ascii(const unsigned char *eight_bytes)
{
	uint64_t eight;

	memcpy(&eight, eight_bytes, sizeof(eight));
	return (eight & UINT64_C(0x8080808080808080)) == 0;
}

/* How many bytes at the front are ASCII: all, or a multiple of eight. */
static size_t ascii_length(const unsigned char *s, size_t len)
{
	size_t at = 0;

	while (len - at >= 8 && is_ascii(s + at))
		at += 8;
	/* The last few, together with some before them. */
	return len >= 8 && len - at < 8 && is_ascii(s + len - 8) ? len : at;
}

bool text_is_utf8(const char *data, size_t len)
{
	const unsigned char *s = (const unsigned char *)data;
	unsigned char last[5] = {0};
	size_t step;

	while (len > 4) {
		step = ascii_length(s, len);
		s += step;
		len -= step;
		if (len <= 4)
			break;
		step = utf8_length(s);
		if (!step)
			return false;
		s += step;
		len -= step;
	}
	/* Nothing behind the end is looked at. */
	memcpy(last, s, len);
	for (s = last; len > 0; s += step, len -= step) {
		step = utf8_length(s);
		if (!step || step > len)
			return false;
	}
	return true;
}

bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

bool text_iequal(const char *a, const char *b)
{
	return a && b && text_istarts(a, b) && strlen(a) == strlen(b);
}

bool text_istarts(const char *s, const char *prefix)
{
	for (; *prefix; s++, prefix++)
		if (tolower((unsigned char)*s) !=
		    tolower((unsigned char)*prefix))
			return false;
	return true;
}

char *text_trim(char *s)
{
	size_t len;

	while (isspace((unsigned char)*s))
		s++;
	len = strlen(s);
	while (len > 0 && isspace((unsigned char)s[len - 1]))
		s[--len] = '\0';
	return s;
}

bool text_to_long(const char *s, long *out)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	if (!*s)
		return false;
	errno = 0;
	*out = strtol(s, &end, 10);
	if (errno || end == s)
		return false;
	while (isspace((unsigned char)*end))
		end++;
	return *end == '\0';
}
