/*
 * A PAUSE takes several ticks: the tables are told and the worker is stopped;
 * until the tables say it too, nobody takes its place; then a worker that rests
 * does, and that is the answer. Nothing of it has to be remembered: a request
 * that is open when a daemon starts goes the same way. Several for one mapping
 * take their turns, since the tables show what became of one only later.
 */
#include "engine/requests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/mapping.h"
#include "engine/order.h"

/* The tables are told once more when they do not say it after so long. */
#define TELL_AGAIN_MS 30000

struct request_note {
	int id;
	bool done;	 /* answered, which the tables will show */
	int64_t told_ms; /* when the tables were told what to say */
};

void requests_release(struct requests *requests)
{
	free(requests->notes);
	requests->notes = NULL;
	requests->count = 0;
	requests->capacity = 0;
}

/* -------------------------------------------------------------------- notes */

static struct request_note *find_note(const struct requests *requests, int id)
{
	for (size_t i = 0; i < requests->count; i++)
		if (requests->notes[i].id == id)
			return &requests->notes[i];
	return NULL;
}

static bool is_done(const struct requests *requests, int id)
{
	const struct request_note *note = find_note(requests, id);

	return note && note->done;
}

/* NULL without memory: then it is done again at the next tick. */
static struct request_note *get_note(struct requests *requests, int id)
{
	struct request_note *note = find_note(requests, id);

	if (note)
		return note;
	if (requests->count == requests->capacity) {
		size_t capacity =
			requests->capacity ? requests->capacity * 2 : 16;
		struct request_note *grown =
			realloc(requests->notes, capacity * sizeof(*grown));

		if (!grown)
			return NULL;
		requests->notes = grown;
		requests->capacity = capacity;
	}
	note = &requests->notes[requests->count++];
	*note = (struct request_note){.id = id};
	return note;
}

/* Of those that the tables do not show as open any more. */
static void forget_notes(struct requests *requests,
			 const struct control_snapshot *snapshot)
{
	size_t kept = 0;

	for (size_t i = 0; i < requests->count; i++) {
		bool open = false;

		for (size_t r = 0; r < snapshot->request_count; r++)
			open |= snapshot->requests[r].id ==
				requests->notes[i].id;
		if (open)
			requests->notes[kept++] = requests->notes[i];
	}
	requests->count = kept;
}

/* The answer is written later: it is not taken up again till then. */
static void finish(struct requests *requests, int id, const char *state,
		   const char *answer)
{
	struct request_note *note = get_note(requests, id);

	report_request(requests->reporter, id, state, answer);
	if (note)
		note->done = true;
}

/* ------------------------------------------------------------ pause, resume */

static bool is_switch(const struct control_request *request,
		      enum order_kind *kind)
{
	struct error ignored = ERROR_INIT;
	struct order order;
	bool is = order_read(&order, request, &ignored) == 0 &&
		  (order.kind == ORDER_PAUSE || order.kind == ORDER_RESUME);

	*kind = order.kind;
	order_release(&order);
	return is;
}

/* The first one for this mapping whose turn it is; NULL: there is none. */
static const struct control_request *first_switch(
	const struct requests *requests,
	const struct control_snapshot *snapshot, int mapping_id,
	enum order_kind *kind)
{
	for (size_t i = 0; i < snapshot->request_count; i++) {
		const struct control_request *request = &snapshot->requests[i];

		if (request->mapping_id == mapping_id &&
		    !is_done(requests, request->id) && is_switch(request, kind))
			return request;
	}
	return NULL;
}

bool requests_pauses(const struct requests *requests,
		     const struct control_snapshot *snapshot, int mapping_id)
{
	enum order_kind kind;

	return first_switch(requests, snapshot, mapping_id, &kind) &&
	       kind == ORDER_PAUSE;
}

static bool is_paused(const struct control_mapping *row,
		      const struct slot *slot)
{
	return row->paused && (!slot || (!slot->stopping &&
					 worker_mapping(slot->worker)->paused));
}

static bool is_resumed(const struct control_mapping *row,
		       const struct slot *slot)
{
	return !row->paused && !row->suspended && slot && !slot->stopping &&
	       !worker_halted_ms(slot->worker) &&
	       !worker_mapping(slot->worker)->paused &&
	       !worker_mapping(slot->worker)->suspended;
}

/* Until they say so. One that is halted makes way: its successor goes by what
 * the tables say. */
static void switch_over(struct requests *requests,
			const struct control_request *request,
			struct request_note *note, struct slot *slot,
			bool pause)
{
	if (slot && (pause ? !worker_mapping(slot->worker)->paused
			   : worker_halted_ms(slot->worker) != 0))
		slot_stop(slot);
	if (note && note->told_ms && clock_ms() - note->told_ms < TELL_AGAIN_MS)
		return;
	report_paused(requests->reporter, request->mapping_id, pause);
	report_request(requests->reporter, request->id, "RUNNING", NULL);
	if (note)
		note->told_ms = clock_ms();
}

static void refuse_resume(struct requests *requests,
			  const struct control_request *request,
			  const struct control_mapping *row)
{
	char answer[256];

	if (!row->enabled)
		snprintf(answer, sizeof(answer),
			 "mapping %d is switched off; UPDATE table_mappings "
			 "SET is_enabled = 1 WHERE mapping_id = %d, and "
			 "request RESUME again if it is paused or suspended",
			 row->id, row->id);
	else
		snprintf(answer, sizeof(answer),
			 "a server of mapping %d is switched off; set its "
			 "is_enabled to 1 in source_servers or target_servers, "
			 "and request RESUME again if the mapping is paused or "
			 "suspended",
			 row->id);
	finish(requests, request->id, "REJECTED", answer);
}

/* True: it is not so yet. */
static bool handle_switch(struct requests *requests,
			  const struct control_request *request,
			  const struct control_mapping *row,
			  const struct control_snapshot *snapshot, bool pause)
{
	struct slot *slot = slots_find(requests->slots, row->id);
	struct request_note *note;
	enum order_kind ignored;

	if (first_switch(requests, snapshot, row->id, &ignored) != request)
		return true;
	if (!pause && !mapping_is_enabled(row, snapshot)) {
		refuse_resume(requests, request, row);
		return false;
	}
	note = get_note(requests, request->id);
	if (note && note->told_ms &&
	    (pause ? is_paused(row, slot) : is_resumed(row, slot))) {
		finish(requests, request->id, "COMPLETED",
		       pause ? "paused" : "resumed");
		return false;
	}
	switch_over(requests, request, note, slot, pause);
	return true;
}

/* ---------------------------------------------------------------- all of them */

/* For the worker of the mapping; takes over what `order` holds. */
static void hand_over(struct requests *requests,
		      const struct control_mapping *row,
		      const struct control_snapshot *snapshot,
		      struct order *order)
{
	struct slot *slot = slots_find(requests->slots, row->id);

	if (slot && !slot->stopping) {
		worker_order(slot->worker, order);
		return;
	}
	/* One that is switched off takes it up when it is back. */
	if (!slot && !mapping_is_enabled(row, snapshot))
		log_debug("request %d waits until mapping %d is enabled",
			  order->id, row->id);
	order_release(order);
}

/* True: it should not have to wait until the next tick. */
static bool handle_one(struct requests *requests,
		       const struct control_request *request,
		       const struct control_snapshot *snapshot)
{
	const struct control_mapping *row =
		control_find_mapping(snapshot, request->mapping_id);
	struct error err = ERROR_INIT;
	struct order order;
	bool waits = false;

	if (row && !leases_epoch(requests->leases, request->mapping_id))
		return false; /* the daemon that has the mapping answers */
	if (!row) {
		error_set(&err, ERROR_CONFIG, "mapping %d does not exist",
			  request->mapping_id);
		finish(requests, request->id, "REJECTED", err.message);
	} else if (order_read(&order, request, &err) < 0) {
		/* Without memory the next tick takes it up. */
		if (err.kind != ERROR_MEMORY)
			finish(requests, request->id, "REJECTED", err.message);
		order_release(&order);
	} else if (order.kind == ORDER_PAUSE || order.kind == ORDER_RESUME) {
		waits = handle_switch(requests, request, row, snapshot,
				      order.kind == ORDER_PAUSE);
		order_release(&order);
	} else {
		hand_over(requests, row, snapshot, &order);
	}
	return waits;
}

bool requests_handle(struct requests *requests,
		     const struct control_snapshot *snapshot)
{
	bool waits = false;

	forget_notes(requests, snapshot);
	for (size_t i = 0; i < snapshot->request_count; i++)
		if (!is_done(requests, snapshot->requests[i].id))
			waits |= handle_one(requests, &snapshot->requests[i],
					    snapshot);
	return waits;
}
