/*
 * Windows of changes, one behind the other in one file, or in several: a file is
 * ended when it is large enough, when the next window belongs into the folder of
 * another day or hour, and, where a file must have its name before it is all
 * written, with the window during which it got that. So its name tells at any
 * time what is in it: all changes after `from` up to `to`, of which it may be one
 * of several files.
 *
 * Files are numbered, and no number comes twice: should positions come again,
 * as they do on a server that was restored, the names are others all the same.
 */
#include "drivers/files/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"

static int make_key(void *arg, struct strbuf *key, struct error *err)
{
	struct files_target *target = arg;
	struct files_changes *changes = &target->changes;
	struct store *store = target->store;
	struct layout_changes what = {
		.from = &changes->from,
		.to = &changes->to,
		.times = changes->times.data,
	};
	int rc;

	/* What is there already, because a state was lost, stays as it is. */
	do {
		what.number = changes->next_file++;
		strbuf_reset(key);
		layout_changes(key, &target->layout, &what, clock_utc_us());
		rc = strbuf_check(key, err);
		if (rc == 0)
			rc = store->ops->find(store, key->data, NULL, err);
	} while (rc > 0);
	return rc;
}

static int open_file(struct files_target *target, struct error *err)
{
	struct files_changes *changes = &target->changes;
	struct format_pair pairs[] = {
		{"dataflow.source", target->origin},
		{"dataflow.load",
		 target->state.load_count
			 ? target->state.loads[target->state.load_count - 1].run
			 : ""},
	};
	struct format_options format = target->server->settings.format;
	struct outfile_spec spec = {
		.format = &format,
		.table = &changes->view.table,
		.pairs = pairs,
		.pair_count = sizeof(pairs) / sizeof(*pairs),
		.make_key = make_key,
		.arg = target,
	};

	format.row_group_bytes = files_group_bytes(target, 1);
	changes->from = changes->before;
	strbuf_reset(&changes->times);
	layout_times(&changes->times, target->server->settings.times,
		     changes->view.commit_us);
	if (strbuf_check(&changes->times, err) < 0)
		return -1;
	return outfile_open(&changes->file, target->store, &spec, err);
}

static int add_done(struct files_changes *changes,
		    const struct outfile_done *done, struct error *err)
{
	struct outfile_done *grown = realloc(
		changes->done, (changes->done_count + 1) * sizeof(*grown));

	if (!grown)
		return error_memory(err, "a list of files");
	changes->done = grown;
	grown[changes->done_count++] = *done;
	return 0;
}

static int close_file(struct files_target *target, struct error *err)
{
	struct files_changes *changes = &target->changes;
	struct outfile *file = changes->file;
	struct outfile_done done;

	if (!file)
		return 0;
	changes->file = NULL;
	if (outfile_close(file, &done, err) < 0)
		return -1;
	if (add_done(changes, &done, err) == 0)
		return 0;
	outfile_done_release(&done);
	return -1;
}

/* An integer that has more room than it had is one all the same. */
static bool is_wider(const char *was, const char *is)
{
	static const char *const integers[] = {"uint8", "int16", "int32",
					       "int64"};
	int from = -1, to = -1;

	for (int i = 0; i < 4; i++) {
		if (!strcmp(was, integers[i]))
			from = i;
		if (!strcmp(is, integers[i]))
			to = i;
	}
	return from >= 0 && to > from;
}

/* Readers put all files together by the names of columns: so of each all of
 * them have one type. */
static int check_types(const struct files_target *target, struct error *err)
{
	const struct table *shape = target->shape;

	for (size_t i = 0; i < shape->column_count; i++) {
		const struct column *column = &shape->columns[i];
		const char *is = row_type_name(column->type);
		const char *was =
			table_state_type(&target->state, column->name);

		if (was && strcmp(was, is) != 0 && !is_wider(was, is))
			return error_set(
				err, ERROR_SCHEMA,
				"column '%s' is %s now, and in the files of "
				"'%s' it is %s, which no reader puts together; "
				"request a FULL_SYNC, after which all of them "
				"have the new type",
				column->name, is,
				target->store->ops->name(target->store), was);
	}
	return 0;
}

int files_add_columns(const struct files_target *target,
		      struct table_state *next, struct error *err)
{
	const struct table *shape = target->shape;

	for (size_t i = 0; i < shape->column_count; i++) {
		const struct column *column = &shape->columns[i];

		if (!table_state_type(next, column->name) &&
		    !table_state_add_column(next, column->name,
					    row_type_name(column->type)))
			return error_memory(err, "a table's state");
	}
	return 0;
}

int files_changes_begin(struct files_target *target, struct error *err)
{
	struct files_changes *changes = &target->changes;

	memset(changes, 0, sizeof(*changes));
	strbuf_init(&changes->times);
	changes->seq = target->state.seq;
	changes->next_file = (uint64_t)target->state.next_file;
	changes->to = target->state.checkpoint.position;
	if (check_types(target, err) < 0)
		return -1;
	return change_view_init(&changes->view, target->shape, err);
}

/* Would the next window's rows have to be in another file? */
static bool has_to_end(const struct files_target *target,
		       const struct strbuf *times)
{
	const struct files_changes *changes = &target->changes;

	return outfile_has_key(changes->file) ||
	       strcmp(changes->times.data, times->data) != 0;
}

int files_changes_stamp(struct target *dst, const struct position *to,
			int64_t commit_us, struct error *err)
{
	struct files_target *target = files_target_of(dst);
	struct files_changes *changes = &target->changes;
	struct strbuf times;
	int ret;

	if (!commit_us)
		commit_us = clock_utc_us();
	strbuf_init(&times);
	layout_times(&times, target->server->settings.times, commit_us);
	ret = strbuf_check(&times, err);
	if (ret == 0 && changes->file && has_to_end(target, &times))
		ret = close_file(target, err);
	strbuf_release(&times);
	if (ret < 0 ||
	    change_view_stamp(&changes->view, to, commit_us, err) < 0)
		return -1;
	changes->before = changes->to;
	changes->to = *to;
	changes->stamped = true;
	return 0;
}

static void count(struct files_changes *changes, const struct batch *batch)
{
	for (size_t row = 0; row < batch->rows; row++) {
		if (batch_op(batch, row) == ROW_DELETE)
			changes->deletes++;
		else
			changes->upserts++;
	}
}

int files_changes_write(struct files_target *target, const struct batch *batch,
			struct error *err)
{
	struct files_changes *changes = &target->changes;
	const struct batch *rows;

	if (!changes->stamped)
		return error_set(err, ERROR_INTERNAL, "stamp() comes first");
	if ((!changes->file && open_file(target, err) < 0) ||
	    change_view_take(&changes->view, batch, &changes->seq, &rows, err) <
		    0 ||
	    outfile_write(changes->file, rows, err) < 0)
		return -1;
	count(changes, batch);
	if (outfile_size(changes->file) < target->server->settings.file_bytes)
		return 0;
	return close_file(target, err);
}

/* Are they like those before them? */
static int set_look(const struct files_target *target, struct table_state *next,
		    struct error *err)
{
	char look[FILES_LOOK_MAX];

	if (!target->changes.done_count)
		return 0;
	if (files_look(target, &target->changes.view.table, look, err) < 0)
		return -1;
	if (!strcmp(next->look, look))
		return 0;
	next->look_file = target->state.next_file;
	return table_state_set(next, &next->look, look)
		       ? 0
		       : error_memory(err, "a table's state");
}

int files_changes_end(struct files_target *target, struct table_state *next,
		      struct error *err)
{
	struct files_changes *changes = &target->changes;

	if (close_file(target, err) < 0 || set_look(target, next, err) < 0 ||
	    (changes->done_count && files_add_columns(target, next, err) < 0))
		return -1;
	FAILPOINT(WINDOW_STAGED);
	for (size_t i = 0; i < changes->done_count; i++)
		if (!table_state_add_pending(next, changes->done[i].key,
					     changes->done[i].token))
			return error_memory(err, "a table's state");
	next->seq = changes->seq;
	next->next_file = (int64_t)changes->next_file;
	return 0;
}

void files_changes_release(struct files_target *target, bool keep)
{
	struct files_changes *changes = &target->changes;
	struct store *store = target->store;

	outfile_discard(changes->file);
	for (size_t i = 0; i < changes->done_count; i++) {
		struct outfile_done *done = &changes->done[i];

		if (!keep)
			store->ops->discard_prepared(store, done->key,
						     done->token);
		outfile_done_release(done);
	}
	free(changes->done);
	change_view_release(&changes->view);
	strbuf_release(&changes->times);
	memset(changes, 0, sizeof(*changes));
}
