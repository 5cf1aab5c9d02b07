#ifndef ENGINE_FOLLOW_H
#define ENGINE_FOLLOW_H

#include "engine/cdc.h"
#include "engine/orders.h"
#include "engine/verify.h"

/*
 * How a worker follows the changes of its mapping: window after window while
 * there are any, and, where they are worth gathering (struct target), only now
 * and then. Belongs to the worker; zeroed but for its inputs.
 */
struct follow {
	struct link *link;
	struct verify *verify;
	struct orders *orders; /* any of them is a reason to look at once */
	/* Told of each step. */
	void (*tell)(void *arg, const struct cdc_step *step);
	void *arg;

	int64_t caught_up_ms; /* when there was nothing more; 0: there may be */
};

/*
 * Apply what there is, for a while. The link is attached. `busy`: there was
 * something, or there is more, or everything has to be looked at again.
 */
int follow_changes(struct follow *follow, bool *busy, struct error *err)
	__attribute__((warn_unused_result));

/* How long changes gather before the next look; 0: they do not. */
int64_t follow_rest_ms(const struct follow *follow);

/* What has gathered when a daemon stops, if it can be had in a moment. */
int follow_last_look(struct follow *follow, struct error *err)
	__attribute__((warn_unused_result));

#endif
