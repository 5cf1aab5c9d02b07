#ifndef ENGINE_SCAN_H
#define ENGINE_SCAN_H

#include "engine/compare.h"
#include "engine/tally.h"

/*
 * Goes through a table in the order of its key, a stretch at a time, and
 * narrows down where the two sides differ: stretches whose sums differ are
 * halved until they are short enough to be compared row by row. Sides that sort
 * the key otherwise take turns, each in its own order: first the source, then
 * the destination for what the source's turn has not had.
 */
#define SCAN_SPANS_MAX 64

struct scan {
	struct scan_span {
		struct compare_span span;
		bool rest;	 /* it is still to be cut into stretches */
		uint64_t rows;	 /* about how many it has on the source */
	} spans[SCAN_SPANS_MAX]; /* the next one last */
	size_t count;
	uint64_t stretch_rows; /* that are cut off at once */
	uint64_t most_rows;    /* that are compared row by row at once */
	bool tried_whole;      /* to choose rows without cutting */
};

/*
 * Begin at the place that `tally` has, be it the end, or where the newest `rows`
 * begin. A step
 * finds at most about `most` rows on a side that differ. `scan` is released.
 */
int scan_begin(struct scan *scan, struct compare *compare, struct tally *tally,
	       uint64_t rows, uint64_t most, struct error *err)
	__attribute__((warn_unused_result));
void scan_release(struct scan *scan); /* safe when zeroed */

static inline bool scan_at_end(const struct scan *scan)
{
	return !scan->count;
}

/* What comes next; NULL at the end. */
const struct compare_end *scan_place(const struct scan *scan);

/*
 * Compare the next stretch and add to `tally` what is the same; what
 * differs is in `compare`, found. 1: done; 0: what was found has to be dealt
 * with first.
 */
int scan_step(struct scan *scan, struct compare *compare, struct tally *tally,
	      struct error *err) __attribute__((warn_unused_result));

#endif
