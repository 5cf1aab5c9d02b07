#include "row/position.h"

#include <string.h>

int position_set(struct position *pos, const void *bytes, size_t len,
		 struct error *err)
{
	if (len > POSITION_MAX)
		return error_set(err, ERROR_DATA,
				 "a position of %zu bytes does not fit", len);
	pos->len = len;
	if (len)
		memcpy(pos->bytes, bytes, len);
	return 0;
}

bool position_equal(const struct position *a, const struct position *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

void position_format(char out[POSITION_TEXT_MAX], const struct position *pos)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t at = 0;

	if (pos->len) {
		out[at++] = '0';
		out[at++] = 'x';
	}
	for (size_t i = 0; i < pos->len; i++) {
		out[at++] = digits[pos->bytes[i] >> 4];
		out[at++] = digits[pos->bytes[i] & 15];
	}
	out[at] = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int position_parse(struct position *pos, const char *text)
{
	struct position read = {.len = 0};

	pos->len = 0;
	if (!*text)
		return 0;
	if (strncmp(text, "0x", 2) != 0 || !text[2])
		return -1;
	for (text += 2; *text; text += 2) {
		int high = digit(text[0]);
		int low = high < 0 ? -1 : digit(text[1]);

		if (low < 0 || read.len == POSITION_MAX)
			return -1;
		read.bytes[read.len++] = (unsigned char)(high * 16 + low);
	}
	*pos = read;
	return 0;
}
