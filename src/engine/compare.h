#ifndef ENGINE_COMPARE_H
#define ENGINE_COMPARE_H

#include "engine/link.h"
#include "row/canonical.h"
#include "row/key.h"

/*
 * Compares rows of both ends of a mapping, and collects the keys of those that
 * differ. What differs at a first look may be a change on its way: verify.c
 * decides what it means. Belongs to the mapping's worker.
 *
 * The destination is read through the source side of its driver, the mirror.
 */
enum compare_side { COMPARE_SOURCE, COMPARE_DEST, COMPARE_SIDES };

/*
 * What a comparison may take at most, with all that is found, and with a repair
 * of rows that are not many.
 */
#define COMPARE_BYTES ((size_t)16 << 20)

/* Most rows of one side that are compared one by one, and that are kept. */
#define COMPARE_ROWS_MAX  10000
#define COMPARE_FOUND_MAX 20000

struct compare_entry; /* a row: what is known of it on either side */

struct compare {
	struct link *link;
	struct source *mirror;
	bool mirror_connected;
	bool opened;

	/* The compared columns, in the same order on both sides. */
	struct table shape[COMPARE_SIDES];
	struct table keys[COMPARE_SIDES]; /* the key's alone */
	size_t *take;			  /* indexes into either shape */
	size_t take_count;
	size_t *loose; /* likewise, of those that a change may leave out */
	size_t loose_count;
	bool can_digest; /* the servers can do it, and mean the same */
	bool apart;	 /* they may sort the key otherwise than each other */

	/* Keys of rows that differ, as the side has them that was read. */
	struct batch found[COMPARE_SIDES];
	struct compare_entry *entries; /* uthash, by the key's digest */
	size_t loose_bytes; /* of what is known of their loose values */

	size_t spare;  /* memory that was reserved for large rows */
	size_t wanted; /* more than that is needed: 0, or how much */
};

/* A stretch of the table; an end without bytes is open. */
struct compare_span {
	struct compare_end {
		enum compare_side side; /* whose key it is */
		struct row_key key;
	} low, high;
};

int compare_span_copy(struct compare_span *to, const struct compare_span *from,
		      struct error *err) __attribute__((warn_unused_result));
void compare_span_release(struct compare_span *span); /* safe when zeroed */

/*
 * Look at both tables. ERROR_SCHEMA when rows cannot be told apart on either
 * side, ERROR_CONFIG when the target's system cannot be read from. `compare`
 * is zeroed; the link attached, its target not connected.
 */
int compare_open(struct compare *compare, struct link *link, struct error *err)
	__attribute__((warn_unused_result));
void compare_close(struct compare *compare); /* safe when zeroed */

/* Borrow a connection to either side for a slice of work; give it back. */
int compare_connect(struct compare *compare, struct error *err)
	__attribute__((warn_unused_result));
void compare_release(struct compare *compare);

/*
 * The end of the first `rows` rows of the span on that side, into `end`; with
 * `backwards` of the last ones. 1: there is one; 0: it has no more rows.
 */
int compare_cut(struct compare *compare, enum compare_side side,
		const struct compare_span *span, bool backwards, uint64_t rows,
		struct compare_end *end, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Let both servers work out the sum of a span, which on the source has about
 * `rows` rows; at most twice as many are looked at on either side. Only with
 * can_digest.
 */
int compare_sums(struct compare *compare, const struct compare_span *span,
		 uint64_t rows, struct row_sum sums[COMPARE_SIDES],
		 struct error *err) __attribute__((warn_unused_result));

/* What a span has come to. */
struct compare_part {
	struct row_sum sums[COMPARE_SIDES]; /* of rows that do not differ */
	uint64_t rows;			    /* of the source, compared */
	uint64_t looked; /* of the destination, looked for at the source */
};

/*
 * Compare a span row by row and add what differs to `found`. 1: done; 0:
 * nothing was done, one side has more than COMPARE_ROWS_MAX rows, or `found`
 * no room for more. Only without `apart`.
 */
int compare_rows(struct compare *compare, const struct compare_span *span,
		 struct compare_part *out, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Likewise the rows of one side, that of the span's low end, which is there even
 * if it has no key, each with the row of the same key on the other side: for
 * sides that sort the key otherwise, where a span of one is scattered over the
 * other. Those of the destination only if no span of the source had them, which
 * go from `since` on to the end; without a key they had all there are. With a
 * condition the rows that it chooses are all found.
 */
int compare_one_side(struct compare *compare, const struct compare_span *span,
		     const struct row_key *since, const char *condition,
		     struct compare_part *out, struct error *err)
	__attribute__((warn_unused_result));

/* Add the keys of all rows of either side that a condition chooses. Returns as
 * compare_rows(). */
int compare_choose(struct compare *compare, const struct compare_span *span,
		   const char *condition, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Of the read of a side that was begun: is there memory for its rows, once here
 * and once with whom it is handed on to? If not, -1 and `wanted` is set: come
 * back with so much in `spare`.
 */
int compare_has_memory(struct compare *compare, enum compare_side side,
		       struct error *err) __attribute__((warn_unused_result));

size_t compare_found(const struct compare *compare);

/*
 * Look at the rows found again. First the source; from then on tell it of all
 * changes that are applied, and when everything older than the look has been
 * applied, the destination. Rows that changed meanwhile were written anew by
 * that, so whatever differs else is a difference. A change that leaves values
 * out has written the others: those alone are as they were at the first look.
 * ERROR_MEMORY: they are too many at once.
 */
int compare_look_at_source(struct compare *compare, struct error *err)
	__attribute__((warn_unused_result));
int compare_see_changes(struct compare *compare, const struct batch *changes,
			struct error *err) __attribute__((warn_unused_result));
int compare_look_at_dest(struct compare *compare, struct error *err)
	__attribute__((warn_unused_result));

enum compare_verdict {
	COMPARE_SAME,
	COMPARE_DIFFERENT,
	COMPARE_ONLY_SOURCE,
	COMPARE_ONLY_DEST,
	COMPARE_CHANGED, /* meanwhile, see above */
};

struct compare_row {
	enum compare_verdict verdict;
	enum compare_side side;			     /* where it was found */
	const struct batch *keys;		     /* its key, */
	size_t at;				     /* in this row */
	const struct row_digest *md5[COMPARE_SIDES]; /* NULL: not there */
};

/* Call `take` for each row found, after both looks; -1 ends it. */
int compare_each(struct compare *compare,
		 int (*take)(void *arg, const struct compare_row *row,
			     struct error *err),
		 void *arg, struct error *err)
	__attribute__((warn_unused_result));

/* Of what was found keep only what differs, to be looked at once more. */
int compare_keep_different(struct compare *compare, struct error *err)
	__attribute__((warn_unused_result));

/* Forget what was found. */
void compare_forget_found(struct compare *compare);

/*
 * For a repair, which reads whole rows itself instead of looking: begin to
 * expect the rows found; tell of those that the source has, and of changes as
 * above; then ask, for rows of a batch, which were found and have no change that
 * tells all of them.
 */
int compare_expect(struct compare *compare, struct error *err)
	__attribute__((warn_unused_result));
/* How many that are; one that was found on both sides is one. */
size_t compare_expected(const struct compare *compare);
int compare_see_rows(struct compare *compare, const struct batch *rows,
		     struct error *err) __attribute__((warn_unused_result));
int compare_unchanged(struct compare *compare, const struct batch *rows,
		      bool *take, struct error *err)
	__attribute__((warn_unused_result));

/* Are the key's values held alike on both sides? */
bool compare_same_keys(const struct compare *compare);

#endif
