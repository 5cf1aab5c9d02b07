#include "engine/slots.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void slots_release(struct slots *slots)
{
	free(slots->items);
	memset(slots, 0, sizeof(*slots));
}

/* The first slot whose mapping is not below this one. */
static size_t place_of(const struct slots *slots, int mapping_id)
{
	size_t low = 0, high = slots->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (slots->items[middle].mapping_id < mapping_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct slot *slots_find(const struct slots *slots, int mapping_id)
{
	size_t at = place_of(slots, mapping_id);

	if (at == slots->count || slots->items[at].mapping_id != mapping_id)
		return NULL;
	return &slots->items[at];
}

struct slot *slots_add(struct slots *slots, int mapping_id)
{
	size_t at = place_of(slots, mapping_id);
	struct slot *slot;

	if (slots->count == slots->capacity) {
		size_t capacity = slots->capacity ? slots->capacity * 2 : 16;
		struct slot *grown =
			realloc(slots->items, capacity * sizeof(*grown));

		if (!grown)
			return NULL;
		slots->items = grown;
		slots->capacity = capacity;
	}
	slot = &slots->items[at];
	memmove(slot + 1, slot, (slots->count - at) * sizeof(*slot));
	slots->count++;
	*slot = (struct slot){.mapping_id = mapping_id};
	return slot;
}

void slots_remove(struct slots *slots, struct slot *slot)
{
	size_t at = (size_t)(slot - slots->items);

	slots->count--;
	memmove(slot, slot + 1, (slots->count - at) * sizeof(*slot));
}

void slot_stop(struct slot *slot)
{
	if (slot->stopping)
		return;
	slot->stopping = true;
	slot->stop_since_ms = clock_ms();
	worker_stop(slot->worker, CANCEL_DRAIN);
}
