#include "engine/repair.h"

#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "engine/exceptions.h"

/* Batches that are kept while change capture goes on, and their size. */
#define BATCHES_MAX 64
#define BATCH_BYTES ((size_t)1 << 20)

/* The first batch, the one that is written, and the first row that is too large
 * for either are the comparison's. */
static int hold(struct repair *repair, size_t bytes, struct error *err)
{
	struct budget *budget = repair->compare->link->memory.budget;

	if (!budget)
		return 0;
	if (!budget_try(budget, bytes))
		return error_set(err, ERROR_MEMORY,
				 "the rows to be repaired need more memory "
				 "than 'memory_limit_mb' leaves now");
	repair->held += bytes;
	return 0;
}

static struct batch *add_batch(struct repair *repair, struct error *err)
{
	const struct link *link = repair->compare->link;
	struct batch *batch, *grown;

	if (repair->count == BATCHES_MAX) {
		error_set(err, ERROR_MEMORY,
			  "the rows to be repaired need more memory than %d "
			  "batches of 1 MB",
			  BATCHES_MAX);
		return NULL;
	}
	grown = realloc(repair->rows, (repair->count + 1) * sizeof(*grown));
	if (!grown) {
		error_memory(err, "rows to be repaired");
		return NULL;
	}
	repair->rows = grown;
	batch = &repair->rows[repair->count];
	if (repair->full > repair->paid) {
		if (hold(repair, BATCH_BYTES, err) < 0)
			return NULL;
		repair->paid++;
	}
	if (batch_init(batch, &link->shape, (size_t)link->settings.batch_rows,
		       BATCH_BYTES, err) < 0)
		return NULL;
	repair->count++;
	repair->full++;
	return batch;
}

/*
 * Copy a row of `from` by the names of its columns; the others are NULL, or of
 * a change that leaves values out not known either.
 */
static bool put_row(struct batch *to, const struct batch *from, size_t row)
{
	for (size_t i = 0; i < to->table->column_count; i++) {
		const struct column *column =
			table_column(from->table, to->table->columns[i].name);

		if (column ? batch_unchanged(
				     from,
				     (size_t)(column - from->table->columns),
				     row)
			   : batch_is_partial(from, row))
			batch_put_unchanged(to, i);
		else if (!column)
			batch_put_null(to, i);
		else if (!batch_put_copy(
				 to, i, from,
				 (size_t)(column - from->table->columns), row))
			return false;
	}
	return true;
}

static int hold_lone(struct repair *repair, const struct batch *batch,
		     struct error *err)
{
	size_t bytes = batch_bytes(batch);

	if (repair->largest && hold(repair, bytes, err) < 0)
		return -1;
	if (bytes > repair->largest)
		repair->largest = bytes;
	return 0;
}

/* What a lone row holds is the source's: it stays when that reads on. */
static int keep_lone(struct repair *repair, struct batch *batch,
		     struct error *err)
{
	struct batch own;

	if (hold_lone(repair, batch, err) < 0)
		return -1;
	if (batch_init(&own, batch->table, 1, BATCH_BYTES, err) < 0)
		return -1;
	batch_make_lone(&own);
	if (!put_row(&own, batch, 0)) {
		batch_release(&own);
		return error_memory(err, "a row to be repaired");
	}
	batch_add_row(&own, ROW_UPSERT);
	batch_release(batch);
	*batch = own;
	repair->full--;
	return 0;
}

static int read_rows(struct repair *repair, struct source *src,
		     struct error *err)
{
	int rc = compare_has_memory(repair->compare, COMPARE_SOURCE, err);

	while (rc == 0) {
		struct batch *batch = add_batch(repair, err);

		rc = batch ? src->ops->next(src, batch, err) : -1;
		if (rc <= 0)
			return rc;
		rc = compare_see_rows(repair->compare, batch, err);
		if (rc == 0 && batch->lone)
			rc = keep_lone(repair, batch, err);
	}
	return rc;
}

static int read_side(struct repair *repair, const struct batch *keys,
		     struct error *err)
{
	struct link *link = repair->compare->link;
	struct row_choice choice = {.keys = keys};
	int rc;

	if (!keys->rows)
		return 0;
	rc = link->src->ops->read_begin(link->src, &link->shape, &choice, err);
	if (rc == 0)
		rc = read_rows(repair, link->src, err);
	link->src->ops->end(link->src);
	return rc;
}

static bool put_change(struct repair *repair, struct batch *batch,
		       const struct batch *changes, size_t row)
{
	if (!put_row(batch, changes, row))
		return false;
	batch_add_row(batch, ROW_UPSERT);
	repair->changes = true;
	return true;
}

static int keep_change(struct repair *repair, const struct batch *changes,
		       size_t row, struct error *err)
{
	struct batch *last =
		repair->changes ? &repair->rows[repair->count - 1] : NULL;

	if (!changes->lone && last && !batch_full(last) &&
	    put_change(repair, last, changes, row))
		return 0;
	last = add_batch(repair, err);
	if (!last)
		return -1;
	if (!changes->lone && put_change(repair, last, changes, row))
		return 0;
	if (hold_lone(repair, changes, err) < 0)
		return -1;
	batch_make_lone(last);
	repair->full--;
	return put_change(repair, last, changes, row)
		       ? 0
		       : error_memory(err, "a row to be repaired");
}

int repair_see_changes(struct repair *repair, const struct batch *changes,
		       struct error *err)
{
	bool *take;
	int rc;

	if (compare_see_changes(repair->compare, changes, err) < 0)
		return -1;
	if (!changes->keeps || repair->fails.kind != ERROR_NONE)
		return 0;
	take = calloc(changes->rows + 1, sizeof(*take));
	if (!take)
		return error_memory(err, "a repair");
	rc = compare_unchanged(repair->compare, changes, take, err);
	for (size_t row = 0; rc == 0 && row < changes->rows; row++)
		if (take[row] &&
		    keep_change(repair, changes, row, &repair->fails) < 0)
			break;
	free(take);
	return rc;
}

int repair_read(struct repair *repair, struct compare *compare,
		struct error *err)
{
	repair->compare = compare;
	if (compare_expect(compare, err) < 0 ||
	    read_side(repair, &compare->found[COMPARE_SOURCE], err) < 0 ||
	    read_side(repair, &compare->found[COMPARE_DEST], err) < 0)
		return -1;
	return 0;
}

void repair_release(struct repair *repair)
{
	for (size_t i = 0; i < repair->count; i++)
		batch_release(&repair->rows[i]);
	free(repair->rows);
	if (repair->held)
		budget_give(repair->compare->link->memory.budget, repair->held);
	memset(repair, 0, sizeof(*repair));
}

/* ------------------------------------------------------------------ writing */

/* Rows on their way into the destination. */
struct writing {
	struct target *dst;
	enum compare_side side; /* of the keys that are to be removed; */
	bool both;		/* or of either */
	struct batch out;
	bool any; /* was written */
};

static int flush(struct writing *w, struct error *err)
{
	if (w->out.rows && w->dst->ops->write(w->dst, &w->out, err) < 0)
		return -1;
	w->any |= w->out.rows > 0;
	batch_reset(&w->out);
	return 0;
}

static int add_row(struct writing *w, const struct batch *from, size_t row,
		   enum row_op op, struct error *err)
{
	if (batch_full(&w->out) || !put_row(&w->out, from, row)) {
		if (flush(w, err) < 0)
			return -1;
		if (!put_row(&w->out, from, row))
			return error_set(err, ERROR_INTERNAL,
					 "a row of a batch has no room in "
					 "another one");
	}
	batch_add_row(&w->out, op);
	return 0;
}

/* compare_see_rows() has told which rows the source has. */
static int remove_one(void *arg, const struct compare_row *row,
		      struct error *err)
{
	struct writing *w = arg;

	if (row->verdict == COMPARE_CHANGED ||
	    row->verdict == COMPARE_ONLY_SOURCE ||
	    (!w->both && row->side != w->side))
		return 0;
	return add_row(w, row->keys, row->at, ROW_DELETE, err);
}

static int write_lone(struct writing *w, const struct batch *batch,
		      struct error *err)
{
	if (flush(w, err) < 0)
		return -1;
	return w->dst->ops->write(w->dst, batch, err);
}

static int add_batch_rows(struct repair *repair, struct writing *w,
			  const struct batch *batch, struct error *err)
{
	bool *take = calloc(batch->rows + 1, sizeof(*take));
	int rc;

	if (!take)
		return error_memory(err, "a repair");
	rc = compare_unchanged(repair->compare, batch, take, err);
	for (size_t row = 0; rc == 0 && row < batch->rows; row++)
		if (take[row])
			rc = batch->lone
				     ? write_lone(w, batch, err)
				     : add_row(w, batch, row, ROW_UPSERT, err);
	free(take);
	return rc;
}

static int commit(struct link *link, struct error *err)
{
	struct checkpoint next = link->stored;
	struct target_counts counts;

	FAILPOINT(REPAIR_STAGED);
	next.position = link->reached;
	if (link->dst->ops->commit(link->dst, &link->stored, &next, &counts,
				   err) < 0)
		return -1;
	link_moved(link, &next);
	return exceptions_committed(link, NULL, &counts, err);
}

static int write_all(struct repair *repair, struct writing *w,
		     const struct table *shape, bool upserts, struct error *err)
{
	struct link *link = repair->compare->link;
	const struct settings *settings = &link->settings;

	w->dst = link->dst;
	if (batch_init(&w->out, shape, (size_t)settings->batch_rows,
		       BATCH_BYTES, err) < 0 ||
	    link->dst->ops->begin(link->dst, TARGET_APPLY, shape, err) < 0 ||
	    (w->dst->held > 1 && repair->largest &&
	     hold(repair, (w->dst->held - 1) * repair->largest, err) < 0) ||
	    compare_each(repair->compare, remove_one, w, err) < 0)
		return -1;
	for (size_t i = 0; upserts && i < repair->count; i++)
		if (add_batch_rows(repair, w, &repair->rows[i], err) < 0)
			return -1;
	if (flush(w, err) < 0)
		return -1;
	return commit(link, err);
}

static int write_once(struct repair *repair, struct writing *w,
		      const struct table *shape, bool upserts,
		      struct error *err)
{
	struct link *link = repair->compare->link;
	int ret = write_all(repair, w, shape, upserts, err);

	if (ret < 0)
		link->dst->ops->rollback(link->dst);
	batch_release(&w->out);
	return ret;
}

/*
 * Rows go before others come: a key that only a collation takes for another
 * one would remove what was just written. When the two sides hold keys in
 * different ways, those that only the destination has are removed first, on
 * their own.
 */
int repair_write(struct repair *repair, struct error *err)
{
	struct compare *compare = repair->compare;
	struct link *link = compare->link;
	struct writing extra = {.side = COMPARE_DEST};
	struct writing rest = {.side = COMPARE_SOURCE};

	if (link_connect_target(link, err) < 0)
		return -1;
	rest.both = compare_same_keys(compare);
	if (!rest.both && compare->found[COMPARE_DEST].rows &&
	    write_once(repair, &extra, &compare->keys[COMPARE_DEST], false,
		       err) < 0)
		return -1;
	if (extra.any) {
		link_release_target(link);
		if (link_connect_target(link, err) < 0)
			return -1;
	}
	return write_once(repair, &rest, &link->shape, true, err);
}
