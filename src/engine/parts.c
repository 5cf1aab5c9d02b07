#include "engine/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "engine/copy.h"

#define READERS_MAX 64
#define LOOK_MS	    100 /* how often the waiting thread looks for a stop */

struct parts {
	struct link *link;
	const struct load_plan *plan;
	struct cancel cancel; /* of all threads: one failed, or we shall stop */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t ended;
	unsigned running;
	size_t next; /* part */
	uint64_t rows;
	struct error error; /* the first one */
};

/* A thread's own ends and memory, and its own shape, into which its source
 * writes. */
struct part_ends {
	struct source *src;
	struct target *dst;
	struct table shape;
	struct memory memory;
};

static bool take(struct parts *parts, size_t *part)
{
	bool found = false;

	pthread_mutex_lock(&parts->lock);
	while (!found && parts->next < parts->plan->count) {
		*part = parts->next++;
		found = !parts->plan->parts[*part].done;
	}
	pthread_mutex_unlock(&parts->lock);
	return found && cancel_level(&parts->cancel) == CANCEL_NONE;
}

static int load_part(struct parts *parts, struct part_ends *ends, size_t part,
		     struct error *err)
{
	const struct settings *settings = &parts->link->settings;
	struct row_choice choice = {.range = &parts->plan->parts[part].range};
	struct copy copy = {
		.src = ends->src,
		.dst = ends->dst,
		.shape = &ends->shape,
		.batch_rows = (size_t)settings->batch_rows,
		.batch_bytes = (size_t)settings->batch_memory_mb << 20,
		.memory = &ends->memory,
		.cancel = &parts->cancel,
		.stop_at = CANCEL_DRAIN,
		.subject = parts->link->subject,
	};
	uint64_t rows;
	int ret = -1;

	if (ends->src->ops->read_begin(ends->src, &ends->shape, &choice, err) ==
		    0 &&
	    ends->dst->ops->part_begin(ends->dst, &ends->shape, part, err) ==
		    0 &&
	    copy_run(&copy, &rows, err) == 0)
		ret = ends->dst->ops->part_end(ends->dst, part, err);
	ends->src->ops->end(ends->src);
	if (ret < 0) {
		ends->dst->ops->rollback(ends->dst);
		return error_wrap(err, "part %zu of %zu", part + 1,
				  parts->plan->count);
	}
	FAILPOINT(LOAD_PART);
	/* Others who have large rows get a turn between two parts. */
	memory_give(&ends->memory);
	pthread_mutex_lock(&parts->lock);
	parts->rows += rows;
	pthread_mutex_unlock(&parts->lock);
	return 0;
}

static int load_parts(struct parts *parts, struct part_ends *ends,
		      struct error *err)
{
	size_t part;

	if (link_open_ends(parts->link, &ends->src, &ends->dst, err) < 0 ||
	    ends->src->ops->connect(ends->src, &parts->cancel, err) < 0 ||
	    ends->dst->ops->connect(ends->dst, &parts->cancel, err) < 0 ||
	    table_copy(&ends->shape, &parts->link->shape, NULL, err) < 0)
		return -1;
	while (take(parts, &part))
		if (load_part(parts, ends, part, err) < 0)
			return -1;
	return 0;
}

static void *thread_main(void *arg)
{
	struct parts *parts = arg;
	struct part_ends ends = {
		.memory = {.budget = parts->link->memory.budget,
			   .own = parts->link->memory.own},
	};
	struct error err = ERROR_INIT;
	int ret;

	table_init(&ends.shape);
	ret = load_parts(parts, &ends, &err);
	if (ends.src)
		ends.src->ops->close(ends.src);
	if (ends.dst)
		ends.dst->ops->close(ends.dst);
	table_release(&ends.shape);
	memory_give(&ends.memory);
	pthread_mutex_lock(&parts->lock);
	if (ret < 0 && parts->error.kind == ERROR_NONE)
		parts->error = err;
	parts->running--;
	pthread_cond_signal(&parts->ended);
	pthread_mutex_unlock(&parts->lock);
	if (ret < 0)
		cancel_request(&parts->cancel, CANCEL_NOW);
	return NULL;
}

static void wait_for_all(struct parts *parts)
{
	pthread_mutex_lock(&parts->lock);
	while (parts->running) {
		enum cancel_level level = cancel_level(parts->link->cancel);

		if (level > cancel_level(&parts->cancel))
			cancel_request(&parts->cancel, level);
		clock_cond_wait(&parts->ended, &parts->lock,
				clock_ms() + LOOK_MS);
	}
	pthread_mutex_unlock(&parts->lock);
}

static int run_threads(struct parts *parts, unsigned count, struct error *err)
{
	pthread_t threads[READERS_MAX];
	unsigned started;
	int rc = 0;

	parts->running = count;
	for (started = 0; started < count && !rc; started++)
		rc = pthread_create(&threads[started], NULL, thread_main,
				    parts);
	if (rc) {
		started--;
		pthread_mutex_lock(&parts->lock);
		parts->running -= count - started;
		pthread_mutex_unlock(&parts->lock);
	}
	wait_for_all(parts);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (!started)
		return error_errno(err, rc, "cannot start a thread");
	if (parts->error.kind == ERROR_NONE)
		return cancel_check(parts->link->cancel, err);
	*err = parts->error;
	return -1;
}

/* With the locks made, and connections for `count` threads. */
static int run(struct link *link, const struct load_plan *plan, unsigned count,
	       uint64_t *rows, struct error *err)
{
	struct parts parts = {.link = link, .plan = plan};
	int ret = -1, rc;

	for (size_t i = 0; i < plan->count; i++)
		parts.rows += plan->parts[i].rows;
	report_run_progress(link->subject, REPORT_MOVING, parts.rows, NULL);
	if (cancel_init(&parts.cancel, err) < 0)
		return -1;
	rc = clock_cond_init(&parts.ended);
	if (rc) {
		error_errno(err, rc, "cannot make a condition");
		goto no_condition;
	}
	rc = pthread_mutex_init(&parts.lock, NULL);
	if (rc) {
		error_errno(err, rc, "cannot make a lock");
		goto no_lock;
	}
	ret = run_threads(&parts, count, err);
	*rows = parts.rows;
	pthread_mutex_destroy(&parts.lock);
no_lock:
	pthread_cond_destroy(&parts.ended);
no_condition:
	cancel_release(&parts.cancel);
	return ret;
}

int parts_load(struct link *link, const struct load_plan *plan, uint64_t *rows,
	       struct error *err)
{
	unsigned pair =
		link->src->ops->connections + link->dst->ops->connections;
	unsigned most = (unsigned)link->settings.load_readers, count;
	int ret;

	if (most > READERS_MAX)
		most = READERS_MAX;
	/* The one that this run holds for reading is idle; one pair is sure. */
	count = 1 + pool_reserve_more(link->pool, link->share, pair, most - 1);
	link->src->ops->release(link->src);
	link->src_connected = false;
	ret = run(link, plan, count, rows, err);
	pool_unreserve(link->pool, link->share, (count - 1) * pair);
	return ret;
}
