#ifndef ROW_KEY_H
#define ROW_KEY_H

#include "base/strbuf.h"
#include "row/batch.h"

/*
 * A key on its own: the values of one row of a batch of key columns, as bytes
 * to be kept. Means something only together with the table it came from.
 */
struct row_key {
	unsigned char *bytes; /* NULL: none */
	size_t len;
};

/* Copy the key of row `row`; what `key` held is freed. */
int row_key_take(struct row_key *key, const struct batch *keys, size_t row,
		 struct error *err) __attribute__((warn_unused_result));
int row_key_copy(struct row_key *to, const struct row_key *from,
		 struct error *err) __attribute__((warn_unused_result));
void row_key_release(struct row_key *key); /* safe when zeroed */

/* Add it to `keys` as a row. ERROR_DATA when it is no key of that table. */
int row_key_put(const struct row_key *key, struct batch *keys,
		struct error *err) __attribute__((warn_unused_result));

/* As hexadecimal digits, and back. */
void row_key_format(const struct row_key *key, struct strbuf *out);
int row_key_parse(struct row_key *key, const char *text, struct error *err)
	__attribute__((warn_unused_result));

#endif
