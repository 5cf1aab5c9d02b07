#ifndef ENGINE_TRIGGERS_H
#define ENGINE_TRIGGERS_H

#include "engine/link.h"

/*
 * The looks at a mapping's trigger column: a look costs a scan of the table, so
 * there is one now and then. Belongs to the worker.
 */
struct triggers {
	int64_t looked_ms;     /* INT64_MIN / 2: not yet */
	unsigned locked_looks; /* in a row, that were in vain */
};

void triggers_init(struct triggers *triggers);

/*
 * Look, unless the last look is less than `every_ms` ago. `asked`: a row asks
 * for a full sync. Where others keep rows locked it gives up soon, so that
 * changes need not wait, and looks again the next time; the log is told when
 * that goes on. Connects the link's source.
 */
int triggers_look(struct triggers *triggers, struct link *link,
		  int64_t every_ms, bool *asked, struct error *err)
	__attribute__((warn_unused_result));

#endif
