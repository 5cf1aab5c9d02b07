#ifndef ENGINE_COMPACT_H
#define ENGINE_COMPACT_H

#include "engine/link.h"
#include "engine/orders.h"

/*
 * A compaction that somebody asked for, in slices between the changes of the
 * same mapping. Belongs to the mapping's worker; zeroed: none is under way.
 */
struct compact {
	struct link *link; /* NULL: nothing is held */
	struct compaction work;
	int64_t began_ms;
	bool began;    /* and is not over, though it may have to begin anew */
	size_t wanted; /* memory that it could not do with less than */
};

/* How long it may wait for the next step: one that has no memory asks again. */
int64_t compact_sleep_ms(const struct compact *compact);

/*
 * If there are orders for it: some tenths of a second of it, and the answer, once it
 * is over. That a file cannot be read is an answer, too: changes go on.
 */
int compact_step(struct compact *compact, struct link *link,
		 struct orders *orders, struct error *err)
	__attribute__((warn_unused_result));

/* Give back its memory, with the file that it was at. What is merged stays. */
void compact_begin_anew(struct compact *compact);

/* Likewise, and forget it. Before the link is closed. */
void compact_end(struct compact *compact);

#endif
