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

	while (dict->slots[at].entry)
		at = (at + 1) & mask;
	dict->slots[at] = (struct parquet_dict_slot){hash, entry};
}

/*
 * Keep half of the slots free. When that takes more of them depends on the
 * values alone, not on how many come at a time, and so does how far one is from
 * where it is looked for first.
 */
static bool make_room(struct parquet_dict *dict)
{
	struct parquet_dict_slot *slots, *old = dict->slots;
	size_t old_count = old ? (size_t)1 << dict->bits : 0;
	unsigned bits = dict->bits ? dict->bits + 1 : BITS_MIN;

	if (2 * ((size_t)dict->count + 1) <= old_count)
		return true;
	slots = bits < 32 ? calloc((size_t)1 << bits, sizeof(*slots)) : NULL;
	if (!slots)
		return false;
	dict->slots = slots;
	dict->bits = bits;
	for (size_t i = 0; i < old_count; i++)
		if (old[i].entry)
			put_slot(dict, old[i].hash, old[i].entry);
	free(old);
	return true;
}

/* ------------------------------------------------------------------- finding */

/*
 * Values of one call, with their hashes. Slots, keys and bytes lie far apart in
 * memory: each is asked for some values before it is looked at, so that it has
 * come by then.
 */
struct lookup {
	struct parquet_dict *dict;
	const struct parquet_leaf *leaf;
	const struct parquet_values *values;
	uint32_t hashes[PARQUET_SLAB_ROWS];
};

#define SLOTS_AHEAD 48
#define KEYS_AHEAD  24
#define BYTES_AHEAD 12

/* Where a value is most likely to be found; NULL: it looks new. */
static const struct parquet_dict_slot *likely_slot(const struct lookup *lookup,
						   size_t i)
{
	const struct parquet_dict_slot *slot;

	if (i >= lookup->values->count)
		return NULL;
	slot = &lookup->dict
			->slots[first_slot(lookup->dict, lookup->hashes[i])];
	return slot->entry && slot->hash == lookup->hashes[i] ? slot : NULL;
}

static void look_ahead(const struct lookup *lookup, size_t i)
{
	const struct parquet_dict *dict = lookup->dict;
	bool slices = lookup->leaf->kind == PARQUET_SLICES;
	const struct parquet_dict_slot *slot;

	if (i + SLOTS_AHEAD < lookup->values->count)
		__builtin_prefetch(&dict->slots[first_slot(
			dict, lookup->hashes[i + SLOTS_AHEAD])]);
	slot = likely_slot(lookup, i + KEYS_AHEAD);
	if (slot && slices)
		__builtin_prefetch(&slice_keys(dict)[slot->entry - 1]);
	else if (slot)
		__builtin_prefetch(&number_keys(dict)[slot->entry - 1]);
	slot = slices ? likely_slot(lookup, i + BYTES_AHEAD) : NULL;
	if (slot)
		__builtin_prefetch(dict->plain.data +
				   slice_keys(dict)[slot->entry - 1].start);
}

static bool is_entry(const struct lookup *lookup, uint32_t entry, size_t i)
{
	const struct parquet_dict *dict = lookup->dict;
	const struct row_slice *slice = &lookup->values->slices[i];
	const struct parquet_dict_key *key;

	if (lookup->leaf->kind != PARQUET_SLICES)
		return number_keys(dict)[entry] == lookup->values->numbers[i];
	key = &slice_keys(dict)[entry];
	return key->len == slice->len &&
	       (!key->len ||
		!memcmp(dict->plain.data + key->start, slice->data, key->len));
}

static void add_entry(const struct lookup *lookup, size_t i)
{
	struct parquet_dict *dict = lookup->dict;
	const struct row_slice *slice = &lookup->values->slices[i];
	struct parquet_dict_key key;
	unsigned char len[4];

	dict->count++;
	if (lookup->leaf->kind != PARQUET_SLICES) {
		strbuf_add(&dict->keys, &lookup->values->numbers[i],
			   sizeof(int64_t));
		return;
	}
	if (lookup->leaf->type == PARQUET_BYTE_ARRAY) {
		parquet_put_le(len, slice->len, sizeof(len));
		strbuf_add(&dict->plain, len, sizeof(len));
	}
	key.start = (uint32_t)dict->plain.len;
	key.len = (uint32_t)slice->len;
	strbuf_add(&dict->plain, slice->data, slice->len);
	strbuf_add(&dict->keys, &key, sizeof(key));
}

static uint32_t find(const struct lookup *lookup, size_t i)
{
	struct parquet_dict *dict = lookup->dict;
	uint32_t mask = (UINT32_C(1) << dict->bits) - 1;
	uint32_t hash = lookup->hashes[i];
	uint32_t at = first_slot(dict, hash);

	for (unsigned probes = 0; dict->slots[at].entry; probes++) {
		if (dict->slots[at].hash == hash &&
		    is_entry(lookup, dict->slots[at].entry - 1, i))
			return dict->slots[at].entry - 1;
		at = (at + 1) & mask;
		dict->refused |= probes == PROBES_MAX;
	}
	add_entry(lookup, i);
	dict->slots[at] = (struct parquet_dict_slot){hash, dict->count};
	return dict->count - 1;
}

static void hash_values(struct lookup *lookup)
{
	const struct parquet_values *values = lookup->values;

	if (lookup->leaf->kind != PARQUET_SLICES)
		for (size_t i = 0; i < values->count; i++)
			lookup->hashes[i] = hash_number(values->numbers[i]);
	else
		for (size_t i = 0; i < values->count; i++)
			lookup->hashes[i] = hash_slice(values->slices[i].data,
						       values->slices[i].len);
}

/* Is one of them so long that it is not worth a look? */
static bool has_long(const struct lookup *lookup)
{
	if (lookup->leaf->kind == PARQUET_SLICES)
		for (size_t i = 0; i < lookup->values->count; i++)
			if (lookup->values->slices[i].len > LENGTH_MAX)
				return true;
	return false;
}

int parquet_dict_add(struct parquet_dict *dict, const struct parquet_leaf *leaf,
		     const struct parquet_values *values, bool picky,
		     struct strbuf *indices, struct error *err)
{
	struct lookup lookup = {.dict = dict, .leaf = leaf, .values = values};
	size_t bytes = values->count * sizeof(uint32_t);
	uint32_t *to;

	if (picky && has_long(&lookup)) {
		dict->refused = true;
		return 0;
	}
	to = (uint32_t *)(void *)strbuf_reserve(indices, bytes);
	if (!to)
		return error_memory(err, "a column's values");
	hash_values(&lookup);
	for (size_t i = 0; i < values->count; i++) {
		/* An entry that could not be kept is not to be looked at. */
		if (dict->keys.failed || dict->plain.failed || !make_room(dict))
			return error_memory(err, "a dictionary of values");
		look_ahead(&lookup, i);
		to[i] = find(&lookup, i);
	}
	indices->len += bytes;
	if (dict->keys.failed || dict->plain.failed)
		return error_memory(err, "a dictionary of values");
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
