#ifndef DRIVERS_MEMORY_EXCEPTIONS_H
#define DRIVERS_MEMORY_EXCEPTIONS_H

#include "drivers/memory/store.h"

/* Rows that were put aside under the id of a checkpoint. Inside the lock. */

/* Put one aside; its strings are copied, its id is made. */
int exceptions_keep(struct memory_store *store, const char *id,
		    struct target_exception *row, struct error *err);

/* Those with this key (NULL: all) are over; how many there were. */
uint64_t exceptions_settle(struct memory_store *store, const char *id,
			   const char *key);

/* For memory_forget(). */
void exceptions_free(struct memory_store *store);

#endif
