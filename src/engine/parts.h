#ifndef ENGINE_PARTS_H
#define ENGINE_PARTS_H

#include "engine/link.h"

/*
 * Loads the parts of a plan that are not done, several at the same time: each
 * thread has a source and a target of its own and takes the next part when it
 * is through with one. At most `settings.load_readers` threads, fewer when
 * connections are scarce; the caller's own is not used, but waits.
 *
 * The link's target has begun the load. `rows` says how many the load has now,
 * those of earlier attempts among them. On -1 what is done stays done.
 */
int parts_load(struct link *link, const struct load_plan *plan, uint64_t *rows,
	       struct error *err) __attribute__((warn_unused_result));

#endif
