#ifndef NOTIFY_MESSAGE_H
#define NOTIFY_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "base/uuid.h"
#include "notify/notice.h"

/* So many notices are written out in one message; the others are counted. */
#define MESSAGE_NOTICES_MAX 50

/*
 * What goes to a channel at once: one notice, or a digest of several, or none,
 * which makes it a test. Everything is borrowed.
 */
struct message {
	char id[UUID_TEXT_MAX]; /* the same for each attempt */
	const char *channel;	/* its name */
	const struct notice *notices;
	size_t count;
	uint64_t left_out; /* troubles that came and went untold */
	const char *daemon;
	const char *installation; /* of the control tables */
	int64_t sent_us;
};

/* The event of the only notice, "DIGEST", or "TEST". */
const char *message_event(const struct message *message);

/* One line without control characters, for a subject and for logs. */
void message_summary(const struct message *message, struct strbuf *out);

/* The same for people, several lines. */
void message_text(const struct message *message, struct strbuf *out);

/* A JSON object, as docs/notifications.md describes it. To be freed. */
char *message_json(const struct message *message, struct error *err)
	__attribute__((warn_unused_result));

#endif
