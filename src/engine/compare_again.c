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
	compare->loose_bytes = 0;
	if (enter_found(compare, COMPARE_SOURCE, err) < 0 ||
	    enter_found(compare, COMPARE_DEST, err) < 0)
		return -1;
	return 0;
}

size_t compare_expected(const struct compare *compare)
{
	return HASH_COUNT(compare->entries);
}

/* Each loose value of the source, in case that changes leave it out. */
static int keep_loose(struct look *look, struct compare_entry *entry,
		      struct error *err)
{
	struct compare *compare = look->compare;
	size_t bytes = compare->loose_count * sizeof(*entry->loose);
	int rc = 0;

	if (!entry->loose) {
		if (compare->loose_bytes + bytes > LOOK_LOOSE_BYTES)
			return error_set(err, ERROR_MEMORY,
					 "the rows to be looked at again need "
					 "more memory than %d MB",
					 (int)(LOOK_LOOSE_BYTES >> 20));
		entry->loose = calloc(1, bytes);
		if (!entry->loose)
			return error_memory(err, "a comparison");
		compare->loose_bytes += bytes;
	}
	for (size_t i = 0; rc == 0 && i < compare->loose_count; i++)
		rc = look_loose(look, i, &entry->loose[i].digest, err);
	return rc;
}

static int compare_loose(struct look *look, struct compare_entry *entry,
			 struct error *err)
{
	uint64_t digest;
	int rc = 0;

	if (!entry->partial || !entry->loose)
		return 0;
	for (size_t i = 0; rc == 0 && i < look->compare->loose_count; i++) {
		rc = look_loose(look, i, &digest, err);
		entry->loose[i].differs = digest != entry->loose[i].digest;
	}
	return rc;
}

static int look_closer(struct look *look, struct compare_entry *entry,
		       struct error *err)
{
	if (!look->compare->loose_count)
		return 0;
	return look->side == COMPARE_SOURCE ? keep_loose(look, entry, err)
					    : compare_loose(look, entry, err);
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
	if (rc == 0)
		rc = look_begin_loose(&look, err);
	while (rc == 0 && (rc = look_next(&look, &key, &md5, err)) > 0) {
		entry = entry_find(compare->entries, &key);
		rc = 0;
		if (entry) {
			entry->md5[side] = md5;
			entry->has[side] = true;
			rc = look_closer(&look, entry, err);
		}
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

/* What is seen of a row of a batch whose key was found. */
struct seeing {
	const struct compare *compare;
	const struct batch *rows;
	const struct column *
		*loose; /* as the batch has them; NULL: it lacks it */
	bool *take;
};

/* Call `see` for the entry, if any, of each row of a batch with the key. */
static int each_entry(struct compare *compare, struct seeing *seeing,
		      void (*see)(struct compare_entry *entry,
				  struct seeing *seeing, size_t row),
		      struct error *err)
{
	const struct table *table = seeing->rows->table;
	struct compare_entry *entry;
	struct canonical canonical;
	struct row_digest key;
	int rc;

	seeing->compare = compare;
	rc = canonical_init(&canonical, table, NULL, table->key,
			    table->key_count, err);
	for (size_t row = 0; rc == 0 && row < seeing->rows->rows; row++) {
		rc = canonical_digest(&canonical, seeing->rows, row, &key, err);
		entry = rc == 0 ? entry_find(compare->entries, &key) : NULL;
		if (entry)
			see(entry, seeing, row);
	}
	canonical_release(&canonical);
	return rc;
}

static void see_change(struct compare_entry *entry, struct seeing *seeing,
		       size_t row)
{
	const struct batch *rows = seeing->rows;
	const struct column *column;

	if (!batch_is_partial(rows, row)) {
		entry->changed = true;
		return;
	}
	entry->partial = true;
	for (size_t i = 0; entry->loose && i < seeing->compare->loose_count;
	     i++) {
		column = seeing->loose[i];
		if (column &&
		    !batch_unchanged(
			    rows, (size_t)(column - rows->table->columns), row))
			entry->loose[i].written = true;
	}
}

int compare_see_changes(struct compare *compare, const struct batch *changes,
			struct error *err)
{
	const struct table *shape = &compare->shape[COMPARE_SOURCE];
	struct seeing seeing = {.rows = changes};
	int rc;

	if (!compare->entries)
		return 0;
	seeing.loose = calloc(compare->loose_count + 1, sizeof(*seeing.loose));
	if (!seeing.loose)
		return error_memory(err, "a comparison");
	for (size_t i = 0; i < compare->loose_count; i++)
		seeing.loose[i] = table_column(
			changes->table, shape->columns[compare->loose[i]].name);
	rc = each_entry(compare, &seeing, see_change, err);
	free(seeing.loose);
	return rc;
}

static void see_row(struct compare_entry *entry, struct seeing *seeing,
		    size_t row)
{
	(void)seeing;
	(void)row;
	entry->has[COMPARE_SOURCE] = true;
}

int compare_see_rows(struct compare *compare, const struct batch *rows,
		     struct error *err)
{
	struct seeing seeing = {.rows = rows};

	return each_entry(compare, &seeing, see_row, err);
}

static void choose_unchanged(struct compare_entry *entry, struct seeing *seeing,
			     size_t row)
{
	seeing->take[row] = !entry->changed;
}

int compare_unchanged(struct compare *compare, const struct batch *rows,
		      bool *take, struct error *err)
{
	struct seeing seeing = {.rows = rows, .take = take};

	memset(take, 0, rows->rows * sizeof(*take));
	return each_entry(compare, &seeing, choose_unchanged, err);
}

/* ---------------------------------------------------------------- verdicts */

/* Of a row that changes have written in part: is what they left out right? */
static bool is_loose_right(const struct compare *compare,
			   const struct compare_entry *entry)
{
	for (size_t i = 0; entry->loose && i < compare->loose_count; i++)
		if (entry->loose[i].differs && !entry->loose[i].written)
			return false;
	return true;
}

static enum compare_verdict judge(const struct compare *compare,
				  const struct compare_entry *entry)
{
	bool source = entry->has[COMPARE_SOURCE];
	bool dest = entry->has[COMPARE_DEST];

	if (entry->changed)
		return COMPARE_CHANGED;
	if (source != dest)
		return source ? COMPARE_ONLY_SOURCE : COMPARE_ONLY_DEST;
	if (entry->partial)
		return is_loose_right(compare, entry) ? COMPARE_CHANGED
						      : COMPARE_DIFFERENT;
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
		row.verdict = judge(compare, entry);
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
		verdict = judge(compare, entry);
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
