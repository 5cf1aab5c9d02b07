#ifndef ENGINE_COMPACT_H
#define ENGINE_COMPACT_H

#include "base/strbuf.h"
#include "engine/link.h"

/*
 * A compaction that somebody asked for, in slices between the changes of the
 * same mapping. Belongs to the mapping's worker; zeroed: none is under way.
 */
struct compact {
	struct link *link; /* NULL: nothing is held */
	struct compaction work;
	int64_t began_ms;
	bool began; /* and is not over, though it may have to begin anew */
};

/* Has it memory, and something begun? */
bool compact_is_running(const struct compact *compact);

/*
 * Some tenths of a second of it. 1: it goes on, or waits for memory; 0: it is
 * over, and `answer` says what became of it.
 */
int compact_slice(struct compact *compact, struct link *link,
		  struct strbuf *answer, struct error *err)
	__attribute__((warn_unused_result));

/* Give back its memory, with the file that it was at. What is merged stays. */
void compact_begin_anew(struct compact *compact);

/* Likewise, and forget it. Before the link is closed. */
void compact_end(struct compact *compact);

#endif
