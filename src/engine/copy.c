/*
 * Batches go round: from `empty` to the reader, which fills them, through
 * `full` to the writer, and back. The reader closes `full` at its end; the
 * writer closes `empty` when it gives up, which ends the reader. One thread
 * would do for small tables and most windows of changes, and needs no thread
 * to be started; that is why the first batch is read and written by the
 * caller.
 */
#include "engine/copy.h"

#include <string.h>

#include "base/clock.h"
#include "base/queue.h"
#include "row/text.h"

#define KEY_EVERY_MS 500

struct pipeline {
	const struct copy *copy;
	struct queue empty, full;
	struct batch batches[COPY_BATCHES];
	size_t batch_count;
	uint64_t rows;
	int64_t key_told_ms;
	struct error read_error; /* the reader's; read after it was joined */
};

static int check(const struct copy *copy, struct error *err)
{
	return copy->stop_at == CANCEL_NOW ? cancel_check_now(copy->cancel, err)
					   : cancel_check(copy->cancel, err);
}

/* The key is for people: now and then is enough. */
static void tell(struct pipeline *p, const struct batch *batch)
{
	struct strbuf key;

	strbuf_init_max(&key, 64 * 1024);
	if (clock_ms() - p->key_told_ms >= KEY_EVERY_MS) {
		p->key_told_ms = clock_ms();
		row_format_key(&key, batch, batch->rows - 1);
	}
	report_run_progress(p->copy->subject, REPORT_MOVING,
			    p->copy->at_commit ? 0 : batch->rows,
			    key.len ? key.data : NULL);
	report_bytes(p->copy->subject, batch_bytes(batch));
	strbuf_release(&key);
}

static int write_batch(struct pipeline *p, const struct batch *batch,
		       struct error *err)
{
	const struct copy *copy = p->copy;
	struct target *dst = copy->dst;

	if (copy->watch && copy->watch(copy->watch_arg, batch, err) < 0)
		return -1;
	if (dst->ops->write(dst, batch, err) < 0)
		return -1;
	p->rows += batch->rows;
	tell(p, batch);
	return check(p->copy, err);
}

static struct batch *add_batch(struct pipeline *p, struct error *err)
{
	struct batch *batch = &p->batches[p->batch_count];

	if (batch_init(batch, p->copy->shape, p->copy->batch_rows,
		       p->copy->batch_bytes, err) < 0)
		return NULL;
	p->batch_count++;
	return batch;
}

/* ------------------------------------------------------------- two threads */

static void *reader_main(void *arg)
{
	struct pipeline *p = arg;
	struct source *src = p->copy->src;
	struct batch *batch;

	while ((batch = queue_pop(&p->empty, -1))) {
		batch_reset(batch);
		if (src->ops->next(src, batch, &p->read_error) <= 0 ||
		    !queue_push(&p->full, batch))
			break;
	}
	queue_close(&p->full);
	return NULL;
}

static int write_all(struct pipeline *p, struct error *err)
{
	struct batch *batch;

	while ((batch = queue_pop(&p->full, -1))) {
		if (write_batch(p, batch, err) < 0)
			return -1;
		queue_push(&p->empty, batch);
	}
	return 0;
}

static int run_threads(struct pipeline *p, struct error *err)
{
	pthread_t reader;
	int rc, ret;

	while (p->batch_count < COPY_BATCHES)
		if (!add_batch(p, err))
			return -1;
	for (size_t i = 0; i < COPY_BATCHES; i++)
		queue_push(&p->empty, &p->batches[i]);
	error_clear(&p->read_error);
	rc = pthread_create(&reader, NULL, reader_main, p);
	if (rc)
		return error_errno(err, rc, "cannot start a thread");
	ret = write_all(p, err);
	queue_close(&p->empty);
	queue_close(&p->full);
	pthread_join(reader, NULL);
	if (ret == 0 && p->read_error.kind != ERROR_NONE) {
		*err = p->read_error;
		ret = -1;
	}
	return ret;
}

static int run_pipeline(struct pipeline *p, struct error *err)
{
	int ret = -1;

	if (queue_init(&p->empty, COPY_BATCHES, err) < 0)
		return -1;
	if (queue_init(&p->full, COPY_BATCHES, err) == 0) {
		ret = run_threads(p, err);
		queue_release(&p->full);
	}
	queue_release(&p->empty);
	return ret;
}

/* -------------------------------------------------------------- one thread */

/* The first batch. 1: it was full, there may be many; 0: that was all. */
static int run_first(struct pipeline *p, struct error *err)
{
	struct source *src = p->copy->src;
	struct batch *batch = add_batch(p, err);
	bool full;
	int rc;

	if (!batch)
		return -1;
	do {
		batch_reset(batch);
		rc = src->ops->next(src, batch, err);
		if (rc <= 0)
			return rc;
		full = batch_full(batch);
		if (write_batch(p, batch, err) < 0)
			return -1;
	} while (!full);
	return 1;
}

int copy_run(const struct copy *copy, uint64_t *rows, struct error *err)
{
	struct pipeline p = {.copy = copy};
	int rc;

	rc = run_first(&p, err);
	if (rc > 0)
		rc = run_pipeline(&p, err);
	for (size_t i = 0; i < p.batch_count; i++)
		batch_release(&p.batches[i]);
	*rows = p.rows;
	return rc;
}
