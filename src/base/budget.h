#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cancel.h"
#include "base/error.h"

/*
 * An amount of something, memory here, that threads share. Who cannot do
 * without waits in a line; who can asks, and goes on without. Any thread may
 * call any function; `lock` guards everything below it.
 *
 * Nobody may wait who holds some already: two of them could wait for each other
 * for ever.
 */
struct budget {
	pthread_mutex_t lock;
	size_t size;
	size_t used;
	size_t wanted;		       /* by all who wait */
	struct budget_waiter *waiters; /* first come first */
};

int budget_init(struct budget *budget, size_t size, struct error *err)
	__attribute__((warn_unused_result));
void budget_release(struct budget *budget); /* nothing is held any more */

/* Another size; what is held beyond it stays until it is given back. */
void budget_resize(struct budget *budget, size_t size);

/*
 * Wait, first come first served, for so much. -1 when cancelled, from
 * CANCEL_DRAIN on, or with ERROR_MEMORY when it is more than there is at all.
 */
int budget_reserve(struct budget *budget, size_t amount, struct cancel *cancel,
		   struct error *err) __attribute__((warn_unused_result));

/* So much, if it can be had without waiting and overtaking anybody. */
bool budget_try(struct budget *budget, size_t amount);

void budget_give(struct budget *budget, size_t amount);

/* Does somebody wait? Then give back what you can do without. */
bool budget_is_wanted(struct budget *budget);

struct budget_usage {
	size_t size, used, wanted;
};

void budget_count(struct budget *budget, struct budget_usage *out);

#endif
