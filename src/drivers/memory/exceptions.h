#ifndef DRIVERS_MEMORY_EXCEPTIONS_H
#define DRIVERS_MEMORY_EXCEPTIONS_H

#include "drivers/memory/store.h"

/* Rows that were put aside under the id of a checkpoint. Inside the lock. */

/*
 * One that stands nowhere yet; strings are copied. With `keep` it gets an id of
 * its own. NULL without memory.
 */
struct memory_exception *exception_new(struct memory_store *store,
				       const char *id, bool keep,
				       const struct target_exception *row,
				       struct error *err);

/* Put these, and those behind them, aside. */
void exceptions_add(struct memory_store *store,
		    struct memory_exception *exceptions);

/* Those with this key (NULL: all) will be over; how many there are. */
uint64_t exceptions_settle(struct memory_store *store, const char *id,
			   const char *key);

/* The commit has happened, and they are; or they stand as before. */
void exceptions_end(struct memory_store *store, bool committed);

/* Free these, and those behind them. */
void exceptions_free(struct memory_exception *exceptions);

#endif
