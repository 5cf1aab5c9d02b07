#ifndef ENGINE_OUTLET_H
#define ENGINE_OUTLET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "control/control.h"
#include "notify/ledger.h"

/*
 * A channel as the notifier sees it: the inside of notifier.c, which is the
 * only one to use it.
 */

/* What a row of notification_channels says. */
struct channel_row {
	char *name, *type, *settings, *events;
	int mapping_id, server_id;
};

/* A channel, and the message that is on its way there. */
struct outlet {
	struct outlet *next;
	int id;
	struct listener *listener;

	/* Guarded by the notifier's lock. */
	struct channel_row row;
	bool changed; /* the thread has not seen it like this */
	bool gone;    /* the thread frees it */
	bool seen;    /* in the update at hand */

	/* The thread's own. */
	struct channel_row own; /* its copy of the row */
	bool broken;		/* its settings make no sense */
	bool trouble;		/* it has an error row */
	bool sending;
	bool waiting; /* for the next attempt */
	int attempts;
	int64_t next_ms; /* of the attempt, or when its rest ends */
	struct digest digest;
	char message_id[UUID_TEXT_MAX];
};

/* Copy what the table says. False without memory; release it in any case. */
bool channel_row_read(struct channel_row *out,
		      const struct control_channel *channel);
/* False without memory; then `to` is as it was. */
bool channel_row_copy(struct channel_row *to, const struct channel_row *from);
bool channel_row_equal(const struct channel_row *a,
		       const struct channel_row *b);
void channel_row_release(struct channel_row *row);

void outlet_free(struct outlet *outlet);

#endif
