#include "drivers/refused.h"

#include <stdlib.h>
#include <string.h>

/* So many rows are remembered: the limit, whatever was asked for. */
#define REFUSED_MAX 20000

/* Rows that are tried in pairs are no more than these. */
#define PAIRED_MAX 32

/* Rounds over rows that failed for the order, before the rest is left out. */
#define ROUNDS_MAX 20

static void forget(struct refused_row *row)
{
	free(row->reason);
	free(row->key);
}

void refused_init(struct refused *refused, struct isolation *how)
{
	memset(refused, 0, sizeof(*refused));
	refused->how = how;
	how->count = 0;
	if (how->limit > REFUSED_MAX)
		how->limit = REFUSED_MAX;
}

void refused_release(struct refused *refused)
{
	for (size_t i = 0; i < refused->count; i++)
		forget(&refused->rows[i]);
	free(refused->rows);
}

int refused_too_many(struct refused *refused, const char *why,
		     struct error *err)
{
	refused->how->count = refused->how->limit + 1;
	if (!refused->how->limit)
		return error_set(err, ERROR_DATA, "%s", why);
	return error_set(err, ERROR_DATA, "more than %llu rows are refused: %s",
			 (unsigned long long)refused->how->limit, why);
}

struct refused_row *refused_add(struct refused *refused, int64_t seq,
				const struct error *why, struct error *err)
{
	struct refused_row *row;

	if (refused->count >= REFUSED_MAX) {
		refused_too_many(refused, why->message, err);
		return NULL;
	}
	if (refused->count == refused->capacity) {
		size_t capacity =
			refused->capacity ? refused->capacity * 2 : 16;
		struct refused_row *grown =
			realloc(refused->rows, capacity * sizeof(*grown));

		if (!grown) {
			error_memory(err, "refused rows");
			return NULL;
		}
		refused->rows = grown;
		refused->capacity = capacity;
	}
	row = &refused->rows[refused->count];
	*row = (struct refused_row){
		.seq = seq,
		.number = why->native,
		.ordered = refused->ordered(why),
		.reason = strdup(why->message),
	};
	if (!row->reason) {
		error_memory(err, "refused rows");
		return NULL;
	}
	refused->count++;
	return row;
}

static void remove_refused(struct refused *refused, size_t i)
{
	forget(&refused->rows[i]);
	memmove(&refused->rows[i], &refused->rows[i + 1],
		(refused->count - i - 1) * sizeof(*refused->rows));
	refused->count--;
}

/* The loader found a value that does not fit. */
int refused_does_not_fit(void *context, int64_t seq, enum row_op op,
			 const char *key, const struct error *why,
			 struct error *err)
{
	struct refused *refused = context;
	struct refused_row *row;

	for (size_t i = 0; i < refused->count; i++)
		if (refused->rows[i].key && !strcmp(refused->rows[i].key, key))
			remove_refused(refused, i--); /* the last counts */
	row = refused_add(refused, seq, why, err);
	if (!row)
		return -1;
	row->fixed = true;
	row->op = op;
	row->key = strdup(key);
	return row->key ? 0 : error_memory(err, "refused rows");
}

void refused_begin_round(struct refused *refused)
{
	size_t kept = 0;

	for (size_t i = 0; i < refused->count; i++) {
		if (refused->rows[i].fixed)
			refused->rows[kept++] = refused->rows[i];
		else
			forget(&refused->rows[i]);
	}
	refused->count = kept;
	refused->final = 0;
}

/* ---------------------------------------------------------- cutting in two */

static int refuse(struct refused *refused, enum refused_phase phase,
		  int64_t seq, struct error *err)
{
	struct refused_row *row = refused_add(refused, seq, &refused->why, err);

	if (!row)
		return -1;
	row->phase = phase;
	if (!row->ordered && ++refused->final > refused->how->limit)
		return refused_too_many(refused, refused->why.message, err);
	return 0;
}

/* STEP_APPLIED: all but those that were refused; or STEP_DOOMED, or -1. */
static int bisect(struct refused *refused, enum refused_phase phase,
		  int64_t low, int64_t high, struct error *err)
{
	int64_t middle = low + (high - low) / 2;
	int rc = refused->step(refused->context, phase, low, high, 0, err);

	if (rc != STEP_REFUSED)
		return rc;
	if (low == high)
		return refuse(refused, phase, low, err);
	rc = bisect(refused, phase, low, middle, err);
	if (rc != STEP_APPLIED)
		return rc;
	return bisect(refused, phase, middle + 1, high, err);
}

/* ------------------------------------------------- what depends on the order */

static bool may_try_again(const struct refused_row *row)
{
	return !row->fixed && row->ordered;
}

/*
 * Each of them once more, alone, forwards and backwards in turns: in a row of
 * values that were shifted one of the two finds them all.
 */
static int try_again(struct refused *refused, bool forwards, bool *progress,
		     struct error *err)
{
	size_t i = forwards ? 0 : refused->count;

	*progress = false;
	while (forwards ? i < refused->count : i-- > 0) {
		struct refused_row *row = &refused->rows[i];
		int rc = STEP_REFUSED;

		if (may_try_again(row))
			rc = refused->step(refused->context, row->phase,
					   row->seq, row->seq, 0, err);
		if (rc < 0 || rc == STEP_DOOMED)
			return rc;
		if (rc == STEP_APPLIED) {
			remove_refused(refused, i);
			*progress = true;
		} else if (forwards) {
			i++;
		}
	}
	return STEP_APPLIED;
}

/* One of these with one of the others behind it. */
static int try_pairs_of(struct refused *refused, size_t i, bool *progress,
			struct error *err)
{
	for (size_t j = i + 1; j < refused->count; j++) {
		struct refused_row *one = &refused->rows[i];
		struct refused_row *two = &refused->rows[j];
		int rc = STEP_REFUSED;

		if (may_try_again(one) && may_try_again(two) &&
		    one->phase == two->phase)
			rc = refused->step(refused->context, one->phase,
					   one->seq, one->seq, two->seq, err);
		if (rc < 0 || rc == STEP_DOOMED)
			return rc;
		if (rc == STEP_APPLIED) {
			remove_refused(refused, j);
			remove_refused(refused, i);
			*progress = true;
			break;
		}
	}
	return STEP_APPLIED;
}

static int try_pairs(struct refused *refused, bool *progress, struct error *err)
{
	size_t open = 0;
	int rc = STEP_APPLIED;

	*progress = false;
	for (size_t i = 0; i < refused->count; i++)
		open += may_try_again(&refused->rows[i]);
	for (size_t i = 0; open <= PAIRED_MAX && i + 1 < refused->count &&
			   rc == STEP_APPLIED && !*progress;
	     i++)
		rc = try_pairs_of(refused, i, progress, err);
	return rc;
}

static int try_order(struct refused *refused, struct error *err)
{
	bool progress = true;
	int rc = STEP_APPLIED;

	for (int i = 0; i < ROUNDS_MAX && progress && rc == STEP_APPLIED; i++) {
		bool backwards;

		rc = try_again(refused, false, &backwards, err);
		if (rc == STEP_APPLIED)
			rc = try_again(refused, true, &progress, err);
		progress |= backwards;
		if (rc == STEP_APPLIED && !progress)
			rc = try_pairs(refused, &progress, err);
	}
	return rc;
}

int refused_apply(struct refused *refused, int64_t last, struct error *err)
{
	int rc = STEP_APPLIED;

	for (int phase = 0; phase < PHASES && rc == STEP_APPLIED && last;
	     phase++)
		rc = bisect(refused, (enum refused_phase)phase, 1, last, err);
	return rc == STEP_APPLIED ? try_order(refused, err) : rc;
}
