#include "format/varint.h"

#define BYTES_MAX 10

void varint_put(struct strbuf *out, uint64_t value)
{
	char bytes[BYTES_MAX];
	size_t len = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[len++] = (char)(value | 0x80);
	bytes[len++] = (char)value;
	strbuf_add(out, bytes, len);
}

void varint_put_signed(struct strbuf *out, int64_t value)
{
	uint64_t twice = (uint64_t)value << 1;

	varint_put(out, value < 0 ? ~twice : twice);
}

bool varint_get(const unsigned char **at, const unsigned char *end,
		uint64_t *out)
{
	*out = 0;
	for (int shift = 0; shift < 64 && *at < end; shift += 7) {
		unsigned byte = *(*at)++;

		/* The tenth byte has room for one bit alone. */
		if (shift == 63 && byte > 1)
			return false;
		*out |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

bool varint_get_signed(const unsigned char **at, const unsigned char *end,
		       int64_t *out)
{
	uint64_t value;
	bool got = varint_get(at, end, &value);

	*out = (int64_t)(value >> 1 ^ (0 - (value & 1)));
	return got;
}
