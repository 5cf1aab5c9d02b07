#ifndef ENGINE_MEMORY_H
#define ENGINE_MEMORY_H

#include "base/budget.h"
#include "base/strbuf.h"
#include "control/settings.h"
#include "drivers/driver.h"

/*
 * Who may take how much of `memory_limit_mb`.
 *
 * What cannot be bounded row by row is set aside first: the program itself, a
 * thread and a table's definition for each mapping, connections. Of the rest
 * every run that holds connections has a piece of its own, with which it can do
 * all its work, if slowly: so nobody who waits for memory keeps others from
 * theirs. What is left is one budget for all, for three uses:
 *
 * - a copy that has much to move has larger batches, and several, so that
 *   reading and writing overlap. It asks for them without waiting, and gives
 *   them back between two batches when somebody waits;
 * - a verification has the rows and keys that it compares. It does not wait
 *   either, but comes back later; and it begins anew when its own mapping has
 *   to wait;
 * - rows too large for a run's own piece wait for the memory they take, in
 *   turn, before they are read.
 *
 * So only those of the third kind wait, they hold nothing of the budget then,
 * and whatever they wait for comes to an end.
 */
struct memory_plan {
	size_t own;    /* bytes for each run */
	size_t shared; /* and for all of them together */
};

/*
 * For so many mappings. -1 and ERROR_CONFIG when the limit is too small for
 * them; the plan is that for the smallest limit that would do then.
 */
int memory_plan_make(struct memory_plan *plan, const struct settings *settings,
		     size_t mappings, struct error *err)
	__attribute__((warn_unused_result));

/* What a thread that moves rows may take. Zeroed but for its first two. */
struct memory {
	struct budget *budget; /* shared; NULL: there are no bounds */
	size_t own;
	size_t held; /* of the budget, for large rows and a target */
	/* What a target has: of that, or, if it got nothing there, of its own. */
	size_t lent, lent_own;
	/* Give back what this thread holds of the budget elsewhere, for it is
	 * about to wait; NULL: nothing is held. */
	void (*make_room)(void *arg);
	void *arg;
};

/*
 * After a read was begun, and a write or NULL, before the first row: wait until
 * there is memory for the largest. Held until memory_give(). ERROR_DATA when
 * there never will be: that names the column and the row, and the run is over,
 * as with memory_too_large().
 */
int memory_for_rows(struct memory *memory, struct source *src,
		    const struct target *dst, const struct table *shape,
		    struct cancel *cancel, struct error *err)
	__attribute__((warn_unused_result));

/*
 * After a read was begun, and before a write is: what that takes, and the target
 * beside that. It is waited for as long as for rows that are large; whatever the
 * target can do without it has if nobody waits for it. Held until memory_give().
 */
int memory_for_target(struct memory *memory, struct source *src,
		      struct target *dst, const struct table *shape,
		      struct cancel *cancel, struct error *err)
	__attribute__((warn_unused_result));

/* Is there enough for what a read has told, without waiting again? */
bool memory_suffices(const struct memory *memory, const struct source *src,
		     const struct target *dst);

/*
 * The same error, for who has found out that a read needs more than `size`. The
 * run is over: the source has another connection now, or none.
 */
int memory_too_large(struct source *src, const struct table *shape, size_t need,
		     size_t size, struct cancel *cancel, struct error *err);

/* When source and target hold no row any more. */
void memory_give(struct memory *memory);

/* How large the batch may be that a run has of its own, for that read. */
size_t memory_batch(const struct memory *memory, const struct source *src,
		    const struct target *dst);

#endif
