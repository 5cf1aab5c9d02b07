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
