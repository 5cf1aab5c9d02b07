#ifndef ENGINE_CENSUS_H
#define ENGINE_CENSUS_H

#include "control/control.h"
#include "engine/engine.h"

/*
 * Tells source servers which mappings there are whose changes are read from
 * them, as mappings() of driver.h wants it: at first, when they are others, and
 * again when it failed. A server that cannot be told has a row in error_logs.
 * Since it may wait for servers it has a thread of its own, now and then. All
 * functions are for the scheduler's thread.
 */
struct census;

/* NULL without memory. */
struct census *census_new(struct engine *engine);

/* The control tables were read; does not wait. */
void census_see(struct census *census, const struct control_snapshot *snapshot);

/* Wait up to `ms` for what is under way. True: it is over. For tests. */
bool census_wait(struct census *census, int64_t ms);

/*
 * Stop what is under way, waiting up to `ms`. False: it goes on, and everything
 * that it uses has to stay. census_free() only after true.
 */
bool census_stop(struct census *census, int64_t ms);
void census_free(struct census *census); /* NULL is fine */

#endif
