#ifndef BASE_CANCEL_H
#define BASE_CANCEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum cancel_level {
	CANCEL_NONE,
	CANCEL_DRAIN, /* finish what is at hand, begin nothing */
	CANCEL_NOW,   /* interrupt even a call to a server */
};

/*
 * How one thread is asked to stop by others, and how its sleeps are cut short.
 * The level only rises. Every function may be called from any thread.
 */
struct cancel {
	pthread_mutex_t lock; /* guards `poked` and the sleep */
	pthread_cond_t wake;
	atomic_int level; /* enum cancel_level */
	bool poked;
};

int cancel_init(struct cancel *cancel, struct error *err)
	__attribute__((warn_unused_result));
void cancel_release(struct cancel *cancel);

/* Raise the level and wake the sleeper. */
void cancel_request(struct cancel *cancel, enum cancel_level level);

/* Wake the sleeper, or keep the next sleep from happening, nothing more. */
void cancel_poke(struct cancel *cancel);

enum cancel_level cancel_level(const struct cancel *cancel);

/* 0 while nobody asked to stop, else -1 and `err` is ERROR_CANCELLED. */
int cancel_check(const struct cancel *cancel, struct error *err)
	__attribute__((warn_unused_result));

/* Likewise, but goes on while the level is CANCEL_DRAIN. */
int cancel_check_now(const struct cancel *cancel, struct error *err)
	__attribute__((warn_unused_result));

/* Sleep for `ms`, less when poked or cancelled. */
void cancel_sleep(struct cancel *cancel, int64_t ms);

#endif
