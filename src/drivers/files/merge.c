/*
 * Small files of changes become few: those that lie beside each other in one
 * folder, each smaller than half of file_size_mb, are read and written again as
 * one of up to that size. All of their rows stay, in the same order and with the
 * same `_seq`, so it makes no difference to a reader whether he finds a change in
 * its old file, in the merged one, or in both.
 *
 * Merged are files that are read alike: with the columns that the table has now,
 * and the options that its format has now. From which number on they are so the
 * state says.
 *
 * A slice of the work is some batches of rows. In between, changes are written by
 * others of these functions, and a transaction of theirs may end; ours is one
 * write of the state at the end of each merged file, see ownership.c.
 */
#include "drivers/files/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "drivers/files/readback.h"

#define SLICE_MS   300
#define BATCH_ROWS 4096

/* Of the rows that go from a reader to a writer. */
#define BATCH_BYTES ((size_t)1 << 20)

/* The least that a row group, or a reader, can work with. */
#define LEAST_BYTES ((size_t)1 << 20)

/* ------------------------------------------------------------ what is read alike */

static void add_options(struct strbuf *text, const struct format_options *o)
{
	strbuf_addf(text, "%s %d %d %c%c %d%d%d%d \"%s\" \"%s\"\n",
		    format_name(o->format), (int)o->times, o->uuid_text,
		    o->delimiter ? o->delimiter : ' ',
		    o->quote ? o->quote : ' ', o->header, o->base64, o->blank,
		    o->decimal_text, o->null_text, o->date);
	/* Not always, or what stands in states would be of another kind. */
	if (!o->crlf)
		strbuf_addstr(text, "LF\n");
}

int files_look(const struct files_target *target, const struct table *rows,
	       char out[FILES_LOOK_MAX], struct error *err)
{
	unsigned char hash[EVP_MAX_MD_SIZE] = {0};
	struct strbuf text;
	int ret;

	strbuf_init(&text);
	strbuf_addf(&text, "%s ", target->server->settings.extension);
	add_options(&text, &target->server->settings.format);
	for (size_t i = 0; i < rows->column_count; i++) {
		const struct column *column = &rows->columns[i];

		strbuf_addf(&text, "%zu:%s %d %d %d %d %d\n",
			    strlen(column->name), column->name,
			    (int)column->type, column->nullable, column->length,
			    column->precision, column->scale);
	}
	ret = strbuf_check(&text, err);
	if (ret == 0 && EVP_Digest(text.data, text.len, hash, NULL,
				   EVP_sha256(), NULL) != 1)
		ret = error_memory(err, "a digest");
	strbuf_release(&text);
	for (size_t i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
	return ret;
}

/* ------------------------------------------------------------------ the files */

static int add_file(struct files_merge *merge, const struct store_item *item,
		    uint64_t first, uint64_t last, struct error *err)
{
	struct merge_file file = {first, last, item->size, NULL};

	if (merge->count == merge->room) {
		size_t room = merge->room ? 2 * merge->room : 64;
		struct merge_file *grown =
			realloc(merge->files, room * sizeof(*grown));

		if (!grown)
			return error_memory(err, "a list of files");
		merge->files = grown;
		merge->room = room;
	}
	file.key = strdup(item->key);
	if (!file.key)
		return error_memory(err, "a list of files");
	merge->files[merge->count++] = file;
	return 0;
}

static int see_file(void *arg, const struct store_item *item, struct error *err)
{
	struct files_target *target = arg;
	const char *extension = target->server->settings.extension;
	size_t len = strlen(item->key), tail = strlen(extension);
	uint64_t first, last;

	if (!layout_changes_numbers(item->key, &first, &last) ||
	    last < (uint64_t)target->state.look_file ||
	    last >= (uint64_t)target->state.next_file || len < tail ||
	    strcmp(item->key + len - tail, extension) != 0)
		return 0;
	return add_file(&target->merge, item, first, last, err);
}

static size_t folder_len(const char *key)
{
	return (size_t)(strrchr(key, '/') - key);
}

static int by_place(const void *a, const void *b)
{
	const struct merge_file *left = a, *right = b;
	size_t len = folder_len(left->key), other = folder_len(right->key);
	int order = memcmp(left->key, right->key, len < other ? len : other);

	if (!order)
		order = (len > other) - (len < other);
	return order ? order
		     : (left->last > right->last) - (left->last < right->last);
}

/* In one folder, with nothing between them, in another one for instance. */
static bool lie_together(const struct merge_file *a, const struct merge_file *b)
{
	size_t len = folder_len(a->key);

	return folder_len(b->key) == len && !memcmp(a->key, b->key, len) &&
	       b->first == a->last + 1;
}

static bool is_small(const struct files_target *target,
		     const struct merge_file *file)
{
	return file->size < target->server->settings.file_bytes / 2;
}

/* The next ones that make a file together. False: there are none. */
static bool find_group(struct files_target *target)
{
	struct files_merge *merge = &target->merge;
	uint64_t most = target->server->settings.file_bytes, size;

	for (size_t at = merge->end; at < merge->count; at = merge->end) {
		merge->first = at;
		size = merge->files[at].size;
		merge->end = at + 1;
		if (!is_small(target, &merge->files[at]))
			continue;
		while (merge->end < merge->count &&
		       is_small(target, &merge->files[merge->end]) &&
		       lie_together(&merge->files[merge->end - 1],
				    &merge->files[merge->end]) &&
		       size + merge->files[merge->end].size <= most)
			size += merge->files[merge->end++].size;
		if (merge->end > at + 1) {
			merge->at = at;
			return true;
		}
	}
	return false;
}

/* ------------------------------------------------------------- begin and end */

static void close_source(struct files_target *target)
{
	struct files_merge *merge = &target->merge;

	format_reader_free(merge->reader);
	merge->reader = NULL;
	if (merge->source)
		target->store->ops->close_source(target->store, merge->source);
	merge->source = NULL;
}

void files_merge_end(struct target *dst)
{
	struct files_target *target = files_target_of(dst);
	struct files_merge *merge = &target->merge;

	if (!merge->begun)
		return;
	outfile_discard(merge->file);
	close_source(target);
	batch_release(&merge->batch);
	change_view_release(&merge->view);
	for (size_t i = 0; i < merge->count; i++)
		free(merge->files[i].key);
	free(merge->files);
	memset(merge, 0, sizeof(*merge));
}

/* Two for reading, where something compressed lies beside what it becomes, and one
 * for writing. */
static size_t share_of(const struct files_target *target, size_t room)
{
	size_t fixed = READBACK_BYTES + files_fixed_bytes(target);

	return room > fixed + 3 * LEAST_BYTES ? (room - fixed) / 3
					      : LEAST_BYTES;
}

/* 1: there may be some; 0: none are like those that are written now. */
static int begin(struct files_target *target, const struct table *shape,
		 size_t room, struct error *err)
{
	struct files_merge *merge = &target->merge;
	struct store *store = target->store;
	char look[FILES_LOOK_MAX];

	merge->begun = true;
	merge->bytes = share_of(target, room);
	if (change_view_init(&merge->view, shape, err) < 0 ||
	    batch_init(&merge->batch, &merge->view.table, BATCH_ROWS,
		       BATCH_BYTES, err) < 0 ||
	    files_look(target, &merge->view.table, look, err) < 0)
		return -1;
	if (strcmp(look, target->state.look) != 0)
		return 0;
	if (store->ops->list(store, LAYOUT_CHANGES, see_file, target, err) < 0)
		return -1;
	if (merge->count)
		qsort(merge->files, merge->count, sizeof(*merge->files),
		      by_place);
	return 1;
}

/* -------------------------------------------------------------- from file to file */

static int open_file(struct files_target *target, struct error *err)
{
	struct files_merge *merge = &target->merge;
	struct format_pair pair = {"dataflow.source", target->origin};
	struct format_options format = target->server->settings.format;
	struct outfile_spec spec = {
		.format = &format,
		.table = &merge->view.table,
		.pairs = &pair,
		.pair_count = 1,
	};
	struct strbuf key;
	int ret;

	if (format.row_group_bytes > merge->bytes)
		format.row_group_bytes = merge->bytes;
	strbuf_init(&key);
	ret = layout_merged(&key, merge->files[merge->first].key,
			    merge->files[merge->end - 1].key, err);
	spec.key = key.data;
	if (ret == 0)
		ret = outfile_open(&merge->file, target->store, &spec, err);
	strbuf_release(&key);
	return ret;
}

static int open_source(struct files_target *target, struct error *err)
{
	struct files_merge *merge = &target->merge;
	const char *key = merge->files[merge->at].key;
	struct store *store = target->store;
	int rc = store->ops->open(store, key, &merge->source, err);

	if (rc == 0)
		rc = error_set(err, ERROR_CONFLICT, "it is gone");
	if (rc < 0)
		return -1;
	return format_reader_new(
		&merge->reader, &target->server->settings.format,
		&merge->view.table, merge->source, 2 * merge->bytes, err);
}

/* 1: some rows; 0: the file has no more. */
static int read_some(struct files_target *target, struct error *err)
{
	struct files_merge *merge = &target->merge;

	if (!merge->source && open_source(target, err) < 0)
		return -1;
	batch_reset(&merge->batch);
	return format_reader_next(merge->reader, &merge->batch, err);
}

/* A batch further. 1: all is read. */
static int copy_some(struct files_target *target, struct error *err)
{
	struct files_merge *merge = &target->merge;
	int rc = read_some(target, err);

	if (rc > 0)
		return outfile_write(merge->file, &merge->batch, err);
	if (rc < 0)
		return error_wrap(err, "'%s/%s'",
				  target->store->ops->name(target->store),
				  merge->files[merge->at].key);
	close_source(target);
	return ++merge->at == merge->end;
}

/* ------------------------------------------------------------------ what counts */

/* The state with the merged file in it, whose strings it copies. */
static int make_next(struct files_target *target,
		     const struct outfile_done *done, struct table_state *next,
		     struct error *err)
{
	const struct files_merge *merge = &target->merge;
	size_t count = merge->end - merge->first;
	const char **keys = (const char **)calloc(count, sizeof(*keys));
	struct state_merge what = {done->key, done->token, keys, count};
	int ret = -1;

	if (!keys)
		return error_memory(err, "a list of files");
	for (size_t i = 0; i < count; i++)
		keys[i] = merge->files[merge->first + i].key;
	if (table_state_copy(next, &target->state, err) == 0) {
		next->pending_count = 0; /* they are visible */
		next->latest = NULL;
		ret = table_state_set_merge(next, &what)
			      ? 0
			      : error_memory(err, "a table's state");
	}
	free((void *)keys);
	return ret;
}

static int put_in_place(struct files_target *target,
			const struct outfile_done *done, struct error *err)
{
	struct table_state next;
	int ret;

	FAILPOINT(MERGE_STAGED);
	table_state_init(&next);
	ret = make_next(target, done, &next, err);
	if (ret == 0) {
		FAILPOINT(BEFORE_COMMIT);
		ret = files_write_state(target, &next, err);
	} else {
		target->store->ops->discard_prepared(target->store, done->key,
						     done->token);
	}
	table_state_release(&next);
	if (ret < 0)
		return -1;
	FAILPOINT(AFTER_COMMIT);
	target->published = false;
	return files_publish(target, err);
}

static int end_file(struct files_target *target, struct compaction *work,
		    struct error *err)
{
	struct files_merge *merge = &target->merge;
	struct outfile *file = merge->file;
	struct outfile_done done;
	int ret;

	merge->file = NULL;
	if (outfile_close(file, &done, err) < 0)
		return -1;
	ret = put_in_place(target, &done, err);
	if (ret == 0) {
		work->before += merge->end - merge->first;
		work->after++;
		work->rows += done.rows;
		work->bytes += done.bytes;
	}
	outfile_done_release(&done);
	return ret;
}

/* 1: there is more to do. */
static int go_on(struct files_target *target, struct compaction *work,
		 struct error *err)
{
	struct files_merge *merge = &target->merge;
	int64_t until = clock_ms() + SLICE_MS;
	int rc;

	do {
		if (cancel_check_now(target->store->cancel, err) < 0)
			return -1;
		if (!merge->file) {
			if (!find_group(target))
				return 0;
			if (open_file(target, err) < 0)
				return -1;
		}
		rc = copy_some(target, err);
		if (rc > 0)
			rc = end_file(target, work, err);
	} while (rc == 0 && clock_ms() < until);
	return rc < 0 ? -1 : 1;
}

int files_merge(struct target *dst, const struct table *shape,
		struct compaction *work, struct error *err)
{
	struct files_target *target = files_target_of(dst);
	int rc = 1;

	if (!target->merge.begun) {
		rc = files_check_owned(target, err);
		if (rc == 0)
			rc = begin(target, shape, work->room, err);
	}
	if (rc > 0)
		rc = go_on(target, work, err);
	if (rc <= 0)
		files_merge_end(dst);
	return rc;
}
