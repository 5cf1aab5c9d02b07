#ifndef ENGINE_RECLAIM_H
#define ENGINE_RECLAIM_H

#include "engine/lease.h"
#include "engine/reporter.h"
#include "engine/slots.h"

/*
 * Mappings that are ours by the control store, while their destination has seen
 * a later epoch: the control store is older than the destination, since it was
 * restored from a backup, or lost its leases. Their epochs are raised, and work
 * goes on. Zeroed is empty; for the scheduler's thread.
 */
struct reclaim {
	struct reclaim_case *cases;
	size_t count, capacity;
};

void reclaim_release(struct reclaim *reclaim);

/* Note whose workers were shut out. */
void reclaim_look(struct reclaim *reclaim, const struct slots *slots);

/*
 * After that, and after leases_update(): raise what is still ours under the
 * epoch that was shut out. A mapping that this happens to again and again gets
 * an error row instead, and is raised once in RECLAIM_APART_MS.
 */
#define RECLAIM_APART_MS (10 * 60 * 1000)
int reclaim_raise(struct reclaim *reclaim, struct leases *leases,
		  struct control *control, struct reporter *reporter,
		  struct error *err) __attribute__((warn_unused_result));

#endif
