#ifndef ENGINE_OUTBOX_H
#define ENGINE_OUTBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "control/control.h"

#define EVENT_STRINGS 4

/* One thing to write into the control tables. Owns its strings. */
struct event {
	struct event *next;
	uint64_t number; /* the older, the smaller */
	enum event_kind {
		EVENT_RUN,
		EVENT_STALE_RUNS, /* id: mapping */
		EVENT_LOG,
		EVENT_ERROR,
		EVENT_RESOLVED,	    /* id: mapping, server_id */
		EVENT_FULL_SYNC,    /* id: mapping, at_us */
		EVENT_CONNECTED,    /* id: server, flag: it is a target */
		EVENT_REQUEST,	    /* id: request, state, text: answer */
		EVENT_PAUSED,	    /* id: mapping, flag */
		EVENT_SUSPENDED,    /* id: mapping, text: the reason */
		EVENT_SWITCHED_OFF, /* id: mapping */
		EVENT_EXCEPTION,
		EVENT_SETTLED, /* id: mapping, at_us */
		EVENT_VERIFICATION,
		EVENT_VERIFIED, /* id: mapping, flag: the whole table */
		EVENT_PROGRESS,
		EVENT_SUBJECT_RESOLVED, /* text: subject */
		EVENT_NOTIFICATION,
		EVENT_CHANNEL, /* id, text: what is wrong with it */
		EVENT_GONE_CHANNELS,
	} kind;
	union {
		struct control_run run;
		struct control_log log;
		struct control_error error;
		struct control_progress progress;
		struct {
			struct control_verification verification;
			char md5[2][CONTROL_MD5_MAX];
		};
		struct control_exception exception;
		struct control_notification notification;
		struct {
			int id;
			int server_id;
			bool flag;
			int64_t at_us;
			const char *state; /* a literal */
			const char *text;
		};
	};
	char *owned[EVENT_STRINGS]; /* what the strings above point to */
	bool incomplete;	    /* there was no memory for one of them */
};

/*
 * Another string for it to own, in a place of owned[] that is empty. NULL when
 * it is NULL; and without memory, which outbox_put() will see.
 */
const char *event_keep(struct event *event, const char *text);

/* NULL without memory. `text` and `more` are copied into owned[] if given. */
struct event *event_new(enum event_kind kind, const char *text,
			const char *more);
void event_free(struct event *event); /* NULL is fine */

/* Mappings whose numbers differ by this share a place in last_error[]. */
#define OUTBOX_PLACES 4096

/*
 * The events that wait for the control store. Bounded: when it is full, the
 * oldest log row makes room, or else the oldest event. An error that repeats
 * the last one of its mapping takes its place, so that a thousand failing
 * mappings do not crowd out the rest while the store is slow or away. Any thread
 * may put; one takes.
 */
struct outbox {
	pthread_mutex_t lock; /* guards all below */
	struct event_line {
		struct event *first, **end;
	} logs, rows;
	/* What was last said about a mapping's errors, if it is one and waits. */
	struct event *last_error[OUTBOX_PLACES];
	size_t count;
	uint64_t put_count;
	uint64_t dropped;	 /* since the last outbox_take_dropped() */
	uint64_t dropped_before; /* and until it */
};

int outbox_init(struct outbox *outbox, struct error *err)
	__attribute__((warn_unused_result));
void outbox_release(struct outbox *outbox);

/* Takes the event over. One that is NULL, or incomplete, counts as dropped. */
void outbox_put(struct outbox *outbox, struct event *event);

/*
 * The oldest event, unlinked and the caller's; NULL when there is none. One
 * that could not be written goes back to the front.
 */
struct event *outbox_take(struct outbox *outbox);
void outbox_put_back(struct outbox *outbox, struct event *event);

/* How many were dropped since the last call. */
uint64_t outbox_take_dropped(struct outbox *outbox);

/* How many wait now, and were dropped since it was made (or NULL). */
void outbox_count(struct outbox *outbox, size_t *waiting, uint64_t *dropped);

#endif
