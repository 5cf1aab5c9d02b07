#include "drivers/postgresql/lsn.h"

#include <inttypes.h>
#include <stdio.h>

#define POSITION_BYTES 20
#define UNTIL_BYTES    8

const char *lsn_format(char out[LSN_TEXT_MAX], uint64_t lsn)
{
	snprintf(out, LSN_TEXT_MAX, "%" PRIX32 "/%" PRIX32,
		 (uint32_t)(lsn >> 32), (uint32_t)lsn);
	return out;
}

uint64_t lsn_parse(const char *text)
{
	uint32_t high, low;
	char rest;

	if (sscanf(text, "%8" SCNx32 "/%8" SCNx32 "%c", &high, &low, &rest) !=
	    2)
		return 0;
	return (uint64_t)high << 32 | low;
}

static void put(struct position *out, uint64_t number, int bytes)
{
	while (bytes-- > 0)
		out->bytes[out->len++] = (unsigned char)(number >> (8 * bytes));
}

static uint64_t get(const unsigned char *bytes, int count)
{
	uint64_t number = 0;

	for (int i = 0; i < count; i++)
		number = number << 8 | bytes[i];
	return number;
}

void lsn_to_position(struct position *out, const struct lsn_position *from)
{
	out->len = 0;
	put(out, from->lsn, 8);
	put(out, from->system, 8);
	put(out, from->timeline, 4);
	if (from->read_until > from->lsn)
		put(out, from->read_until, UNTIL_BYTES);
}

int lsn_from_position(struct lsn_position *out, const struct position *from,
		      struct error *err)
{
	bool more = from->len == POSITION_BYTES + UNTIL_BYTES;

	if (!more && from->len != POSITION_BYTES)
		return error_set(err, ERROR_GAP,
				 "the stored position is not one of a "
				 "PostgreSQL server");
	out->lsn = get(from->bytes, 8);
	out->system = get(from->bytes + 8, 8);
	out->timeline = (uint32_t)get(from->bytes + 16, 4);
	out->read_until = more ? get(from->bytes + POSITION_BYTES, UNTIL_BYTES)
			       : out->lsn;
	return 0;
}
