/*
 * Between two daemons of one control store this changes nothing: epochs only
 * grow there, so who is shut out has lost the lease, and gets no other one. A
 * raise needs a lease that the control store calls ours at that very moment.
 *
 * Two control stores cannot be told from one that was restored: checkpoints
 * belong to an installation_id, which a copy has as well. A copy that is run
 * beside its original takes the mappings away from it, and gets them taken away
 * in turn. Nothing gets lost by that, for each goes by the checkpoint, but it
 * must not go round at full speed, nor unseen.
 */
#include "engine/reclaim.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

struct reclaim_case {
	int mapping_id;
	int64_t epoch;	   /* that was shut out */
	int64_t past;	   /* the destination's, 0: not known */
	bool shut_out;	   /* as of the last look */
	bool told;	   /* the error, since it was raised last */
	int64_t raised_ms; /* 0: never */
};

void reclaim_release(struct reclaim *reclaim)
{
	free(reclaim->cases);
	reclaim->cases = NULL;
	reclaim->count = 0;
	reclaim->capacity = 0;
}

/* NULL without memory: the next tick looks again. */
static struct reclaim_case *get_case(struct reclaim *reclaim, int mapping_id)
{
	for (size_t i = 0; i < reclaim->count; i++)
		if (reclaim->cases[i].mapping_id == mapping_id)
			return &reclaim->cases[i];
	if (reclaim->count == reclaim->capacity) {
		size_t capacity =
			reclaim->capacity ? reclaim->capacity * 2 : 16;
		struct reclaim_case *grown =
			realloc(reclaim->cases, capacity * sizeof(*grown));

		if (!grown)
			return NULL;
		reclaim->cases = grown;
		reclaim->capacity = capacity;
	}
	reclaim->cases[reclaim->count] =
		(struct reclaim_case){.mapping_id = mapping_id};
	return &reclaim->cases[reclaim->count++];
}

static bool is_too_soon(const struct reclaim_case *c)
{
	return c->raised_ms && clock_ms() - c->raised_ms < RECLAIM_APART_MS;
}

/* What has worked for so long since is no case any more. */
static void forget_old(struct reclaim *reclaim)
{
	size_t kept = 0;

	for (size_t i = 0; i < reclaim->count; i++) {
		reclaim->cases[i].shut_out = false;
		if (is_too_soon(&reclaim->cases[i]))
			reclaim->cases[kept++] = reclaim->cases[i];
	}
	reclaim->count = kept;
}

void reclaim_look(struct reclaim *reclaim, const struct slots *slots)
{
	forget_old(reclaim);
	for (size_t i = 0; i < slots->count; i++) {
		const struct slot *slot = &slots->items[i];
		int64_t past = worker_shut_out(slot->worker);
		struct reclaim_case *c;

		if (past < 0 || slot->stopping)
			continue;
		c = get_case(reclaim, slot->mapping_id);
		if (!c)
			return;
		c->epoch = worker_epoch(slot->worker);
		c->past = past;
		c->shut_out = true;
	}
}

static void tell_raised(const struct reclaim_case *c, int64_t epoch,
			struct reporter *reporter)
{
	report_mapping_log(
		reporter, c->mapping_id, LOG_WARNING,
		"the destination of mapping %d knows epoch %lld, the control "
		"store had only %lld in mapping_leases: it is older than the "
		"destination, as after a restore, or leases were deleted; "
		"this daemon has the lease and goes on with epoch %lld",
		c->mapping_id, (long long)c->past, (long long)c->epoch,
		(long long)epoch);
}

static void tell_contest(struct reclaim_case *c, struct reporter *reporter)
{
	char message[512];
	struct control_error row = {
		.mapping_id = c->mapping_id,
		.type = "SYNC",
		.message = message,
	};

	if (c->told)
		return;
	c->told = true;
	snprintf(message, sizeof(message),
		 "the destination of mapping %d was taken over with epoch %lld "
		 "soon after epoch %lld of mapping_leases was raised: a daemon "
		 "with another control store of the same installation_id, such "
		 "as a restored copy, works on it too; stop that daemon; this "
		 "one tries again every %d minutes",
		 c->mapping_id, (long long)c->past, (long long)c->epoch,
		 RECLAIM_APART_MS / 60000);
	report_error(reporter, &row);
}

int reclaim_raise(struct reclaim *reclaim, struct leases *leases,
		  struct control *control, struct reporter *reporter,
		  struct error *err)
{
	for (size_t i = 0; i < reclaim->count; i++) {
		struct reclaim_case *c = &reclaim->cases[i];
		int64_t epoch;

		if (!c->shut_out ||
		    leases_epoch(leases, c->mapping_id) != c->epoch)
			continue;
		if (is_too_soon(c)) {
			tell_contest(c, reporter);
			continue;
		}
		if (leases_raise(leases, control, c->mapping_id, c->past, err) <
		    0)
			return -1;
		epoch = leases_epoch(leases, c->mapping_id);
		if (epoch <= c->epoch)
			continue; /* it was taken from us just now */
		c->raised_ms = clock_ms();
		c->told = false;
		tell_raised(c, epoch, reporter);
	}
	return 0;
}
