#ifndef ENGINE_FULL_SYNC_H
#define ENGINE_FULL_SYNC_H

#include "engine/link.h"

/*
 * Replace the whole destination table with the source table, and reset the
 * trigger column. Readers of the destination see the old rows until this
 * returns 0 and the new ones after it (with full_sync_mode = truncate they see
 * it grow); change capture then starts at `link->reached`. `again` says that
 * a row asked for another one while this one ran. On -1 the old rows are still
 * there, and the run may be repeated.
 */
int full_sync_run(struct link *link, uint64_t *rows, bool *again,
		  struct error *err) __attribute__((warn_unused_result));

#endif
