/*
 * Batches go round: from `empty` to the reader, which fills them, through
 * `full` to the writer, and back. The reader closes `full` at its end; the
 * writer closes `empty` when it gives up, which ends the reader. One thread
 * would do for small tables and most windows of changes, and needs no thread
 * to be started; that is why the first batch is read and written by the
 * caller, who also goes on alone when memory is short.
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
	bool at_end;		 /* likewise */
	size_t batch_bytes;	 /* when there are several */
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

static struct batch *add_batch(struct pipeline *p, size_t bytes,
			       struct error *err)
{
	struct batch *batch = &p->batches[p->batch_count];

	if (batch_init(batch, p->copy->shape, p->copy->batch_rows, bytes, err) <
	    0)
		return NULL;
	p->batch_count++;
	return batch;
}

static void release_batches(struct pipeline *p)
{
	while (p->batch_count > 0)
		batch_release(&p->batches[--p->batch_count]);
}

/* ------------------------------------------------------------- two threads */

static void *reader_main(void *arg)
{
	struct pipeline *p = arg;
	struct source *src = p->copy->src;
	struct batch *batch;

	while (!p->at_end && (batch = queue_pop(&p->empty, -1))) {
		batch_reset(batch);
		p->at_end = src->ops->next(src, batch, &p->read_error) <= 0 ||
			    !queue_push(&p->full, batch);
	}
	queue_close(&p->full);
	return NULL;
}

/*
 * 1: somebody waits for memory, so the reader was stopped when it had handed
 * over what it had read.
 */
static int write_all(struct pipeline *p, struct error *err)
{
	struct budget *budget = p->copy->memory->budget;
	bool wanted = false;
	struct batch *batch;

	while ((batch = queue_pop(&p->full, -1))) {
		if (write_batch(p, batch, err) < 0)
			return -1;
		if (!wanted && budget && budget_is_wanted(budget)) {
			wanted = true;
			queue_close(&p->empty);
		}
		queue_push(&p->empty, batch);
	}
	return wanted;
}

static int run_threads(struct pipeline *p, struct error *err)
{
	pthread_t reader;
	int rc, ret;

	while (p->batch_count < COPY_BATCHES)
		if (!add_batch(p, p->batch_bytes, err))
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
	if (ret >= 0 && p->read_error.kind != ERROR_NONE) {
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

/* ------------------------------------------------------------- one thread */

/* What cannot be used by so many rows is not asked for. */
static size_t at_most(const struct copy *copy, size_t bytes)
{
	size_t row = (size_t)copy->src->rows.bytes +
		     2 * batch_row_bytes(copy->shape);

	if (!copy->src->rows.bytes || row > bytes ||
	    copy->batch_rows > bytes / row)
		return bytes;
	return copy->batch_rows * row;
}

/*
 * Several batches are for rows that all fit, and while nobody wants memory;
 * smaller ones where there is little.
 */
static bool can_overlap(struct pipeline *p)
{
	const struct copy *copy = p->copy;
	struct budget *budget = copy->memory->budget;
	uint64_t row = copy->src->rows.bytes;
	size_t bytes = at_most(copy, copy->batch_bytes);

	do {
		p->batch_bytes = bytes;
		if (row > bytes / 2)
			return false;
		if (!budget || budget_try(budget, COPY_BATCHES * bytes))
			return true;
		bytes /= 2;
	} while (bytes > copy->memory->own);
	return false;
}

/* 1: it is worth to overlap, and can be done; 0: that was all. */
static int run_alone(struct pipeline *p, struct error *err)
{
	const struct copy *copy = p->copy;
	struct source *src = copy->src;
	size_t bytes = memory_batch(copy->memory, src, copy->dst);
	struct batch *batch;
	bool full;
	int rc;

	batch = add_batch(
		p,
		at_most(copy, copy->memory->budget && bytes < copy->batch_bytes
				      ? bytes
				      : copy->batch_bytes),
		err);
	if (!batch)
		return -1;
	do {
		batch_reset(batch);
		rc = src->ops->next(src, batch, err);
		if (rc <= 0)
			return rc;
		full = batch_nearly_full(batch);
		if (write_batch(p, batch, err) < 0)
			return -1;
	} while (!full || !can_overlap(p));
	return 1;
}

static int overlap(struct pipeline *p, struct error *err)
{
	int rc = run_pipeline(p, err);

	release_batches(p);
	if (p->copy->memory->budget)
		budget_give(p->copy->memory->budget,
			    COPY_BATCHES * p->batch_bytes);
	return rc > 0 && p->at_end ? 0 : rc;
}

int copy_run(const struct copy *copy, uint64_t *rows, struct error *err)
{
	struct pipeline p = {.copy = copy};
	int rc;

	*rows = 0;
	if (memory_for_rows(copy->memory, copy->src, copy->dst, copy->shape,
			    copy->cancel, err) < 0)
		return -1;
	do {
		rc = run_alone(&p, err);
		release_batches(&p);
		if (rc > 0)
			rc = overlap(&p, err);
	} while (rc > 0);
	*rows = p.rows;
	return rc;
}
