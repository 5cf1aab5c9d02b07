#ifndef ENGINE_REQUESTS_H
#define ENGINE_REQUESTS_H

#include <stdbool.h>

#include "control/control.h"
#include "engine/lease.h"
#include "engine/reporter.h"
#include "engine/slots.h"

/*
 * The open rows of sync_requests: hands them to the workers of their mappings,
 * which answer them, and sees to PAUSE and RESUME by itself. Those are answered
 * when it is so: the control tables say it, and the mapping's worker goes by
 * it, or is gone. For the scheduler's thread alone.
 */
struct requests {
	struct reporter *reporter; /* these three are borrowed */
	const struct leases *leases;
	struct slots *slots;
	struct request_note *notes; /* of those that are under way here */
	size_t count, capacity;
};

/* `requests` is zeroed but for what is borrowed. */
void requests_release(struct requests *requests);

/* After the workers were brought in line with `snapshot`. True: something is
 * waited for that should not take until the next tick. */
bool requests_handle(struct requests *requests,
		     const struct control_snapshot *snapshot);

/* Is it about to be paused, so that no worker may begin to write? */
bool requests_pauses(const struct requests *requests,
		     const struct control_snapshot *snapshot, int mapping_id);

#endif
