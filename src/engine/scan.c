/*
 * How long a stretch is follows from how long the last one took, so that a
 * step lasts a fraction of a second on any server.
 *
 * Cutting is done by the source, whose rows say where; only where the
 * destination has many rows that the source lacks, it has to say.
 *
 * That takes a stretch of one side for a stretch of the other. Where they sort
 * the key otherwise (a uuid in SQL Server and elsewhere, text by two collations)
 * the other side is asked for the keys of a stretch instead. Sorting by an
 * expression that is the same everywhere was the other way: no index has it, so
 * each stretch would have sorted the whole table.
 */
#include "engine/scan.h"

#include <string.h>

#include "base/clock.h"

#define STRETCH_FIRST	 2000
#define STRETCH_MIN	 500
#define STRETCH_ROWS_MAX (COMPARE_ROWS_MAX / 2) /* row by row */
#define STRETCH_SUM_MAX	 200000			/* by sums */

/* So few rows are compared one by one rather than halved. */
#define LEAF_ROWS 1000

#define QUICK_MS 100
#define SLOW_MS	 300

static uint64_t half_of(uint64_t rows)
{
	return rows / 2 > 1 ? rows / 2 : 1;
}

static uint64_t at_most(uint64_t rows, uint64_t max)
{
	return rows < max ? rows : max;
}

static int push(struct scan *scan, const struct compare_end *low,
		const struct compare_end *high, bool rest, uint64_t rows,
		struct error *err)
{
	struct compare_span span = {.low = *low};
	struct scan_span *top;

	if (scan->count == SCAN_SPANS_MAX)
		return error_set(err, ERROR_INTERNAL,
				 "a table is halved too often");
	if (high)
		span.high = *high;
	top = &scan->spans[scan->count];
	memset(top, 0, sizeof(*top));
	top->rest = rest;
	top->rows = rows;
	scan->count++;
	return compare_span_copy(&top->span, &span, err);
}

void scan_release(struct scan *scan)
{
	while (scan->count)
		compare_span_release(&scan->spans[--scan->count].span);
}

const struct compare_end *scan_place(const struct scan *scan)
{
	return scan->count ? &scan->spans[scan->count - 1].span.low : NULL;
}

static bool is_tail(const struct tally *tally)
{
	return tally->kind == TALLY_TAIL;
}

/*
 * What is newest on the source need not be on the destination: of either side
 * its own newest rows. Where those of the source begin is kept, since its turn
 * has had them when the destination's comes.
 */
static int begin_apart(struct scan *scan, struct compare *compare,
		       struct tally *tally, uint64_t rows, struct error *err)
{
	struct compare_end *at = &tally->at, dest = {.side = COMPARE_DEST};
	struct compare_span all;
	int rc = 0;

	memset(&all, 0, sizeof(all));
	if (at->side == COMPARE_DEST)
		return push(scan, at, NULL, true, 0, err);
	if (is_tail(tally))
		rc = compare_cut(compare, COMPARE_DEST, &all, true, rows - 1,
				 &dest, err);
	if (rc >= 0 && is_tail(tally) && !at->key.bytes) {
		rc = compare_cut(compare, COMPARE_SOURCE, &all, true, rows - 1,
				 at, err);
		if (rc >= 0)
			rc = row_key_copy(&tally->since, &at->key, err);
	}
	if (rc >= 0)
		rc = push(scan, &dest, NULL, true, 0, err);
	if (rc >= 0)
		rc = push(scan, at, NULL, true, 0, err);
	row_key_release(&dest.key);
	return rc < 0 ? -1 : 0;
}

/* Where the newest rows begin: on the destination, or, when that has not so
 * many, on the source. */
static int find_tail(struct compare *compare, uint64_t rows,
		     struct compare_end *place, struct error *err)
{
	struct compare_span all;
	int rc;

	memset(&all, 0, sizeof(all));
	rc = compare_cut(compare, COMPARE_DEST, &all, true, rows - 1, place,
			 err);
	if (rc == 0)
		rc = compare_cut(compare, COMPARE_SOURCE, &all, true, rows - 1,
				 place, err);
	return rc < 0 ? -1 : 0;
}

int scan_begin(struct scan *scan, struct compare *compare, struct tally *tally,
	       uint64_t rows, uint64_t most, struct error *err)
{
	scan_release(scan);
	scan->most_rows = at_most(most, STRETCH_ROWS_MAX);
	scan->stretch_rows = at_most(STRETCH_FIRST, scan->most_rows);
	scan->tried_whole = false;
	if (tally->ended)
		return 0;
	if (compare->apart)
		return begin_apart(scan, compare, tally, rows, err);
	if (is_tail(tally) && !tally->at.key.bytes &&
	    find_tail(compare, rows, &tally->at, err) < 0)
		return -1;
	return push(scan, &tally->at, NULL, true, 0, err);
}

/* ------------------------------------------------------------------ cutting */

/* Who says where. */
static enum compare_side cutter(const struct compare *compare,
				const struct scan_span *from)
{
	return compare->apart ? from->span.low.side : COMPARE_SOURCE;
}

static int cut_off(struct scan *scan, struct compare *compare,
		   const struct scan_span *from, struct error *err)
{
	struct compare_end end;
	int rc;

	memset(&end, 0, sizeof(end));
	rc = compare_cut(compare, cutter(compare, from), &from->span, false,
			 scan->stretch_rows, &end, err);
	if (rc > 0)
		rc = push(scan, &end, NULL, true, 0, err) < 0 ||
				     push(scan, &from->span.low, &end, false,
					  scan->stretch_rows, err) < 0
			     ? -1
			     : 0;
	else if (rc == 0)
		rc = push(scan, &from->span.low, NULL, false,
			  scan->stretch_rows, err);
	row_key_release(&end.key);
	return rc;
}

static int split_at(struct scan *scan, const struct scan_span *from,
		    const struct compare_end *end, uint64_t rows,
		    struct error *err)
{
	uint64_t left = from->rows > rows ? from->rows - rows : 1;

	if (push(scan, end, &from->span.high, false, left, err) < 0 ||
	    push(scan, &from->span.low, end, false, rows, err) < 0)
		return -1;
	return 0;
}

/*
 * In two, after so many rows of the source, or else, when it has not so many
 * or 0 is given, of the destination.
 */
static int split(struct scan *scan, struct compare *compare,
		 const struct scan_span *from, uint64_t source_rows,
		 uint64_t dest_rows, struct error *err)
{
	struct compare_end end;
	uint64_t rows = source_rows;
	int rc = 0;

	memset(&end, 0, sizeof(end));
	if (source_rows)
		rc = compare_cut(compare, cutter(compare, from), &from->span,
				 false, source_rows, &end, err);
	if (rc == 0 && !compare->apart) {
		rows = dest_rows;
		rc = compare_cut(compare, COMPARE_DEST, &from->span, false,
				 dest_rows, &end, err);
	}
	if (rc == 0)
		rc = error_set(err, ERROR_DATA,
			       "rows came faster than they could be compared");
	else if (rc > 0)
		rc = split_at(scan, from, &end, rows, err);
	row_key_release(&end.key);
	return rc;
}

/* ---------------------------------------------------------------- comparing */

static void add_part(struct tally *tally, const struct compare_part *part)
{
	for (int side = 0; side < COMPARE_SIDES; side++)
		row_sum_merge(&tally->sums[side], &part->sums[side]);
	tally->compared += part->rows;
	tally->looked += part->looked;
}

/* Row by row. 1: done; 0: it has to be dealt with what was found. */
static int compare_leaf(struct scan *scan, struct compare *compare,
			struct tally *tally, const struct scan_span *from,
			struct error *err)
{
	struct compare_part part;
	int rc;

	memset(&part, 0, sizeof(part));
	if (compare->apart)
		rc = compare_one_side(compare, &from->span, &tally->since,
				      tally->condition, &part, err);
	else if (tally->kind == TALLY_CHOSEN)
		rc = compare_choose(compare, &from->span, tally->condition,
				    err);
	else
		rc = compare_rows(compare, &from->span, &part, err);
	if (rc < 0)
		return -1;
	if (rc > 0) {
		add_part(tally, &part);
		return 1;
	}
	if (compare_found(compare))
		return push(scan, &from->span.low, &from->span.high, from->rest,
			    from->rows, err);
	return split(scan, compare, from,
		     at_most(half_of(from->rows), scan->most_rows),
		     scan->most_rows, err) < 0
		       ? -1
		       : 1;
}

static int compare_stretch(struct scan *scan, struct compare *compare,
			   struct tally *tally, struct scan_span *from,
			   struct error *err)
{
	struct compare_part part;
	uint64_t source, dest;
	int rc;

	if (!compare->can_digest || tally->kind != TALLY_WHOLE)
		return compare_leaf(scan, compare, tally, from, err);
	memset(&part, 0, sizeof(part));
	rc = compare_sums(compare, &from->span, from->rows, part.sums, err);
	if (rc < 0)
		return -1;
	source = from->rows = part.rows = part.sums[COMPARE_SOURCE].rows;
	dest = part.sums[COMPARE_DEST].rows;
	if (rc > 0) {
		add_part(tally, &part);
		return 1;
	}
	if (source <= at_most(LEAF_ROWS, scan->most_rows) &&
	    dest <= scan->most_rows)
		return compare_leaf(scan, compare, tally, from, err);
	/* Where one side has many rows that the other lacks, it says where. */
	rc = split(scan, compare, from, dest > 2 * source ? 0 : half_of(source),
		   at_most(half_of(dest), scan->most_rows), err);
	return rc < 0 ? -1 : 1;
}

/* A condition chooses few rows, one hopes: all at once, or else in stretches. */
static int choose_whole(struct scan *scan, struct compare *compare,
			const struct tally *tally, const struct scan_span *from,
			struct error *err)
{
	int rc = compare_choose(compare, &from->span, tally->condition, err);

	scan->tried_whole = true;
	if (rc > 0)
		scan_release(scan); /* that was both sides */
	if (rc == 0)
		rc = push(scan, &from->span.low, NULL, true, 0, err) < 0 ? -1
									 : 1;
	return rc;
}

/* Not behind a stretch of one side that is none of the other. */
static bool may_choose_whole(const struct scan *scan,
			     const struct compare *compare,
			     const struct tally *tally,
			     const struct scan_span *from)
{
	const struct compare_end *low = &from->span.low;

	return tally->kind == TALLY_CHOSEN && !scan->tried_whole &&
	       (!compare->apart ||
		(low->side == COMPARE_SOURCE && !low->key.bytes));
}

static void adapt(struct scan *scan, const struct compare *compare,
		  const struct tally *tally, int64_t ms)
{
	uint64_t max = compare->can_digest && tally->kind == TALLY_WHOLE
			       ? STRETCH_SUM_MAX
			       : scan->most_rows;

	if (ms < QUICK_MS && scan->stretch_rows * 2 <= max)
		scan->stretch_rows *= 2;
	else if (ms > SLOW_MS && scan->stretch_rows / 2 >= STRETCH_MIN)
		scan->stretch_rows /= 2;
}

int scan_step(struct scan *scan, struct compare *compare, struct tally *tally,
	      struct error *err)
{
	struct scan_span from = scan->spans[--scan->count];
	int64_t began = clock_ms();
	int rc;

	if (from.rest && may_choose_whole(scan, compare, tally, &from)) {
		rc = choose_whole(scan, compare, tally, &from, err);
	} else if (from.rest) {
		rc = cut_off(scan, compare, &from, err) < 0 ? -1 : 1;
	} else {
		rc = compare_stretch(scan, compare, tally, &from, err);
		adapt(scan, compare, tally, clock_ms() - began);
	}
	compare_span_release(&from.span);
	return rc;
}
