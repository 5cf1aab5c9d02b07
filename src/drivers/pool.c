#include "drivers/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* How often a waiter looks whether it was cancelled. */
#define CANCEL_POLL_MS 200

/* What is kept for each share: one run's connections to both ends. */
#define KEPT 2

struct pool_share {
	struct pool_share *next;
	const void *from, *to;
	unsigned users;
	unsigned reserved;
	bool waits; /* somebody does, as grant() goes along the line */
};

struct pool_waiter {
	struct pool_waiter *next;
	struct pool_share *share;
	pthread_cond_t wake;
	unsigned count;
	bool granted;
};

struct pool_idle {
	struct pool_idle *next;
	const void *owner;
	char *key;
	void *connection;
	void (*close_fn)(void *connection);
	int64_t since_ms;
};

int pool_init(struct pool *pool, unsigned max, struct error *err)
{
	int rc;

	memset(pool, 0, sizeof(*pool));
	pool->max = max;
	rc = pthread_mutex_init(&pool->lock, NULL);
	if (rc)
		return error_errno(err, rc, "cannot make a connection pool");
	return 0;
}

static void idle_close(struct pool_idle *idle)
{
	struct pool_idle *next;

	for (; idle; idle = next) {
		next = idle->next;
		idle->close_fn(idle->connection);
		free(idle->key);
		free(idle);
	}
}

void pool_release(struct pool *pool)
{
	idle_close(pool->idle);
	pool->idle = NULL;
	pthread_mutex_destroy(&pool->lock);
}

struct pool_share *pool_join(struct pool *pool, const void *from,
			     const void *to)
{
	struct pool_share *share;

	pthread_mutex_lock(&pool->lock);
	for (share = pool->shares; share; share = share->next)
		if (share->from == from && share->to == to)
			break;
	if (!share) {
		share = calloc(1, sizeof(*share));
		if (share) {
			share->from = from;
			share->to = to;
			share->next = pool->shares;
			pool->shares = share;
			pool->share_count++;
		}
	}
	if (share)
		share->users++;
	pthread_mutex_unlock(&pool->lock);
	return share;
}

/* How many connections every share can count on; none when there are many. */
static unsigned kept_for_each(const struct pool *pool)
{
	return pool->share_count * KEPT <= pool->max ? KEPT : 0;
}

/* Are there so many, beside those that are kept for others? */
static bool fits(const struct pool *pool, const struct pool_share *share,
		 unsigned count)
{
	unsigned kept = kept_for_each(pool);
	unsigned wanted = pool->reserved + count;

	if (share->reserved + count > kept)
		for (const struct pool_share *s = pool->shares; s; s = s->next)
			if (s != share && s->reserved < kept)
				wanted += kept - s->reserved;
	return wanted <= pool->max;
}

/*
 * Give the connections to those who wait, in order, as far as they go. Behind
 * the first who has to wait on, those of other shares still get what is kept
 * for them.
 */
static void grant(struct pool *pool)
{
	struct pool_waiter **link = &pool->waiters, *waiter;
	bool any_waits = false;

	for (struct pool_share *s = pool->shares; s; s = s->next)
		s->waits = false;
	while ((waiter = *link)) {
		struct pool_share *share = waiter->share;
		unsigned wanted = share->reserved + waiter->count;

		if (share->waits || !fits(pool, share, waiter->count) ||
		    (any_waits && wanted > kept_for_each(pool))) {
			share->waits = any_waits = true;
			link = &waiter->next;
			continue;
		}
		pool->reserved += waiter->count;
		share->reserved = wanted;
		*link = waiter->next;
		waiter->granted = true;
		pthread_cond_signal(&waiter->wake);
	}
}

/* What was kept for it is for all now. */
void pool_leave(struct pool *pool, struct pool_share *share)
{
	struct pool_share **link = &pool->shares;

	pthread_mutex_lock(&pool->lock);
	if (--share->users == 0) {
		while (*link != share)
			link = &(*link)->next;
		*link = share->next;
		pool->share_count--;
		free(share);
		grant(pool);
	}
	pthread_mutex_unlock(&pool->lock);
}

/*
 * Unlink the least recently used ones that are too many. Those that are only
 * reserved do not count, or a line of waiting runs would have all closed that
 * they are about to need.
 */
static struct pool_idle *unlink_surplus(struct pool *pool)
{
	struct pool_idle **link = &pool->idle;
	struct pool_idle *surplus;
	unsigned keep = pool->max > pool->taken ? pool->max - pool->taken : 0;

	if (pool->idle_count <= keep)
		return NULL;
	pool->idle_count = keep;
	for (; *link && keep > 0; keep--)
		link = &(*link)->next;
	surplus = *link;
	*link = NULL;
	return surplus;
}

void pool_resize(struct pool *pool, unsigned max)
{
	struct pool_idle *surplus;

	pthread_mutex_lock(&pool->lock);
	pool->max = max;
	grant(pool);
	surplus = unlink_surplus(pool);
	pthread_mutex_unlock(&pool->lock);
	idle_close(surplus);
}

static void join_line(struct pool *pool, struct pool_waiter *waiter)
{
	struct pool_waiter **link = &pool->waiters;

	while (*link)
		link = &(*link)->next;
	*link = waiter;
	grant(pool);
}

static void leave_line(struct pool *pool, struct pool_waiter *waiter)
{
	struct pool_waiter **link = &pool->waiters;

	while (*link != waiter)
		link = &(*link)->next;
	*link = waiter->next;
	grant(pool);
}

/*
 * A strict line makes it fair: a run which needs two is not overtaken for ever
 * by runs which need one.
 */
int pool_reserve(struct pool *pool, struct pool_share *share, unsigned count,
		 struct cancel *cancel, struct error *err)
{
	struct pool_waiter self = {.share = share, .count = count};
	int rc, ret = 0;

	rc = clock_cond_init(&self.wake);
	if (rc)
		return error_errno(err, rc, "cannot wait for a connection");
	pthread_mutex_lock(&pool->lock);
	join_line(pool, &self);
	while (!self.granted && !ret) {
		if (count > pool->max)
			ret = error_set(err, ERROR_CONFIG,
					"a run needs %u connections, but "
					"max_connections leaves only %u",
					count, pool->max);
		else
			ret = cancel_check(cancel, err);
		if (ret < 0)
			leave_line(pool, &self);
		else
			clock_cond_wait(&self.wake, &pool->lock,
					clock_ms() + CANCEL_POLL_MS);
	}
	pthread_mutex_unlock(&pool->lock);
	pthread_cond_destroy(&self.wake);
	return ret;
}

unsigned pool_reserve_more(struct pool *pool, struct pool_share *share,
			   unsigned count, unsigned most)
{
	unsigned got = 0;

	pthread_mutex_lock(&pool->lock);
	while (got < most && !pool->waiters &&
	       pool->reserved + count <= pool->max / 2 &&
	       fits(pool, share, count)) {
		pool->reserved += count;
		share->reserved += count;
		got++;
	}
	pthread_mutex_unlock(&pool->lock);
	return got;
}

/* Only now are there too many, if the limit was lowered meanwhile. */
void pool_unreserve(struct pool *pool, struct pool_share *share, unsigned count)
{
	struct pool_idle *surplus;

	pthread_mutex_lock(&pool->lock);
	pool->reserved -= count;
	share->reserved -= count;
	surplus = unlink_surplus(pool);
	grant(pool);
	pthread_mutex_unlock(&pool->lock);
	idle_close(surplus);
}

/* Unlink every idle connection that `pick` wants; the caller closes them. */
static struct pool_idle *unlink_if(struct pool *pool, const void *owner,
				   int64_t before_ms)
{
	struct pool_idle **link = &pool->idle;
	struct pool_idle *found = NULL, *idle;

	while ((idle = *link)) {
		if ((owner && idle->owner != owner) ||
		    idle->since_ms > before_ms) {
			link = &idle->next;
			continue;
		}
		*link = idle->next;
		idle->next = found;
		found = idle;
		pool->idle_count--;
	}
	return found;
}

void *pool_take(struct pool *pool, const void *owner, const char *key)
{
	struct pool_idle **link, *idle, *surplus = NULL;
	void *connection = NULL;

	pthread_mutex_lock(&pool->lock);
	pool->taken++;
	for (link = &pool->idle; (idle = *link); link = &idle->next)
		if (idle->owner == owner && !strcmp(idle->key, key))
			break;
	if (idle) {
		*link = idle->next;
		pool->idle_count--;
	} else {
		surplus = unlink_surplus(pool);
	}
	pthread_mutex_unlock(&pool->lock);

	idle_close(surplus);
	if (idle) {
		connection = idle->connection;
		free(idle->key);
		free(idle);
	}
	return connection;
}

void pool_give(struct pool *pool, const void *owner, const char *key,
	       void *connection, void (*close_fn)(void *connection))
{
	struct pool_idle *idle = calloc(1, sizeof(*idle));

	if (idle)
		idle->key = strdup(key);
	if (!idle || !idle->key) {
		free(idle);
		close_fn(connection);
		pool_drop(pool);
		return;
	}
	idle->owner = owner;
	idle->connection = connection;
	idle->close_fn = close_fn;
	idle->since_ms = clock_ms();
	pthread_mutex_lock(&pool->lock);
	pool->taken--;
	idle->next = pool->idle;
	pool->idle = idle;
	pool->idle_count++;
	pthread_mutex_unlock(&pool->lock);
}

void pool_drop(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->taken--;
	pthread_mutex_unlock(&pool->lock);
}

void pool_count(struct pool *pool, struct pool_usage *out)
{
	pthread_mutex_lock(&pool->lock);
	*out = (struct pool_usage){
		.max = pool->max,
		.reserved = pool->reserved,
		.taken = pool->taken,
		.idle = pool->idle_count,
	};
	pthread_mutex_unlock(&pool->lock);
}

void pool_expire(struct pool *pool, const void *owner, int64_t age_ms)
{
	struct pool_idle *old;

	pthread_mutex_lock(&pool->lock);
	old = unlink_if(pool, owner, clock_ms() - age_ms);
	pthread_mutex_unlock(&pool->lock);
	idle_close(old);
}
