#ifndef NOTIFY_NOTICE_H
#define NOTIFY_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

/* What people are told about. All but a recovery are troubles. */
enum notice_event {
	NOTICE_FAILURE,	     /* an error row of a mapping, or the daemon's */
	NOTICE_SUSPENSION,   /* a mapping was suspended */
	NOTICE_VERIFICATION, /* both ends are not the same */
	NOTICE_LAG,	     /* changes arrive too late */
	NOTICE_RECOVERY,     /* one of these is over */
	NOTICE_EVENTS,
};

#define NOTICE_TROUBLES NOTICE_RECOVERY /* how many kinds of them */

/* "FAILURE", …; and back, without regard to case: false for other words. */
const char *notice_event_name(enum notice_event event);
bool notice_event_parse(const char *name, enum notice_event *out);

/*
 * A list as "FAILURE, LAG" into a mask of 1 << event; NULL is all of them.
 * False, and the mask empty, when a word is none, for which there is a text.
 */
bool notice_events_parse(const char *list, unsigned *out);
#define NOTICE_EVENTS_WANTED                               \
	"'events' must be a list of FAILURE, SUSPENSION, " \
	"VERIFICATION, LAG and RECOVERY, or NULL for all of them"

/* One thing to tell. Strings are whoever made it; NULL: there is none. */
struct notice {
	enum notice_event event;
	enum notice_event trouble; /* the same; of a recovery, what is over */
	int mapping_id;		   /* 0: it is about the daemon itself */
	const char *server;	   /* the source server's name */
	const char *source;	   /* "database.schema.table" */
	const char *destination;
	const char *type; /* as in error_logs */
	const char *message;
	int64_t since_us;
	int64_t ended_us; /* 0: it goes on */
	bool reminder;	  /* it was told before, and is not over */
};

#endif
