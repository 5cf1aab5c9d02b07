#include "format/parquet_decode.h"

#include <string.h>

#include "format/varint.h"

#define BLOCK_MAX ((uint64_t)1 << 24)

uint64_t parquet_get_le(const unsigned char *from, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = bytes; i-- > 0;)
		value = value << 8 | from[i];
	return value;
}

/* The next `width` bits, from the lowest up; they are known to be there. */
static uint64_t take_bits(const unsigned char **at, unsigned *bit, int width)
{
	uint64_t value = 0;

	for (int got = 0; got < width;) {
		int some = 8 - (int)*bit;

		if (some > width - got)
			some = width - got;
		value |= (uint64_t)(**at >> *bit & ((1U << some) - 1)) << got;
		got += some;
		*bit += (unsigned)some;
		*at += *bit >> 3;
		*bit &= 7;
	}
	return value;
}

/* ------------------------------------------------------------------- hybrid */

void parquet_hybrid_init(struct parquet_hybrid *hybrid, const void *data,
			 size_t len, int width)
{
	memset(hybrid, 0, sizeof(*hybrid));
	hybrid->at = data;
	hybrid->end = hybrid->at + len;
	hybrid->width = width;
}

static bool begin_run(struct parquet_hybrid *hybrid)
{
	size_t bytes = ((size_t)hybrid->width + 7) / 8;
	uint64_t head, room;

	if (!varint_get(&hybrid->at, hybrid->end, &head) || head < 2)
		return false;
	room = (uint64_t)(hybrid->end - hybrid->at);
	hybrid->packed = head & 1;
	if (hybrid->packed) {
		if (hybrid->width && head >> 1 > room / (unsigned)hybrid->width)
			return false;
		hybrid->left = head >> 1 << 3;
		hybrid->bit = 0;
		return true;
	}
	if (bytes > room)
		return false;
	hybrid->left = head >> 1;
	hybrid->value = (uint32_t)parquet_get_le(hybrid->at, bytes);
	hybrid->at += bytes;
	return true;
}

bool parquet_hybrid_next(struct parquet_hybrid *hybrid, uint32_t *out)
{
	if (!hybrid->left && !begin_run(hybrid)) {
		hybrid->at = hybrid->end;
		return false;
	}
	hybrid->left--;
	*out = hybrid->packed ? (uint32_t)take_bits(&hybrid->at, &hybrid->bit,
						    hybrid->width)
			      : hybrid->value;
	return true;
}

/* -------------------------------------------------------------------- delta */

bool parquet_delta_init(struct parquet_delta *delta, const void *data,
			size_t len, size_t width)
{
	memset(delta, 0, sizeof(*delta));
	delta->at = data;
	delta->end = delta->at + len;
	delta->narrow = width == 4;
	if (!varint_get(&delta->at, delta->end, &delta->block) ||
	    !varint_get(&delta->at, delta->end, &delta->miniblocks) ||
	    !varint_get(&delta->at, delta->end, &delta->left) ||
	    !varint_get_signed(&delta->at, delta->end, &delta->value))
		return false;
	if (!delta->block || delta->block > BLOCK_MAX || !delta->miniblocks ||
	    delta->block % delta->miniblocks)
		return false;
	delta->in_miniblock = delta->block / delta->miniblocks;
	delta->in_block = delta->block; /* nothing of it is left */
	return delta->in_miniblock % 8 == 0;
}

static bool begin_block(struct parquet_delta *delta)
{
	if (!varint_get_signed(&delta->at, delta->end, &delta->least) ||
	    delta->miniblocks > (uint64_t)(delta->end - delta->at))
		return false;
	delta->widths = delta->at;
	delta->at += delta->miniblocks;
	delta->in_block = 0;
	return true;
}

/* The values of a miniblock are all there, or none of it is read. */
static bool begin_miniblock(struct parquet_delta *delta)
{
	unsigned width = delta->widths[delta->in_block / delta->in_miniblock];

	delta->bit = 0;
	return width <= (delta->narrow ? 32 : 64) &&
	       delta->in_miniblock / 8 * width <=
		       (uint64_t)(delta->end - delta->at);
}

static bool add_difference(struct parquet_delta *delta)
{
	uint64_t step;

	if (delta->in_block == delta->block && !begin_block(delta))
		return false;
	if (delta->in_block % delta->in_miniblock == 0 &&
	    !begin_miniblock(delta))
		return false;
	step = take_bits(&delta->at, &delta->bit,
			 delta->widths[delta->in_block / delta->in_miniblock]);
	delta->in_block++;
	delta->value = (int64_t)((uint64_t)delta->value +
				 (uint64_t)delta->least + step);
	if (delta->narrow)
		delta->value = (int32_t)(uint32_t)delta->value;
	return true;
}

bool parquet_delta_next(struct parquet_delta *delta, int64_t *out)
{
	if (!delta->left || (delta->begun && !add_difference(delta))) {
		delta->left = 0;
		return false;
	}
	delta->begun = true;
	delta->left--;
	*out = delta->value;
	return true;
}
