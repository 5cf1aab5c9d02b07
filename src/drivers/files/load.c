/*
 * A load has a folder of its own, which nobody is told of before all is in it:
 * so its files become visible as soon as they are ended, and need no names in
 * the state. What makes the load count is that the state has it, and then
 * latest.json.
 *
 * With partition_columns a batch is dealt out to the files of its rows' folders.
 * They share the memory of one; when too many are open, the one that was not
 * written to for longest is ended, and another one of its folder may come.
 */
#include "drivers/files/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"

/* Of one load. Beyond that the columns are the wrong ones. */
#define FILES_MAX 100000

/* So many that failed, one behind the other, the state keeps the names of. */
#define OBSOLETE_MAX 100

#define MEGABYTE ((size_t)1 << 20)

/* ------------------------------------------------------------------ one file */

static int open_file(struct files_target *target, struct load_file *file,
		     struct error *err)
{
	struct format_options format = target->server->settings.format;
	struct files_load *load = &target->load;
	struct format_pair pairs[] = {
		{"dataflow.source", target->origin},
		{"dataflow.load", load->run},
	};
	struct outfile_spec spec = {
		.format = &format,
		.table = target->shape,
		.pairs = pairs,
		.pair_count = sizeof(pairs) / sizeof(*pairs),
	};
	struct strbuf key;
	int ret;

	if (load->next_number >= FILES_MAX)
		return error_set(err, ERROR_CONFIG,
				 "the load has more than %d files; raise "
				 "'file_size_mb', or choose other "
				 "'partition_columns'",
				 FILES_MAX);
	format.row_group_bytes = files_group_bytes(target, load->open_max);
	strbuf_init(&key);
	layout_part(&key, &target->layout, load->run,
		    file->partition ? file->partition : "", load->next_number++,
		    load->manifest.began_us);
	spec.key = key.data;
	ret = strbuf_check(&key, err);
	if (ret == 0)
		ret = outfile_open(&file->file, target->store, &spec, err);
	strbuf_release(&key);
	return ret;
}

/*
 * What was written a moment ago is gone: that is what whoever takes a table over
 * does to the files of others. Nothing that counts was lost.
 */
static int was_taken(struct files_target *target, struct error *err)
{
	struct error why = *err;

	if (files_check_owned(target, err) < 0)
		return -1;
	*err = why;
	err->kind = ERROR_SYSTEM;
	err->retryable = true;
	return -1;
}

/* End it, and make it visible. Its place is free then. */
static int close_file(struct files_target *target, struct load_file *file,
		      struct error *err)
{
	struct outfile *outfile = file->file;
	struct row_sum sum = file->sum;
	struct store *store = target->store;
	struct outfile_done done;
	struct manifest_file entry;
	int ret;

	free(file->partition);
	memset(file, 0, sizeof(*file));
	if (outfile_close(outfile, &done, err) < 0)
		return -1;
	entry = (struct manifest_file){
		.key = done.key,
		.rows = done.rows,
		.bytes = done.bytes,
		.crc32c = done.crc32c,
		.sum = sum,
	};
	ret = store->ops->publish(store, done.key, done.token, err);
	if (ret < 0 && err->kind == ERROR_GAP)
		ret = was_taken(target, err);
	if (ret == 0)
		ret = manifest_add(&target->load.manifest, &entry, err);
	outfile_done_release(&done);
	return ret;
}

/* ------------------------------------------------------------------ partitions */

/* As many as have a megabyte each. */
static size_t find_open_max(const struct files_target *target)
{
	size_t room =
		target->base.room ? target->base.room : target->base.room_most;
	size_t most = room / (files_fixed_bytes(target) + MEGABYTE);

	if (most > LOAD_OPEN_MAX)
		return LOAD_OPEN_MAX;
	return most ? most : 1;
}

static int find_columns(struct files_target *target, struct error *err)
{
	const char *list = target->server->settings.partition_columns;
	struct files_load *load = &target->load;
	struct table named;
	int ret = -1;

	if (!list)
		return 0;
	table_init(&named);
	if (table_copy(&named, target->shape, NULL, err) < 0 ||
	    table_set_key(&named, list, err) < 0) {
		error_wrap(err, "option 'partition_columns'");
		goto done;
	}
	for (size_t i = 0; i < named.key_count; i++)
		if (layout_check_partition(&named.columns[named.key[i]], err) <
		    0)
			goto done;
	load->columns = calloc(named.key_count + 1, sizeof(*load->columns));
	if (!load->columns) {
		error_memory(err, "a load");
		goto done;
	}
	memcpy(load->columns, named.key,
	       named.key_count * sizeof(*load->columns));
	load->column_count = named.key_count;
	load->open_max = find_open_max(target);
	ret = 0;
done:
	table_release(&named);
	return ret;
}

/* The open file of a folder; one is opened if need be. NULL: `err` says why. */
static struct load_file *find_file(struct files_target *target,
				   const char *partition, struct error *err)
{
	struct load_file *files = target->load.files, *choice = &files[0];

	for (size_t i = 0; i < target->load.open_max; i++) {
		if (files[i].file && !strcmp(files[i].partition, partition))
			return &files[i];
		if (!files[i].file ||
		    (choice->file && files[i].used < choice->used))
			choice = &files[i];
	}
	if (choice->file && close_file(target, choice, err) < 0)
		return NULL;
	choice->partition = strdup(partition);
	if (!choice->partition) {
		error_memory(err, "a folder's name");
		return NULL;
	}
	return open_file(target, choice, err) < 0 ? NULL : choice;
}

static int write_to(struct files_target *target, struct load_file *file,
		    const struct batch *batch, struct error *err)
{
	file->used = ++target->load.turn;
	if (outfile_write(file->file, batch, err) < 0 ||
	    files_add_digests(&file->sum, &target->load.canonical,
			      target->load.manifest.digest_every, batch,
			      err) < 0)
		return -1;
	if (outfile_size(file->file) < target->server->settings.file_bytes)
		return 0;
	return close_file(target, file, err);
}

/* The folder of each row, in turn; equal ones are the same text. */
static int find_partitions(struct files_target *target,
			   const struct batch *batch, struct strbuf *texts,
			   size_t *at, struct error *err)
{
	const struct files_load *load = &target->load;
	struct strbuf one;

	strbuf_init(&one);
	for (size_t row = 0; row < batch->rows; row++) {
		size_t known = 0;

		strbuf_reset(&one);
		layout_partition(&one, batch, row, load->columns,
				 load->column_count);
		if (one.failed || texts->failed)
			break;
		while (known < texts->len &&
		       strcmp(texts->data + known, one.data) != 0)
			known += strlen(texts->data + known) + 1;
		at[row] = known;
		if (known == texts->len)
			strbuf_add(texts, one.data, one.len + 1);
	}
	if (one.failed)
		texts->failed = one.failed;
	strbuf_release(&one);
	return strbuf_check(texts, err);
}

static void put_row(struct batch *to, const struct batch *from, size_t row)
{
	for (size_t i = 0; i < from->table->column_count; i++) {
		const struct batch_column *values = &from->columns[i];

		if (batch_null(from, i, row))
			batch_put_null(to, i);
		else if (values->store == ROW_STORE_I64)
			batch_put_i64(to, i, values->i64[row]);
		else if (values->store == ROW_STORE_F64)
			batch_put_f64(to, i, values->f64[row]);
		else if (values->store == ROW_STORE_WIDE)
			*batch_put_wide(to, i) = values->wide[row];
		else
			batch_put_borrowed(to, i, values->slice[row].data,
					   values->slice[row].len);
	}
	batch_add_row(to, ROW_UPSERT);
}

/* A batch for the rows of one folder, whose texts it borrows. */
static int make_piece(struct files_load *load, const struct batch *batch,
		      struct error *err)
{
	if (load->piece && load->piece->capacity >= batch->rows) {
		batch_reset(load->piece);
		return 0;
	}
	if (load->piece)
		batch_release(load->piece);
	free(load->piece);
	load->piece = calloc(1, sizeof(*load->piece));
	if (!load->piece)
		return error_memory(err, "rows");
	return batch_init(load->piece, batch->table, batch->rows,
			  2 * (batch->rows + 1) * batch_row_bytes(batch->table),
			  err);
}

static int write_folder(struct files_target *target, const struct batch *batch,
			const char *partition, const size_t *at, size_t folder,
			struct error *err)
{
	struct files_load *load = &target->load;
	struct load_file *file;

	if (make_piece(load, batch, err) < 0)
		return -1;
	file = find_file(target, partition, err);
	if (!file)
		return -1;
	for (size_t row = 0; row < batch->rows; row++)
		if (at[row] == folder)
			put_row(load->piece, batch, row);
	return write_to(target, file, load->piece, err);
}

static int deal_out(struct files_target *target, const struct batch *batch,
		    struct error *err)
{
	size_t *at = calloc(batch->rows + 1, sizeof(*at));
	struct strbuf texts;
	size_t folder = 0;
	int ret;

	if (!at)
		return error_memory(err, "rows");
	strbuf_init(&texts);
	ret = find_partitions(target, batch, &texts, at, err);
	while (ret == 0 && folder < texts.len) {
		ret = write_folder(target, batch, texts.data + folder, at,
				   folder, err);
		folder += strlen(texts.data + folder) + 1;
	}
	strbuf_release(&texts);
	free(at);
	return ret;
}

/* ---------------------------------------------------------------------- loads */

/* The state knows its name before there is a file: so what a daemon leaves
 * behind that is killed is found. */
static int write_begin(struct files_target *target, struct error *err)
{
	struct table_state next;
	int ret = -1;

	table_state_init(&next);
	if (table_state_copy(&next, &target->state, err) < 0)
		goto done;
	if ((*next.loading && !table_state_add_obsolete(&next, next.loading)) ||
	    !table_state_set(&next, &next.loading, target->load.run)) {
		error_memory(err, "a table's state");
		goto done;
	}
	/* They are visible by now, but what was lost stays lost. */
	next.pending_count = 0;
	ret = files_write_state(target, &next, err);
done:
	table_state_release(&next);
	return ret;
}

static bool is_known(const struct table_state *state, const char *run)
{
	bool known = !strcmp(state->loading, run);

	for (size_t i = 0; i < state->load_count; i++)
		known |= !strcmp(state->loads[i].run, run);
	for (size_t i = 0; i < state->obsolete_count; i++)
		known |= !strcmp(state->obsolete[i], run);
	return known;
}

/* A name that no load has: clocks stand still, and are set back. */
static void make_run(struct files_target *target, int64_t now_us)
{
	do
		layout_run(target->load.run, now_us++, target->epoch);
	while (is_known(&target->state, target->load.run));
}

int files_load_begin(struct files_target *target, struct error *err)
{
	struct files_load *load = &target->load;
	struct manifest *manifest = &load->manifest;
	const struct format_options *format = &target->server->settings.format;

	memset(load, 0, sizeof(*load));
	load->open_max = 1;
	if (manifest_init(manifest, target->shape, err) < 0)
		return -1;
	manifest->began_us = clock_utc_us();
	make_run(target, manifest->began_us);
	manifest->run = load->run;
	manifest->source = target->origin;
	manifest->format = format_name(format->format);
	manifest->extension = target->server->settings.extension;
	manifest->options = *format;
	manifest->digest_every =
		(unsigned)target->server->settings.digest_every;
	if (find_columns(target, err) < 0 ||
	    files_canonical(&load->canonical, format, target->shape, err) < 0)
		return -1;
	if (target->state.obsolete_count >= OBSOLETE_MAX)
		files_remove_old(target);
	return write_begin(target, err);
}

int files_load_write(struct files_target *target, const struct batch *batch,
		     struct error *err)
{
	struct load_file *file = &target->load.files[0];

	if (target->load.column_count)
		return deal_out(target, batch, err);
	if (!file->file && open_file(target, file, err) < 0)
		return -1;
	return write_to(target, file, batch, err);
}

/* A load without rows has a file that says which columns there are. */
static int close_all(struct files_target *target, struct error *err)
{
	struct files_load *load = &target->load;

	if (!load->next_number && open_file(target, &load->files[0], err) < 0)
		return -1;
	for (size_t i = 0; i < LOAD_OPEN_MAX; i++)
		if (load->files[i].file &&
		    close_file(target, &load->files[i], err) < 0)
			return -1;
	return 0;
}

static int write_manifest(struct files_target *target, struct error *err)
{
	const struct manifest *manifest = &target->load.manifest;
	struct store *store = target->store;
	struct strbuf key, text;
	struct store_tag now;
	int ret;

	strbuf_init(&key);
	strbuf_init_max(&text, STORE_SMALL_MAX);
	strbuf_addf(&key, LAYOUT_FULL "%s/" LAYOUT_MANIFEST, manifest->run);
	ret = strbuf_check(&key, err);
	if (ret == 0)
		ret = manifest_format(manifest, &text, err);
	if (ret == 0)
		ret = store->ops->replace(store, key.data, text.data, text.len,
					  NULL, &now, err);
	strbuf_release(&key);
	strbuf_release(&text);
	return ret;
}

static int make_next(struct files_target *target, struct table_state *next,
		     struct error *err)
{
	const struct manifest *manifest = &target->load.manifest;
	int keep = target->server->settings.keep_full_loads;
	struct strbuf latest;
	int ret;

	strbuf_init(&latest);
	ret = manifest_format_latest(manifest, target->state.writes + 1,
				     &latest, err);
	if (ret == 0 &&
	    (!table_state_add_load(next, manifest->run, manifest->first_seq,
				   next->next_file) ||
	     !table_state_keep_loads(next, (size_t)keep) ||
	     !table_state_set(next, &next->latest, latest.data)))
		ret = error_memory(err, "a table's state");
	next->loading = next->lost = "";
	next->column_count = 0;
	next->columns = NULL;
	if (ret == 0)
		ret = files_add_columns(target, next, err);
	strbuf_release(&latest);
	return ret;
}

int files_load_end(struct files_target *target, const struct checkpoint *to,
		   struct table_state *next, struct error *err)
{
	struct manifest *manifest = &target->load.manifest;

	if (close_all(target, err) < 0)
		return -1;
	manifest->position = to->position;
	manifest->consistent_after_us = to->consistent_after_us;
	manifest->completed_us = clock_utc_us();
	manifest->first_seq = next->seq + 1;
	if (write_manifest(target, err) < 0)
		return -1;
	FAILPOINT(BEFORE_SWAP);
	return make_next(target, next, err);
}

/* Those that are visible already, of a load that will never count. */
static void remove_files(struct files_target *target)
{
	const struct manifest *manifest = &target->load.manifest;
	struct store *store = target->store;
	struct error ignored;

	for (size_t i = 0; i < manifest->count; i++)
		if (store->ops->remove(store, &manifest->files[i].key, 1,
				       &ignored) < 0)
			return; /* the next load sees to it */
}

void files_load_release(struct files_target *target, bool keep)
{
	struct files_load *load = &target->load;

	for (size_t i = 0; i < LOAD_OPEN_MAX; i++) {
		outfile_discard(load->files[i].file);
		free(load->files[i].partition);
	}
	if (!keep)
		remove_files(target);
	if (load->piece)
		batch_release(load->piece);
	free(load->piece);
	free(load->columns);
	canonical_release(&load->canonical);
	manifest_release(&load->manifest);
	memset(load, 0, sizeof(*load));
}
