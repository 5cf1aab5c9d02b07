#include "engine/outbox.h"

#include <stdlib.h>
#include <string.h>

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
	for (size_t i = 0; text && i < EVENT_STRINGS; i++)
		if (!event->owned[i])
			return event->owned[i] = strdup(text);
	return NULL;
}

int outbox_init(struct outbox *outbox, struct error *err)
{
	int rc;

	memset(outbox, 0, sizeof(*outbox));
	outbox->end = &outbox->first;
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

static struct event *unlink_at(struct outbox *outbox, struct event **link)
{
	struct event *event = *link;

	*link = event->next;
	if (!event->next)
		outbox->end = link;
	outbox->count--;
	event->next = NULL;
	return event;
}

static void make_room(struct outbox *outbox)
{
	struct event **link = &outbox->first;

	if (!outbox->first)
		return;
	while (*link && (*link)->kind != EVENT_LOG)
		link = &(*link)->next;
	event_free(unlink_at(outbox, *link ? link : &outbox->first));
	outbox->dropped++;
}

void outbox_put(struct outbox *outbox, struct event *event)
{
	pthread_mutex_lock(&outbox->lock);
	if (!event) {
		outbox->dropped++; /* there was no memory for it */
	} else {
		if (outbox->count >= OUTBOX_MAX)
			make_room(outbox);
		*outbox->end = event;
		outbox->end = &event->next;
		outbox->count++;
	}
	pthread_mutex_unlock(&outbox->lock);
}

struct event *outbox_take(struct outbox *outbox)
{
	struct event *event = NULL;

	pthread_mutex_lock(&outbox->lock);
	if (outbox->first)
		event = unlink_at(outbox, &outbox->first);
	pthread_mutex_unlock(&outbox->lock);
	return event;
}

void outbox_put_back(struct outbox *outbox, struct event *event)
{
	pthread_mutex_lock(&outbox->lock);
	event->next = outbox->first;
	outbox->first = event;
	if (!event->next)
		outbox->end = &event->next;
	outbox->count++;
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
	*dropped = outbox->dropped_before + outbox->dropped;
	pthread_mutex_unlock(&outbox->lock);
}
