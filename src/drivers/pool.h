#ifndef DRIVERS_POOL_H
#define DRIVERS_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"

/*
 * All connections of the process: how many there may be, and the idle ones.
 * A run first reserves as many as it will need, waiting its turn, so that two
 * runs can never hold half of what each needs. Any thread may call any
 * function; `lock` guards everything below it.
 *
 * The runs between two servers share a place in the pool. A few connections are
 * kept for each such place, so that servers which have gone silent, with any
 * number of runs waiting for them, leave room for the runs of all others.
 */
struct pool {
	pthread_mutex_t lock;
	unsigned max;
	unsigned reserved;
	unsigned taken; /* of these, how many a run holds now */
	unsigned share_count;
	struct pool_share *shares;
	unsigned idle_count;
	struct pool_waiter *waiters; /* first come first */
	struct pool_idle *idle;	     /* most recently used first */
};

int pool_init(struct pool *pool, unsigned max, struct error *err)
	__attribute__((warn_unused_result));

/* Closes the idle ones; nothing may be reserved any more. */
void pool_release(struct pool *pool);

/* A new limit; connections in use beyond it stay until they are given back. */
void pool_resize(struct pool *pool, unsigned max);

/*
 * The place of the runs from one server to another, the same for all that name
 * the same two. NULL without memory. Leave it when nothing is reserved.
 */
struct pool_share *pool_join(struct pool *pool, const void *from,
			     const void *to);
void pool_leave(struct pool *pool, struct pool_share *share);

/*
 * Wait, first come first served, until `count` connections may be held. -1
 * when cancelled, or when `count` is more than there may ever be.
 */
int pool_reserve(struct pool *pool, struct pool_share *share, unsigned count,
		 struct cancel *cancel, struct error *err)
	__attribute__((warn_unused_result));
void pool_unreserve(struct pool *pool, struct pool_share *share,
		    unsigned count);

/*
 * As many more pieces of `count` connections each, up to `most`, as can be had
 * without waiting, without overtaking those who wait, and without using more
 * than half of all. For a run that holds some already.
 */
unsigned pool_reserve_more(struct pool *pool, struct pool_share *share,
			   unsigned count, unsigned most);

/*
 * An idle connection that was given back under the same owner and key, or
 * NULL: then the caller opens one, room was made for it by closing the one that
 * was idle longest. Reserve first, and pool_give() or pool_drop() afterwards.
 */
void *pool_take(struct pool *pool, const void *owner, const char *key);

/*
 * Give a usable connection back. It is kept for the next one, or closed with
 * `close_fn`, which must not call the pool. `key` is copied.
 */
void pool_give(struct pool *pool, const void *owner, const char *key,
	       void *connection, void (*close_fn)(void *connection));

/* What was taken is closed, or could not be opened. */
void pool_drop(struct pool *pool);

/* How many connections there are now, and may be. */
struct pool_usage {
	unsigned max;
	unsigned reserved; /* of them promised to runs */
	unsigned taken;	   /* and open in the hands of one */
	unsigned idle;	   /* open, and in nobody's hands */
};

void pool_count(struct pool *pool, struct pool_usage *out);

/* Close the idle ones of an owner (NULL: of everyone) unused for `age_ms`. */
void pool_expire(struct pool *pool, const void *owner, int64_t age_ms);

#endif
