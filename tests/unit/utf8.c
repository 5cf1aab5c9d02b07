#include "unit/utf8.h"

#include <string.h>

/* Table 3-7 of the Unicode standard. */
bool is_utf8_bytes(const void *text, size_t len)
{
	const unsigned char *s = text;
	const unsigned char *end = s + len;

	while (s < end) {
		unsigned char first = *s++;
		unsigned char low = 0x80, high = 0xbf;
		int more;

		if (first < 0x80)
			continue;
		if (first < 0xc2 || first > 0xf4)
			return false;
		more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
		if (first == 0xe0)
			low = 0xa0;
		else if (first == 0xed)
			high = 0x9f;
		else if (first == 0xf0)
			low = 0x90;
		else if (first == 0xf4)
			high = 0x8f;
		if (end - s < more)
			return false;
		for (; more; more--, s++, low = 0x80, high = 0xbf)
			if (*s < low || *s > high)
				return false;
	}
	return true;
}

bool is_utf8(const char *text)
{
	return is_utf8_bytes(text, strlen(text));
}
