#ifndef BASE_ERRAND_H
#define BASE_ERRAND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Something that may take its time, done by a thread of its own, while the one
 * that has it done looks after other things. Zeroed: nothing is under way. All
 * functions are for that one thread.
 */
struct errand {
	pthread_t thread;
	void (*run)(void *arg);
	void *arg;
	bool running;
	atomic_bool done;
};

/* -1: there is no thread, and nothing was done. */
int errand_start(struct errand *errand, void (*run)(void *arg), void *arg,
		 struct error *err) __attribute__((warn_unused_result));

/* Has it ended? Then its thread is gone, and another may start. */
bool errand_has_ended(struct errand *errand);

/* Wait up to `ms` for that. False: it still runs, and must be left alone. */
bool errand_wait(struct errand *errand, int64_t ms);

#endif
