/*
 * Rows are matched by the digest of their key's canonical text, so no key is
 * ever ordered here: the servers do that. A look at a row keeps its two
 * digests and nothing else, only the keys of rows that differ are kept.
 */
#include "engine/compare.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/text.h"

#define FOUND_BYTES_MAX ((size_t)16 << 20)

/* Beyond what a span should have: more rows than that came meanwhile. */
#define SUM_SLACK 1000

struct compare_entry {
	UT_hash_handle hh;
	struct row_digest key;
	struct row_digest md5[COMPARE_SIDES];
	bool has[COMPARE_SIDES];
	bool changed;		/* meanwhile */
	enum compare_side side; /* where its key was found */
	size_t at; /* and its row there, or among the keys of a leaf */
};

/* ------------------------------------------------------------------ entries */

static struct compare_entry *find_entry(struct compare_entry *entries,
					const struct row_digest *key)
{
	struct compare_entry *entry;

	HASH_FIND(hh, entries, key, sizeof(*key), entry);
	return entry;
}

static struct compare_entry *add_entry(struct compare_entry **entries,
				       const struct row_digest *key)
{
	struct compare_entry *entry = find_entry(*entries, key);

	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->key = *key;
	HASH_ADD(hh, *entries, key, sizeof(entry->key), entry);
	return entry;
}

static void free_entries(struct compare_entry **entries)
{
	struct compare_entry *entry, *next;

	HASH_ITER(hh, *entries, entry, next)
	{
		HASH_DEL(*entries, entry);
		free(entry);
	}
	*entries = NULL;
}

/* -------------------------------------------------------------------- spans */

static int copy_end(struct compare_end *to, const struct compare_end *from,
		    struct error *err)
{
	to->side = from->side;
	return row_key_copy(&to->key, &from->key, err);
}

int compare_span_copy(struct compare_span *to, const struct compare_span *from,
		      struct error *err)
{
	if (copy_end(&to->low, &from->low, err) < 0 ||
	    copy_end(&to->high, &from->high, err) < 0)
		return -1;
	return 0;
}

void compare_span_release(struct compare_span *span)
{
	row_key_release(&span->low.key);
	row_key_release(&span->high.key);
}

/* A span as a driver wants it: its ends unpacked. */
struct open_span {
	struct batch low, high;
	struct key_span span;
};

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

static int span_open(struct compare *compare, const struct compare_span *span,
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

static void span_close(struct open_span *span)
{
	batch_release(&span->low);
	batch_release(&span->high);
}

/* ------------------------------------------------------------ opening, sides */

static struct source *reader_of(struct compare *compare, enum compare_side side)
{
	return side == COMPARE_SOURCE ? compare->link->src : compare->mirror;
}

static int open_mirror(struct compare *compare, struct error *err)
{
	const struct mapping *mapping = compare->link->mapping;
	const struct driver *driver = compare->link->to->driver;
	struct source_spec spec = {
		.server = compare->link->to,
		.name = mapping->dest,
		.native_text = compare->link->from->driver == driver,
	};

	if (!driver->source)
		return error_set(err, ERROR_CONFIG,
				 "destinations of type '%s' cannot be verified",
				 mapping->to.type);
	return driver->source->open(&spec, &compare->mirror, err);
}

/* The daemon writes the trigger column itself: it is not compared. */
static int make_source_shape(struct compare *compare, struct error *err)
{
	const struct table *shape = &compare->link->shape;
	const char *trigger = compare->link->mapping->trigger_column;
	bool *keep = calloc(shape->column_count + 1, sizeof(*keep));
	int ret;

	if (!keep)
		return error_memory(err, "a comparison");
	for (size_t i = 0; i < shape->column_count; i++)
		keep[i] = table_is_key(shape, i) || !trigger ||
			  !text_iequal(shape->columns[i].name, trigger);
	ret = table_project(&compare->shape[COMPARE_SOURCE], shape, NULL, keep,
			    err);
	free(keep);
	return ret;
}

static int missing_column(const struct compare *compare, const char *name,
			  struct error *err)
{
	char table[TABLE_NAME_TEXT_MAX];

	return error_set(
		err, ERROR_SCHEMA,
		"column '%s' is missing in destination table '%s'", name,
		table_name_format(table, &compare->link->mapping->dest));
}

/* The same columns, in the same order, with the same key. */
static int make_dest_shape(struct compare *compare, const struct table *dest,
			   struct error *err)
{
	const struct table *source = &compare->shape[COMPARE_SOURCE];
	struct table *shape = &compare->shape[COMPARE_DEST];

	if (table_copy(shape, dest, NULL, err) < 0)
		return -1;
	shape->columns = arena_calloc(&shape->arena, source->column_count + 1,
				      sizeof(*shape->columns));
	shape->key = arena_calloc(&shape->arena, source->key_count + 1,
				  sizeof(*shape->key));
	if (!shape->columns || !shape->key)
		return error_memory(err, "a comparison");
	shape->column_count = source->column_count;
	shape->key_count = source->key_count;
	memcpy(shape->key, source->key,
	       source->key_count * sizeof(*shape->key));
	for (size_t i = 0; i < source->column_count; i++) {
		const char *name = source->columns[i].name;
		struct column *column = table_column(dest, name);

		if (!column)
			return missing_column(compare, name, err);
		shape->columns[i] = *column;
		shape->columns[i].name =
			arena_strdup(&shape->arena, column->name);
		shape->columns[i].native =
			column->native
				? arena_strdup(&shape->arena, column->native)
				: NULL;
		shape->columns[i].collation =
			column->collation
				? arena_strdup(&shape->arena, column->collation)
				: NULL;
		if (!shape->columns[i].name)
			return error_memory(err, "a comparison");
	}
	return 0;
}

static int make_keys(struct compare *compare, enum compare_side side,
		     struct error *err)
{
	const struct table *shape = &compare->shape[side];
	bool *keep = calloc(shape->column_count + 1, sizeof(*keep));
	int ret;

	if (!keep)
		return error_memory(err, "a comparison");
	for (size_t i = 0; i < shape->column_count; i++)
		keep[i] = table_is_key(shape, i);
	ret = table_project(&compare->keys[side], shape, NULL, keep, err);
	free(keep);
	return ret;
}

static bool same(const char *a, const char *b)
{
	return (!a && !b) || (a && b && !strcmp(a, b));
}

/* Do both servers hold the same values as the same bytes? */
static bool find_can_digest(const struct compare *compare)
{
	const struct link *link = compare->link;
	const struct table *source = &compare->shape[COMPARE_SOURCE];
	const struct table *dest = &compare->shape[COMPARE_DEST];

	if (link->from->driver != link->to->driver || !link->src->ops->digest)
		return false;
	for (size_t i = 0; i < source->column_count; i++)
		if (!same(source->columns[i].native, dest->columns[i].native) ||
		    !same(source->columns[i].collation,
			  dest->columns[i].collation))
			return false;
	return true;
}

static int describe(struct compare *compare, struct error *err)
{
	struct table dest;
	int ret = -1;

	table_init(&dest);
	if (make_source_shape(compare, err) == 0 &&
	    compare->mirror->ops->describe(compare->mirror, &dest, err) == 0 &&
	    make_dest_shape(compare, &dest, err) == 0 &&
	    make_keys(compare, COMPARE_SOURCE, err) == 0 &&
	    make_keys(compare, COMPARE_DEST, err) == 0)
		ret = 0;
	table_release(&dest);
	return ret;
}

static int check_keys(struct compare *compare, struct error *err)
{
	if (!compare->shape[COMPARE_SOURCE].key_count)
		return error_set(err, ERROR_SCHEMA,
				 "table '%s' has no key, so its rows cannot be "
				 "told apart; name a unique key in "
				 "primary_key_column",
				 compare->link->mapping->name);
	if (compare->link->src->ops->check_key(compare->link->src,
					       &compare->shape[COMPARE_SOURCE],
					       err) < 0)
		return error_wrap(err, "source");
	if (compare->mirror->ops->check_key(
		    compare->mirror, &compare->shape[COMPARE_DEST], err) < 0)
		return error_wrap(err, "destination");
	return 0;
}

static int make_found(struct compare *compare, struct error *err)
{
	for (int side = 0; side < COMPARE_SIDES; side++)
		if (batch_init(&compare->found[side], &compare->keys[side],
			       COMPARE_ROWS_MAX, FOUND_BYTES_MAX, err) < 0)
			return -1;
	compare->take_count = compare->shape[COMPARE_SOURCE].column_count;
	compare->take = calloc(compare->take_count + 1, sizeof(*compare->take));
	if (!compare->take)
		return error_memory(err, "a comparison");
	for (size_t i = 0; i < compare->take_count; i++)
		compare->take[i] = i;
	return 0;
}

/* How the keys' text is encoded shows when one is read. */
static int learn_charsets(struct compare *compare, struct error *err)
{
	struct compare_span all;
	struct compare_end end;
	int rc = 0;

	memset(&all, 0, sizeof(all));
	memset(&end, 0, sizeof(end));
	for (int side = 0; rc >= 0 && side < COMPARE_SIDES; side++)
		rc = compare_cut(compare, side, &all, false, 0, &end, err);
	row_key_release(&end.key);
	return rc < 0 ? -1 : 0;
}

int compare_open(struct compare *compare, struct link *link, struct error *err)
{
	compare->link = link;
	compare->opened = true;
	for (int side = 0; side < COMPARE_SIDES; side++) {
		table_init(&compare->shape[side]);
		table_init(&compare->keys[side]);
	}
	if (open_mirror(compare, err) < 0 ||
	    compare_connect(compare, err) < 0 || describe(compare, err) < 0 ||
	    check_keys(compare, err) < 0 || make_found(compare, err) < 0 ||
	    learn_charsets(compare, err) < 0) {
		compare_close(compare);
		return -1;
	}
	compare->can_digest = find_can_digest(compare);
	return 0;
}

void compare_close(struct compare *compare)
{
	if (!compare->opened)
		return;
	compare_forget_found(compare);
	compare_release(compare);
	if (compare->mirror)
		compare->mirror->ops->close(compare->mirror);
	for (int side = 0; side < COMPARE_SIDES; side++) {
		batch_release(&compare->found[side]);
		table_release(&compare->shape[side]);
		table_release(&compare->keys[side]);
	}
	free(compare->take);
	memset(compare, 0, sizeof(*compare));
}

int compare_connect(struct compare *compare, struct error *err)
{
	struct link *link = compare->link;

	if (link_connect_source(link, err) < 0)
		return -1;
	link_release_target(link);
	if (compare->mirror_connected)
		return 0;
	if (compare->mirror->ops->connect(compare->mirror, link->cancel, err) <
	    0)
		return error_wrap(err, "destination '%s'",
				  link->mapping->to.name);
	compare->mirror_connected = true;
	return 0;
}

void compare_release(struct compare *compare)
{
	if (compare->mirror_connected)
		compare->mirror->ops->release(compare->mirror);
	compare->mirror_connected = false;
}

/* ----------------------------------------------------------- reading a side */

/* What one read of a side goes through. */
struct look {
	struct compare *compare;
	enum compare_side side;
	struct batch batch;
	struct canonical rows, keys;
	size_t at; /* the row of the batch at hand */
};

/* The keys are written as the rows they were taken from. */
static void copy_charsets(struct table *keys, const struct table *shape)
{
	for (size_t i = 0; i < keys->column_count; i++)
		keys->columns[i].charset =
			table_column(shape, keys->columns[i].name)->charset;
}

static int look_begin(struct look *look, struct compare *compare,
		      enum compare_side side, const struct row_choice *choice,
		      struct error *err)
{
	const struct settings *settings = &compare->link->settings;
	struct table *shape = &compare->shape[side];
	const struct table *other = &compare->shape[!side];
	struct source *src = reader_of(compare, side);

	memset(look, 0, sizeof(*look));
	look->compare = compare;
	look->side = side;
	if (src->ops->read_begin(src, shape, choice, err) < 0)
		return -1;
	copy_charsets(&compare->keys[side], shape);
	if (batch_init(&look->batch, shape, (size_t)settings->batch_rows,
		       (size_t)settings->batch_memory_mb << 20, err) < 0 ||
	    canonical_init(&look->rows, shape, other, compare->take,
			   compare->take_count, err) < 0 ||
	    canonical_init(&look->keys, shape, other, shape->key,
			   shape->key_count, err) < 0)
		return -1;
	return 0;
}

static void look_end(struct look *look)
{
	struct source *src = reader_of(look->compare, look->side);

	src->ops->end(src);
	canonical_release(&look->rows);
	canonical_release(&look->keys);
	batch_release(&look->batch);
}

/* The next row's digests. 1: there is one; 0: that was all. */
static int look_next(struct look *look, struct row_digest *key,
		     struct row_digest *md5, struct error *err)
{
	struct source *src = reader_of(look->compare, look->side);
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
	if (canonical_digest(&look->keys, &look->batch, look->at, key, err) <
		    0 ||
	    canonical_digest(&look->rows, &look->batch, look->at, md5, err) < 0)
		return -1;
	return 1;
}

/* Put the key of the row at hand into `keys`. False: no room. */
static bool keep_key(const struct look *look, struct batch *keys)
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

/* ------------------------------------------------------------ cuts and sums */

int compare_cut(struct compare *compare, enum compare_side side,
		const struct compare_span *span, bool backwards, uint64_t rows,
		struct compare_end *end, struct error *err)
{
	struct source *src = reader_of(compare, side);
	struct open_span open;
	struct batch key;
	int rc = -1;

	memset(&key, 0, sizeof(key));
	end->side = side;
	row_key_release(&end->key);
	if (span_open(compare, span, &open, err) == 0 &&
	    batch_init(&key, &compare->keys[side], 1, 1 << 16, err) == 0)
		rc = src->ops->seek(src, &compare->keys[side], &open.span,
				    backwards, rows, &key, err);
	if (rc > 0 && row_key_take(&end->key, &key, 0, err) < 0)
		rc = -1;
	batch_release(&key);
	span_close(&open);
	return rc;
}

int compare_sums(struct compare *compare, const struct compare_span *span,
		 uint64_t rows, struct row_sum sums[COMPARE_SIDES],
		 struct error *err)
{
	uint64_t limit = 2 * rows + SUM_SLACK;
	struct open_span open;
	int rc = span_open(compare, span, &open, err);

	for (int side = 0; rc == 0 && side < COMPARE_SIDES; side++) {
		struct source *src = reader_of(compare, side);

		rc = src->ops->digest(src, &compare->shape[side], compare->take,
				      compare->take_count, &compare->keys[side],
				      &open.span, limit, &sums[side], err);
	}
	span_close(&open);
	if (rc < 0)
		return -1;
	return row_sum_equal(&sums[COMPARE_SOURCE], &sums[COMPARE_DEST]) &&
	       sums[COMPARE_SOURCE].rows < limit;
}

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
				COMPARE_ROWS_MAX, FOUND_BYTES_MAX, err);
	while (rc == 0 && (rc = look_next(&look, &key, &md5, err)) > 0) {
		if (!keep_key(&look, &leaf->keys)) {
			rc = 1; /* too many */
			break;
		}
		entry = add_entry(&leaf->entries, &key);
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
	struct compare_entry *entry = find_entry(leaf->entries, key);

	if (!entry)
		return keep_key(look, &compare->found[COMPARE_DEST]);
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
	free_entries(&leaf.entries);
	batch_release(&leaf.keys);
	span_close(&open);
	return rc < 0 ? -1 : !rc;
}

static int choose_on(struct compare *compare, enum compare_side side,
		     const struct row_choice *choice, struct error *err)
{
	struct source *src = reader_of(compare, side);
	struct batch *found = &compare->found[side];
	struct table *keys = &compare->keys[side];
	struct batch batch;
	int rc;

	memset(&batch, 0, sizeof(batch));
	rc = src->ops->read_begin(src, keys, choice, err);
	if (rc == 0)
		rc = batch_init(&batch, keys,
				(size_t)compare->link->settings.batch_rows,
				FOUND_BYTES_MAX, err);
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

/* --------------------------------------------------------- looking again */

size_t compare_found(const struct compare *compare)
{
	return compare->found[COMPARE_SOURCE].rows +
	       compare->found[COMPARE_DEST].rows;
}

void compare_forget_found(struct compare *compare)
{
	free_entries(&compare->entries);
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
		if (rc < 0 || find_entry(compare->entries, &key))
			continue;
		entry = add_entry(&compare->entries, &key);
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
	free_entries(&compare->entries);
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
		entry = find_entry(compare->entries, &key);
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
		entry = rc == 0 ? find_entry(compare->entries, &key) : NULL;
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
			       COMPARE_ROWS_MAX, FOUND_BYTES_MAX, err) < 0) {
			batch_release(&kept[0]);
			return -1;
		}
	for (entry = compare->entries; entry; entry = entry->hh.next) {
		verdict = judge(entry);
		if (verdict != COMPARE_SAME && verdict != COMPARE_CHANGED)
			put_key(&kept[entry->side],
				&compare->found[entry->side], entry->at);
	}
	free_entries(&compare->entries);
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
