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

#include <stdio.h>
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

/* So has a decimal, if its point stays where it is. */
static bool has_more_digits(const char *was, const char *is)
{
	int digits, scale, digits_now, scale_now;

	return sscanf(was, "decimal(%2d,%2d)", &digits, &scale) == 2 &&
	       sscanf(is, "decimal(%2d,%2d)", &digits_now, &scale_now) == 2 &&
	       scale == scale_now && digits <= digits_now;
}

/* Is it the same type, of which `bare` tells nothing else? Then that is not known,
 * or of no importance in the files' format. */
static bool is_bare(const char *bare, const char *type)
{
	size_t len = strlen(bare);

	return !strncmp(bare, type, len) && strchr(" (", type[len]);
}

static bool goes_with(const char *was, const char *is)
{
	return is_bare(was, is) || is_bare(is, was) || is_wider(was, is) ||
	       has_more_digits(was, is);
}

static int check_type(const struct files_target *target,
		      const struct column *column, struct strbuf *is,
		      struct error *err)
{
	const struct state_column *known =
		table_state_column(&target->state, column->name);

	strbuf_reset(is);
	if (format_type(&target->server->settings.format, column, is, err) < 0)
		return -1;
	if (!known || goes_with(known->type, is->data))
		return 0;
	return error_set(
		err, ERROR_SCHEMA,
		"column '%s' is %s now, and in the files of '%s' it is "
		"%s, which no reader puts together; request a "
		"FULL_SYNC, after which all of them have the new type",
		column->name, is->data, target->store->ops->name(target->store),
		known->type);
}

/* Readers put all files together by the names of columns: so of each all of
 * them have one type. */
static int check_types(const struct files_target *target, struct error *err)
{
	const struct table *shape = target->shape;
	struct strbuf is;
	int ret = 0;

	strbuf_init(&is);
	for (size_t i = 0; i < shape->column_count && ret == 0; i++)
		ret = check_type(target, &shape->columns[i], &is, err);
	strbuf_release(&is);
	return ret;
}

static bool add_column(struct table_state *next, const char *name,
		       const char *type)
{
	struct state_column *known = table_state_column(next, name);

	if (!known)
		return table_state_add_column(next, name, type);
	return !is_bare(known->type, type) ||
	       table_state_set(next, &known->type, type);
}

int files_add_columns(const struct files_target *target,
		      struct table_state *next, struct error *err)
{
	const struct table *shape = target->shape;
	struct strbuf type;
	int ret = 0;

	strbuf_init(&type);
	for (size_t i = 0; i < shape->column_count && ret == 0; i++) {
		const struct column *column = &shape->columns[i];

		strbuf_reset(&type);
		ret = format_type(&target->server->settings.format, column,
				  &type, err);
		if (ret == 0 && !add_column(next, column->name, type.data))
			ret = error_memory(err, "a table's state");
	}
	strbuf_release(&type);
	return ret;
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
