/*
 * A source copies what it is about to read under the store's lock, so that
 * what it returns is as of one moment. A position is the number of the last
 * transaction, in eight bytes, most significant first.
 */
#include "drivers/memory/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "drivers/memory/choice.h"
#include "drivers/memory/pending.h"

struct memory_source {
	struct source base;
	struct memory_store *store;
	struct table_name name;
	const char *trigger_column;
	struct memory_table *table; /* of the read under way */
	struct pending_list rows;
};

static struct memory_source *source_of(struct source *src)
{
	return (struct memory_source *)src;
}

static int source_open(const struct source_spec *spec, struct source **out,
		       struct error *err)
{
	struct memory_store *store =
		((struct memory_server *)spec->server)->store;
	struct memory_source *source;

	if (store_call(store, "source.open", err) < 0)
		return -1;
	source = calloc(1, sizeof(*source));
	if (!source)
		return error_memory(err, "a source");
	source->base.ops = &memory_source_ops;
	source->store = store;
	source->name = spec->name;
	source->trigger_column = spec->trigger_column;
	pending_init(&source->rows);
	*out = &source->base;
	return 0;
}

static int source_connect(struct source *src, struct cancel *cancel,
			  struct error *err)
{
	(void)cancel;
	return store_call(source_of(src)->store, "source.connect", err);
}

static void source_end(struct source *src)
{
	struct memory_source *source = source_of(src);

	if (source->table)
		pending_clear(&source->rows, source->table);
	source->table = NULL;
	src->rows = (struct source_rows){.bytes = 0};
}

static void source_close(struct source *src)
{
	source_end(src);
	free(src);
}

/* Count the call, lock the store and find the table; unlocks on -1. */
static int source_enter(struct memory_source *source, const char *slot,
			struct memory_table **table, struct error *err)
{
	char name[TABLE_NAME_TEXT_MAX];

	if (store_call(source->store, slot, err) < 0)
		return -1;
	pthread_mutex_lock(&source->store->lock);
	*table = store_table(source->store, &source->name);
	if (*table)
		return 0;
	pthread_mutex_unlock(&source->store->lock);
	return error_set(err, ERROR_SCHEMA, "source table '%s' does not exist",
			 table_name_format(name, &source->name));
}

static int source_describe(struct source *src, struct table *out,
			   struct error *err)
{
	struct memory_source *source = source_of(src);
	struct memory_table *table;
	int ret;

	if (source_enter(source, "source.describe", &table, err) < 0)
		return -1;
	ret = table_copy(out, &table->def, &source->name, err);
	pthread_mutex_unlock(&source->store->lock);
	return ret;
}

static int source_check_key(struct source *src, const struct table *table,
			    struct error *err)
{
	struct memory_source *source = source_of(src);
	struct memory_table *mine;
	bool unique = true;

	if (source_enter(source, "source.check_key", &mine, err) < 0)
		return -1;
	for (size_t k = 0; k < mine->def.key_count; k++) {
		struct column *column = table_column(
			table, mine->def.columns[mine->def.key[k]].name);

		unique = unique && column &&
			 table_is_key(table, (size_t)(column - table->columns));
	}
	unique = unique && mine->def.key_count;
	pthread_mutex_unlock(&source->store->lock);
	if (unique)
		return 0;
	return error_set(err, ERROR_SCHEMA, "the key is not unique");
}

static int source_find_longer(struct source *src, const struct table *table,
			      const char *column, int length,
			      struct strbuf *key, struct error *err)
{
	struct memory_source *source = source_of(src);
	struct memory_table *mine;
	struct memory_row *row;
	const struct column *col;
	int ret = 0;

	(void)table;
	if (source_enter(source, "source.find_longer", &mine, err) < 0)
		return -1;
	memory_sort(mine);
	col = table_column(&mine->def, column);
	for (row = mine->rows; ret == 0 && col && row; row = row->hh.next)
		if (value_length(col, &row->values[col - mine->def.columns]) >
		    (size_t)length)
			ret = row_key_text(key, mine, row, err) < 0 ? -1 : 1;
	pthread_mutex_unlock(&source->store->lock);
	return ret;
}

static int source_estimate(struct source *src, uint64_t *rows,
			   struct error *err)
{
	struct memory_source *source = source_of(src);
	struct memory_table *table;

	if (source_enter(source, "source.estimate", &table, err) < 0)
		return -1;
	*rows = HASH_COUNT(table->rows);
	pthread_mutex_unlock(&source->store->lock);
	return 0;
}

static int find_trigger(const struct memory_source *source,
			const struct memory_table *table, size_t *col,
			struct error *err)
{
	struct column *column =
		table_column(&table->def, source->trigger_column);

	if (!column || row_type_store(column->type) != ROW_STORE_I64)
		return error_set(err, ERROR_SCHEMA,
				 "full_sync_trigger_column '%s' does not exist "
				 "or is no integer",
				 source->trigger_column);
	*col = (size_t)(column - table->def.columns);
	return 0;
}

static bool is_triggered(const struct memory_row *row, size_t col)
{
	return !row->values[col].null && row->values[col].i64 == 1;
}

static int source_triggered(struct source *src, uint64_t limit, uint64_t *rows,
			    bool *locked, struct error *err)
{
	struct memory_source *source = source_of(src);
	struct memory_table *table;
	struct memory_row *row;
	size_t col = 0;
	int ret;

	*rows = 0;
	if (locked)
		*locked = false;
	if (source_enter(source, "source.triggered", &table, err) < 0)
		return -1;
	ret = find_trigger(source, table, &col, err);
	for (row = table->rows; ret == 0 && row && *rows < limit;
	     row = row->hh.next)
		*rows += is_triggered(row, col);
	pthread_mutex_unlock(&source->store->lock);
	return ret;
}

static int source_trigger_reset(struct source *src, uint64_t *rows,
				struct error *err)
{
	struct memory_source *source = source_of(src);
	struct memory_table *table;
	struct memory_row *row;
	size_t col = 0;
	int ret;

	*rows = 0;
	if (source_enter(source, "source.trigger_reset", &table, err) < 0)
		return -1;
	ret = find_trigger(source, table, &col, err);
	source->store->commits++;
	for (row = table->rows; ret == 0 && row; row = row->hh.next) {
		if (!is_triggered(row, col))
			continue;
		row->values[col].i64 = 0;
		++*rows;
		if (store_log_change(source->store, table, ROW_UPSERT, row) < 0)
			ret = error_memory(err, "a change");
	}
	pthread_mutex_unlock(&source->store->lock);
	return ret;
}

static void position_from_number(struct position *out, uint64_t number)
{
	out->len = 8;
	for (int i = 7; i >= 0; i--, number >>= 8)
		out->bytes[i] = (unsigned char)number;
}

static uint64_t position_number(const struct position *pos)
{
	uint64_t number = 0;

	for (size_t i = 0; i < pos->len; i++)
		number = number << 8 | pos->bytes[i];
	return number;
}

static int source_position(struct source *src, struct position *out,
			   struct error *err)
{
	struct memory_source *source = source_of(src);
	struct memory_table *table;

	if (source_enter(source, "source.position", &table, err) < 0)
		return -1;
	position_from_number(out, source->store->commits);
	pthread_mutex_unlock(&source->store->lock);
	return 0;
}

/* The commits of a store are one log; one with fewer is another store. */
static int source_read_until(struct source *src, struct position *position,
			     struct error *err)
{
	struct memory_source *source = source_of(src);
	struct memory_table *table;
	bool same;

	if (source_enter(source, "source.read_until", &table, err) < 0)
		return -1;
	same = position_number(position) <= source->store->commits;
	pthread_mutex_unlock(&source->store->lock);
	return same;
}

/* A copy in which the trigger column reads as if it had been reset. */
static struct memory_row *snapshot_row(const struct memory_source *source,
				       const struct memory_table *table,
				       const struct memory_row *row)
{
	struct memory_row *copy = row_copy(table, row);
	struct error ignored;
	size_t col = 0;

	if (copy && source->trigger_column &&
	    find_trigger(source, table, &col, &ignored) == 0 &&
	    is_triggered(copy, col))
		copy->values[col].i64 = 0;
	return copy;
}

/*
 * Rows have no order here, so they are dealt out by their keys: the low end of
 * a range says which part of how many it is.
 */
static int source_split(struct source *src, const struct table *shape,
			struct key_range *ranges, size_t count,
			struct error *err)
{
	struct memory_source *source = source_of(src);

	if (store_call(source->store, "source.split", err) < 0)
		return -1;
	memset(ranges, 0, count * sizeof(*ranges));
	if (!shape->key_count || count < 2 || count > UINT8_MAX)
		return 1;
	for (size_t i = 0; i < count; i++) {
		ranges[i].low.len = 2;
		ranges[i].low.bytes[0] = (unsigned char)i;
		ranges[i].low.bytes[1] = (unsigned char)count;
	}
	return (int)count;
}

/* It is among those that will be read. */
static void measure(struct memory_source *source,
		    const struct memory_table *table,
		    const struct memory_row *row)
{
	struct source_rows *rows = &source->base.rows;
	uint64_t bytes = 0;

	for (size_t i = 0; i < table->def.column_count; i++) {
		const struct column *column = &table->def.columns[i];
		const struct memory_value *value = &row->values[i];

		if (value->null ||
		    row_type_store(column->type) != ROW_STORE_SLICE)
			continue;
		bytes += value->slice.len;
		if (value->slice.len >= rows->longest) {
			rows->longest = value->slice.len;
			rows->column = column->name;
		}
	}
	if (bytes > rows->bytes)
		rows->bytes = bytes;
}

static int source_read_begin(struct source *src, struct table *shape,
			     const struct row_choice *choice, struct error *err)
{
	struct memory_source *source = source_of(src);
	struct memory_choice chosen;
	struct memory_table *table;
	struct memory_row *row;
	int ret;

	(void)shape;
	if (source_enter(source, "source.read_begin", &table, err) < 0)
		return -1;
	source->table = table;
	ret = memory_choice_init(&chosen, table, choice, err);
	for (row = table->rows; ret == 0 && row; row = row->hh.next) {
		if (!memory_choice_has(&chosen, table, row))
			continue;
		measure(source, table, row);
		if (!pending_add(&source->rows, table, ROW_UPSERT,
				 snapshot_row(source, table, row)))
			ret = error_memory(err, "a snapshot");
	}
	memory_choice_release(&chosen, table);
	pthread_mutex_unlock(&source->store->lock);
	return ret;
}

static int source_changes_begin(struct source *src, struct table *shape,
				const struct position *from, unsigned limit,
				struct window *window, struct error *err)
{
	struct memory_source *source = source_of(src);
	uint64_t first = position_number(from), last;
	struct memory_table *table;
	int ret = 0;

	(void)shape;
	*window = (struct window){.shape = NULL};
	if (source_enter(source, "source.changes_begin", &table, err) < 0)
		return -1;
	last = source->store->commits;
	if (first < source->store->purged)
		ret = error_set(err, ERROR_GAP, "changes were purged");
	if (first > last)
		ret = error_set(err, ERROR_GAP, "the log ends before that");
	window->newest = ret < 0 || last - first <= limit;
	if (!window->newest)
		last = first + limit;
	position_from_number(&window->to, last);
	/* How old what comes after a cut window is, it does not know. */
	window->complete_us = window->newest ? clock_us() : 0;
	window->commit_us = clock_utc_us();
	window->has_rows = false;
	source->table = table;
	for (struct memory_change *c = table->first; ret == 0 && c;
	     c = c->next) {
		if (c->commit <= first || c->commit > last)
			continue;
		window->has_rows = true;
		window->commit_us = c->commit_us;
		measure(source, table, c->row);
		if (!pending_add(&source->rows, table, c->op,
				 row_copy(table, c->row)))
			ret = error_memory(err, "changes");
	}
	pthread_mutex_unlock(&source->store->lock);
	return ret < 0 ? -1 : last > first;
}

/* A change is in the log as soon as it is made. */
static void source_stored(struct source *src, const struct position *position)
{
	struct memory_store *store = source_of(src)->store;

	pthread_mutex_lock(&store->lock);
	store->stored = position_number(position);
	pthread_mutex_unlock(&store->lock);
}

static int source_captured_until(struct source *src, int64_t *until_us,
				 struct error *err)
{
	if (store_call(source_of(src)->store, "source.captured_until", err) < 0)
		return -1;
	*until_us = clock_us();
	return 0;
}

static int source_next(struct source *src, struct batch *batch,
		       struct error *err)
{
	struct memory_source *source = source_of(src);
	struct pending *item;

	if (store_call(source->store, "source.next", err) < 0)
		return -1;
	while (!batch_full(batch) && (item = source->rows.first)) {
		struct memory_row *row;
		enum row_op op = item->op;

		if (!row_to_batch(source->table, item->row, op == ROW_DELETE,
				  batch)) {
			if (batch->rows)
				break;
			if (batch->lone)
				return error_memory(err, "a row");
			batch_make_lone(batch);
			continue;
		}
		batch_add_row(batch, op);
		row = pending_take(&source->rows, &op);
		row_free(source->table, row);
	}
	return batch->rows > 0;
}

static struct memory_row *row_beside(const struct memory_row *row,
				     bool backwards)
{
	return backwards ? row->hh.prev : row->hh.next;
}

static int source_seek(struct source *src, struct table *keys,
		       const struct key_span *span, bool backwards,
		       uint64_t skip, struct batch *out, struct error *err)
{
	struct row_choice choice = {.span = span};
	struct memory_source *source = source_of(src);
	struct memory_choice chosen;
	struct memory_table *table;
	struct memory_row *row;
	int ret;

	(void)keys;
	if (source_enter(source, "source.seek", &table, err) < 0)
		return -1;
	memory_sort(table);
	ret = memory_choice_init(&chosen, table, &choice, err);
	row = table->rows;
	while (ret == 0 && backwards && row && row->hh.next)
		row = row->hh.next;
	for (; ret == 0 && row; row = row_beside(row, backwards)) {
		if (!memory_choice_has(&chosen, table, row) || skip-- > 0)
			continue;
		ret = row_to_batch(table, row, false, out)
			      ? 1
			      : error_memory(err, "a key");
	}
	if (ret > 0)
		batch_add_row(out, ROW_UPSERT);
	memory_choice_release(&chosen, table);
	pthread_mutex_unlock(&source->store->lock);
	return ret;
}

/* The digests of canonical texts do as well as any. */
static int source_digest(struct source *src, const struct table *shape,
			 const size_t *take, size_t take_count,
			 const struct table *keys, const struct key_span *span,
			 uint64_t limit, struct row_sum *out, struct error *err)
{
	struct row_choice choice = {.span = span};
	struct canonical canonical;
	struct row_digest digest;
	struct table columns;
	struct batch batch;
	int rc = -1;

	(void)keys;
	memset(out, 0, sizeof(*out));
	memset(&batch, 0, sizeof(batch));
	memset(&canonical, 0, sizeof(canonical));
	table_init(&columns);
	if (store_call(source_of(src)->store, "source.digest", err) < 0 ||
	    table_copy(&columns, shape, NULL, err) < 0 ||
	    source_read_begin(src, &columns, &choice, err) < 0 ||
	    batch_init(&batch, &columns, 1, 1 << 20, err) < 0 ||
	    canonical_init(&canonical, &columns, NULL, take, take_count, err) <
		    0)
		goto done;
	while (out->rows < limit) {
		batch_reset(&batch);
		rc = source_next(src, &batch, err);
		if (rc > 0)
			rc = canonical_digest(&canonical, &batch, 0, &digest,
					      err) < 0
				     ? -1
				     : 1;
		if (rc <= 0)
			break;
		row_sum_add(out, &digest);
		rc = 0;
	}
done:
	source_end(src);
	canonical_release(&canonical);
	batch_release(&batch);
	table_release(&columns);
	return rc;
}

/* A program's own memory has no rights and no settings. */
static int source_check(struct source *src, struct source_check *what,
			struct findings *out, struct error *err)
{
	if (store_call(source_of(src)->store, "source.check", err) < 0)
		return -1;
	if (what->table)
		finding_add(out, FINDING_OK, "rights", "the table can be read");
	return 0;
}

const struct source_ops memory_source_ops = {
	.connections = 1,
	.partial = true,
	.open = source_open,
	.connect = source_connect,
	.release = source_end,
	.close = source_close,
	.describe = source_describe,
	.check_key = source_check_key,
	.find_longer = source_find_longer,
	.estimate = source_estimate,
	.triggered = source_triggered,
	.trigger_reset = source_trigger_reset,
	.position = source_position,
	.read_until = source_read_until,
	.split = source_split,
	.read_begin = source_read_begin,
	.seek = source_seek,
	.digest = source_digest,
	.changes_begin = source_changes_begin,
	.stored = source_stored,
	.captured_until = source_captured_until,
	.next = source_next,
	.end = source_end,
	.check = source_check,
};
