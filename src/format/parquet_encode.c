#include "format/parquet_encode.h"

#include <stdbool.h>
#include <string.h>

#include "format/varint.h"

#define GROUP 8 /* values that take a whole number of bytes in any width */

/* A bit-packed run's header is one byte then, written before the run's end is
 * known. */
#define GROUPS_MAX 63

/* A run is worth a header of its own from so many equal groups of levels on. */
#define LEVEL_RUN_MIN 4

int parquet_bit_width(uint32_t most)
{
	return most ? 32 - __builtin_clz(most) : 1;
}

/* `count` numbers of `width` bits, from the lowest bit up. The end of it. */
static unsigned char *pack(unsigned char *to, const uint64_t *values,
			   size_t count, int width)
{
	uint64_t bits = 0;
	int used = 0;

	for (size_t i = 0; i < count; i++) {
		bits |= values[i] << used;
		used += width;
		if (used < 64)
			continue;
		parquet_put_le(to, bits, 8);
		to += 8;
		used -= 64;
		bits = used ? values[i] >> (width - used) : 0;
	}
	parquet_put_le(to, bits, ((size_t)used + 7) / 8);
	return to + ((size_t)used + 7) / 8;
}

static void put_run(struct strbuf *out, size_t count, uint64_t value,
		    size_t bytes)
{
	unsigned char le[8];

	parquet_put_le(le, value, sizeof(le));
	varint_put(out, (uint64_t)count << 1);
	strbuf_add(out, le, bytes);
}

/* ------------------------------------------------------------------ levels */

/* How many groups from `at` on are all `value`. */
static size_t level_run(const unsigned char *bits, size_t at, size_t groups,
			unsigned char value)
{
	size_t end = at;

	while (end < groups && bits[end] == value)
		end++;
	return end - at;
}

static void put_level_groups(struct strbuf *out, const unsigned char *bits,
			     size_t groups)
{
	while (groups) {
		size_t some = groups < GROUPS_MAX ? groups : GROUPS_MAX;

		strbuf_addch(out, (char)(some << 1 | 1));
		strbuf_add(out, bits, some);
		bits += some;
		groups -= some;
	}
}

/* Whole groups: a byte each. */
static void put_whole_levels(struct strbuf *out, const unsigned char *bits,
			     size_t groups)
{
	size_t begin = 0, at = 0; /* of what is not yet written; so far */

	while (at < groups) {
		unsigned char value = bits[at] & 1 ? 0xff : 0;
		size_t run = level_run(bits, at, groups, value);

		if (run < LEVEL_RUN_MIN) {
			at += run ? run : 1;
			continue;
		}
		put_level_groups(out, bits + begin, at - begin);
		put_run(out, run * GROUP, value & 1, 1);
		at += run;
		begin = at;
	}
	put_level_groups(out, bits + begin, groups - begin);
}

void parquet_put_levels(struct strbuf *out, const unsigned char *bits,
			size_t rows)
{
	size_t groups = rows / GROUP, rest = rows % GROUP;
	unsigned char all = (unsigned char)((1 << rest) - 1);
	unsigned char first = rows ? bits[0] & 1 : 0;
	unsigned char last = rest ? bits[groups] & all : 0;

	/* What has no NULLs at all, or nothing else, is one run. */
	if (level_run(bits, 0, groups, first ? 0xff : 0) == groups &&
	    (!rest || last == (first ? all : 0))) {
		put_run(out, rows, first, 1);
		return;
	}
	put_whole_levels(out, bits, groups);
	if (rest) {
		strbuf_addch(out, 1 << 1 | 1);
		strbuf_addch(out, (char)last);
	}
}

/* ----------------------------------------------------------------- indices */

static size_t index_run(const uint32_t *indices, size_t count)
{
	size_t run = 1;

	while (run < count && indices[run] == indices[0])
		run++;
	return run;
}

/* How many values to pack: whole groups, up to where a run begins. */
static size_t literal_length(const uint32_t *indices, size_t count)
{
	size_t at = 0;

	while (at < count && at < (size_t)GROUPS_MAX * GROUP) {
		size_t left = count - at < GROUP ? count - at : GROUP;

		if (index_run(indices + at, left) >= GROUP)
			break;
		at += left;
	}
	return at;
}

static void put_literals(struct strbuf *out, const uint32_t *indices,
			 size_t count, int width)
{
	uint64_t values[GROUPS_MAX * GROUP] = {0};
	size_t groups = (count + GROUP - 1) / GROUP;
	char *to = strbuf_reserve(out, 1 + groups * (size_t)width);

	if (!to)
		return;
	for (size_t i = 0; i < count; i++)
		values[i] = indices[i];
	*to = (char)(groups << 1 | 1);
	pack((unsigned char *)to + 1, values, groups * GROUP, width);
	out->len += 1 + groups * (size_t)width;
	out->data[out->len] = '\0';
}

void parquet_put_indices(struct strbuf *out, const uint32_t *indices,
			 size_t count, int width)
{
	while (count) {
		size_t some = index_run(indices, count);

		if (some >= GROUP) {
			put_run(out, some, indices[0], ((size_t)width + 7) / 8);
		} else {
			some = literal_length(indices, count);
			put_literals(out, indices, some, width);
		}
		indices += some;
		count -= some;
	}
}

/* ------------------------------------------------------------------- delta */

#define BLOCK	   128
#define MINIBLOCK  32
#define MINIBLOCKS (BLOCK / MINIBLOCK)

/* A block's most: a varint, the widths, all values in 64 bits. */
#define BLOCK_BYTES (10 + MINIBLOCKS + BLOCK * 8)

/* Differences wrap around, as adding them up will. */
static int64_t difference(int64_t value, int64_t before, bool narrow)
{
	if (narrow)
		return (int32_t)((uint32_t)value - (uint32_t)before);
	return (int64_t)((uint64_t)value - (uint64_t)before);
}

/* `count` differences, from the first value on; the least of them. */
static int64_t take_differences(const int64_t *values, size_t count,
				bool narrow, int64_t *to)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < count; i++) {
		to[i] = difference(values[i + 1], values[i], narrow);
		if (to[i] < least)
			least = to[i];
	}
	return least;
}

/* At least one difference from the first value on, at most a block of them. */
static void put_block(struct strbuf *out, const int64_t *values, size_t count,
		      bool narrow)
{
	uint64_t rest[BLOCK] = {0};
	int64_t steps[BLOCK];
	int64_t least = take_differences(values, count, narrow, steps);
	unsigned char *widths, *to;

	varint_put_signed(out, least);
	widths = (unsigned char *)strbuf_reserve(out, BLOCK_BYTES);
	if (!widths)
		return;
	for (size_t i = 0; i < count; i++)
		rest[i] = (uint64_t)steps[i] - (uint64_t)least;
	to = widths + MINIBLOCKS;
	for (size_t m = 0; m < MINIBLOCKS; m++) {
		uint64_t all = 0;

		for (size_t i = 0; i < MINIBLOCK; i++)
			all |= rest[m * MINIBLOCK + i];
		widths[m] =
			all ? (unsigned char)(64 - __builtin_clzll(all)) : 0;
		to = pack(to, rest + m * MINIBLOCK, widths[m] ? MINIBLOCK : 0,
			  widths[m]);
	}
	out->len += (size_t)(to - widths);
	out->data[out->len] = '\0';
}

void parquet_put_delta(struct strbuf *out, const int64_t *values, size_t count,
		       size_t width)
{
	varint_put(out, BLOCK);
	varint_put(out, MINIBLOCKS);
	varint_put(out, count);
	varint_put_signed(out, count ? values[0] : 0);
	for (size_t at = 1; at < count; at += BLOCK)
		put_block(out, values + at - 1,
			  count - at < BLOCK ? count - at : BLOCK, width == 4);
}
