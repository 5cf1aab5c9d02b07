#ifndef ENGINE_SLOTS_H
#define ENGINE_SLOTS_H

#include <stddef.h>

#include "engine/worker.h"

/* A worker that runs, or that was asked to stop and has not ended yet. */
struct slot {
	int mapping_id;
	struct worker *worker;
	bool stopping;
	int64_t stop_since_ms;
};

/*
 * All of them, in the order of their mappings' ids, of which there is one each:
 * a thousand mappings are looked up at every tick. Slots move when one is added
 * or removed. For the scheduler's thread alone; zeroed is empty.
 */
struct slots {
	struct slot *items;
	size_t count, capacity;
};

void slots_release(struct slots *slots); /* the workers are freed before */

/* NULL when there is none. */
struct slot *slots_find(const struct slots *slots, int mapping_id);

/* A zeroed one for a mapping that has none; NULL without memory. */
struct slot *slots_add(struct slots *slots, int mapping_id);

void slots_remove(struct slots *slots, struct slot *slot);

/* Ask its worker to end at a checkpoint, if that was not done before. */
void slot_stop(struct slot *slot);

#endif
