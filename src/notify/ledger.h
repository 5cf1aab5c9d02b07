#ifndef NOTIFY_LEDGER_H
#define NOTIFY_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "notify/notice.h"

/*
 * Which troubles there are and who was told of them: from that follows what is
 * to be told now. Knows no thread, no clock (each call is given the time, in
 * microseconds UTC) and no network. As large as the number of mappings, however
 * much happens.
 *
 * A trouble is told when it has lasted for `delay_us`, and again after each
 * `repeat_us` while it goes on. Its recovery is told, to those who were told of
 * it, when it has stayed away as long. A trouble that comes back before that
 * never was away. What a clock that was set back has put into the future
 * counts from the first call on that has the new time.
 */
struct ledger {
	struct ledger_entry **entries; /* by mapping */
	size_t count, capacity;
	struct listener *listeners;
	int64_t delay_us;
	int64_t repeat_us;
	int max_per_hour; /* messages to one listener */
	int64_t latest;	  /* of the times in here */
	bool mute; /* the daemon's own troubles are another one's to tell */
};

void ledger_init(struct ledger *ledger);
void ledger_release(struct ledger *ledger);

/* What a mapping is called. Any string may be NULL. */
struct ledger_name {
	int mapping_id;
	int server_id;
	const char *server;
	const char *source;
	const char *destination;
};

/*
 * All mappings that exist; the others are forgotten, with all that is known of
 * them. Mapping 0, the daemon, always exists.
 */
int ledger_set_names(struct ledger *ledger, const struct ledger_name *names,
		     size_t count, struct error *err)
	__attribute__((warn_unused_result));

/* ----------------------------------------------------------------- troubles */

/*
 * There is a trouble, or it goes on. 1: that is news; 0: it is not. -1 without
 * memory: nothing happens, and it has to be said again.
 */
int ledger_open(struct ledger *ledger, int mapping_id,
		enum notice_event trouble, const char *type,
		const char *message, int64_t now);
/* It is over. True when somebody is to be told. */
bool ledger_close(struct ledger *ledger, int mapping_id,
		  enum notice_event trouble, int64_t now);
/*
 * Nobody works on the mapping here any more: whether its troubles go on is not
 * known. What was told of them is not forgotten.
 */
void ledger_rest(struct ledger *ledger, int mapping_id);
/* Likewise one trouble of it. */
void ledger_rest_one(struct ledger *ledger, int mapping_id,
		     enum notice_event trouble);

/* ---------------------------------------------------------------- listeners */

struct listener;

/* Which troubles are a listener's business. */
struct listener_filter {
	unsigned events; /* 1 << enum notice_event */
	int mapping_id;	 /* 0: all */
	int server_id;	 /* 0: all; of the source */
};

/* NULL without memory. `id` is that of the channel. */
struct listener *ledger_add_listener(struct ledger *ledger, int id);
void ledger_remove_listener(struct ledger *ledger, struct listener *listener);
void listener_set_filter(struct listener *listener,
			 const struct listener_filter *filter);

/* From the log of messages: the listener was told this then. */
void ledger_recall(struct ledger *ledger, int listener_id, int mapping_id,
		   enum notice_event event, enum notice_event trouble,
		   int64_t at);
/* And that was one message. */
void ledger_recall_message(struct ledger *ledger, int listener_id, int64_t at);

/* What to tell in one message; owns its strings. */
struct digest {
	struct arena arena;
	struct notice *notices;
	size_t count;
	uint64_t left_out;
};

/*
 * When there will be something to tell, as far as is known now: then
 * ledger_take() gives it. INT64_MAX: nothing in sight. What becomes due within
 * a second is waited for, for ten at most, so that it goes together.
 */
int64_t ledger_when(struct ledger *ledger, const struct listener *listener,
		    int64_t now);

/*
 * All that is due, however lately; `out` may come out empty. It stays due
 * until one of the two calls after it says what became of the message.
 */
int ledger_take(struct ledger *ledger, struct listener *listener, int64_t now,
		struct digest *out, struct error *err)
	__attribute__((warn_unused_result));
void ledger_told(struct ledger *ledger, struct listener *listener,
		 const struct digest *digest, int64_t now);
void ledger_not_told(struct ledger *ledger, struct listener *listener,
		     const struct digest *digest);
void digest_release(struct digest *digest);

#endif
