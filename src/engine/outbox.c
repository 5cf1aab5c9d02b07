#include "engine/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define OUTBOX_MAX 10000

struct event *event_new(enum event_kind kind, const char *text,
			const char *more)
{
	struct event *event = calloc(1, sizeof(*event));

	if (!event)
		return NULL;
	event->kind = kind;
	if (text)
		event->owned[0] = strdup(text);
	if (more)
		event->owned[1] = strdup(more);
	if ((text && !event->owned[0]) || (more && !event->owned[1])) {
		event_free(event);
		return NULL;
	}
	return event;
}

void event_free(struct event *event)
{
	if (!event)
		return;
	for (size_t i = 0; i < EVENT_STRINGS; i++)
		free(event->owned[i]);
	free(event);
}

const char *event_keep(struct event *event, const char *text)
{
	size_t i = 0;

	if (!text)
		return NULL;
	while (i < EVENT_STRINGS - 1 && event->owned[i])
		i++;
	event->owned[i] = strdup(text);
	event->incomplete |= !event->owned[i];
	return event->owned[i];
}

int outbox_init(struct outbox *outbox, struct error *err)
{
	int rc;

	memset(outbox, 0, sizeof(*outbox));
	outbox->logs.end = &outbox->logs.first;
	outbox->rows.end = &outbox->rows.first;
	rc = pthread_mutex_init(&outbox->lock, NULL);
	return rc ? error_errno(err, rc, "cannot make a lock") : 0;
}

void outbox_release(struct outbox *outbox)
{
	struct event *event;

	while ((event = outbox_take(outbox)))
		event_free(event);
	pthread_mutex_destroy(&outbox->lock);
}

/* ------------------------------------------------------------------ two lines */

static struct event_line *line_of(struct outbox *outbox,
				  const struct event *event)
{
	return event->kind == EVENT_LOG ? &outbox->logs : &outbox->rows;
}

static void add_last(struct outbox *outbox, struct event *event)
{
	struct event_line *line = line_of(outbox, event);

	event->next = NULL;
	event->number = ++outbox->put_count;
	*line->end = event;
	line->end = &event->next;
	outbox->count++;
}

static void add_first(struct outbox *outbox, struct event *event)
{
	struct event_line *line = line_of(outbox, event);

	event->next = line->first;
	line->first = event;
	if (!event->next)
		line->end = &event->next;
	outbox->count++;
}

/* ------------------------------------------------------- errors that repeat */

/* Where the event has a say in what was last said; NULL when it has none. */
static struct event **place_of(struct outbox *outbox, const struct event *event)
{
	int id;

	switch (event->kind) {
	case EVENT_ERROR:
		id = event->error.mapping_id;
		break;
	case EVENT_RESOLVED:
	case EVENT_VERIFIED:
		id = event->id;
		break;
	case EVENT_SUBJECT_RESOLVED:
	case EVENT_GONE_CHANNELS:
		id = 0;
		break;
	default:
		return NULL;
	}
	return &outbox->last_error[(unsigned)id % OUTBOX_PLACES];
}

static bool repeats(const struct event *event, const struct event *last)
{
	return event->kind == EVENT_ERROR && last &&
	       event->error.mapping_id == last->error.mapping_id &&
	       event->error.server_id == last->error.server_id &&
	       text_equal(event->error.type, last->error.type) &&
	       text_equal(event->error.subject, last->error.subject);
}

/* The one that waits says what the newer one would, as of its own time. */
static void take_place(struct event *last, struct event *event)
{
	struct event older = *last;

	*last = *event;
	last->next = older.next;
	last->number = older.number;
	last->error.created_us = older.error.created_us;
	*event = older;
	event_free(event);
}

/* True: the event is gone into the one that it repeats. */
static bool merge(struct outbox *outbox, struct event *event)
{
	struct event **place = place_of(outbox, event);

	if (!place)
		return false;
	if (repeats(event, *place)) {
		take_place(*place, event);
		return true;
	}
	*place = event->kind == EVENT_ERROR ? event : NULL;
	return false;
}

/* --------------------------------------------------------------- in and out */

static struct event *take_first(struct outbox *outbox, struct event_line *line)
{
	struct event *event = line->first;
	struct event **place = place_of(outbox, event);

	line->first = event->next;
	if (!event->next)
		line->end = &line->first;
	if (place && *place == event)
		*place = NULL;
	event->next = NULL;
	outbox->count--;
	return event;
}

static void make_room(struct outbox *outbox)
{
	event_free(take_first(outbox, outbox->logs.first ? &outbox->logs
							 : &outbox->rows));
	outbox->dropped++;
}

void outbox_put(struct outbox *outbox, struct event *event)
{
	if (event && event->incomplete) {
		event_free(event);
		event = NULL;
	}
	pthread_mutex_lock(&outbox->lock);
	if (!event) {
		outbox->dropped++; /* there was no memory for it */
	} else if (!merge(outbox, event)) {
		if (outbox->count >= OUTBOX_MAX)
			make_room(outbox);
		add_last(outbox, event);
	}
	pthread_mutex_unlock(&outbox->lock);
}

struct event *outbox_take(struct outbox *outbox)
{
	const struct event *log, *row;
	struct event *event = NULL;

	pthread_mutex_lock(&outbox->lock);
	log = outbox->logs.first;
	row = outbox->rows.first;
	if (log && (!row || log->number < row->number))
		event = take_first(outbox, &outbox->logs);
	else if (row)
		event = take_first(outbox, &outbox->rows);
	pthread_mutex_unlock(&outbox->lock);
	return event;
}

void outbox_put_back(struct outbox *outbox, struct event *event)
{
	pthread_mutex_lock(&outbox->lock);
	add_first(outbox, event);
	pthread_mutex_unlock(&outbox->lock);
}

uint64_t outbox_take_dropped(struct outbox *outbox)
{
	uint64_t dropped;

	pthread_mutex_lock(&outbox->lock);
	dropped = outbox->dropped;
	outbox->dropped_before += dropped;
	outbox->dropped = 0;
	pthread_mutex_unlock(&outbox->lock);
	return dropped;
}

void outbox_count(struct outbox *outbox, size_t *waiting, uint64_t *dropped)
{
	pthread_mutex_lock(&outbox->lock);
	*waiting = outbox->count;
	if (dropped)
		*dropped = outbox->dropped_before + outbox->dropped;
	pthread_mutex_unlock(&outbox->lock);
}
