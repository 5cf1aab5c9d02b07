#ifndef ENGINE_COPY_H
#define ENGINE_COPY_H

#include "base/cancel.h"
#include "drivers/driver.h"
#include "engine/memory.h"
#include "engine/reporter.h"

/*
 * Moves everything that a source has begun to read into what a target has
 * begun to write. Once the first batch turns out to be full, and if there is
 * memory for it, a second thread reads, so that reading and writing overlap;
 * at most COPY_BATCHES batches exist then.
 */
#define COPY_BATCHES 4

struct copy {
	struct source *src;	   /* between its …_begin() and end() */
	struct target *dst;	   /* between begin() and commit() */
	const struct table *shape; /* what both were begun with */
	size_t batch_rows;
	size_t batch_bytes;    /* hard cap on one batch's memory */
	struct memory *memory; /* waited for, if rows are large: see there */
	struct cancel *cancel;
	enum cancel_level stop_at;	/* from which level on to give up */
	struct report_subject *subject; /* told of the progress */
	bool at_commit; /* but not of rows: they count when all are committed */
	/* Sees each batch before it is written; NULL: nobody. */
	int (*watch)(void *arg, const struct batch *batch, struct error *err);
	void *watch_arg;
};

/* `rows` says how many were written. On -1 the target is to be rolled back. */
int copy_run(const struct copy *copy, uint64_t *rows, struct error *err)
	__attribute__((warn_unused_result));

#endif
