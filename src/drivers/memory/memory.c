/*
 * The driver over a store.
 *
 * A source copies what it is about to read under the store's lock, so that
 * what it returns is as of one moment. A target keeps what is written in a
 * list of its own and applies it at commit, under the lock, together with the
 * checkpoint. A position is the number of the last transaction, in eight
 * bytes, most significant first.
 */
#include "drivers/memory/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/connstr.h"
#include "base/text.h"
#include "base/strbuf.h"
#include "drivers/registry.h"

struct memory_server {
	struct server base;
	struct memory_store *store;
};

/* Rows that were taken out of a table, or wait to go into one. */
struct pending {
	struct pending *next;
	enum row_op op;
	struct memory_row *row;
};

struct pending_list {
	struct pending *first, **end;
};

static void pending_init(struct pending_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static bool pending_add(struct pending_list *list, enum row_op op,
			struct memory_row *row)
{
	struct pending *item = row ? calloc(1, sizeof(*item)) : NULL;

	if (!item)
		return false;
	item->op = op;
	item->row = row;
	*list->end = item;
	list->end = &item->next;
	return true;
}

/* The first row, now the caller's; NULL when there is none. */
static struct memory_row *pending_take(struct pending_list *list,
				       enum row_op *op)
{
	struct pending *item = list->first;
	struct memory_row *row;

	if (!item)
		return NULL;
	list->first = item->next;
	if (!list->first)
		list->end = &list->first;
	row = item->row;
	*op = item->op;
	free(item);
	return row;
}

static void pending_clear(struct pending_list *list,
			  const struct memory_table *table)
{
	struct memory_row *row;
	enum row_op op;

	while ((row = pending_take(list, &op)))
		row_free(table, row);
}

/* ------------------------------------------------------------------ server */

static int server_address(const char *connection_string, char *out, size_t size,
			  struct error *err)
{
	struct connstr cs;
	const char *name;

	if (connstr_parse(&cs, connection_string, err) < 0)
		return -1;
	name = connstr_get(&cs, "name");
	text_copy(out, size, name ? name : "");
	connstr_release(&cs);
	return 0;
}

static int server_new(const struct server_spec *spec, struct server **out,
		      struct error *err)
{
	struct memory_server *server = calloc(1, sizeof(*server));
	struct connstr cs;
	const char *name;

	if (!server)
		return error_memory(err, "a server");
	if (connstr_parse(&cs, spec->connection_string, err) < 0) {
		free(server);
		return -1;
	}
	name = connstr_get(&cs, "name");
	server->base.driver = &memory_driver;
	server->store = name ? store_find(name) : NULL;
	connstr_release(&cs);
	if (!server->store) {
		free(server);
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'name' is missing");
	}
	*out = &server->base;
	return 0;
}

static void server_free(struct server *server)
{
	free(server);
}

/* ------------------------------------------------------------------ source */

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
	struct memory_source *source = calloc(1, sizeof(*source));

	if (!source)
		return error_memory(err, "a source");
	source->base.ops = memory_driver.source;
	source->store = ((struct memory_server *)spec->server)->store;
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
	return store_call(source_of(src)->store, err);
}

static void source_end(struct source *src)
{
	struct memory_source *source = source_of(src);

	if (source->table)
		pending_clear(&source->rows, source->table);
	source->table = NULL;
}

static void source_close(struct source *src)
{
	source_end(src);
	free(src);
}

/* Count the call, lock the store and find the table; unlocks on -1. */
static int source_enter(struct memory_source *source,
			struct memory_table **table, struct error *err)
{
	char name[TABLE_NAME_TEXT_MAX];

	if (store_call(source->store, err) < 0)
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

	if (source_enter(source, &table, err) < 0)
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

	if (source_enter(source, &mine, err) < 0)
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

static int source_estimate(struct source *src, uint64_t *rows,
			   struct error *err)
{
	struct memory_source *source = source_of(src);
	struct memory_table *table;

	if (source_enter(source, &table, err) < 0)
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
			    struct error *err)
{
	struct memory_source *source = source_of(src);
	struct memory_table *table;
	struct memory_row *row;
	size_t col = 0;
	int ret;

	*rows = 0;
	if (source_enter(source, &table, err) < 0)
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
	if (source_enter(source, &table, err) < 0)
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

	if (source_enter(source, &table, err) < 0)
		return -1;
	position_from_number(out, source->store->commits);
	pthread_mutex_unlock(&source->store->lock);
	return 0;
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

static int source_read_begin(struct source *src, struct table *shape,
			     struct error *err)
{
	struct memory_source *source = source_of(src);
	struct memory_table *table;
	struct memory_row *row;
	int ret = 0;

	(void)shape;
	if (source_enter(source, &table, err) < 0)
		return -1;
	source->table = table;
	for (row = table->rows; ret == 0 && row; row = row->hh.next)
		if (!pending_add(&source->rows, ROW_UPSERT,
				 snapshot_row(source, table, row)))
			ret = error_memory(err, "a snapshot");
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
	if (source_enter(source, &table, err) < 0)
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
	window->complete_us = window->newest ? clock_utc_us() : 0;
	window->commit_us = clock_utc_us();
	window->has_rows = false;
	source->table = table;
	for (struct memory_change *c = table->first; ret == 0 && c;
	     c = c->next) {
		if (c->commit <= first || c->commit > last)
			continue;
		window->has_rows = true;
		window->commit_us = c->commit_us;
		if (!pending_add(&source->rows, c->op, row_copy(table, c->row)))
			ret = error_memory(err, "changes");
	}
	pthread_mutex_unlock(&source->store->lock);
	return ret < 0 ? -1 : last > first;
}

static int source_next(struct source *src, struct batch *batch,
		       struct error *err)
{
	struct memory_source *source = source_of(src);
	struct pending *item;

	if (store_call(source->store, err) < 0)
		return -1;
	while (!batch_full(batch) && (item = source->rows.first)) {
		struct memory_row *row;
		enum row_op op = item->op;

		if (!row_to_batch(source->table, item->row, op == ROW_DELETE,
				  batch))
			break;
		batch_add_row(batch, op);
		row = pending_take(&source->rows, &op);
		row_free(source->table, row);
	}
	if (!batch->rows && source->rows.first)
		return error_set(err, ERROR_MEMORY,
				 "a row is larger than a batch may be");
	return batch->rows > 0;
}

static int source_lookup(struct source *src, struct table *shape,
			 const struct batch *keys, struct batch *out,
			 struct error *err)
{
	struct memory_source *source = source_of(src);
	struct memory_row *key, *row;
	struct memory_table *table;
	int ret = 0;

	(void)shape;
	if (source_enter(source, &table, err) < 0)
		return -1;
	for (size_t i = 0; ret == 0 && i < keys->rows; i++) {
		key = row_from_batch(table, keys, i);
		if (!key) {
			ret = error_memory(err, "a lookup");
			break;
		}
		HASH_FIND(hh, table->rows, key->key, key->key_len, row);
		row_free(table, key);
		if (!row)
			continue;
		if (batch_full(out) || !row_to_batch(table, row, false, out))
			ret = error_memory(err, "a lookup");
		else
			batch_add_row(out, ROW_UPSERT);
	}
	pthread_mutex_unlock(&source->store->lock);
	return ret;
}

static const struct source_ops source_ops = {
	.connections = 1,
	.open = source_open,
	.connect = source_connect,
	.release = source_end,
	.close = source_close,
	.describe = source_describe,
	.check_key = source_check_key,
	.estimate = source_estimate,
	.triggered = source_triggered,
	.trigger_reset = source_trigger_reset,
	.position = source_position,
	.read_begin = source_read_begin,
	.changes_begin = source_changes_begin,
	.next = source_next,
	.lookup = source_lookup,
	.end = source_end,
};

/* ------------------------------------------------------------------ target */

struct memory_target {
	struct target base;
	struct memory_store *store;
	struct table_name name;
	char *id; /* of its checkpoint */
	char *origin;
	int64_t epoch;
	enum target_mode mode;
	struct memory_table *table; /* while begun */
	struct pending_list rows;
};

static struct memory_target *target_of(struct target *dst)
{
	return (struct memory_target *)dst;
}

static int target_open(const struct target_spec *spec, struct target **out,
		       struct error *err)
{
	struct memory_target *target = calloc(1, sizeof(*target));
	struct strbuf id;

	if (!target)
		return error_memory(err, "a target");
	strbuf_init(&id);
	strbuf_addf(&id, "%s/%d", spec->installation, spec->mapping_id);
	target->base.ops = memory_driver.target;
	target->store = ((struct memory_server *)spec->server)->store;
	target->name = spec->name;
	target->id = strbuf_detach(&id);
	target->origin = strdup(spec->origin);
	target->epoch = spec->epoch;
	pending_init(&target->rows);
	if (!target->id || !target->origin) {
		free(target->id);
		free(target->origin);
		free(target);
		return error_memory(err, "a target");
	}
	*out = &target->base;
	return 0;
}

static int target_connect(struct target *dst, struct cancel *cancel,
			  struct error *err)
{
	(void)cancel;
	return store_call(target_of(dst)->store, err);
}

static void target_rollback(struct target *dst)
{
	struct memory_target *target = target_of(dst);

	if (target->table)
		pending_clear(&target->rows, target->table);
	target->table = NULL;
}

static void target_close(struct target *dst)
{
	target_rollback(dst);
	free(target_of(dst)->id);
	free(target_of(dst)->origin);
	free(dst);
}

static int target_describe(struct target *dst, struct table *out,
			   struct error *err)
{
	struct memory_target *target = target_of(dst);
	struct memory_table *table;
	int ret = 0;

	if (store_call(target->store, err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	table = store_table(target->store, &target->name);
	if (table)
		ret = table_copy(out, &table->def, &target->name, err) < 0 ? -1
									   : 1;
	pthread_mutex_unlock(&target->store->lock);
	return ret;
}

static int target_create(struct target *dst, const struct table *shape,
			 struct error *err)
{
	struct memory_target *target = target_of(dst);
	int ret;

	if (store_call(target->store, err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	if (store_table(target->store, &target->name))
		ret = error_set(err, ERROR_SCHEMA,
				"there is a table of that name already");
	else
		ret = store_add_table(target->store, &target->name, shape, err)
			      ? 0
			      : -1;
	pthread_mutex_unlock(&target->store->lock);
	return ret;
}

static struct memory_checkpoint *find_checkpoint(struct memory_target *target)
{
	struct memory_checkpoint *checkpoint = target->store->checkpoints;

	while (checkpoint && strcmp(checkpoint->id, target->id))
		checkpoint = checkpoint->next;
	return checkpoint;
}

/* Inside the lock. */
static struct memory_checkpoint *add_checkpoint(struct memory_target *target)
{
	struct memory_checkpoint *row = calloc(1, sizeof(*row));

	if (!row)
		return NULL;
	row->id = strdup(target->id);
	row->origin = strdup("");
	if (!row->id || !row->origin) {
		free(row->id);
		free(row->origin);
		free(row);
		return NULL;
	}
	row->next = target->store->checkpoints;
	target->store->checkpoints = row;
	return row;
}

static int target_fence(struct target *dst, struct error *err)
{
	struct memory_target *target = target_of(dst);
	struct memory_checkpoint *row;
	int ret = 0;

	if (store_call(target->store, err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	row = find_checkpoint(target);
	if (!row)
		row = add_checkpoint(target);
	if (!row)
		ret = error_memory(err, "a checkpoint");
	else if (row->epoch > target->epoch)
		ret = error_set(err, ERROR_FENCED,
				"another daemon works on this mapping now");
	else
		row->epoch = target->epoch;
	pthread_mutex_unlock(&target->store->lock);
	return ret;
}

/* Inside the lock: our row, unless a later epoch has it. */
static struct memory_checkpoint *own_checkpoint(struct memory_target *target,
						struct error *err)
{
	struct memory_checkpoint *row = find_checkpoint(target);

	if (row && row->epoch == target->epoch)
		return row;
	error_set(err, ERROR_CONFLICT, "the checkpoint moved");
	return NULL;
}

static int target_checkpoint(struct target *dst, struct checkpoint *out,
			     struct error *err)
{
	struct memory_target *target = target_of(dst);
	struct memory_checkpoint *found;

	if (store_call(target->store, err) < 0)
		return -1;
	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&target->store->lock);
	found = find_checkpoint(target);
	if (found && strcmp(found->origin, target->origin))
		found = NULL;
	if (found)
		*out = found->value;
	pthread_mutex_unlock(&target->store->lock);
	return found != NULL;
}

static int target_begin(struct target *dst, enum target_mode mode,
			const struct table *shape, struct error *err)
{
	struct memory_target *target = target_of(dst);
	struct memory_checkpoint *row;

	(void)shape;
	if (store_call(target->store, err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	row = own_checkpoint(target, err);
	target->table = row ? store_table(target->store, &target->name) : NULL;
	if (target->table && mode == TARGET_REFILL) {
		table_clear(target->table);
		row->origin[0] = '\0';
	}
	pthread_mutex_unlock(&target->store->lock);
	target->mode = mode;
	if (!row)
		return -1;
	if (!target->table)
		return error_set(err, ERROR_SCHEMA, "no such table");
	return 0;
}

static int target_write(struct target *dst, const struct batch *batch,
			struct error *err)
{
	struct memory_target *target = target_of(dst);

	if (store_call(target->store, err) < 0)
		return -1;
	for (size_t i = 0; i < batch->rows; i++)
		if (!pending_add(&target->rows, batch_op(batch, i),
				 row_from_batch(target->table, batch, i)))
			return error_memory(err, "rows");
	return 0;
}

static int save_checkpoint(struct memory_target *target,
			   const struct checkpoint *from,
			   const struct checkpoint *to, struct error *err)
{
	struct memory_checkpoint *row = own_checkpoint(target, err);
	char *origin;

	if (!row)
		return -1;
	if (from && (strcmp(row->origin, target->origin) ||
		     !position_equal(&row->value.position, &from->position)))
		return error_set(err, ERROR_CONFLICT, "the checkpoint moved");
	origin = strdup(target->origin);
	if (!origin)
		return error_memory(err, "a checkpoint");
	free(row->origin);
	row->origin = origin;
	row->value = *to;
	return 0;
}

static int target_commit(struct target *dst, const struct checkpoint *from,
			 const struct checkpoint *to,
			 struct target_counts *counts, struct error *err)
{
	struct memory_target *target = target_of(dst);
	struct memory_row *row;
	enum row_op op;
	int ret;

	memset(counts, 0, sizeof(*counts));
	if (store_call(target->store, err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	ret = save_checkpoint(target, from, to, err);
	if (ret == 0 && target->mode == TARGET_REPLACE)
		table_clear(target->table);
	while (ret == 0 && (row = pending_take(&target->rows, &op)))
		if (table_apply(target->table, op, row, counts) < 0)
			ret = error_memory(err, "a row");
	pthread_mutex_unlock(&target->store->lock);
	if (ret == 0)
		target->table = NULL;
	return ret;
}

static int target_advance(struct target *dst, const struct checkpoint *from,
			  const struct checkpoint *to, struct error *err)
{
	struct memory_target *target = target_of(dst);
	int ret;

	if (store_call(target->store, err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	ret = save_checkpoint(target, from, to, err);
	pthread_mutex_unlock(&target->store->lock);
	return ret;
}

static const struct target_ops target_ops = {
	.connections = 1,
	.open = target_open,
	.connect = target_connect,
	.release = target_rollback,
	.close = target_close,
	.describe = target_describe,
	.create = target_create,
	.fence = target_fence,
	.checkpoint = target_checkpoint,
	.begin = target_begin,
	.write = target_write,
	.commit = target_commit,
	.rollback = target_rollback,
	.advance = target_advance,
};

static const char *const change_sources[] = {"cdc", NULL};

const struct driver memory_driver = {
	.name = "memory",
	.abilities = SOURCE_SNAPSHOTS | TARGET_TRANSACTIONS,
	.change_sources = change_sources,
	.address = server_address,
	.server_new = server_new,
	.server_free = server_free,
	.source = &source_ops,
	.target = &target_ops,
};
