#include "engine/look.h"

#include <string.h>

/* ------------------------------------------------------------- row by row */

/* A span that is compared row by row. */
struct leaf {
	enum compare_side side; /* whose rows are read first */
	bool apart;		/* the others are those with their keys */
	struct compare_entry *entries; /* of that side */
	struct batch keys;	       /* and their keys */
	size_t found[COMPARE_SIDES];   /* how much was found before */
	struct row_sum sums[COMPARE_SIDES];
	uint64_t others; /* rows of the other side that were compared */
};

static void leaf_init(struct leaf *leaf, const struct compare *compare,
		      enum compare_side side)
{
	memset(leaf, 0, sizeof(*leaf));
	leaf->side = side;
	for (int i = 0; i < COMPARE_SIDES; i++)
		leaf->found[i] = compare->found[i].rows;
}

/* `rc` other than 0: as if nothing had been found. */
static void leaf_release(struct leaf *leaf, struct compare *compare, int rc)
{
	for (int i = 0; rc != 0 && i < COMPARE_SIDES; i++)
		compare->found[i].rows = leaf->found[i];
	entries_free(&leaf->entries);
	batch_release(&leaf->keys);
}

static int keep_entry(struct leaf *leaf, const struct look *look,
		      const struct row_digest *key,
		      const struct row_digest *md5, struct error *err)
{
	struct compare_entry *entry;

	if (!look_keep_key(look, &leaf->keys))
		return 1; /* too many */
	entry = entry_add(&leaf->entries, key);
	if (!entry)
		return error_memory(err, "a comparison");
	if (md5)
		entry->md5[leaf->side] = *md5;
	entry->at = leaf->keys.rows - 1;
	return 0;
}

static int read_first(struct compare *compare, struct leaf *leaf,
		      const struct row_choice *choice, bool keys_alone,
		      struct error *err)
{
	struct row_digest key, digest = {{0}};
	struct row_digest *md5 = keys_alone ? NULL : &digest;
	struct look look;
	int rc;

	rc = keys_alone
		     ? look_begin_keys(&look, compare, leaf->side, choice, err)
		     : look_begin(&look, compare, leaf->side, choice, err);
	if (rc == 0)
		rc = batch_init(&leaf->keys, &compare->keys[leaf->side],
				COMPARE_ROWS_MAX, LOOK_KEYS_BYTES, err);
	while (rc == 0 && (rc = look_next(&look, &key, md5, err)) > 0)
		rc = keep_entry(leaf, &look, &key, md5, err);
	look_end(&look);
	return rc;
}

/*
 * A row of the other side: does the first one have the same? Asked for by its
 * key, and for another one, it is one that only a collation takes for it.
 */
static bool match(struct compare *compare, struct leaf *leaf,
		  const struct look *look, const struct row_digest *key,
		  const struct row_digest *md5)
{
	struct compare_entry *entry = entry_find(leaf->entries, key);
	enum compare_side other = look->side;

	if (!entry)
		return leaf->apart ||
		       look_keep_key(look, &compare->found[other]);
	if (entry->has[other])
		return true;
	leaf->others++;
	if (!memcmp(&entry->md5[leaf->side], md5, sizeof(*md5))) {
		entry->has[other] = true;
		row_sum_add(&leaf->sums[leaf->side], md5);
		row_sum_add(&leaf->sums[other], md5);
	}
	return true;
}

static int read_other(struct compare *compare, struct leaf *leaf,
		      const struct row_choice *choice, struct error *err)
{
	struct row_digest key, md5;
	size_t rows = 0;
	struct look look;
	int rc;

	rc = look_begin(&look, compare, !leaf->side, choice, err);
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

/* What no row of the other side was the same as. */
static bool keep_unmatched(struct compare *compare, const struct leaf *leaf)
{
	struct batch *found = &compare->found[leaf->side];
	const struct compare_entry *entry;

	for (entry = leaf->entries; entry; entry = entry->hh.next) {
		if (entry->has[!leaf->side])
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
		 struct compare_part *out, struct error *err)
{
	struct row_choice choice = {.keys = NULL};
	struct open_span open;
	struct leaf leaf;
	int rc;

	leaf_init(&leaf, compare, COMPARE_SOURCE);
	rc = span_open(compare, span, &open, err);
	choice.span = &open.span;
	if (rc == 0)
		rc = read_first(compare, &leaf, &choice, false, err);
	if (rc == 0)
		rc = read_other(compare, &leaf, &choice, err);
	if (rc == 0 && !keep_unmatched(compare, &leaf))
		rc = 1;
	memcpy(out->sums, leaf.sums, sizeof(leaf.sums));
	out->rows = leaf.keys.rows;
	out->looked = 0;
	leaf_release(&leaf, compare, rc);
	span_close(&open);
	return rc < 0 ? -1 : !rc;
}

/* Those that the source's turn had are dealt with. */
static int leave_out(struct compare *compare, struct leaf *leaf,
		     const struct row_key *since, const char *condition,
		     struct error *err)
{
	struct compare_span span = {.low = {COMPARE_SOURCE, *since}};
	struct row_choice choice = {.keys = &leaf->keys,
				    .condition = condition};
	struct compare_entry *entry;
	struct open_span open;
	struct row_digest key;
	struct look look;
	int rc;

	rc = span_open(compare, &span, &open, err);
	choice.span = &open.span;
	if (rc < 0) {
		span_close(&open);
		return -1;
	}
	rc = look_begin_keys(&look, compare, COMPARE_SOURCE, &choice, err);
	while (rc == 0 && (rc = look_next(&look, &key, NULL, err)) > 0) {
		entry = entry_find(leaf->entries, &key);
		if (entry)
			entry->has[COMPARE_SOURCE] = true;
		rc = 0;
	}
	look_end(&look);
	span_close(&open);
	return rc;
}

static int read_one_side(struct compare *compare, struct leaf *leaf,
			 const struct row_choice *choice,
			 const struct row_key *since, struct error *err)
{
	struct row_choice others = {.keys = &leaf->keys};
	bool dest = leaf->side == COMPARE_DEST;
	bool chosen = choice->condition != NULL;
	int rc = read_first(compare, leaf, choice, chosen, err);

	if (rc != 0 || !leaf->keys.rows)
		return rc;
	if (dest)
		rc = leave_out(compare, leaf, since, choice->condition, err);
	/* What is chosen need not be different; and what the source's turn has
	 * not had of all rows, the source has not. */
	if (rc == 0 && !chosen && !(dest && !since->bytes))
		rc = read_other(compare, leaf, &others, err);
	return rc == 0 && !keep_unmatched(compare, leaf) ? 1 : rc;
}

int compare_one_side(struct compare *compare, const struct compare_span *span,
		     const struct row_key *since, const char *condition,
		     struct compare_part *out, struct error *err)
{
	struct row_choice choice = {.condition = condition};
	struct open_span open;
	struct leaf leaf;
	bool dest;
	int rc;

	leaf_init(&leaf, compare, span->low.side);
	leaf.apart = true;
	dest = leaf.side == COMPARE_DEST;
	rc = span_open(compare, span, &open, err);
	choice.span = &open.span;
	if (rc == 0)
		rc = read_one_side(compare, &leaf, &choice, since, err);
	memcpy(out->sums, leaf.sums, sizeof(leaf.sums));
	out->rows = dest ? leaf.others : leaf.keys.rows;
	out->looked = dest ? leaf.keys.rows : 0;
	leaf_release(&leaf, compare, rc);
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
