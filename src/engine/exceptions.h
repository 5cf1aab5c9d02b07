#ifndef ENGINE_EXCEPTIONS_H
#define ENGINE_EXCEPTIONS_H

#include "engine/link.h"

/*
 * Rows that a destination refused. Those that were put aside stand in the
 * destination, written by the transaction that left them out; apply_exceptions
 * in the control tables follows it, so that a daemon which is killed in between
 * loses none.
 */

/*
 * Tell the control tables which stand now. Those of a mapping that has a great
 * many are told in part.
 */
int exceptions_mirror(struct link *link, struct error *err)
	__attribute__((warn_unused_result));

/* A load was committed: none stands any more. */
void exceptions_over(struct link *link);

/* Begin to apply changes without the rows that are refused. */
int exceptions_begin(struct link *link, const struct table *shape,
		     struct isolation *how, struct error *err)
	__attribute__((warn_unused_result));

/* What was begun so has failed: was it for too many rows? */
void exceptions_failed(struct link *link, const struct isolation *how,
		       struct error *err);

/* Changes were committed; `how` is NULL when they were begun in another way. */
int exceptions_committed(struct link *link, const struct isolation *how,
			 const struct target_counts *counts, struct error *err)
	__attribute__((warn_unused_result));

#endif
