/*
 * One table of resources under one mutex; each waiter sleeps on a condition
 * of its own. With a few hundred sessions and a handful of databases nothing
 * finer pays.
 */
#include "store/lock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exec/session.h"
#include "mem.h"

struct lock_grant {
	struct session *session;
	struct resource *resource;
	enum lock_mode mode;
	enum lock_owner owner;
	int count;
	struct lock_grant *next_of_resource, *next_of_session;
};

struct lock_wait {
	struct session *session;
	struct resource *resource;
	enum lock_mode mode;
	bool granted, victim;
	pthread_cond_t wake;
	struct lock_wait *next; /* in the resource's queue */
	int mark;		/* of the search for cycles */
};

struct resource {
	char name[LOCK_NAME_MAX];
	struct lock_grant *grants;
	struct lock_wait *queue;
	struct resource *next;
};

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct resource *resources;
static int search_mark;

static bool compatible(enum lock_mode a, enum lock_mode b)
{
	static const char *const matrix[] = {
		/*           IS IX S U X */
		[LOCK_IS] = "11110", [LOCK_IX] = "11000", [LOCK_S] = "10110",
		[LOCK_U] = "10100",  [LOCK_X] = "00000",
	};

	return matrix[a][b] == '1';
}

static struct resource *resource_get(const char *name, bool create)
{
	struct resource *r;

	for (r = resources; r; r = r->next)
		if (!strcmp(r->name, name))
			return r;
	if (!create)
		return NULL;
	r = mem_calloc(1, sizeof(*r));
	snprintf(r->name, sizeof(r->name), "%s", name);
	r->next = resources;
	resources = r;
	return r;
}

static void resource_tidy(struct resource *r)
{
	struct resource **link = &resources;

	if (r->grants || r->queue)
		return;
	while (*link != r)
		link = &(*link)->next;
	*link = r->next;
	free(r);
}

static struct lock_grant *grant_of(struct session *s, struct resource *r)
{
	struct lock_grant *g;

	for (g = r->grants; g; g = g->next_of_resource)
		if (g->session == s)
			return g;
	return NULL;
}

/* May the session have it now, as far as what is granted goes? */
static bool free_for(struct session *s, struct resource *r, enum lock_mode mode)
{
	struct lock_grant *g;

	for (g = r->grants; g; g = g->next_of_resource)
		if (g->session != s && !compatible(g->mode, mode))
			return false;
	return true;
}

static void grant_add(struct session *s, struct resource *r,
		      enum lock_mode mode, enum lock_owner owner)
{
	struct lock_grant *g = grant_of(s, r);

	if (g) {
		g->count++;
		if (mode > g->mode)
			g->mode = mode;
		return;
	}
	g = mem_calloc(1, sizeof(*g));
	g->session = s;
	g->resource = r;
	g->mode = mode;
	g->owner = owner;
	g->count = 1;
	g->next_of_resource = r->grants;
	r->grants = g;
	g->next_of_session = s->locks.grants;
	s->locks.grants = g;
}

/* Wake, from the front of the queue, whoever can have it. */
static void hand_over(struct resource *r)
{
	struct lock_wait *w;

	for (w = r->queue; w; w = w->next) {
		if (w->granted || w->victim)
			continue;
		if (!free_for(w->session, r, w->mode))
			return;
		grant_add(w->session, r, w->mode, LOCK_OF_TRANSACTION);
		w->granted = true;
		pthread_cond_signal(&w->wake);
	}
}

static void grant_drop(struct lock_grant *g)
{
	struct resource *r = g->resource;
	struct lock_grant **link = &r->grants;

	while (*link != g)
		link = &(*link)->next_of_resource;
	*link = g->next_of_resource;
	link = &g->session->locks.grants;
	while (*link != g)
		link = &(*link)->next_of_session;
	*link = g->next_of_session;
	free(g);
	hand_over(r);
	resource_tidy(r);
}

static void queue_leave(struct lock_wait *w)
{
	struct lock_wait **link = &w->resource->queue;

	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
}

/*
 * Follow who waits for whom from `w`; returns the waiter to refuse when the
 * trail comes back to `start`.
 */
static struct lock_wait *find_cycle(struct lock_wait *w, struct session *start,
				    struct lock_wait *weakest)
{
	struct lock_grant *g;
	struct lock_wait *q;

	if (w->mark == search_mark)
		return NULL;
	w->mark = search_mark;
	if (w->session->set.deadlock_priority <
	    weakest->session->set.deadlock_priority)
		weakest = w;
	for (g = w->resource->grants; g; g = g->next_of_resource) {
		struct lock_wait *found;

		if (g->session == w->session || compatible(g->mode, w->mode))
			continue;
		if (g->session == start)
			return weakest;
		if (!g->session->locks.waiting)
			continue;
		found = find_cycle(g->session->locks.waiting, start, weakest);
		if (found)
			return found;
	}
	for (q = w->resource->queue; q && q != w; q = q->next) {
		struct lock_wait *found;

		if (q->granted || compatible(q->mode, w->mode))
			continue;
		if (q->session == start)
			return weakest;
		found = find_cycle(q, start, weakest);
		if (found)
			return found;
	}
	return NULL;
}

static void add_ms(struct timespec *ts, int ms)
{
	ts->tv_sec += ms / 1000;
	ts->tv_nsec += (ms % 1000) * 1000000L;
	if (ts->tv_nsec >= 1000000000L) {
		ts->tv_nsec -= 1000000000L;
		ts->tv_sec++;
	}
}

static bool past(const struct timespec *limit)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > limit->tv_sec ||
	       (now.tv_sec == limit->tv_sec && now.tv_nsec >= limit->tv_nsec);
}

/* Sleep until granted, refused, cancelled or late. Mutex held. */
static int wait_turn(struct session *s, struct lock_wait *w, int timeout_ms,
		     struct diag *d)
{
	struct timespec limit, slice;

	clock_gettime(CLOCK_MONOTONIC, &limit);
	add_ms(&limit, timeout_ms > 0 ? timeout_ms : 0);
	while (!w->granted && !w->victim) {
		bool cancelled;

		if (timeout_ms >= 0 && past(&limit))
			return diag_set(d, 1222);
		clock_gettime(CLOCK_MONOTONIC, &slice);
		add_ms(&slice, 20);
		pthread_cond_timedwait(&w->wake, &table_lock, &slice);
		if (w->granted || w->victim)
			break;
		pthread_mutex_unlock(&table_lock);
		cancelled = session_cancelled(s);
		pthread_mutex_lock(&table_lock);
		if (cancelled && !w->granted)
			return diag_free_text(d, 3617, 11, 1,
					      "Operation cancelled by user.");
	}
	if (w->granted)
		return 0;
	return diag_set(d, 1205, s->spid);
}

static int enqueue(struct session *s, struct resource *r, enum lock_mode mode,
		   enum lock_owner owner, int timeout_ms, struct diag *d)
{
	struct lock_wait w = {.session = s, .resource = r, .mode = mode};
	struct lock_wait **link = &r->queue, *victim;
	pthread_condattr_t attr;
	int ret;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w.wake, &attr);
	pthread_condattr_destroy(&attr);
	/* who already holds it in another mode goes before the others */
	if (!grant_of(s, r))
		while (*link)
			link = &(*link)->next;
	w.next = *link;
	*link = &w;
	s->locks.waiting = &w;
	search_mark++;
	victim = find_cycle(&w, s, &w);
	if (victim) {
		victim->victim = true;
		pthread_cond_signal(&victim->wake);
	}
	ret = wait_turn(s, &w, timeout_ms, d);
	s->locks.waiting = NULL;
	queue_leave(&w);
	if (ret < 0) {
		hand_over(r);
		resource_tidy(r);
	} else {
		grant_of(s, r)->owner = owner;
	}
	pthread_cond_destroy(&w.wake);
	return ret;
}

int lock_acquire(struct session *s, const char *name, enum lock_mode mode,
		 enum lock_owner owner, int timeout_ms, struct diag *d)
{
	struct resource *r;
	struct lock_grant *g;
	int ret = 0;

	pthread_mutex_lock(&table_lock);
	r = resource_get(name, true);
	g = grant_of(s, r);
	if ((g && g->mode >= mode) ||
	    (free_for(s, r, mode) && (g || !r->queue)))
		grant_add(s, r, mode, owner);
	else if (timeout_ms == 0) {
		ret = diag_set(d, 1222);
		resource_tidy(r);
	} else
		ret = enqueue(s, r, mode, owner, timeout_ms, d);
	pthread_mutex_unlock(&table_lock);
	return ret;
}

bool lock_release(struct session *s, const char *name, enum lock_owner owner)
{
	struct resource *r;
	struct lock_grant *g;

	pthread_mutex_lock(&table_lock);
	r = resource_get(name, false);
	g = r ? grant_of(s, r) : NULL;
	if (g && g->owner != owner)
		g = NULL;
	if (g && --g->count == 0)
		grant_drop(g);
	pthread_mutex_unlock(&table_lock);
	return g != NULL;
}

static void release_some(struct session *s, bool all)
{
	struct lock_grant *g, *next;

	pthread_mutex_lock(&table_lock);
	for (g = s->locks.grants; g; g = next) {
		next = g->next_of_session;
		if (all || g->owner == LOCK_OF_TRANSACTION)
			grant_drop(g);
	}
	pthread_mutex_unlock(&table_lock);
}

void lock_release_transaction(struct session *s)
{
	release_some(s, false);
}

void lock_release_all(struct session *s)
{
	release_some(s, true);
}

bool lock_held(struct session *s, const char *name, enum lock_mode mode)
{
	struct lock_grant *g;
	bool held = false;

	/* only this session's own thread adds to or drops its grants, except
	 * that a grant may be handed to it while it sleeps, so no race here */
	for (g = s->locks.grants; g && !held; g = g->next_of_session)
		held = g->mode >= mode && !strcmp(g->resource->name, name);
	return held;
}

const char *lock_mode_held(struct session *s, const char *name)
{
	static const char *const names[] = {"IntentShared", "IntentExclusive",
					    "Shared", "Update", "Exclusive"};
	struct lock_grant *g;

	for (g = s->locks.grants; g; g = g->next_of_session)
		if (!strcmp(g->resource->name, name))
			return names[g->mode];
	return "NoLock";
}

int lock_blocker(struct session *s)
{
	struct lock_wait *w;
	struct lock_grant *g;
	int spid = 0;

	pthread_mutex_lock(&table_lock);
	w = s->locks.waiting;
	for (g = w ? w->resource->grants : NULL; g && !spid;
	     g = g->next_of_resource)
		if (g->session != s && !compatible(g->mode, w->mode))
			spid = g->session->spid;
	pthread_mutex_unlock(&table_lock);
	return spid;
}

void lock_walk(void (*see)(void *arg, const struct lock_seen *l), void *arg)
{
	struct resource *r;
	struct lock_grant *g;
	struct lock_wait *w;

	pthread_mutex_lock(&table_lock);
	for (r = resources; r; r = r->next) {
		for (g = r->grants; g; g = g->next_of_resource) {
			struct lock_seen l = {r->name,	g->mode,
					      g->owner, g->session->spid,
					      g->count, true};

			see(arg, &l);
		}
		for (w = r->queue; w; w = w->next) {
			struct lock_seen l = {
				r->name,	  w->mode, LOCK_OF_TRANSACTION,
				w->session->spid, 0,	   false};

			see(arg, &l);
		}
	}
	pthread_mutex_unlock(&table_lock);
}
