#include "engine/look.h"

#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------------- looking again */

size_t compare_found(const struct compare *compare)
{
	return compare->found[COMPARE_SOURCE].rows +
	       compare->found[COMPARE_DEST].rows;
}

void compare_forget_found(struct compare *compare)
{
	entries_free(&compare->entries);
	for (int side = 0; side < COMPARE_SIDES; side++)
		if (compare->found[side].columns)
			batch_reset(&compare->found[side]);
}

static int enter_found(struct compare *compare, enum compare_side side,
		       struct error *err)
{
	const struct batch *found = &compare->found[side];
	const struct table *keys = &compare->keys[side];
	struct compare_entry *entry;
	struct canonical canonical;
	struct row_digest key;
	int rc;

	rc = canonical_init(&canonical, keys, &compare->keys[!side], keys->key,
			    keys->key_count, err);
	for (size_t row = 0; rc == 0 && row < found->rows; row++) {
		rc = canonical_digest(&canonical, found, row, &key, err);
		if (rc < 0 || entry_find(compare->entries, &key))
			continue;
		entry = entry_add(&compare->entries, &key);
		if (entry) {
			entry->side = side;
			entry->at = row;
		} else {
			rc = error_memory(err, "a comparison");
		}
	}
	canonical_release(&canonical);
	return rc;
}

int compare_expect(struct compare *compare, struct error *err)
{
	entries_free(&compare->entries);
	if (enter_found(compare, COMPARE_SOURCE, err) < 0 ||
	    enter_found(compare, COMPARE_DEST, err) < 0)
		return -1;
	return 0;
}

size_t compare_expected(const struct compare *compare)
{
	return HASH_COUNT(compare->entries);
}

/* A row whose key only a collation takes for the one asked for is another
 * row, which was found on its own. */
static int look_with(struct compare *compare, enum compare_side side,
		     const struct batch *keys, struct error *err)
{
	struct row_choice choice = {.keys = keys};
	struct row_digest key, md5;
	struct compare_entry *entry;
	struct look look;
	int rc;

	if (!keys->rows)
		return 0;
	rc = look_begin(&look, compare, side, &choice, err);
	while (rc == 0 && (rc = look_next(&look, &key, &md5, err)) > 0) {
		entry = entry_find(compare->entries, &key);
		if (entry) {
			entry->md5[side] = md5;
			entry->has[side] = true;
		}
		rc = 0;
	}
	look_end(&look);
	return rc;
}

static int look_at(struct compare *compare, enum compare_side side,
		   struct error *err)
{
	if (look_with(compare, side, &compare->found[COMPARE_SOURCE], err) <
		    0 ||
	    look_with(compare, side, &compare->found[COMPARE_DEST], err) < 0)
		return -1;
	return 0;
}

int compare_look_at_source(struct compare *compare, struct error *err)
{
	if (compare_expect(compare, err) < 0)
		return -1;
	return look_at(compare, COMPARE_SOURCE, err);
}

int compare_look_at_dest(struct compare *compare, struct error *err)
{
	return look_at(compare, COMPARE_DEST, err);
}

/* Call `see` for the entry, if any, of each row of a batch with the key. */
static int each_entry(struct compare *compare, const struct batch *rows,
		      void (*see)(struct compare_entry *entry, bool *flag),
		      bool *flags, struct error *err)
{
	const struct table *table = rows->table;
	struct compare_entry *entry;
	struct canonical canonical;
	struct row_digest key;
	int rc;

	rc = canonical_init(&canonical, table, NULL, table->key,
			    table->key_count, err);
	for (size_t row = 0; rc == 0 && row < rows->rows; row++) {
		rc = canonical_digest(&canonical, rows, row, &key, err);
		entry = rc == 0 ? entry_find(compare->entries, &key) : NULL;
		if (entry)
			see(entry, flags ? &flags[row] : NULL);
	}
	canonical_release(&canonical);
	return rc;
}

static void see_change(struct compare_entry *entry, bool *flag)
{
	(void)flag;
	entry->changed = true;
}

int compare_see_changes(struct compare *compare, const struct batch *changes,
			struct error *err)
{
	return compare->entries
		       ? each_entry(compare, changes, see_change, NULL, err)
		       : 0;
}

static void see_row(struct compare_entry *entry, bool *flag)
{
	(void)flag;
	entry->has[COMPARE_SOURCE] = true;
}

int compare_see_rows(struct compare *compare, const struct batch *rows,
		     struct error *err)
{
	return each_entry(compare, rows, see_row, NULL, err);
}

static void choose_unchanged(struct compare_entry *entry, bool *flag)
{
	*flag = !entry->changed;
}

int compare_unchanged(struct compare *compare, const struct batch *rows,
		      bool *take, struct error *err)
{
	memset(take, 0, rows->rows * sizeof(*take));
	return each_entry(compare, rows, choose_unchanged, take, err);
}

/* ---------------------------------------------------------------- verdicts */

static enum compare_verdict judge(const struct compare_entry *entry)
{
	bool source = entry->has[COMPARE_SOURCE];
	bool dest = entry->has[COMPARE_DEST];

	if (entry->changed)
		return COMPARE_CHANGED;
	if (source != dest)
		return source ? COMPARE_ONLY_SOURCE : COMPARE_ONLY_DEST;
	if (source && memcmp(&entry->md5[COMPARE_SOURCE],
			     &entry->md5[COMPARE_DEST], sizeof(entry->md5[0])))
		return COMPARE_DIFFERENT;
	return COMPARE_SAME;
}

int compare_each(struct compare *compare,
		 int (*take)(void *arg, const struct compare_row *row,
			     struct error *err),
		 void *arg, struct error *err)
{
	const struct compare_entry *entry;
	struct compare_row row;

	for (entry = compare->entries; entry; entry = entry->hh.next) {
		row.verdict = judge(entry);
		row.keys = &compare->found[entry->side];
		row.at = entry->at;
		row.side = entry->side;
		for (int side = 0; side < COMPARE_SIDES; side++)
			row.md5[side] =
				entry->has[side] ? &entry->md5[side] : NULL;
		if (take(arg, &row, err) < 0)
			return -1;
	}
	return 0;
}

static void put_key(struct batch *to, const struct batch *from, size_t row)
{
	for (size_t i = 0; i < from->table->column_count; i++)
		(void)batch_put_copy(to, i, from, i, row);
	batch_add_row(to, ROW_UPSERT);
}

/* The rows that differ fit, since more have. */
int compare_keep_different(struct compare *compare, struct error *err)
{
	struct batch kept[COMPARE_SIDES];
	const struct compare_entry *entry;
	enum compare_verdict verdict;

	memset(kept, 0, sizeof(kept));
	for (int side = 0; side < COMPARE_SIDES; side++)
		if (batch_init(&kept[side], &compare->keys[side],
			       COMPARE_FOUND_MAX, LOOK_KEYS_BYTES, err) < 0) {
			batch_release(&kept[0]);
			return -1;
		}
	for (entry = compare->entries; entry; entry = entry->hh.next) {
		verdict = judge(entry);
		if (verdict != COMPARE_SAME && verdict != COMPARE_CHANGED)
			put_key(&kept[entry->side],
				&compare->found[entry->side], entry->at);
	}
	entries_free(&compare->entries);
	for (int side = 0; side < COMPARE_SIDES; side++) {
		batch_release(&compare->found[side]);
		compare->found[side] = kept[side];
	}
	return 0;
}

bool compare_same_keys(const struct compare *compare)
{
	const struct table *source = &compare->keys[COMPARE_SOURCE];
	const struct table *dest = &compare->keys[COMPARE_DEST];

	for (size_t i = 0; i < source->column_count; i++)
		if (source->columns[i].type != dest->columns[i].type ||
		    source->columns[i].scale != dest->columns[i].scale ||
		    !charset_equal(source->columns[i].charset,
				   dest->columns[i].charset))
			return false;
	return true;
}
