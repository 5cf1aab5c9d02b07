#include "drivers/memory/store.h"
#include "drivers/memory/exceptions.h"
#include "drivers/memory/pending.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

static struct {
	pthread_mutex_t lock; /* guards the list, not what is in the stores */
	struct memory_store *first;
} stores = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ------------------------------------------------------------------ tables */

/* The row takes the place of the one with its key. -1: nothing happened. */
static int swap_in(struct memory_table *table, struct pending *item)
{
	struct memory_row *row = item->row;

	/* Without a key each row is another one. */
	if (!table->def.key_count) {
		free(row->key);
		if (!row_make_key(table, row))
			return -1;
	}
	HASH_FIND(hh, table->rows, row->key, row->key_len, item->displaced);
	if (item->op == ROW_UPSERT && row_is_partial(table, row)) {
		if (!item->displaced)
			item->op = ROW_DELETE; /* of what is not there */
		else if (row_fill(table, row, item->displaced) < 0)
			return -1;
	}
	if (item->op == ROW_UPSERT) {
		HASH_ADD_KEYPTR(hh, table->rows, row->key, row->key_len, row);
		if (!hash_has(row))
			return -1;
		table->next_row_id++;
	}
	if (item->displaced)
		HASH_DELETE(hh, table->rows, item->displaced);
	return 0;
}

static void swap_out(struct memory_table *table, struct pending *item)
{
	struct memory_row *old = item->displaced;

	if (item->op == ROW_UPSERT && table->rows)
		HASH_DELETE(hh, table->rows, item->row);
	if (old)
		HASH_ADD_KEYPTR(hh, table->rows, old->key, old->key_len, old);
}

/* It stays; what the table does not hold any more is freed. */
static void leave_in(const struct memory_table *table,
		     const struct pending *item, struct target_counts *counts)
{
	bool existed = item->displaced != NULL;

	if (item->op == ROW_DELETE)
		row_free(table, item->row);
	row_free(table, item->displaced);
	counts->deleted += item->op == ROW_DELETE && existed;
	counts->updated += item->op == ROW_UPSERT && existed;
	counts->inserted += item->op == ROW_UPSERT && !existed;
}

int table_apply(struct memory_table *table, enum row_op op,
		struct memory_row *row, struct target_counts *counts)
{
	struct pending item = {.op = op, .row = row};

	if (swap_in(table, &item) < 0) {
		row_free(table, row);
		return -1;
	}
	leave_in(table, &item, counts);
	return 0;
}

void table_clear(struct memory_table *table)
{
	struct memory_row *row, *next;

	HASH_ITER(hh, table->rows, row, next)
	{
		HASH_DELETE(hh, table->rows, row);
		row_free(table, row);
	}
}

int table_apply_all(struct memory_table *table, struct pending_list *list,
		    bool replace, struct target_counts *counts)
{
	struct memory_table old = {.def = table->def, .rows = table->rows};
	struct pending *done = NULL, *item;
	int ret = 0;

	if (replace)
		table->rows = NULL;
	while (ret == 0 && (item = list->first)) {
		ret = swap_in(table, item);
		if (ret == 0) {
			list->first = item->next;
			item->next = done;
			done = item;
		}
	}
	while ((item = done)) {
		done = item->next;
		if (ret == 0) {
			leave_in(table, item, counts);
			free(item);
		} else {
			swap_out(table, item);
			item->next = list->first;
			list->first = item;
		}
	}
	if (ret == 0)
		pending_init(list);
	if (ret == 0 && replace)
		table_clear(&old);
	else if (replace)
		table->rows = old.rows;
	return ret;
}

int store_log_change(struct memory_store *store, struct memory_table *table,
		     enum row_op op, const struct memory_row *row)
{
	struct memory_change *change = calloc(1, sizeof(*change));

	if (!change)
		return -1;
	change->row = row_copy(table, row);
	if (!change->row) {
		free(change);
		return -1;
	}
	change->op = op;
	change->commit = store->commits;
	change->commit_us = clock_utc_us();
	if (table->last)
		table->last->next = change;
	else
		table->first = change;
	table->last = change;
	return 0;
}

static void log_purge(struct memory_table *table, uint64_t upto)
{
	struct memory_change *change;

	while ((change = table->first) && change->commit <= upto) {
		table->first = change->next;
		row_free(table, change->row);
		free(change);
	}
	if (!table->first)
		table->last = NULL;
}

static void table_free(struct memory_table *table)
{
	table_clear(table);
	log_purge(table, UINT64_MAX);
	table_release(&table->def);
	free(table);
}

struct memory_table *store_table(struct memory_store *store,
				 const struct table_name *name)
{
	struct memory_table *table;

	for (table = store->tables; table; table = table->next)
		if (!strcmp(table->def.name.database, name->database) &&
		    !strcmp(table->def.name.schema, name->schema) &&
		    !strcmp(table->def.name.table, name->table))
			break;
	return table;
}

struct memory_table *store_add_table(struct memory_store *store,
				     const struct table_name *name,
				     const struct table *shape,
				     struct error *err)
{
	struct memory_table *table = calloc(1, sizeof(*table));

	if (!table) {
		error_memory(err, "a table");
		return NULL;
	}
	table_init(&table->def);
	if (table_copy(&table->def, shape, name, err) < 0) {
		table_release(&table->def);
		free(table);
		return NULL;
	}
	table->next = store->tables;
	store->tables = table;
	return table;
}

bool store_refuses(const struct memory_store *store,
		   const struct memory_table *table,
		   const struct memory_row *row)
{
	for (size_t i = 0; i < table->def.column_count; i++) {
		const struct column *column = &table->def.columns[i];
		const struct memory_value *value = &row->values[i];

		if (column->length &&
		    value_length(column, value) > (size_t)column->length)
			return true;
		if (store->refused_column && !value->null && !value->kept &&
		    text_iequal(column->name, store->refused_column) &&
		    value->i64 == store->refused_value)
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ stores */

struct memory_store *store_find(const char *name)
{
	struct memory_store *store;

	pthread_mutex_lock(&stores.lock);
	for (store = stores.first; store; store = store->next)
		if (!strcmp(store->name, name))
			goto done;
	store = calloc(1, sizeof(*store));
	if (!store)
		goto done;
	store->name = strdup(name);
	if (!store->name || pthread_mutex_init(&store->lock, NULL)) {
		free(store->name);
		free(store);
		store = NULL;
		goto done;
	}
	store->next = stores.first;
	stores.first = store;
done:
	pthread_mutex_unlock(&stores.lock);
	return store;
}

void load_drop(struct memory_store *store, struct memory_load *load)
{
	struct memory_load **link = &store->loads;

	while (*link != load)
		link = &(*link)->next;
	*link = load->next;
	for (size_t i = 0; load->parts && i < load->plan.count; i++)
		pending_clear(&load->parts[i], load->table);
	free(load->parts);
	load_plan_release(&load->plan);
	free(load->id);
	free(load->signature);
	free(load);
}

void memory_forget(const char *store_name)
{
	struct memory_store **link, *store = NULL;
	struct memory_table *table;
	struct memory_checkpoint *checkpoint;

	pthread_mutex_lock(&stores.lock);
	for (link = &stores.first; *link; link = &(*link)->next) {
		if (strcmp((*link)->name, store_name))
			continue;
		store = *link;
		*link = store->next;
		break;
	}
	pthread_mutex_unlock(&stores.lock);
	if (!store)
		return;
	while (store->loads)
		load_drop(store, store->loads);
	while ((table = store->tables)) {
		store->tables = table->next;
		table_free(table);
	}
	exceptions_free(store->exceptions);
	free(store->refused_column);
	while ((checkpoint = store->checkpoints)) {
		store->checkpoints = checkpoint->next;
		free(checkpoint->id);
		free(checkpoint->origin);
		free(checkpoint);
	}
	pthread_mutex_destroy(&store->lock);
	free(store->name);
	free(store);
}

int store_call(struct memory_store *store, const char *slot, struct error *err)
{
	enum error_kind kind = ERROR_NONE;
	unsigned long call;

	pthread_mutex_lock(&store->lock);
	if (store->watch)
		store->watch(slot);
	call = ++store->calls;
	if (store->fail_at && store->calls == store->fail_at) {
		kind = store->fail_kind;
		store->fail_at = 0;
	}
	pthread_mutex_unlock(&store->lock);
	if (kind == ERROR_NONE)
		return 0;
	return error_set(err, kind, "call %lu, %s, was made to fail", call,
			 slot);
}

void memory_fail(const char *store_name, unsigned long call,
		 enum error_kind kind)
{
	struct memory_store *store = store_find(store_name);

	if (!store)
		return;
	pthread_mutex_lock(&store->lock);
	store->calls = 0;
	store->fail_at = call;
	store->fail_kind = kind;
	pthread_mutex_unlock(&store->lock);
}

void memory_watch(const char *store_name, void (*watch)(const char *slot))
{
	struct memory_store *store = store_find(store_name);

	if (!store)
		return;
	pthread_mutex_lock(&store->lock);
	store->watch = watch;
	pthread_mutex_unlock(&store->lock);
}

unsigned long memory_calls(const char *store_name)
{
	struct memory_store *store = store_find(store_name);
	unsigned long calls;

	if (!store)
		return 0;
	pthread_mutex_lock(&store->lock);
	calls = store->calls;
	pthread_mutex_unlock(&store->lock);
	return calls;
}

unsigned long memory_stored(const char *store_name)
{
	struct memory_store *store = store_find(store_name);
	unsigned long stored;

	if (!store)
		return 0;
	pthread_mutex_lock(&store->lock);
	stored = (unsigned long)store->stored;
	pthread_mutex_unlock(&store->lock);
	return stored;
}

unsigned long memory_stamped(const char *store_name)
{
	struct memory_store *store = store_find(store_name);
	unsigned long stamped;

	if (!store)
		return 0;
	pthread_mutex_lock(&store->lock);
	stamped = (unsigned long)store->stamped;
	pthread_mutex_unlock(&store->lock);
	return stamped;
}

size_t memory_mappings(const char *store_name, unsigned *times)
{
	struct memory_store *store = store_find(store_name);
	size_t count;

	*times = 0;
	if (!store)
		return 0;
	pthread_mutex_lock(&store->lock);
	count = store->mapping_count;
	*times = store->told;
	pthread_mutex_unlock(&store->lock);
	return count;
}

void memory_refuse(const char *store_name, const char *column, int64_t value)
{
	struct memory_store *store = store_find(store_name);

	if (!store)
		return;
	pthread_mutex_lock(&store->lock);
	free(store->refused_column);
	store->refused_column = column ? strdup(column) : NULL;
	store->refused_value = value;
	pthread_mutex_unlock(&store->lock);
}

void memory_purge_log(const char *store_name)
{
	struct memory_store *store = store_find(store_name);

	if (!store)
		return;
	pthread_mutex_lock(&store->lock);
	store->purged = store->commits;
	for (struct memory_table *t = store->tables; t; t = t->next)
		log_purge(t, store->purged);
	pthread_mutex_unlock(&store->lock);
}

int memory_create_table(const char *store_name, const struct table_name *name,
			const struct table *shape, struct error *err)
{
	struct memory_store *store = store_find(store_name);
	bool ok;

	if (!store)
		return error_memory(err, "a store");
	pthread_mutex_lock(&store->lock);
	ok = store_add_table(store, name, shape, err) != NULL;
	pthread_mutex_unlock(&store->lock);
	return ok ? 0 : -1;
}

static int change_rows(struct memory_store *store, struct memory_table *table,
		       const struct batch *batch, struct error *err)
{
	struct target_counts counts = {0};

	store->commits++;
	for (size_t i = 0; i < batch->rows; i++) {
		enum row_op op = batch_op(batch, i);
		struct memory_row *row = row_from_batch(table, batch, i);

		if (!row || store_log_change(store, table, op, row) < 0) {
			row_free(table, row);
			return error_memory(err, "a change");
		}
		table_apply(table, op, row, &counts);
	}
	return 0;
}

int memory_change(const char *store_name, const struct table_name *name,
		  const struct batch *batch, struct error *err)
{
	struct memory_store *store = store_find(store_name);
	struct memory_table *table;
	int ret;

	if (!store)
		return error_memory(err, "a store");
	pthread_mutex_lock(&store->lock);
	table = store_table(store, name);
	if (table)
		ret = change_rows(store, table, batch, err);
	else
		ret = error_set(err, ERROR_SCHEMA, "no such table");
	pthread_mutex_unlock(&store->lock);
	return ret;
}

static int by_key(const struct memory_row *a, const struct memory_row *b)
{
	size_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
	int order = memcmp(a->key, b->key, len);

	return order ? order
		     : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static int copy_rows(struct memory_table *table, struct batch *out,
		     struct error *err)
{
	HASH_SRT(hh, table->rows, by_key);
	for (struct memory_row *row = table->rows; row; row = row->hh.next) {
		if (batch_full(out) || !row_to_batch(table, row, false, out))
			return error_memory(err, "the rows");
		batch_add_row(out, ROW_UPSERT);
	}
	return 0;
}

int memory_rows(const char *store_name, const struct table_name *name,
		struct batch *out, struct error *err)
{
	struct memory_store *store = store_find(store_name);
	struct memory_table *table;
	int ret;

	if (!store)
		return error_memory(err, "a store");
	pthread_mutex_lock(&store->lock);
	table = store_table(store, name);
	if (table)
		ret = copy_rows(table, out, err);
	else
		ret = error_set(err, ERROR_SCHEMA, "no such table");
	pthread_mutex_unlock(&store->lock);
	return ret;
}
