#ifndef ENGINE_LOOK_H
#define ENGINE_LOOK_H

#include "base/hash.h"
#include "engine/compare.h"

/*
 * What the parts of a comparison share: compare.c opens and cuts,
 * compare_rows.c compares row by row, compare_again.c looks again at what was
 * found. Nobody else includes this.
 */

/* A value that a change of its row may leave out. */
struct loose_value {
	uint64_t digest; /* of the source's, at the first look */
	bool differs;	 /* the destination has another one */
	bool written;	 /* by a change meanwhile */
};

/* A row: what is known of it on either side. */
struct compare_entry {
	UT_hash_handle hh;
	struct row_digest key;
	struct row_digest md5[COMPARE_SIDES];
	bool has[COMPARE_SIDES];
	bool changed;		   /* meanwhile, all of it */
	bool partial;		   /* or some of it: */
	struct loose_value *loose; /* of the columns compare->loose */
	enum compare_side side;	   /* where its key was found */
	size_t at; /* and its row there, or among the keys of a leaf */
};

/* By the digest of the key; NULL when it is not there. */
struct compare_entry *entry_find(struct compare_entry *entries,
				 const struct row_digest *key);
/* Likewise, made if it is not there; NULL without memory. */
struct compare_entry *entry_add(struct compare_entry **entries,
				const struct row_digest *key);
void entries_free(struct compare_entry **entries);

/* A span as a driver wants it: its ends unpacked. */
struct open_span {
	struct batch low, high;
	struct key_span span;
};

int span_open(struct compare *compare, const struct compare_span *span,
	      struct open_span *out, struct error *err)
	__attribute__((warn_unused_result));
void span_close(struct open_span *span); /* after a failure too */

/* The source that reads a side. */
static inline struct source *look_reader(struct compare *compare,
					 enum compare_side side)
{
	return side == COMPARE_SOURCE ? compare->link->src : compare->mirror;
}

/* What one read of a side goes through. */
struct look {
	struct compare *compare;
	enum compare_side side;
	struct batch batch;
	struct canonical rows, keys; /* `rows` not of keys alone */
	struct canonical *loose;     /* NULL, or one for each loose column */
	size_t at;		     /* the row of the batch at hand */
};

/* look_end() in any case. */
int look_begin(struct look *look, struct compare *compare,
	       enum compare_side side, const struct row_choice *choice,
	       struct error *err) __attribute__((warn_unused_result));
/* And at each loose value by itself, after look_begin(). */
int look_begin_loose(struct look *look, struct error *err)
	__attribute__((warn_unused_result));
/* At the keys alone: then look_next() has no `md5`. */
int look_begin_keys(struct look *look, struct compare *compare,
		    enum compare_side side, const struct row_choice *choice,
		    struct error *err) __attribute__((warn_unused_result));
void look_end(struct look *look);

/* The next row's digests. 1: there is one; 0: that was all. */
int look_next(struct look *look, struct row_digest *key, struct row_digest *md5,
	      struct error *err) __attribute__((warn_unused_result));

/* Of the row at hand the loose column's value. */
int look_loose(struct look *look, size_t i, uint64_t *digest, struct error *err)
	__attribute__((warn_unused_result));

/* Put the key of the row at hand into `keys`. False: no room. */
bool look_keep_key(const struct look *look, struct batch *keys);

/*
 * The memory that keys of rows may need: up to three times, beside what is
 * known of each, see COMPARE_BYTES.
 */
#define LOOK_KEYS_BYTES ((size_t)2 << 20)

/* What may be known of loose values. */
#define LOOK_LOOSE_BYTES ((size_t)2 << 20)

#endif
