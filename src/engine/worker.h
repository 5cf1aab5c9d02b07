#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include <stdbool.h>

#include "engine/engine.h"
#include "engine/mapping.h"
#include "engine/order.h"

/*
 * The thread that owns one mapping, from start to stop. Nobody else touches
 * the mapping's data. The scheduler alone calls these functions.
 */
struct worker;

/*
 * Work on a mapping under the lease of that epoch. Takes the mapping over, on
 * failure too. `row`, which may be NULL, says how far an earlier worker was
 * with its verification. NULL when there is no thread; else that waits for
 * worker_go(), so that it knows of all that was ordered before it was there.
 */
struct worker *worker_start(struct engine *engine, struct mapping *mapping,
			    const struct control_mapping *row, int64_t epoch,
			    struct error *err);
void worker_go(struct worker *worker); /* as often as you like */

/* What the tables say of it now, and when they were read. */
void worker_see(struct worker *worker, const struct control_mapping *row,
		int64_t read_ms);

const struct mapping *worker_mapping(const struct worker *worker);
int64_t worker_epoch(const struct worker *worker);

/*
 * The destination refuses its epoch: it does nothing more. The later epoch that
 * is there, or 0 if that is not known; -1: it is not refused.
 */
int64_t worker_shut_out(const struct worker *worker);

/* The lease is another daemon's now: say nothing more of this mapping. */
void worker_disown(struct worker *worker);

/* A DBA asks for something; the order is taken over. Asking twice for the same
 * is asking once. */
void worker_order(struct worker *worker, struct order *order);

/*
 * It does nothing more, by the error policy, since so many milliseconds; 0: it
 * works. The control tables will say so too, until somebody resumes it.
 */
int64_t worker_halted_ms(const struct worker *worker);

/* Look again now, rather than at the next tick. */
void worker_poke(struct worker *worker);

/* Ask it to end; it does so at a checkpoint, or at once. */
void worker_stop(struct worker *worker, enum cancel_level level);

/* Has it ended, so that worker_free() will not wait? */
bool worker_has_ended(struct worker *worker);

/* Wait for its end, and free it. */
void worker_free(struct worker *worker);

#endif
