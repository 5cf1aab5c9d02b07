#include "base/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

int queue_init(struct queue *queue, size_t capacity, struct error *err)
{
	int rc;

	memset(queue, 0, sizeof(*queue));
	queue->items = calloc(capacity, sizeof(*queue->items));
	if (!queue->items)
		return error_memory(err, "a queue");
	queue->capacity = capacity;
	rc = pthread_mutex_init(&queue->lock, NULL);
	if (rc)
		goto failed;
	rc = clock_cond_init(&queue->changed);
	if (!rc)
		return 0;
	pthread_mutex_destroy(&queue->lock);
failed:
	free(queue->items);
	return error_errno(err, rc, "cannot make a queue");
}

void queue_release(struct queue *queue)
{
	pthread_cond_destroy(&queue->changed);
	pthread_mutex_destroy(&queue->lock);
	free(queue->items);
	queue->items = NULL;
}

static void put(struct queue *queue, void *item)
{
	queue->items[(queue->head + queue->count) % queue->capacity] = item;
	queue->count++;
	pthread_cond_broadcast(&queue->changed);
}

bool queue_push(struct queue *queue, void *item)
{
	bool open;

	pthread_mutex_lock(&queue->lock);
	while (!queue->closed && queue->count == queue->capacity)
		pthread_cond_wait(&queue->changed, &queue->lock);
	open = !queue->closed;
	if (open)
		put(queue, item);
	pthread_mutex_unlock(&queue->lock);
	return open;
}

bool queue_try_push(struct queue *queue, void *item)
{
	bool room;

	pthread_mutex_lock(&queue->lock);
	room = !queue->closed && queue->count < queue->capacity;
	if (room)
		put(queue, item);
	pthread_mutex_unlock(&queue->lock);
	return room;
}

void *queue_pop(struct queue *queue, int64_t timeout_ms)
{
	int64_t deadline = clock_ms() + timeout_ms;
	void *item = NULL;

	pthread_mutex_lock(&queue->lock);
	while (!queue->count && !queue->closed) {
		if (timeout_ms < 0)
			pthread_cond_wait(&queue->changed, &queue->lock);
		else if (clock_ms() < deadline)
			clock_cond_wait(&queue->changed, &queue->lock,
					deadline);
		else
			break;
	}
	if (queue->count) {
		item = queue->items[queue->head];
		queue->head = (queue->head + 1) % queue->capacity;
		queue->count--;
		pthread_cond_broadcast(&queue->changed);
	}
	pthread_mutex_unlock(&queue->lock);
	return item;
}

void queue_close(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->closed = true;
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

size_t queue_count(struct queue *queue)
{
	size_t count;

	pthread_mutex_lock(&queue->lock);
	count = queue->count;
	pthread_mutex_unlock(&queue->lock);
	return count;
}
