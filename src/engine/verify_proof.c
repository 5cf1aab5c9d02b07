#include "engine/verify_proof.h"

#include "engine/verify_plan.h"

static int take_object(void *arg, const char *object, const char *what,
		       const char *text, struct error *err)
{
	return tally_add_object(arg, object, what, text, err);
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
		verify->compare.wanted = 2 * proof->room;
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
