#include "engine/look.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ entries */

struct compare_entry *entry_find(struct compare_entry *entries,
				 const struct row_digest *key)
{
	struct compare_entry *entry;

	HASH_FIND(hh, entries, key, sizeof(*key), entry);
	return entry;
}

struct compare_entry *entry_add(struct compare_entry **entries,
				const struct row_digest *key)
{
	struct compare_entry *entry = entry_find(*entries, key);

	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->key = *key;
	HASH_ADD(hh, *entries, key, sizeof(entry->key), entry);
	if (hash_has(entry))
		return entry;
	free(entry);
	return NULL;
}

void entries_free(struct compare_entry **entries)
{
	struct compare_entry *entry = *entries, *next;

	HASH_CLEAR(hh, *entries);
	for (; entry; entry = next) {
		next = entry->hh.next;
		free(entry->loose);
		free(entry);
	}
}

/* -------------------------------------------------------------------- spans */

static int unpack_end(struct compare *compare, const struct compare_end *end,
		      struct batch *batch, const struct batch **out,
		      struct error *err)
{
	*out = NULL;
	if (!end->key.bytes)
		return 0;
	if (batch_init(batch, &compare->keys[end->side], 1, 1 << 16, err) < 0 ||
	    row_key_put(&end->key, batch, err) < 0)
		return -1;
	*out = batch;
	return 0;
}

int span_open(struct compare *compare, const struct compare_span *span,
	      struct open_span *out, struct error *err)
{
	memset(out, 0, sizeof(*out));
	if (unpack_end(compare, &span->low, &out->low, &out->span.low, err) <
		    0 ||
	    unpack_end(compare, &span->high, &out->high, &out->span.high, err) <
		    0)
		return -1;
	return 0;
}

void span_close(struct open_span *span)
{
	batch_release(&span->low);
	batch_release(&span->high);
}
/* ----------------------------------------------------------- reading a side */

/* The keys are written as the rows they were taken from. */
static void copy_charsets(struct table *keys, const struct table *shape)
{
	for (size_t i = 0; i < keys->column_count; i++)
		keys->columns[i].charset =
			table_column(shape, keys->columns[i].name)->charset;
}

static int begin(struct look *look, struct compare *compare,
		 enum compare_side side, struct table shapes[COMPARE_SIDES],
		 const struct row_choice *choice, struct error *err)
{
	const struct link *link = compare->link;
	struct table *shape = &shapes[side];
	struct source *src = look_reader(compare, side);

	memset(look, 0, sizeof(*look));
	look->compare = compare;
	look->side = side;
	if (src->ops->read_begin(src, shape, choice, err) < 0 ||
	    compare_has_memory(compare, side, err) < 0)
		return -1;
	if (shape != &compare->keys[side])
		copy_charsets(&compare->keys[side], shape);
	if (batch_init(&look->batch, shape, (size_t)link->settings.batch_rows,
		       memory_batch(&link->memory, src, NULL), err) < 0 ||
	    canonical_init(&look->keys, shape, &shapes[!side], shape->key,
			   shape->key_count, err) < 0)
		return -1;
	return 0;
}

int look_begin(struct look *look, struct compare *compare,
	       enum compare_side side, const struct row_choice *choice,
	       struct error *err)
{
	struct table *shapes = compare->shape;

	if (begin(look, compare, side, shapes, choice, err) < 0)
		return -1;
	return canonical_init(&look->rows, &shapes[side], &shapes[!side],
			      compare->take, compare->take_count, err);
}

int look_begin_loose(struct look *look, struct error *err)
{
	const struct compare *compare = look->compare;
	int rc = 0;

	if (!compare->loose_count)
		return 0;
	look->loose = calloc(compare->loose_count, sizeof(*look->loose));
	if (!look->loose)
		return error_memory(err, "a comparison");
	for (size_t i = 0; rc == 0 && i < compare->loose_count; i++)
		rc = canonical_init(&look->loose[i],
				    &compare->shape[look->side],
				    &compare->shape[!look->side],
				    &compare->loose[i], 1, err);
	return rc;
}

int look_loose(struct look *look, size_t i, uint64_t *digest, struct error *err)
{
	struct row_digest md5;

	if (canonical_digest(&look->loose[i], &look->batch, look->at, &md5,
			     err) < 0)
		return -1;
	memcpy(digest, md5.md5, sizeof(*digest));
	return 0;
}

int look_begin_keys(struct look *look, struct compare *compare,
		    enum compare_side side, const struct row_choice *choice,
		    struct error *err)
{
	return begin(look, compare, side, compare->keys, choice, err);
}

void look_end(struct look *look)
{
	struct source *src = look_reader(look->compare, look->side);

	src->ops->end(src);
	for (size_t i = 0; look->loose && i < look->compare->loose_count; i++)
		canonical_release(&look->loose[i]);
	free(look->loose);
	canonical_release(&look->rows);
	canonical_release(&look->keys);
	batch_release(&look->batch);
}

int look_next(struct look *look, struct row_digest *key, struct row_digest *md5,
	      struct error *err)
{
	struct source *src = look_reader(look->compare, look->side);
	int rc;

	look->at++;
	if (look->at >= look->batch.rows) {
		if (cancel_check(look->compare->link->cancel, err) < 0)
			return -1;
		look->at = 0;
		batch_reset(&look->batch);
		rc = src->ops->next(src, &look->batch, err);
		if (rc <= 0)
			return rc;
	}
	if (canonical_digest(&look->keys, &look->batch, look->at, key, err) < 0)
		return -1;
	if (md5 &&
	    canonical_digest(&look->rows, &look->batch, look->at, md5, err) < 0)
		return -1;
	return 1;
}

bool look_keep_key(const struct look *look, struct batch *keys)
{
	const struct table *shape = look->batch.table;

	if (batch_full(keys))
		return false;
	for (size_t i = 0; i < keys->table->column_count; i++) {
		const struct column *column =
			table_column(shape, keys->table->columns[i].name);

		if (!batch_put_copy(keys, i, &look->batch,
				    (size_t)(column - shape->columns),
				    look->at))
			return false;
	}
	batch_add_row(keys, ROW_UPSERT);
	return true;
}
