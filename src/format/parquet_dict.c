#include "format/parquet_dict.h"

#include <stdlib.h>
#include <string.h>

#include "format/parquet_encode.h"

#define BITS_MIN   10
#define PROBES_MAX 128
#define LENGTH_MAX 65536 /* bytes of a value, if one is picky */

void parquet_dict_init(struct parquet_dict *dict)
{
	memset(dict, 0, sizeof(*dict));
	strbuf_init_max(&dict->keys, (size_t)4 << 30);
	strbuf_init_max(&dict->plain, (size_t)4 << 30);
}

void parquet_dict_release(struct parquet_dict *dict)
{
	free(dict->slots);
	strbuf_release(&dict->keys);
	strbuf_release(&dict->plain);
	parquet_dict_init(dict);
}

/* ------------------------------------------------------------------ hashing */

/* An odd number whose bits look like chance: 2^64 over the golden ratio. */
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)(a ^ SPREAD) * (b | 1);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const unsigned char *data, size_t len)
{
	uint64_t value = 0;

	if (len)
		memcpy(&value, data, len < 8 ? len : 8);
	return value;
}

static uint32_t hash_slice(const unsigned char *data, size_t len)
{
	uint64_t hash = len * SPREAD;

	for (; len > 8; len -= 8, data += 8)
		hash = mix(load(data, 8), hash);
	hash = mix(load(data, len), hash);
	return (uint32_t)(hash >> 32 ^ hash);
}

static uint32_t hash_number(int64_t value)
{
	return (uint32_t)((uint64_t)value * SPREAD >> 32);
}

/* ------------------------------------------------------------------ entries */

static const int64_t *number_keys(const struct parquet_dict *dict)
{
	return (const int64_t *)(const void *)dict->keys.data;
}

static const struct parquet_dict_key *slice_keys(
	const struct parquet_dict *dict)
{
	return (const struct parquet_dict_key *)(const void *)dict->keys.data;
}

/* The upper bits of a hash choose the slot: they depend on all of a number. */
static uint32_t first_slot(const struct parquet_dict *dict, uint32_t hash)
{
	return (uint32_t)((uint64_t)hash << dict->bits >> 32);
}

static void put_slot(struct parquet_dict *dict, uint32_t hash, uint32_t entry)
{
	uint32_t mask = (UINT32_C(1) << dict->bits) - 1;
	uint32_t at = first_slot(dict, hash);

	while (dict->slots[at])
		at = (at + 1) & mask;
	dict->slots[at] = entry + 1;
}

/* Room for `more` entries with half of the slots free. */
static int make_room(struct parquet_dict *dict, bool numbers, size_t more,
		     struct error *err)
{
	unsigned bits = dict->bits ? dict->bits : BITS_MIN;
	uint32_t *slots;

	while (((size_t)1 << bits) < 2 * (dict->count + more))
		bits++;
	if (bits == dict->bits)
		return 0;
	slots = bits < 32 ? calloc((size_t)1 << bits, sizeof(*slots)) : NULL;
	if (!slots)
		return error_memory(err, "a dictionary of values");
	free(dict->slots);
	dict->slots = slots;
	dict->bits = bits;
	for (uint32_t i = 0; i < dict->count; i++)
		put_slot(dict,
			 numbers ? hash_number(number_keys(dict)[i])
				 : slice_keys(dict)[i].hash,
			 i);
	return 0;
}

static void add_keys(struct parquet_dict *dict, const void *key, size_t len)
{
	strbuf_add(&dict->keys, key, len);
	dict->count++;
}

static uint32_t find_number(struct parquet_dict *dict, int64_t value)
{
	uint32_t mask = (UINT32_C(1) << dict->bits) - 1;
	uint32_t at = first_slot(dict, hash_number(value));
	const int64_t *keys = number_keys(dict);

	for (unsigned probes = 0; dict->slots[at]; probes++) {
		if (keys[dict->slots[at] - 1] == value)
			return dict->slots[at] - 1;
		at = (at + 1) & mask;
		dict->refused |= probes == PROBES_MAX;
	}
	dict->slots[at] = dict->count + 1;
	add_keys(dict, &value, sizeof(value));
	return dict->count - 1;
}

static void add_slice(struct parquet_dict *dict, const struct row_slice *value,
		      uint32_t hash, bool fixed)
{
	struct parquet_dict_key key = {.len = (uint32_t)value->len,
				       .hash = hash};
	unsigned char len[4];

	if (!fixed) {
		parquet_put_le(len, value->len, sizeof(len));
		strbuf_add(&dict->plain, len, sizeof(len));
	}
	key.start = dict->plain.len;
	strbuf_add(&dict->plain, value->data, value->len);
	add_keys(dict, &key, sizeof(key));
}

static uint32_t find_slice(struct parquet_dict *dict,
			   const struct row_slice *value, bool fixed)
{
	uint32_t mask = (UINT32_C(1) << dict->bits) - 1;
	uint32_t hash = hash_slice(value->data, value->len);
	uint32_t at = first_slot(dict, hash);

	for (unsigned probes = 0; dict->slots[at]; probes++) {
		const struct parquet_dict_key *key =
			&slice_keys(dict)[dict->slots[at] - 1];

		if (key->hash == hash && key->len == value->len &&
		    (!key->len || !memcmp(dict->plain.data + key->start,
					  value->data, key->len)))
			return dict->slots[at] - 1;
		at = (at + 1) & mask;
		dict->refused |= probes == PROBES_MAX;
	}
	dict->slots[at] = dict->count + 1;
	add_slice(dict, value, hash, fixed);
	return dict->count - 1;
}

int parquet_dict_add(struct parquet_dict *dict, const struct parquet_leaf *leaf,
		     const struct parquet_values *values, bool picky,
		     struct strbuf *indices, struct error *err)
{
	bool numbers = leaf->kind != PARQUET_SLICES;
	bool fixed = leaf->type == PARQUET_FIXED;
	size_t bytes = values->count * sizeof(uint32_t);
	uint32_t *to;

	if (make_room(dict, numbers, values->count, err) < 0)
		return -1;
	to = (uint32_t *)(void *)strbuf_reserve(indices, bytes);
	if (!to)
		return error_memory(err, "a column's values");
	for (size_t i = 0; i < values->count; i++) {
		const struct row_slice *slice = &values->slices[i];

		if (numbers)
			to[i] = find_number(dict, values->numbers[i]);
		else if (picky && slice->len > LENGTH_MAX)
			dict->refused = true;
		else
			to[i] = find_slice(dict, slice, fixed);
		if (dict->keys.failed || dict->plain.failed)
			return error_memory(err, "a dictionary of values");
	}
	indices->len += bytes;
	return 0;
}

size_t parquet_dict_bytes(const struct parquet_dict *dict,
			  const struct parquet_leaf *leaf)
{
	return leaf->kind == PARQUET_SLICES ? dict->plain.len
					    : dict->count * leaf->width;
}

void parquet_dict_write(const struct parquet_dict *dict,
			const struct parquet_leaf *leaf, struct strbuf *out)
{
	const int64_t *keys = number_keys(dict);
	unsigned char *to;

	if (leaf->kind == PARQUET_SLICES) {
		strbuf_add(out, dict->plain.data, dict->plain.len);
		return;
	}
	to = (unsigned char *)strbuf_reserve(out, dict->count * leaf->width);
	if (!to)
		return;
	for (size_t i = 0; i < dict->count; i++, to += leaf->width)
		parquet_put_le(to, (uint64_t)keys[i], leaf->width);
	out->len += dict->count * leaf->width;
}
