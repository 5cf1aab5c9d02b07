#ifndef ENGINE_ORDER_H
#define ENGINE_ORDER_H

#include <stdbool.h>

#include "base/error.h"
#include "control/control.h"

/* What a DBA asked for in a row of sync_requests, understood. */
struct order {
	int id; /* the request's */
	enum order_kind {
		ORDER_FULL_SYNC,
		ORDER_RESYNC, /* of the rows that `condition` chooses */
		ORDER_VERIFY,
		ORDER_REPAIR,
		ORDER_SKIP_TO_NOW,
		ORDER_COMPACT,
		ORDER_PAUSE,
		ORDER_RESUME,
	} kind;
	bool whole;	  /* of ORDER_VERIFY and ORDER_REPAIR: not the tail */
	bool scope_given; /* or else what was found last is meant */
	bool dry_run;
	bool begun;	 /* an attempt has begun that will answer it */
	char *condition; /* owned */
};

/*
 * ERROR_CONFIG says what is wrong with the request, in words for its answer.
 */
int order_read(struct order *order, const struct control_request *request,
	       struct error *err) __attribute__((warn_unused_result));
void order_release(struct order *order); /* safe when zeroed */

/* "FULL_SYNC", … as the table has it. */
const char *order_name(enum order_kind kind);

#endif
