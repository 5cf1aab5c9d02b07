/*
 * Rows are matched by the digest of their key's canonical text, so no key is
 * ever ordered here: the servers do that. A look at a row keeps its two
 * digests and nothing else, only the keys of rows that differ are kept.
 */
#include "engine/look.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Beyond what a span should have: more rows than that came meanwhile. */
#define SUM_SLACK 1000

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

/* ------------------------------------------------------------ opening, sides */

static int open_mirror(struct compare *compare, struct error *err)
{
	const struct mapping *mapping = compare->link->mapping;
	const struct driver *driver = compare->link->to->driver;
	struct source_spec spec = {
		.server = compare->link->to,
		.name = mapping->dest,
		.native_text = compare->link->from->driver == driver,
		.is_target = true,
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

/* The words of a column that another table has, or NULL for none. */
static bool keep_words(struct table *table, const char **words)
{
	if (!*words)
		return true;
	*words = arena_strdup(&table->arena, *words);
	return *words != NULL;
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
		if (!keep_words(shape, &shape->columns[i].name) ||
		    !keep_words(shape, &shape->columns[i].native) ||
		    !keep_words(shape, &shape->columns[i].collation) ||
		    !keep_words(shape, &shape->columns[i].sorting))
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

/* Do both servers hold the same values as the same bytes? */
static bool find_can_digest(const struct compare *compare)
{
	const struct link *link = compare->link;
	const struct table *source = &compare->shape[COMPARE_SOURCE];
	const struct table *dest = &compare->shape[COMPARE_DEST];

	if (link->from->driver != link->to->driver || !link->src->ops->digest)
		return false;
	for (size_t i = 0; i < source->column_count; i++)
		if (!text_equal(source->columns[i].native,
				dest->columns[i].native) ||
		    !text_equal(source->columns[i].collation,
				dest->columns[i].collation))
			return false;
	return true;
}

/* What every system sorts alike; 0: something else. */
static int kind_of_order(enum row_type type)
{
	enum { NUMBER = 1, DAY, CLOCK, MOMENT };

	switch (type) {
	case ROW_BOOL:
	case ROW_UINT8:
	case ROW_INT8:
	case ROW_INT16:
	case ROW_INT32:
	case ROW_INT64:
	case ROW_UINT64:
	case ROW_DECIMAL:
		return NUMBER;
	case ROW_DATE:
	case ROW_TIMESTAMP:
		return DAY;
	case ROW_TIME:
		return CLOCK;
	case ROW_TIMESTAMPTZ:
		return MOMENT;
	default:
		return 0;
	}
}

/* varchar(10) and varchar(20) are sorted alike, varchar and nvarchar not. */
static bool same_words(const char *a, const char *b)
{
	size_t len;

	if (!a || !b)
		return a == b;
	len = strcspn(a, "(");
	return len == strcspn(b, "(") && !strncmp(a, b, len);
}

/* Are the values of a column of the key sorted alike for sure? */
static bool same_order(const struct compare *compare,
		       const struct column *source, const struct column *dest)
{
	int kind = kind_of_order(source->type);

	if (source->sorting && !*source->sorting)
		return false;
	if (!text_equal(source->sorting, dest->sorting))
		return false;
	if (kind)
		return kind == kind_of_order(dest->type);
	return compare->link->from->driver == compare->link->to->driver &&
	       source->type == dest->type &&
	       same_words(source->native, dest->native) &&
	       text_equal(source->collation, dest->collation);
}

static bool find_apart(const struct compare *compare)
{
	const struct table *source = &compare->keys[COMPARE_SOURCE];
	const struct table *dest = &compare->keys[COMPARE_DEST];

	for (size_t i = 0; i < source->column_count; i++)
		if (!same_order(compare, &source->columns[i],
				&dest->columns[i]))
			return true;
	return false;
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
			       COMPARE_FOUND_MAX, LOOK_KEYS_BYTES, err) < 0)
			return -1;
	compare->take_count = compare->shape[COMPARE_SOURCE].column_count;
	compare->take = calloc(compare->take_count + 1, sizeof(*compare->take));
	if (!compare->take)
		return error_memory(err, "a comparison");
	for (size_t i = 0; i < compare->take_count; i++)
		compare->take[i] = i;
	return 0;
}

/* Only what is long enough is left out. */
static int find_loose(struct compare *compare, struct error *err)
{
	const struct table *shape = &compare->shape[COMPARE_SOURCE];

	if (!compare->link->src->ops->partial)
		return 0;
	compare->loose =
		calloc(shape->column_count + 1, sizeof(*compare->loose));
	if (!compare->loose)
		return error_memory(err, "a comparison");
	for (size_t i = 0; i < shape->column_count; i++)
		if (!table_is_key(shape, i) &&
		    row_type_store(shape->columns[i].type) == ROW_STORE_SLICE)
			compare->loose[compare->loose_count++] = i;
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
	    find_loose(compare, err) < 0 || learn_charsets(compare, err) < 0) {
		compare_close(compare);
		return -1;
	}
	compare->apart = find_apart(compare);
	compare->can_digest = !compare->apart && find_can_digest(compare);
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
	free(compare->loose);
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
/* ------------------------------------------------------------ cuts and sums */

int compare_cut(struct compare *compare, enum compare_side side,
		const struct compare_span *span, bool backwards, uint64_t rows,
		struct compare_end *end, struct error *err)
{
	struct source *src = look_reader(compare, side);
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

int compare_has_memory(struct compare *compare, enum compare_side side,
		       struct error *err)
{
	struct source *src = look_reader(compare, side);
	const struct memory *memory = &compare->link->memory;
	uint64_t rows = src->rows.bytes;
	struct budget_usage usage;

	if (!memory->budget || rows <= memory->own / 4 ||
	    rows <= compare->spare / 2)
		return 0;
	compare->wanted = rows > SIZE_MAX / 4 ? SIZE_MAX / 2 : 2 * (size_t)rows;
	budget_count(memory->budget, &usage);
	if (usage.size < COMPARE_BYTES ||
	    compare->wanted > usage.size - COMPARE_BYTES) {
		size_t need = compare->wanted + COMPARE_BYTES;

		compare->wanted = 0;
		return memory_too_large(src, &compare->shape[side], need,
					usage.size, compare->link->cancel, err);
	}
	return error_set(err, ERROR_MEMORY, "rows need %zu bytes",
			 compare->wanted);
}

int compare_sums(struct compare *compare, const struct compare_span *span,
		 uint64_t rows, struct row_sum sums[COMPARE_SIDES],
		 struct error *err)
{
	uint64_t limit = 2 * rows + SUM_SLACK;
	struct open_span open;
	int rc = span_open(compare, span, &open, err);

	for (int side = 0; rc == 0 && side < COMPARE_SIDES; side++) {
		struct source *src = look_reader(compare, side);

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
