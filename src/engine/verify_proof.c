#include "engine/verify_proof.h"

#include "base/budget.h"
#include "engine/verify_plan.h"

/* Where there is no limit: who wants more has a file that was not ours. */
#define ROOM_MOST ((size_t)1 << 30)

static int take_object(void *arg, const char *object, const char *what,
		       const char *text, struct error *err)
{
	return tally_add_object(arg, object, what, text, err);
}

static size_t most_room(const struct verify *verify)
{
	struct budget *budget = verify->link->memory.budget;
	struct budget_usage usage = {.size = ROOM_MOST};

	if (budget)
		budget_count(budget, &usage);
	return usage.size;
}

/* Twice as much, up to all that there is. */
static size_t more_room(const struct proof *proof)
{
	size_t more = proof->room < proof->room_most / 2 ? 2 * proof->room
							 : proof->room_most;

	return more > COMPARE_BYTES ? more - COMPARE_BYTES : 0;
}

int verify_prove(struct verify *verify, struct error *err)
{
	struct tally *tally = &verify->tally;
	struct target *dst = verify->link->dst;
	struct verify_plan plan;
	struct proof *proof = &verify->proof;
	int rc;

	verify_plan_make(&plan, verify->mapping, &verify->link->settings);
	*proof = (struct proof){
		.whole = tally->kind == TALLY_WHOLE,
		.rows = (uint64_t)plan.tail_rows,
		.room = COMPARE_BYTES + verify->row_bytes,
		.room_most = most_room(verify),
		.place = tally->place,
		.given = tally->sums[COMPARE_SOURCE],
		.kept = tally->sums[COMPARE_DEST],
		.compared = tally->compared,
		.objects = tally->objects,
		.found = take_object,
		.arg = tally,
	};
	rc = dst->ops->prove(dst, proof, err);
	tally->place = proof->place;
	if (rc < 0 && err->kind == ERROR_MEMORY)
		verify->compare.wanted = more_room(proof);
	tally->sums[COMPARE_SOURCE] = proof->given;
	tally->sums[COMPARE_DEST] = proof->kept;
	tally->compared = proof->compared;
	tally->objects = proof->objects;
	tally->total = proof->rows;
	return rc;
}

bool verify_refuse_impossible(struct verify *verify, const struct link *link)
{
	bool proves = link->dst->ops->prove != NULL;

	if (proves)
		verify_refuse_orders(verify,
				     "single rows of such a destination cannot "
				     "be written again; request a FULL_SYNC",
				     true);
	else if (!link->to->driver->source)
		verify_refuse_orders(verify,
				     "a destination of this type cannot be "
				     "verified",
				     false);
	return proves || link->to->driver->source;
}
