#ifndef FORMAT_PARQUET_DICT_H
#define FORMAT_PARQUET_DICT_H

#include "base/error.h"
#include "base/strbuf.h"
#include "format/parquet_values.h"

/*
 * The different values of a column chunk, in the order in which they came: what
 * its dictionary page holds, and a hash table to find them. Values are numbers,
 * whose bits count, or slices.
 */
struct parquet_dict {
	struct parquet_dict_slot {
		uint32_t hash;
		uint32_t entry; /* its number plus one; 0: free */
	} * slots;
	unsigned bits; /* 2^bits of them */
	uint32_t count;
	struct strbuf keys;  /* numbers: an int64_t each; slices: a
				struct parquet_dict_key each */
	struct strbuf plain; /* slices: as the page will have them */
	/*
	 * Somebody chose values that all meet in the same places, or one is
	 * so long that it is not worth a look: use it no longer.
	 */
	bool refused;
};

struct parquet_dict_key {
	uint32_t start, len; /* of its bytes in `plain` */
};

void parquet_dict_init(struct parquet_dict *dict);
void parquet_dict_release(struct parquet_dict *dict); /* empty, then */

/*
 * Append each value's entry number, a uint32_t, to `indices`; new ones are
 * added. With `picky` long values only make it refuse, and their indices mean
 * nothing. -1 without memory.
 */
int parquet_dict_add(struct parquet_dict *dict, const struct parquet_leaf *leaf,
		     const struct parquet_values *values, bool picky,
		     struct strbuf *indices, struct error *err)
	__attribute__((warn_unused_result));

/* How long its page will be, before compression. */
size_t parquet_dict_bytes(const struct parquet_dict *dict,
			  const struct parquet_leaf *leaf);

/* Append the page: all entries, PLAIN. */
void parquet_dict_write(const struct parquet_dict *dict,
			const struct parquet_leaf *leaf, struct strbuf *out);

#endif
