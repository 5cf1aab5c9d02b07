#include "drivers/files/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "drivers/files/check.h"

/* Copies of a row: among the values of a row group, in a page that is made of
 * them, and compressed. */
#define HELD 3

/* What files take that have no row groups, and the least of those that have. */
#define OTHER_BYTES ((size_t)2 << 20)
#define LEAST_BYTES ((size_t)256 << 10)

/* ---------------------------------------------------------------- open, close */

/* What a row group may take, and files of other formats do. */
static size_t format_bytes(const struct files_server *server)
{
	const struct format_options *format = &server->settings.format;

	return format->format == format_find("parquet")
		       ? format->row_group_bytes
		       : OTHER_BYTES;
}

size_t files_fixed_bytes(const struct files_target *target)
{
	return target->store->buffer_bytes +
	       format_packing_bytes(&target->server->settings.format);
}

/* One file at a time; with partition_columns several, in the same memory. */
static void ask_for_room(struct files_target *target)
{
	size_t fixed = files_fixed_bytes(target);
	size_t files =
		target->server->settings.partition_columns ? LOAD_OPEN_MAX : 1;

	target->base.room_least = fixed ? fixed + LEAST_BYTES : 0;
	target->base.room_most = format_bytes(target->server) + files * fixed;
}

size_t files_group_bytes(const struct files_target *target, size_t files)
{
	size_t room =
		target->base.room ? target->base.room : target->base.room_most;
	size_t wanted = format_bytes(target->server);
	size_t fixed = files_fixed_bytes(target);

	room /= files;
	room = room > fixed + LEAST_BYTES ? room - fixed : LEAST_BYTES;
	return room < wanted ? room : wanted;
}

static int target_open(const struct target_spec *spec, struct target **out,
		       struct error *err)
{
	struct files_server *server = (struct files_server *)spec->server;
	struct files_target *target = calloc(1, sizeof(*target));

	if (!target)
		return error_memory(err, "a target");
	target->base.ops = &files_target_ops;
	target->base.held = HELD;
	target->base.gather_ms = server->settings.age_s * INT64_C(1000);
	target->server = server;
	target->layout.naming = server->settings.naming;
	target->layout.extension = server->settings.extension;
	target->layout.table = spec->name;
	target->mapping_id = spec->mapping_id;
	target->epoch = spec->epoch;
	target->installation = strdup(spec->installation);
	target->origin = strdup(spec->origin);
	table_init(&target->dest);
	table_state_init(&target->state);
	if (!target->installation || !target->origin)
		error_memory(err, "a target");
	else if (files_open_store(server, &spec->name, &target->store, err) ==
		 0) {
		ask_for_room(target);
		*out = &target->base;
		return 0;
	}
	free(target->installation);
	free(target->origin);
	free(target);
	return -1;
}

static int target_connect(struct target *dst, struct cancel *cancel,
			  struct error *err)
{
	files_target_of(dst)->store->cancel = cancel;
	return cancel_check_now(cancel, err);
}

/* `keep`: what was written may count by now. */
static void end(struct files_target *target, bool keep)
{
	if (target->doing == FILES_LOADING)
		files_load_release(target, keep);
	else if (target->doing == FILES_CHANGING)
		files_changes_release(target, keep);
	target->doing = FILES_NOTHING;
	target->shape = NULL;
}

static void target_rollback(struct target *dst)
{
	end(files_target_of(dst), false);
}

static void target_close(struct target *dst)
{
	struct files_target *target = files_target_of(dst);

	target_rollback(dst);
	files_merge_end(dst);
	files_prove_end(dst);
	table_release(&target->dest);
	table_state_release(&target->state);
	target->store->ops->close(target->store);
	free(target->installation);
	free(target->origin);
	free(target);
}

/* ----------------------------------------------------------------- definitions */

static int target_describe(struct target *dst, struct table *out,
			   struct error *err)
{
	struct files_target *target = files_target_of(dst);

	if (!target->created)
		return 0;
	return table_copy(out, &target->dest, &target->layout.table, err) < 0
		       ? -1
		       : 1;
}

static int target_create(struct target *dst, const struct table *shape,
			 struct error *err)
{
	struct files_target *target = files_target_of(dst);

	table_release(&target->dest);
	target->created = format_table(&target->server->settings.format, shape,
				       &target->dest, err) == 0;
	return target->created ? 0 : -1;
}

/* --------------------------------------------------------------- transactions */

/* A load beside the others is as good as one in their place. */
static int target_begin(struct target *dst, enum target_mode mode,
			const struct table *shape, struct error *err)
{
	struct files_target *target = files_target_of(dst);
	bool load = mode != TARGET_APPLY;

	if (files_check_owned(target, err) < 0)
		return -1;
	target->shape = shape;
	target->doing = load ? FILES_LOADING : FILES_CHANGING;
	return load ? files_load_begin(target, err)
		    : files_changes_begin(target, err);
}

static int target_write(struct target *dst, const struct batch *batch,
			struct error *err)
{
	struct files_target *target = files_target_of(dst);

	if (cancel_check_now(target->store->cancel, err) < 0)
		return -1;
	switch (target->doing) {
	case FILES_LOADING:
		return files_load_write(target, batch, err);
	case FILES_CHANGING:
		return files_changes_write(target, batch, err);
	case FILES_NOTHING:
		break;
	}
	return error_set(err, ERROR_INTERNAL, "begin() comes first");
}

/*
 * From the moment when the state is written nothing is known for sure until it
 * was read again: so what was written stays, and the next fence() sorts it out.
 */
static int write_state(struct files_target *target, struct table_state *next,
		       struct error *err)
{
	FAILPOINT(BEFORE_COMMIT);
	if (files_write_state(target, next, err) < 0) {
		end(target, true);
		return -1;
	}
	FAILPOINT(AFTER_COMMIT);
	target->published = false;
	return 0;
}

/* What the state says once the checkpoint is `to`; into an initialised one. */
static int make_next(const struct files_target *target,
		     const struct checkpoint *to, struct table_state *next,
		     struct error *err)
{
	if (table_state_copy(next, &target->state, err) < 0)
		return -1;
	if (!table_state_set(next, &next->origin, target->origin))
		return error_memory(err, "a table's state");
	/* All of it is visible by now. */
	next->pending_count = 0;
	next->latest = NULL;
	next->loaded = true;
	next->checkpoint = *to;
	return 0;
}

static int finish(struct files_target *target, const struct checkpoint *to,
		  struct table_state *next, struct target_counts *counts,
		  struct error *err)
{
	if (target->doing == FILES_LOADING) {
		if (files_load_end(target, to, next, err) < 0)
			return -1;
		counts->inserted = target->load.manifest.rows;
		return 0;
	}
	counts->inserted = target->changes.upserts;
	counts->deleted = target->changes.deletes;
	return files_changes_end(target, next, err);
}

static int target_commit(struct target *dst, const struct checkpoint *from,
			 const struct checkpoint *to,
			 struct target_counts *counts, struct error *err)
{
	struct files_target *target = files_target_of(dst);
	bool load = target->doing == FILES_LOADING;
	struct table_state next;
	int ret = -1;

	memset(counts, 0, sizeof(*counts));
	table_state_init(&next);
	if (files_check_from(target, from, err) == 0 &&
	    make_next(target, to, &next, err) == 0 &&
	    finish(target, to, &next, counts, err) == 0)
		ret = write_state(target, &next, err);
	table_state_release(&next);
	if (ret < 0)
		return -1;
	end(target, true);
	if (files_publish(target, err) < 0)
		return -1;
	FAILPOINT(AFTER_SWAP);
	if (load || target->store->untidy)
		files_remove_old(target);
	return 0;
}

static int target_advance(struct target *dst, const struct checkpoint *from,
			  const struct checkpoint *to, struct error *err)
{
	struct files_target *target = files_target_of(dst);
	struct table_state next;
	int ret = -1;

	table_state_init(&next);
	if (files_check_owned(target, err) == 0 &&
	    files_check_from(target, from, err) == 0 &&
	    make_next(target, to, &next, err) == 0)
		ret = write_state(target, &next, err);
	table_state_release(&next);
	if (ret == 0)
		target->published = true; /* there is nothing */
	return ret;
}

const struct target_ops files_target_ops = {
	.connections = 1,
	.open = target_open,
	.connect = target_connect,
	.release = target_rollback,
	.close = target_close,
	.describe = target_describe,
	.create = target_create,
	.fence = files_fence,
	.checkpoint = files_checkpoint,
	.begin = target_begin,
	.stamp = files_changes_stamp,
	.write = target_write,
	.commit = target_commit,
	.rollback = target_rollback,
	.advance = target_advance,
	.compact = files_merge,
	.compact_end = files_merge_end,
	.prove = files_prove,
	.prove_end = files_prove_end,
	.check = files_check_target,
};
