/*
 * Is what was written still there, and as it was? A load's manifest has the size
 * and the checksum of each file, and the sum of the digests of the rows that the
 * source gave for it. So files are read again, bytes and rows, and no change at
 * the source makes a difference. Changes have numbers: those of files without a
 * gap, and `_seq` without a gap in their rows.
 *
 * A sample reads some files of the load, chosen by chance, and looks at the list
 * of all others. A whole one reads all of them, then all files of changes that
 * were there when it came to these. It goes on at a file: its place is
 *
 *	<run> <file>					of the load
 *	<run> <file> <number> <seq> <end> <last seq>	of the changes
 *
 * Several files of changes may have become one, `…-00000_00007.parquet`, or be
 * about to: what comes twice counts once.
 */
#include "drivers/files/prove.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

/* A slice of work; a change waits for so long, and a batch or a piece more. */
#define SLICE_MS 150

static const char *place_of(const struct files_target *target)
{
	return target->store->ops->name(target->store);
}

size_t prove_room(const struct proof *proof)
{
	return proof->room > 2 * READBACK_BYTES ? proof->room - READBACK_BYTES
						: proof->room / 2;
}

int prove_tell(struct proof *proof, const char *key, const char *what,
	       const char *text, struct error *err)
{
	return proof->found(proof->arg, key, what, text, err);
}

int prove_tell_unreadable(struct proof *proof, const char *key,
			  struct error *err)
{
	struct error why = *err;

	if (why.kind == ERROR_MEMORY && proof->room < proof->room_most)
		return -1;
	if (why.kind != ERROR_DATA && why.kind != ERROR_SCHEMA &&
	    why.kind != ERROR_MEMORY)
		return -1;
	error_clear(err);
	return prove_tell(proof, key, "UNREADABLE", why.message, err);
}

/* --------------------------------------------------------------------- places */

int prove_set_place(struct proof *proof, const struct files_proof *state,
		    struct error *err)
{
	struct strbuf text;
	int ret;

	strbuf_init(&text);
	strbuf_addf(&text, "%s %zu", state->run, state->file);
	if (state->in_changes)
		strbuf_addf(
			&text, " %" PRIu64 " %" PRId64 " %" PRIu64 " %" PRId64,
			state->number, state->seq, state->end, state->last_seq);
	ret = strbuf_check(&text, err);
	if (ret == 0) {
		free(proof->place);
		proof->place = strbuf_detach(&text);
		if (!proof->place)
			ret = error_memory(err, "a verification");
	}
	strbuf_release(&text);
	return ret;
}

/* False: it belongs to another load. */
static bool read_place(struct files_proof *state, const char *place)
{
	size_t len = strlen(state->run);
	int count;

	if (!place)
		return true;
	if (strncmp(place, state->run, len) != 0 || place[len] != ' ')
		return false;
	count = sscanf(place + len,
		       " %zu %" SCNu64 " %" SCNd64 " %" SCNu64 " %" SCNd64,
		       &state->file, &state->number, &state->seq, &state->end,
		       &state->last_seq);
	state->in_changes = count == 5;
	return count == 1 || count == 5;
}

/* ------------------------------------------------------------------- beginning */

static const struct state_load *newest(const struct files_target *target)
{
	const struct table_state *state = &target->state;

	return state->load_count ? &state->loads[state->load_count - 1] : NULL;
}

int files_canonical(struct canonical *canonical,
		    const struct format_options *format,
		    const struct table *shape, struct error *err)
{
	size_t *take = calloc(shape->column_count + 1, sizeof(*take));
	struct table held;
	int ret;

	if (!take)
		return error_memory(err, "canonical texts");
	for (size_t i = 0; i < shape->column_count; i++)
		take[i] = i;
	table_init(&held);
	ret = format_table(format, shape, &held, err);
	if (ret == 0)
		ret = canonical_init(canonical, shape, &held, take,
				     shape->column_count, err);
	table_release(&held);
	free(take);
	return ret;
}

int files_add_digests(struct row_sum *sum, struct canonical *canonical,
		      unsigned every, const struct batch *batch,
		      struct error *err)
{
	struct row_digest digest;

	for (size_t row = 0; row < batch->rows; row++) {
		if (sum->rows % every) {
			sum->rows++;
			continue;
		}
		if (canonical_digest(canonical, batch, row, &digest, err) < 0)
			return -1;
		row_sum_add(sum, &digest);
	}
	return 0;
}

/* Does latest.json lead to this load? */
static int check_latest(struct files_target *target, struct proof *proof,
			struct error *err)
{
	struct store *store = target->store;
	struct error ignored;
	struct store_tag tag;
	struct strbuf text;
	const char *run = NULL;
	json_t *root = NULL;
	int rc;

	strbuf_init_max(&text, STORE_SMALL_MAX);
	rc = store->ops->read(store, LAYOUT_LATEST, &text, &tag, err);
	if (rc > 0)
		root = json_parse(text.data, &ignored);
	run = json_string_value(json_object_get(root, "run"));
	if (rc == 0)
		rc = prove_tell(proof, LAYOUT_LATEST, "MISSING",
				"readers do not find the load", err);
	else if (rc > 0 && (!run || strcmp(run, target->proof->run) != 0))
		rc = prove_tell(proof, LAYOUT_LATEST, "CONTENT",
				"it does not name the newest load", err);
	json_decref(root);
	strbuf_release(&text);
	return rc < 0 ? -1 : 0;
}

/* 1: it is read; 0: there is none that makes sense, which was told. */
static int read_manifest(struct files_target *target, struct proof *proof,
			 struct error *err)
{
	struct files_proof *state = target->proof;
	struct store *store = target->store;
	struct store_tag tag;
	struct strbuf key, text;
	int rc;

	strbuf_init(&key);
	strbuf_init_max(&text, STORE_SMALL_MAX);
	strbuf_addf(&key, LAYOUT_FULL "%s/" LAYOUT_MANIFEST, state->run);
	rc = strbuf_check(&key, err);
	if (rc == 0)
		rc = store->ops->read(store, key.data, &text, &tag, err);
	if (rc == 0) {
		rc = prove_tell(proof, key.data, "MISSING",
				"what was in the load nobody knows any more",
				err);
	} else if (rc > 0 &&
		   (manifest_parse(&state->manifest, text.data, err) < 0 ||
		    files_canonical(&state->canonical, &state->manifest.options,
				    &state->manifest.table, err) < 0)) {
		rc = prove_tell_unreadable(proof, key.data, err);
	}
	strbuf_release(&key);
	strbuf_release(&text);
	return rc;
}

static int by_file_key(const void *a, const void *b)
{
	return strcmp(((const struct manifest_file *)a)->key,
		      ((const struct manifest_file *)b)->key);
}

/* In the order of their keys, in which they are looked for. */
static int prepare_reading(struct files_proof *state, struct proof *proof,
			   struct error *err)
{
	const struct manifest *manifest = &state->manifest;

	if (change_view_init(&state->view, &manifest->table, err) < 0)
		return -1;
	state->own = state->view.table;
	state->own.column_count = CHANGE_VIEW_OWN;
	state->own.key_count = 0;
	state->taken = calloc(manifest->count + 1, sizeof(*state->taken));
	if (!state->taken)
		return error_memory(err, "a verification");
	if (manifest->count)
		qsort(state->manifest.files, manifest->count,
		      sizeof(*manifest->files), by_file_key);
	state->sample = proof->rows ? proof->rows : 1;
	state->random = (uint64_t)clock_utc_us() | 1;
	if (!state->in_changes)
		state->seq = manifest->first_seq;
	return 0;
}

static int begin(struct files_target *target, struct proof *proof,
		 const char *run, struct error *err)
{
	struct files_proof *state = calloc(1, sizeof(*state));
	int rc;

	if (!state)
		return error_memory(err, "a verification");
	target->proof = state;
	memcpy(state->run, run, strlen(run) + 1);
	if (!read_place(state, proof->place)) {
		proof->anew = true;
		return 0;
	}
	if (!proof->place && check_latest(target, proof, err) < 0)
		return -1;
	rc = read_manifest(target, proof, err);
	if (rc <= 0)
		return rc;
	return prepare_reading(state, proof, err) < 0 ? -1 : 1;
}

static void free_proof(struct files_proof *state)
{
	readback_close(&state->back);
	prove_changes_forget(state);
	free(state->change.key);
	free(state->previous);
	change_view_release(&state->view);
	free(state->taken);
	canonical_release(&state->canonical);
	manifest_release(&state->manifest);
	free(state);
}

void files_prove_end(struct target *dst)
{
	struct files_target *target = files_target_of(dst);

	if (target->proof)
		free_proof(target->proof);
	target->proof = NULL;
}

/* -------------------------------------------------------------- files of a load */

static int done_with_file(struct files_proof *state, struct proof *proof,
			  const struct manifest_file *file, struct error *err)
{
	proof->objects++;
	proof->compared += file->rows;
	row_sum_merge(&proof->given, &file->sum);
	row_sum_merge(&proof->kept, &state->back.sum);
	readback_close(&state->back);
	state->reading = READING_NOTHING;
	if (!proof->whole)
		return 0;
	state->file++;
	return prove_set_place(proof, state, err);
}

/* 1: look at its bytes; 0: it was told what is wrong. */
static int open_file(struct files_target *target, struct proof *proof,
		     const struct manifest_file *file, struct error *err)
{
	struct files_proof *state = target->proof;
	char text[120];
	int rc = readback_open(&state->back, target->store, file->key, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return prove_tell(proof, file->key, "MISSING",
				  "it is not there", err);
	if (state->back.source->size == file->bytes)
		return 1;
	snprintf(text, sizeof(text), "%" PRIu64 " bytes instead of %" PRIu64,
		 state->back.source->size, file->bytes);
	return prove_tell(proof, file->key, "SIZE", text, err);
}

/* 1: go on; 0: it was told what is wrong. */
static int check_bytes(struct files_proof *state, struct proof *proof,
		       const struct manifest_file *file, struct error *err)
{
	char text[120];
	int rc = file->bytes ? readback_bytes(&state->back, err) : 0;

	if (rc)
		return rc;
	if (state->back.crc32c != file->crc32c) {
		snprintf(text, sizeof(text),
			 "the CRC-32C of its bytes is %08" PRIx32
			 " instead of %08" PRIx32,
			 state->back.crc32c, file->crc32c);
		return prove_tell(proof, file->key, "CHECKSUM", text, err);
	}
	state->reading = READING_ROWS;
	if (readback_rows(&state->back, &state->manifest.options,
			  &state->manifest.table, prove_room(proof), err) < 0)
		return prove_tell_unreadable(proof, file->key, err);
	return 1;
}

static int next_rows(struct files_proof *state, struct error *err)
{
	struct readback *back = &state->back;
	int rc = readback_next(back, err);

	if (rc > 0 && files_add_digests(&back->sum, &state->canonical,
					state->manifest.digest_every,
					&back->batch, err) < 0)
		return -1;
	return rc;
}

static int check_rows(struct files_proof *state, struct proof *proof,
		      const struct manifest_file *file, struct error *err)
{
	int rc = next_rows(state, err);
	char text[120];

	if (rc < 0)
		return prove_tell_unreadable(proof, file->key, err);
	if (rc > 0)
		return 1;
	if (state->back.sum.rows != file->rows) {
		snprintf(text, sizeof(text),
			 "%" PRIu64 " rows instead of %" PRIu64,
			 state->back.sum.rows, file->rows);
		return prove_tell(proof, file->key, "ROWS", text, err);
	}
	if (!row_sum_equal(&state->back.sum, &file->sum))
		return prove_tell(proof, file->key, "CONTENT",
				  "the values of its rows are others", err);
	return 0;
}

static int step_file(struct files_target *target, struct proof *proof,
		     const struct manifest_file *file, struct error *err)
{
	struct files_proof *state = target->proof;
	int rc = 1;

	switch (state->reading) {
	case READING_NOTHING:
		rc = open_file(target, proof, file, err);
		state->reading = READING_BYTES;
		break;
	case READING_BYTES:
		rc = check_bytes(state, proof, file, err);
		break;
	case READING_ROWS:
		rc = check_rows(state, proof, file, err);
		break;
	}
	if (rc < 0)
		return -1;
	return rc ? 0 : done_with_file(state, proof, file, err);
}

/* Which file of a sample is the next one? False: it is large enough. */
static bool choose_file(struct files_proof *state)
{
	const struct manifest *manifest = &state->manifest;
	size_t left = 0, skip;

	for (size_t i = 0; i < manifest->count; i++)
		left += !state->taken[i];
	if (!left || !state->sample)
		return false;
	/* xorshift64, of Marsaglia */
	state->random ^= state->random << 13;
	state->random ^= state->random >> 7;
	state->random ^= state->random << 17;
	skip = (size_t)(state->random % left);
	for (state->file = 0; state->taken[state->file] || skip--;
	     state->file++)
		;
	state->taken[state->file] = true;
	left = (size_t)manifest->files[state->file].rows;
	state->sample -= state->sample < left ? state->sample : left;
	return true;
}

struct others {
	const struct manifest *manifest;
	bool *found; /* owned; of each file */
	uint64_t *sizes;
};

static int by_key(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a,
		      ((const struct manifest_file *)b)->key);
}

static int see_other(void *arg, const struct store_item *item,
		     struct error *err)
{
	const struct others *others = arg;
	const struct manifest *manifest = others->manifest;
	const struct manifest_file *file =
		bsearch(&item->key, manifest->files, manifest->count,
			sizeof(*manifest->files), by_key);

	(void)err;
	if (!file)
		return 0;
	others->found[file - manifest->files] = true;
	others->sizes[file - manifest->files] = item->size;
	return 0;
}

static int tell_other(const struct files_proof *state, struct proof *proof,
		      const struct others *others, size_t i, struct error *err)
{
	const struct manifest_file *file = &state->manifest.files[i];
	char text[120];

	if (state->taken[i])
		return 0;
	proof->objects++;
	if (!others->found[i])
		return prove_tell(proof, file->key, "MISSING",
				  "it is not there", err);
	if (others->sizes[i] == file->bytes)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64 " bytes instead of %" PRIu64,
		 others->sizes[i], file->bytes);
	return prove_tell(proof, file->key, "SIZE", text, err);
}

/* Those that are not read: are they there? */
static int find_others(struct files_target *target, struct proof *proof,
		       struct error *err)
{
	struct files_proof *state = target->proof;
	struct store *store = target->store;
	size_t count = state->manifest.count;
	struct others others = {
		.manifest = &state->manifest,
		.found = calloc(count + 1, sizeof(bool)),
		.sizes = calloc(count + 1, sizeof(uint64_t)),
	};
	struct strbuf prefix;
	int ret = 0;

	strbuf_init(&prefix);
	strbuf_addf(&prefix, LAYOUT_FULL "%s/", state->run);
	if (!others.found || !others.sizes)
		ret = error_memory(err, "a list of files");
	if (ret == 0)
		ret = strbuf_check(&prefix, err);
	if (ret == 0)
		ret = store->ops->list(store, prefix.data, see_other, &others,
				       err);
	for (size_t i = 0; ret == 0 && i < count; i++)
		ret = tell_other(state, proof, &others, i, err);
	strbuf_release(&prefix);
	free(others.found);
	free(others.sizes);
	return ret;
}

/* 1: there is more of it; 0: the load is done with. */
static int step_load(struct files_target *target, struct proof *proof,
		     struct error *err)
{
	struct files_proof *state = target->proof;
	const struct manifest *manifest = &state->manifest;

	if (state->reading == READING_NOTHING) {
		if (proof->whole ? state->file >= manifest->count
				 : !choose_file(state))
			return proof->whole ? 0
					    : find_others(target, proof, err);
	}
	if (step_file(target, proof, &manifest->files[state->file], err) < 0)
		return -1;
	return 1;
}

/* ----------------------------------------------------------------------- slices */

static int step(struct files_target *target, struct proof *proof,
		struct error *err)
{
	int rc;

	if (target->proof->in_changes)
		return prove_changes_step(target, proof, err);
	rc = step_load(target, proof, err);
	if (rc == 0)
		rc = prove_changes_begin(target, proof, err) < 0 ? -1 : 1;
	return rc;
}

/* Those that came after the load. */
static uint64_t count_changes(const struct files_target *target,
			      const struct manifest *manifest)
{
	int64_t last = target->state.seq;

	return last < manifest->first_seq
		       ? 0
		       : (uint64_t)(last - manifest->first_seq) + 1;
}

/* A few tenths of a second of it; as prove(). */
static int work(struct files_target *target, const struct files_proof *state,
		struct proof *proof, struct error *err)
{
	const struct manifest *manifest = &state->manifest;
	int64_t deadline = clock_ms() + SLICE_MS;
	int rc;

	if (proof->whole)
		proof->rows = manifest->rows + count_changes(target, manifest);
	do
		rc = step(target, proof, err);
	while (rc > 0 && clock_ms() < deadline);
	return rc < 0 ? error_wrap(err, "'%s'", place_of(target)) : rc;
}

/* 1: it is for the load that there is; 0: it is not, or there is none that makes
 * sense. */
static int ensure_begun(struct files_target *target, struct proof *proof,
			const char *run, struct error *err)
{
	if (!target->proof)
		return begin(target, proof, run, err);
	proof->anew = strcmp(target->proof->run, run) != 0;
	return !proof->anew;
}

int files_prove(struct target *dst, struct proof *proof, struct error *err)
{
	struct files_target *target = files_target_of(dst);
	const struct state_load *load = newest(target);
	int rc;

	proof->anew = false;
	if (!target->known)
		return error_set(err, ERROR_INTERNAL, "fence() comes first");
	if (!load)
		return 0;
	if (files_publish(target, err) < 0)
		return -1;
	rc = ensure_begun(target, proof, load->run, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return proof->anew;
	return work(target, target->proof, proof, err);
}
