#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * A bounded first-in first-out queue of pointers between threads. The queue
 * does not own what the pointers point to. Any number of threads may push and
 * pop; `lock` guards everything below it.
 */
struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	void **items;
	size_t capacity;
	size_t head;
	size_t count;
	bool closed;
};

int queue_init(struct queue *queue, size_t capacity, struct error *err)
	__attribute__((warn_unused_result));
void queue_release(struct queue *queue);

/* Add `item`, waiting for room. False when the queue was closed meanwhile. */
bool queue_push(struct queue *queue, void *item);

/* Add `item` if there is room now. False when full or closed. */
bool queue_try_push(struct queue *queue, void *item);

/*
 * The oldest item, waiting up to `timeout_ms` for one (-1: for ever). NULL when
 * none came in time, or the queue is closed and empty.
 */
void *queue_pop(struct queue *queue, int64_t timeout_ms);

/* No more pushes; pops go on until the queue is empty. Wakes every waiter. */
void queue_close(struct queue *queue);

size_t queue_count(struct queue *queue);

#endif
