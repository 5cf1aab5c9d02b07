#include "format/parquet_range.h"

#include <math.h>
#include <string.h>

#include "format/parquet_encode.h"

#define LONGER (PARQUET_BOUND_MAX + 1)
#define HEAD   8

/* Numbers in two's complement are in the order of their bytes with the first
 * bit turned over. */
static unsigned char flip(const struct parquet_leaf *leaf)
{
	return leaf->is_signed ? 0x80 : 0;
}

/* ------------------------------------------------------------------- bounds */

static uint64_t head_of(const unsigned char *data, size_t len,
			unsigned char flipped)
{
	uint64_t head = 0;

	if (len >= HEAD) {
		for (size_t i = 0; i < HEAD; i++)
			head = head << 8 | data[i];
	} else if (len) {
		for (size_t i = 0; i < len; i++)
			head = head << 8 | data[i];
		head <<= 8 * (HEAD - len);
	}
	return head ^ (uint64_t)flipped << 56;
}

static void bound_set(struct parquet_bound *bound, uint64_t head,
		      const unsigned char *data, size_t len)
{
	bound->head = head;
	bound->len = len < LONGER ? len : LONGER;
	if (len)
		memcpy(bound->bytes, data,
		       len < LONGER ? len : PARQUET_BOUND_MAX);
}

/* A value against a bound, as memcmp(); the heads are the same. */
static int compare_rest(const unsigned char *data, size_t len,
			const struct parquet_bound *bound)
{
	size_t both = len < bound->len ? len : bound->len;
	int order;

	if (both > PARQUET_BOUND_MAX)
		both = PARQUET_BOUND_MAX;
	order = both > HEAD
			? memcmp(data + HEAD, bound->bytes + HEAD, both - HEAD)
			: 0;
	if (order)
		return order;
	if (len > LONGER)
		len = LONGER;
	return len < bound->len ? -1 : len > bound->len;
}

static void add_slice(struct parquet_range *range, const unsigned char *data,
		      size_t len, unsigned char flipped)
{
	struct parquet_bound *min = &range->slice.min;
	struct parquet_bound *max = &range->slice.max;
	uint64_t head = head_of(data, len, flipped);

	if (!range->known) {
		bound_set(min, head, data, len);
		bound_set(max, head, data, len);
		range->known = true;
		return;
	}
	if (head < min->head ||
	    (head == min->head && compare_rest(data, len, min) < 0))
		bound_set(min, head, data, len);
	if (head > max->head ||
	    (head == max->head && compare_rest(data, len, max) > 0))
		bound_set(max, head, data, len);
}

/* ------------------------------------------------------------------- adding */

static void add_numbers(struct parquet_range *range, const int64_t *numbers,
			size_t count)
{
	int64_t min = range->known ? range->number.min : INT64_MAX;
	int64_t max = range->known ? range->number.max : INT64_MIN;

	for (size_t i = 0; i < count; i++) {
		min = numbers[i] < min ? numbers[i] : min;
		max = numbers[i] > max ? numbers[i] : max;
	}
	range->known |= count > 0;
	range->number.min = min;
	range->number.max = max;
}

static double real_of(const struct parquet_leaf *leaf, int64_t bits)
{
	uint32_t half = (uint32_t)bits;
	double value;
	float single;

	if (leaf->width == sizeof(single)) {
		memcpy(&single, &half, sizeof(single));
		return (double)single;
	}
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* NaN has no place in the order, and is left out. */
static void add_reals(struct parquet_range *range,
		      const struct parquet_leaf *leaf, const int64_t *numbers,
		      size_t count)
{
	double min = range->known ? range->real.min : (double)INFINITY;
	double max = range->known ? range->real.max : (double)-INFINITY;

	for (size_t i = 0; i < count; i++) {
		double value = real_of(leaf, numbers[i]);

		range->known |= !isnan(value);
		min = value < min ? value : min;
		max = value > max ? value : max;
	}
	range->real.min = min;
	range->real.max = max;
}

void parquet_range_add(struct parquet_range *range,
		       const struct parquet_leaf *leaf,
		       const struct parquet_values *values)
{
	if (leaf->kind == PARQUET_NUMBERS) {
		add_numbers(range, values->numbers, values->count);
	} else if (leaf->kind == PARQUET_REALS) {
		add_reals(range, leaf, values->numbers, values->count);
	} else {
		for (size_t i = 0; i < values->count; i++)
			add_slice(range, values->slices[i].data,
				  values->slices[i].len, flip(leaf));
	}
}

static int compare_bounds(const struct parquet_bound *a,
			  const struct parquet_bound *b)
{
	if (a->head != b->head)
		return a->head < b->head ? -1 : 1;
	return compare_rest(a->bytes, a->len, b);
}

void parquet_range_merge(struct parquet_range *range,
			 const struct parquet_leaf *leaf,
			 const struct parquet_range *more)
{
	if (!more->known)
		return;
	if (!range->known) {
		*range = *more;
		return;
	}
	if (leaf->kind == PARQUET_NUMBERS) {
		if (more->number.min < range->number.min)
			range->number.min = more->number.min;
		if (more->number.max > range->number.max)
			range->number.max = more->number.max;
	} else if (leaf->kind == PARQUET_REALS) {
		range->real.min = fmin(range->real.min, more->real.min);
		range->real.max = fmax(range->real.max, more->real.max);
	} else {
		if (compare_bounds(&more->slice.min, &range->slice.min) < 0)
			range->slice.min = more->slice.min;
		if (compare_bounds(&more->slice.max, &range->slice.max) > 0)
			range->slice.max = more->slice.max;
	}
}

/* --------------------------------------------------------------------- ends */

static void end_number(const struct parquet_leaf *leaf, int64_t value,
		       struct parquet_end *out)
{
	out->len = leaf->width ? leaf->width : 1; /* a bool takes a byte here */
	parquet_put_le(out->bytes, (uint64_t)value, out->len);
	out->exact = true;
}

/* Readers may take either zero for the other: so the wider range is told. */
static void end_real(const struct parquet_leaf *leaf, double value, double zero,
		     struct parquet_end *out)
{
	uint64_t bits;
	uint32_t half;
	float single;

	if (value == 0)
		value = zero;
	memcpy(&bits, &value, sizeof(bits));
	if (leaf->width == sizeof(single)) {
		single = (float)value; /* which it was */
		memcpy(&half, &single, sizeof(half));
		bits = half;
	}
	out->len = leaf->width;
	out->exact = true;
	parquet_put_le(out->bytes, bits, out->len);
}

/* Without a character that was cut in two. */
static size_t whole_characters(const unsigned char *bytes, size_t len)
{
	size_t start = len;

	while (start > 0 && (bytes[start - 1] & 0xc0) == 0x80)
		start--;
	/* `start` is behind the last character's first byte. */
	if (start == 0)
		return 0;
	return bytes[start - 1] < 0x80	 ? len
	       : bytes[start - 1] < 0xe0 ? (len - start >= 1 ? len : start - 1)
	       : bytes[start - 1] < 0xf0 ? (len - start >= 2 ? len : start - 1)
					 : (len - start >= 3 ? len : start - 1);
}

static bool is_text(const struct parquet_leaf *leaf)
{
	return leaf->type == PARQUET_BYTE_ARRAY &&
	       leaf->column->type != ROW_BYTES;
}

static void end_slice(const struct parquet_leaf *leaf,
		      const struct parquet_bound *bound,
		      struct parquet_end *out)
{
	out->exact = bound->len <= PARQUET_BOUND_MAX;
	out->len = out->exact ? bound->len : PARQUET_BOUND_MAX;
	memcpy(out->bytes, bound->bytes, out->len);
	if (!out->exact && is_text(leaf))
		out->len = whole_characters(out->bytes, out->len);
}

/* The next byte string of that length or less, in order. */
static bool raise_bytes(struct parquet_end *end)
{
	while (end->len && end->bytes[end->len - 1] == 0xff)
		end->len--;
	if (end->len)
		end->bytes[end->len - 1]++;
	return end->len > 0;
}

static size_t put_character(unsigned char *to, uint32_t c)
{
	size_t more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};

	for (size_t i = more; i > 0; i--, c >>= 6)
		to[i] = (unsigned char)(0x80 | (c & 0x3f));
	to[0] = (unsigned char)(lead[more] | c);
	return more + 1;
}

/*
 * The last character becomes the next one, unless that takes more bytes or there
 * is none: then it goes, and the one before it is the last.
 */
static bool raise_text(struct parquet_end *end)
{
	while (end->len) {
		size_t at = end->len - 1, size;
		unsigned char next[4];
		uint32_t c;

		while (at > 0 && (end->bytes[at] & 0xc0) == 0x80)
			at--;
		size = end->len - at;
		c = size == 1 ? end->bytes[at]
			      : end->bytes[at] & (0x7fU >> size);
		for (size_t i = 1; i < size; i++)
			c = c << 6 | (end->bytes[at + i] & 0x3f);
		c = c == 0xd7ff ? 0xe000 : c + 1; /* no surrogates */
		end->len = at;
		if (c <= 0x10ffff && put_character(next, c) == size) {
			memcpy(end->bytes + at, next, size);
			end->len += size;
			return true;
		}
	}
	return false;
}

bool parquet_range_min(const struct parquet_range *range,
		       const struct parquet_leaf *leaf, struct parquet_end *out)
{
	if (!range->known)
		return false;
	if (leaf->kind == PARQUET_NUMBERS)
		end_number(leaf, range->number.min, out);
	else if (leaf->kind == PARQUET_REALS)
		end_real(leaf, range->real.min, -0.0, out);
	else
		end_slice(leaf, &range->slice.min, out);
	return true;
}

bool parquet_range_max(const struct parquet_range *range,
		       const struct parquet_leaf *leaf, struct parquet_end *out)
{
	if (!range->known)
		return false;
	if (leaf->kind == PARQUET_NUMBERS)
		end_number(leaf, range->number.max, out);
	else if (leaf->kind == PARQUET_REALS)
		end_real(leaf, range->real.max, 0.0, out);
	else
		end_slice(leaf, &range->slice.max, out);
	if (out->exact)
		return true;
	return is_text(leaf) ? raise_text(out) : raise_bytes(out);
}

/* -------------------------------------------------------------------- order */

/* Of slices, as memcmp(). */
static int compare_ends(const struct parquet_leaf *leaf,
			const struct parquet_end *a,
			const struct parquet_end *b)
{
	size_t both = a->len < b->len ? a->len : b->len;
	int order = 0;

	if (both)
		order = (a->bytes[0] ^ flip(leaf)) - (b->bytes[0] ^ flip(leaf));
	if (!order)
		order = memcmp(a->bytes, b->bytes, both);
	return order ? order : (a->len > b->len) - (a->len < b->len);
}

bool parquet_range_rises(const struct parquet_leaf *leaf,
			 const struct parquet_range *a,
			 const struct parquet_range *b)
{
	struct parquet_end low, high;

	if (leaf->kind == PARQUET_NUMBERS)
		return a->number.min <= b->number.min &&
		       a->number.max <= b->number.max;
	if (leaf->kind == PARQUET_REALS)
		return a->real.min <= b->real.min && a->real.max <= b->real.max;
	return parquet_range_min(a, leaf, &low) &&
	       parquet_range_min(b, leaf, &high) &&
	       compare_ends(leaf, &low, &high) <= 0 &&
	       parquet_range_max(a, leaf, &low) &&
	       parquet_range_max(b, leaf, &high) &&
	       compare_ends(leaf, &low, &high) <= 0;
}
