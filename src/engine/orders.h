#ifndef ENGINE_ORDERS_H
#define ENGINE_ORDERS_H

#include <pthread.h>

#include "engine/order.h"
#include "engine/reporter.h"

#define ORDERS_MAX	32
#define ORDERS_DONE_MAX 32

/*
 * What DBAs have asked of one mapping and is not done yet. The scheduler puts
 * orders in, again and again as long as the tables show them as open; the
 * mapping's worker takes them out and answers.
 */
struct orders {
	pthread_mutex_t lock; /* guards all below */
	struct order items[ORDERS_MAX];
	size_t count;
	/* Answered lately: the tables say so a moment later. */
	int done[ORDERS_DONE_MAX];
	size_t done_next;
};

void orders_init(struct orders *orders);
void orders_release(struct orders *orders);

/* Takes the order over. True unless it is there already, or was done. */
bool orders_put(struct orders *orders, struct order *order);

/* Any that is answered by the next step, or begins with it: a compaction takes
 * its time, and changes do not wait for it. */
bool orders_any(struct orders *orders);
bool orders_has(struct orders *orders, enum order_kind kind);

/* An attempt begins, for all that are there by now: how it goes is no answer to
 * those that come meanwhile. */
void orders_begin(struct orders *orders);
bool orders_begun(struct orders *orders, enum order_kind kind);

/* The first of those for verify.c, now the caller's; false: there is none. */
bool orders_take_for_verify(struct orders *orders, struct order *out);

/* Answer those of a kind that were begun; any state but "RUNNING" is final. */
void orders_answer(struct orders *orders, enum order_kind kind,
		   struct reporter *reporter, const char *state,
		   const char *answer);

#endif
