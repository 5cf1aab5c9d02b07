#ifndef ROW_CANONICAL_H
#define ROW_CANONICAL_H

#include "base/strbuf.h"
#include "row/batch.h"
#include "row/charset.h"

/*
 * The canonical text of a row: the same bytes for the same values, whatever
 * system they come from and however its batch holds them. docs/canonical.md
 * says what it looks like for each type. Its MD5 is what rows are compared by.
 */
#define CANONICAL_MD5_BYTES 16

struct row_digest {
	unsigned char md5[CANONICAL_MD5_BYTES];
};

/*
 * Digests of many rows, in any order: the sums, modulo 2^64, of each digest's
 * four 32-bit numbers, most significant byte first. Sums of parts can be added.
 */
struct row_sum {
	uint64_t rows;
	uint64_t words[4];
};

struct canonical_column {
	size_t index;	  /* in the batch's table */
	int fraction_max; /* digits of a second's fraction that count */
	bool offsetless;  /* and where a moment was does not */
	struct charset charset;
};

/*
 * Makes canonical texts of one table's rows. Belongs to one thread at a time.
 */
struct canonical {
	struct canonical_column *columns;
	size_t count;
	struct strbuf text;
	bool digesting; /* long values do not come into the text */
	void *md5;	/* EVP_MD_CTX */
};

/*
 * For the columns of `table` that `take` names by their indexes, in that
 * order; `other` is the table on the other side, in the same order, or NULL:
 * what one of the two only holds rounded is compared as that holds it. The
 * charsets of `table` must be known, that is a read of it begun.
 */
int canonical_init(struct canonical *canonical, const struct table *table,
		   const struct table *other, const size_t *take, size_t count,
		   struct error *err) __attribute__((warn_unused_result));
void canonical_release(struct canonical *canonical); /* safe when zeroed */

/*
 * The digest of a row of a batch of that table. ERROR_DATA when text is not
 * valid in its own encoding.
 */
int canonical_digest(struct canonical *canonical, const struct batch *batch,
		     size_t row, struct row_digest *out, struct error *err)
	__attribute__((warn_unused_result));

/* The text itself, until the next call. */
int canonical_text(struct canonical *canonical, const struct batch *batch,
		   size_t row, const struct strbuf **out, struct error *err)
	__attribute__((warn_unused_result));

void row_sum_add(struct row_sum *sum, const struct row_digest *digest);
void row_sum_merge(struct row_sum *sum, const struct row_sum *more);
bool row_sum_equal(const struct row_sum *a, const struct row_sum *b);

#define ROW_SUM_MD5_MAX 33

/* One MD5 for all of it, in hexadecimal digits. */
int row_sum_md5(const struct row_sum *sum, char out[ROW_SUM_MD5_MAX],
		struct error *err) __attribute__((warn_unused_result));

#endif
