/*
 * A target keeps what is written in a list of its own and applies it at
 * commit, under the store's lock, together with the checkpoint.
 */
#include "drivers/memory/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "drivers/memory/exceptions.h"
#include "drivers/memory/pending.h"

struct memory_target {
	struct target base;
	struct memory_store *store;
	struct table_name name;
	char *id; /* of its checkpoint */
	char *origin;
	int64_t epoch;
	enum target_mode mode;
	struct memory_table *table; /* while begun */
	struct memory_load *load;   /* while a load in parts is */
	struct pending_list rows;
	struct isolation *how;	     /* NULL: every row has to go in */
	struct pending_list refused; /* of those, the ones left out */
};

static struct memory_target *target_of(struct target *dst)
{
	return (struct memory_target *)dst;
}

static int target_open(const struct target_spec *spec, struct target **out,
		       struct error *err)
{
	struct memory_store *store =
		((struct memory_server *)spec->server)->store;
	struct memory_target *target;
	struct strbuf id;

	if (store_call(store, "target.open", err) < 0)
		return -1;
	target = calloc(1, sizeof(*target));
	if (!target)
		return error_memory(err, "a target");
	strbuf_init(&id);
	strbuf_addf(&id, "%s/%d", spec->installation, spec->mapping_id);
	target->base.ops = &memory_target_ops;
	target->base.gather_ms =
		((struct memory_server *)spec->server)->gather_ms;
	target->store = store;
	target->name = spec->name;
	target->id = strbuf_detach(&id);
	target->origin = target_origin(spec);
	target->epoch = spec->epoch;
	pending_init(&target->rows);
	pending_init(&target->refused);
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
	return store_call(target_of(dst)->store, "target.connect", err);
}

static void target_rollback(struct target *dst)
{
	struct memory_target *target = target_of(dst);

	if (target->table) {
		pending_clear(&target->rows, target->table);
		pending_clear(&target->refused, target->table);
	}
	target->how = NULL;
	target->table = NULL;
	target->load = NULL;
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

	if (store_call(target->store, "target.describe", err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	table = store_table(target->store, &target->name);
	if (table)
		ret = table_copy(out, &table->def, &target->name, err) < 0 ? -1
									   : 1;
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

	if (store_call(target->store, "target.fence", err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	row = find_checkpoint(target);
	if (!row)
		row = add_checkpoint(target);
	if (!row)
		ret = error_memory(err, "a checkpoint");
	else if (row->epoch <= target->epoch)
		row->epoch = target->epoch;
	else
		ret = error_set(err, ERROR_FENCED,
				"another daemon works on this mapping now");
	if (row)
		target->base.later_epoch = row->epoch;
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

/* What the checkpoint tells is of an earlier table. */
static int target_create(struct target *dst, const struct table *shape,
			 struct error *err)
{
	struct memory_target *target = target_of(dst);
	struct memory_table *made = NULL;
	struct memory_checkpoint *row;

	if (store_call(target->store, "target.create", err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	row = own_checkpoint(target, err);
	if (row && store_table(target->store, &target->name))
		error_set(err, ERROR_SCHEMA,
			  "there is a table of that name already");
	else if (row)
		made = store_add_table(target->store, &target->name, shape,
				       err);
	if (made)
		row->loaded = false;
	for (size_t i = 0; made && i < made->def.column_count; i++)
		made->def.columns[i].sorting = NULL;
	pthread_mutex_unlock(&target->store->lock);
	return made ? 0 : -1;
}

static int target_checkpoint(struct target *dst, struct checkpoint *out,
			     struct error *err)
{
	struct memory_target *target = target_of(dst);
	struct memory_checkpoint *found;

	if (store_call(target->store, "target.checkpoint", err) < 0)
		return -1;
	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&target->store->lock);
	found = find_checkpoint(target);
	if (found && (!found->loaded || strcmp(found->origin, target->origin)))
		found = NULL;
	if (found)
		*out = found->value;
	pthread_mutex_unlock(&target->store->lock);
	return found != NULL;
}

static int begin(struct memory_target *target, const char *slot,
		 enum target_mode mode, struct error *err)
{
	struct memory_checkpoint *row;

	if (store_call(target->store, slot, err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	row = own_checkpoint(target, err);
	target->table = row ? store_table(target->store, &target->name) : NULL;
	if (target->table && mode == TARGET_REFILL) {
		table_clear(target->table);
		row->loaded = false;
	}
	pthread_mutex_unlock(&target->store->lock);
	target->mode = mode;
	if (!row)
		return -1;
	if (!target->table)
		return error_set(err, ERROR_SCHEMA, "no such table");
	return 0;
}

/* ------------------------------------------------------------ loads in parts */

/* Inside the lock, as the next ones. */
static struct memory_load *find_load(const struct memory_target *target)
{
	struct memory_load *load = target->store->loads;

	while (load && strcmp(load->id, target->id))
		load = load->next;
	return load;
}

static struct memory_load *add_load(struct memory_target *target,
				    const struct load_plan *plan,
				    const char *signature, struct error *err)
{
	struct memory_load *load = calloc(1, sizeof(*load));

	if (!load) {
		error_memory(err, "a load");
		return NULL;
	}
	load->table = target->table;
	load->next = target->store->loads;
	target->store->loads = load;
	load->id = strdup(target->id);
	load->signature = strdup(signature);
	load->parts = calloc(plan->count + 1, sizeof(*load->parts));
	if (!load->id || !load->signature || !load->parts ||
	    load_plan_copy(&load->plan, plan, err) < 0) {
		load_drop(target->store, load);
		error_memory(err, "a load");
		return NULL;
	}
	for (size_t i = 0; i < plan->count; i++)
		pending_init(&load->parts[i]);
	return load;
}

/* 1: the old load goes on; 0: a new one; -1. */
static int choose_load(struct memory_target *target, struct load_plan *plan,
		       const char *signature, bool fresh, struct error *err)
{
	struct memory_load *load = find_load(target);
	struct load_plan found;

	if (load && (fresh || strcmp(load->signature, signature) ||
		     load->table != target->table)) {
		load_drop(target->store, load);
		load = NULL;
	}
	if (!load) {
		target->load = add_load(target, plan, signature, err);
		return target->load ? 0 : -1;
	}
	if (load_plan_copy(&found, &load->plan, err) < 0)
		return -1;
	load_plan_release(plan);
	*plan = found;
	target->load = load;
	return 1;
}

static int target_begin(struct target *dst, enum target_mode mode,
			const struct table *shape, struct error *err)
{
	struct memory_target *target = target_of(dst);
	struct memory_load *load;

	(void)shape;
	if (begin(target, "target.begin", mode, err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	load = mode == TARGET_REPLACE ? find_load(target) : NULL;
	if (load)
		load_drop(target->store, load);
	pthread_mutex_unlock(&target->store->lock);
	return 0;
}

static int target_plan_begin(struct target *dst, const struct table *shape,
			     struct load_plan *plan, bool fresh,
			     struct error *err)
{
	struct memory_target *target = target_of(dst);
	struct strbuf signature;
	int ret = -1;

	if (begin(target, "target.plan_begin", TARGET_REPLACE, err) < 0)
		return -1;
	strbuf_init(&signature);
	load_plan_sign(plan, target->origin, shape, &signature);
	if (strbuf_check(&signature, err) == 0) {
		pthread_mutex_lock(&target->store->lock);
		ret = choose_load(target, plan, signature.data, fresh, err);
		pthread_mutex_unlock(&target->store->lock);
	}
	strbuf_release(&signature);
	return ret;
}

static int target_part_begin(struct target *dst, const struct table *shape,
			     size_t part, struct error *err)
{
	struct memory_target *target = target_of(dst);

	(void)shape;
	if (begin(target, "target.part_begin", TARGET_REPLACE, err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	target->load = find_load(target);
	pthread_mutex_unlock(&target->store->lock);
	if (!target->load || part >= target->load->plan.count)
		return error_set(err, ERROR_INTERNAL, "no such load");
	return 0;
}

static void keep_part(struct memory_target *target, size_t part)
{
	struct load_part *done = &target->load->plan.parts[part];
	struct pending_list *rows = &target->load->parts[part];

	*rows = target->rows;
	if (!rows->first)
		rows->end = &rows->first;
	pending_init(&target->rows);
	for (struct pending *p = rows->first; p; p = p->next)
		done->rows++;
	done->done = true;
	target->table = NULL;
	target->load = NULL;
}

/* A load that is gone was dropped by a later epoch, which has the row too. */
static int target_part_end(struct target *dst, size_t part, struct error *err)
{
	struct memory_target *target = target_of(dst);
	int ret = -1;

	if (store_call(target->store, "target.part_end", err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	if (own_checkpoint(target, err)) {
		keep_part(target, part);
		ret = 0;
	}
	pthread_mutex_unlock(&target->store->lock);
	return ret;
}

/* Inside the lock: the rows of all parts become those of this target. */
static int collect_parts(struct memory_target *target, struct error *err)
{
	struct memory_load *load = target->load;

	for (size_t i = 0; i < load->plan.count; i++)
		if (!load->plan.parts[i].done)
			return error_set(err, ERROR_CONFLICT,
					 "part %zu of the load is missing", i);
	for (size_t i = 0; i < load->plan.count; i++) {
		struct pending_list *rows = &load->parts[i];

		if (!rows->first)
			continue;
		*target->rows.end = rows->first;
		target->rows.end = rows->end;
		pending_init(rows);
	}
	load_drop(target->store, load);
	target->load = NULL;
	return 0;
}

/* ----------------------------------------------------------- rows, commits */

static int target_stamp(struct target *dst, const struct position *to,
			int64_t commit_us, struct error *err)
{
	struct memory_store *store = target_of(dst)->store;

	(void)commit_us;
	if (store_call(store, "target.stamp", err) < 0)
		return -1;
	pthread_mutex_lock(&store->lock);
	store->stamped = 0;
	for (size_t i = 0; i < to->len; i++)
		store->stamped = store->stamped << 8 | to->bytes[i];
	pthread_mutex_unlock(&store->lock);
	return 0;
}

static int target_write(struct target *dst, const struct batch *batch,
			struct error *err)
{
	struct memory_target *target = target_of(dst);

	if (store_call(target->store, "target.write", err) < 0)
		return -1;
	for (size_t i = 0; i < batch->rows; i++)
		if (!pending_add(&target->rows, target->table,
				 batch_op(batch, i),
				 row_from_batch(target->table, batch, i)))
			return error_memory(err, "rows");
	return 0;
}

/*
 * Inside the lock: whether the checkpoint may move, as from there on it cannot
 * fail any more.
 */
static int check_checkpoint(struct memory_target *target,
			    const struct checkpoint *from,
			    struct memory_checkpoint **out, struct error *err)
{
	struct memory_checkpoint *row = own_checkpoint(target, err);
	char *origin;

	*out = row;
	if (!row)
		return -1;
	if (from && (!row->loaded || strcmp(row->origin, target->origin) ||
		     !position_equal(&row->value.position, &from->position)))
		return error_set(err, ERROR_CONFLICT, "the checkpoint moved");
	if (!strcmp(row->origin, target->origin))
		return 0;
	origin = strdup(target->origin);
	if (!origin)
		return error_memory(err, "a checkpoint");
	free(row->origin);
	row->origin = origin;
	row->loaded = false;
	return 0;
}

static void move_checkpoint(struct memory_checkpoint *row,
			    const struct checkpoint *to)
{
	row->value = *to;
	row->loaded = true;
}

/* ------------------------------------------------------------ refused rows */

static bool is_refused(const struct memory_target *target,
		       const struct pending *item)
{
	return item->op == ROW_UPSERT &&
	       store_refuses(target->store, target->table, item->row);
}

/*
 * Inside the lock: does a later change of the row tell all of it, or, when this
 * one is refused, is it refused as well? It is the one that counts then.
 */
static bool is_superseded(const struct memory_target *target,
			  const struct pending *item, bool refused)
{
	for (const struct pending *p = item->next; p; p = p->next)
		if (p->row->key_len == item->row->key_len &&
		    !memcmp(p->row->key, item->row->key, item->row->key_len) &&
		    (!row_is_partial(target->table, p->row) ||
		     (refused && is_refused(target, p))))
			return true;
	return false;
}

/* Inside the lock: take what is refused out of the rows. */
static int sift(struct memory_target *target, struct error *err)
{
	struct pending_list kept;
	struct isolation *how = target->how;
	int ret = 0;

	pending_init(&kept);
	while (target->rows.first) {
		bool refused = is_refused(target, target->rows.first);
		bool superseded =
			how &&
			is_superseded(target, target->rows.first, refused);
		struct pending_list *to = &kept;
		enum row_op op;
		struct memory_row *row = pending_take(&target->rows, &op);

		if (superseded) {
			row_free(target->table, row);
			continue;
		}
		if (refused) {
			to = &target->refused;
			if (!how || ++how->count > how->limit)
				ret = error_set(err, ERROR_DATA,
						how ? "too many rows are "
						      "refused"
						    : "a row is refused");
		}
		if (!pending_add(to, target->table, op, row))
			ret = error_memory(err, "a row");
	}
	target->rows = kept;
	if (!kept.first)
		pending_init(&target->rows);
	return ret;
}

/*
 * Inside the lock: whose keys come now, with all of the row, are over, and so
 * are those that are refused anew and kept.
 */
static int settle(struct memory_target *target, struct target_counts *counts,
		  struct error *err)
{
	bool keep = target->how && target->how->keep;
	const struct pending *lists[] = {target->rows.first,
					 keep ? target->refused.first : NULL};
	struct strbuf key;
	int ret = 0;

	if (target->mode == TARGET_REPLACE || target->mode == TARGET_REFILL)
		counts->settled =
			exceptions_settle(target->store, target->id, NULL);
	strbuf_init(&key);
	for (size_t i = 0; i < 2; i++) {
		for (const struct pending *p = lists[i];
		     p && ret == 0 && target->store->exceptions; p = p->next) {
			if (i == 0 && row_is_partial(target->table, p->row))
				continue;
			strbuf_reset(&key);
			ret = row_key_text(&key, target->table, p->row, err);
			if (ret == 0)
				counts->settled += exceptions_settle(
					target->store, target->id, key.data);
		}
	}
	strbuf_release(&key);
	return ret;
}

/* Inside the lock: an exception for each row that was refused. */
static int describe_refused(struct memory_target *target,
			    const struct position *to,
			    struct memory_exception **out, struct error *err)
{
	char position[POSITION_TEXT_MAX];
	struct strbuf key;
	int ret = 0;

	position_format(position, to);
	strbuf_init(&key);
	for (const struct pending *p = target->refused.first; p && ret == 0;
	     p = p->next) {
		struct target_exception row = {
			.op = p->op,
			.position = position,
			.reason = "a check refuses the row",
			.number = 547,
			.created_us = clock_utc_us(),
		};

		strbuf_reset(&key);
		ret = row_key_text(&key, target->table, p->row, err);
		row.key = key.data;
		if (ret == 0)
			*out = exception_new(target->store, target->id,
					     target->how->keep, &row, err);
		if (ret == 0 && !*out)
			ret = -1;
		if (ret == 0)
			out = &(*out)->next;
	}
	strbuf_release(&key);
	return ret;
}

/*
 * After the commit; the callback must not find the store locked. Those that
 * are kept stay where they are until another commit of ours.
 */
static void tell_refused(struct memory_target *target,
			 const struct memory_exception *refused)
{
	struct isolation *how = target->how;
	const struct memory_exception *one = refused;

	for (uint64_t i = 0; one && i < how->count; i++, one = one->next)
		how->refused(how->context, &one->row);
}

static int target_begin_isolated(struct target *dst, const struct table *shape,
				 struct isolation *how, struct error *err)
{
	(void)shape;
	if (begin(target_of(dst), "target.begin_isolated", TARGET_APPLY, err) <
	    0)
		return -1;
	target_of(dst)->how = how;
	how->count = 0;
	return 0;
}

static int target_exceptions(struct target *dst,
			     void (*tell)(void *context,
					  const struct target_exception *row),
			     void *context, struct error *err)
{
	struct memory_target *target = target_of(dst);

	if (store_call(target->store, "target.exceptions", err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	for (struct memory_exception *e = target->store->exceptions; e;
	     e = e->next)
		if (!strcmp(e->id, target->id))
			tell(context, &e->row);
	pthread_mutex_unlock(&target->store->lock);
	return 0;
}

/* Inside the lock: everything that can fail comes first. */
static int commit(struct memory_target *target, const struct checkpoint *from,
		  const struct checkpoint *to, struct target_counts *counts,
		  struct memory_exception **refused, struct error *err)
{
	struct memory_store *store = target->store;
	struct memory_checkpoint *row;
	int ret = -1;

	if ((target->load && collect_parts(target, err) < 0) ||
	    sift(target, err) < 0 ||
	    check_checkpoint(target, from, &row, err) < 0 ||
	    settle(target, counts, err) < 0 ||
	    describe_refused(target, &to->position, refused, err) < 0)
		goto done;
	ret = table_apply_all(target->table, &target->rows,
			      target->mode == TARGET_REPLACE, counts);
	if (ret < 0)
		error_memory(err, "a row");
done:
	exceptions_end(store, ret == 0);
	if (ret < 0)
		return -1;
	move_checkpoint(row, to);
	if (target->how && target->how->keep)
		exceptions_add(store, *refused);
	return 0;
}

static int target_commit(struct target *dst, const struct checkpoint *from,
			 const struct checkpoint *to,
			 struct target_counts *counts, struct error *err)
{
	struct memory_target *target = target_of(dst);
	struct memory_exception *refused = NULL;
	int ret;

	memset(counts, 0, sizeof(*counts));
	if (store_call(target->store, "target.commit", err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	ret = commit(target, from, to, counts, &refused, err);
	pthread_mutex_unlock(&target->store->lock);
	if (ret == 0)
		tell_refused(target, refused);
	if (ret < 0 || !target->how || !target->how->keep)
		exceptions_free(refused);
	if (ret == 0)
		target_rollback(dst); /* there is nothing left to write */
	return ret;
}

static int target_advance(struct target *dst, const struct checkpoint *from,
			  const struct checkpoint *to, struct error *err)
{
	struct memory_target *target = target_of(dst);
	struct memory_checkpoint *row;
	int ret;

	if (store_call(target->store, "target.advance", err) < 0)
		return -1;
	pthread_mutex_lock(&target->store->lock);
	ret = check_checkpoint(target, from, &row, err);
	if (ret == 0)
		move_checkpoint(row, to);
	pthread_mutex_unlock(&target->store->lock);
	return ret;
}

static int target_check(struct target *dst, const struct target_check *what,
			struct findings *out, struct error *err)
{
	if (store_call(target_of(dst)->store, "target.check", err) < 0)
		return -1;
	if (what->source)
		finding_add(out, FINDING_OK, "rights",
			    "the table can be written");
	return 0;
}

const struct target_ops memory_target_ops = {
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
	.stamp = target_stamp,
	.write = target_write,
	.commit = target_commit,
	.rollback = target_rollback,
	.plan_begin = target_plan_begin,
	.part_begin = target_part_begin,
	.part_end = target_part_end,
	.begin_isolated = target_begin_isolated,
	.exceptions = target_exceptions,
	.advance = target_advance,
	.check = target_check,
};
