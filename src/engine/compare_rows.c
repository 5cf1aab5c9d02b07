#include "engine/look.h"

#include <string.h>

/* ------------------------------------------------------------- row by row */

/* A span that is compared row by row. */
struct leaf {
	struct compare_entry *entries; /* the source's rows */
	struct batch keys;	       /* and their keys */
	size_t found[COMPARE_SIDES];   /* how much was found before */
	struct row_sum sums[COMPARE_SIDES];
};

static int read_leaf_source(struct compare *compare, struct leaf *leaf,
			    const struct row_choice *choice, struct error *err)
{
	struct row_digest key, md5;
	struct compare_entry *entry;
	struct look look;
	int rc;

	rc = look_begin(&look, compare, COMPARE_SOURCE, choice, err);
	if (rc == 0)
		rc = batch_init(&leaf->keys, &compare->keys[COMPARE_SOURCE],
				COMPARE_ROWS_MAX, LOOK_KEYS_BYTES, err);
	while (rc == 0 && (rc = look_next(&look, &key, &md5, err)) > 0) {
		if (!look_keep_key(&look, &leaf->keys)) {
			rc = 1; /* too many */
			break;
		}
		entry = entry_add(&leaf->entries, &key);
		if (!entry) {
			rc = error_memory(err, "a comparison");
			break;
		}
		entry->md5[COMPARE_SOURCE] = md5;
		entry->at = leaf->keys.rows - 1;
		rc = 0;
	}
	look_end(&look);
	return rc;
}

/* A row of the destination: does the source have the same? */
static bool match(struct compare *compare, struct leaf *leaf,
		  const struct look *look, const struct row_digest *key,
		  const struct row_digest *md5)
{
	struct compare_entry *entry = entry_find(leaf->entries, key);

	if (!entry)
		return look_keep_key(look, &compare->found[COMPARE_DEST]);
	if (!memcmp(&entry->md5[COMPARE_SOURCE], md5, sizeof(*md5))) {
		entry->has[COMPARE_DEST] = true;
		row_sum_add(&leaf->sums[COMPARE_SOURCE], md5);
		row_sum_add(&leaf->sums[COMPARE_DEST], md5);
	}
	return true;
}

static int read_leaf_dest(struct compare *compare, struct leaf *leaf,
			  const struct row_choice *choice, struct error *err)
{
	struct row_digest key, md5;
	size_t rows = 0;
	struct look look;
	int rc;

	rc = look_begin(&look, compare, COMPARE_DEST, choice, err);
	while (rc == 0 && (rc = look_next(&look, &key, &md5, err)) > 0) {
		if (++rows > COMPARE_ROWS_MAX ||
		    !match(compare, leaf, &look, &key, &md5)) {
			rc = 1;
			break;
		}
		rc = 0;
	}
	look_end(&look);
	return rc;
}

/* What no row of the destination was the same as. */
static bool keep_unmatched(struct compare *compare, const struct leaf *leaf)
{
	struct batch *found = &compare->found[COMPARE_SOURCE];
	const struct compare_entry *entry;

	for (entry = leaf->entries; entry; entry = entry->hh.next) {
		if (entry->has[COMPARE_DEST])
			continue;
		if (batch_full(found))
			return false;
		for (size_t i = 0; i < found->table->column_count; i++)
			if (!batch_put_copy(found, i, &leaf->keys, i,
					    entry->at))
				return false;
		batch_add_row(found, ROW_UPSERT);
	}
	return true;
}

int compare_rows(struct compare *compare, const struct compare_span *span,
		 struct row_sum sums[COMPARE_SIDES], uint64_t *rows,
		 struct error *err)
{
	struct leaf leaf = {.entries = NULL};
	struct row_choice choice = {.keys = NULL};
	struct open_span open;
	int rc;

	for (int side = 0; side < COMPARE_SIDES; side++)
		leaf.found[side] = compare->found[side].rows;
	rc = span_open(compare, span, &open, err);
	choice.span = &open.span;
	if (rc == 0)
		rc = read_leaf_source(compare, &leaf, &choice, err);
	if (rc == 0)
		rc = read_leaf_dest(compare, &leaf, &choice, err);
	if (rc == 0 && !keep_unmatched(compare, &leaf))
		rc = 1;
	if (rc == 0) {
		memcpy(sums, leaf.sums, sizeof(leaf.sums));
		*rows = leaf.keys.rows;
	}
	for (int side = 0; rc != 0 && side < COMPARE_SIDES; side++)
		compare->found[side].rows = leaf.found[side];
	entries_free(&leaf.entries);
	batch_release(&leaf.keys);
	span_close(&open);
	return rc < 0 ? -1 : !rc;
}

static int choose_on(struct compare *compare, enum compare_side side,
		     const struct row_choice *choice, struct error *err)
{
	struct source *src = look_reader(compare, side);
	struct batch *found = &compare->found[side];
	struct table *keys = &compare->keys[side];
	struct batch batch;
	int rc;

	memset(&batch, 0, sizeof(batch));
	rc = src->ops->read_begin(src, keys, choice, err);
	if (rc == 0)
		rc = batch_init(&batch, keys,
				(size_t)compare->link->settings.batch_rows,
				LOOK_KEYS_BYTES, err);
	while (rc == 0 && (rc = src->ops->next(src, &batch, err)) > 0) {
		rc = 0;
		for (size_t row = 0; rc == 0 && row < batch.rows; row++) {
			rc = batch_full(found);
			for (size_t i = 0; !rc && i < keys->column_count; i++)
				rc = !batch_put_copy(found, i, &batch, i, row);
			if (!rc)
				batch_add_row(found, ROW_UPSERT);
		}
		batch_reset(&batch);
	}
	src->ops->end(src);
	batch_release(&batch);
	return rc;
}

int compare_choose(struct compare *compare, const struct compare_span *span,
		   const char *condition, struct error *err)
{
	struct row_choice choice = {.condition = condition};
	size_t before[COMPARE_SIDES];
	struct open_span open;
	int rc = span_open(compare, span, &open, err);

	choice.span = &open.span;
	for (int side = 0; side < COMPARE_SIDES; side++) {
		before[side] = compare->found[side].rows;
		if (rc == 0)
			rc = choose_on(compare, side, &choice, err);
	}
	for (int side = 0; rc != 0 && side < COMPARE_SIDES; side++)
		compare->found[side].rows = before[side];
	span_close(&open);
	return rc < 0 ? -1 : !rc;
}
