/* Verification of files of changes, see prove.c. */
#include "drivers/files/prove.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int see_changes(void *arg, const struct store_item *item,
		       struct error *err)
{
	struct files_proof *state = arg;
	struct change_file file = {.size = item->size}, *grown;
	size_t count = state->change_count;

	if (!layout_changes_numbers(item->key, &file.first, &file.last) ||
	    file.last < state->number || file.first >= state->end)
		return 0;
	if (!(count & (count - 1))) {
		grown = realloc(state->changes,
				(count ? 2 * count : 1) * sizeof(*grown));
		if (!grown)
			return error_memory(err, "a list of files");
		state->changes = grown;
	}
	file.key = strdup(item->key);
	if (!file.key)
		return error_memory(err, "a list of files");
	state->changes[state->change_count++] = file;
	return 0;
}

/* A merged one before those that it was made of. */
static int by_number(const void *a, const void *b)
{
	const struct change_file *left = a, *right = b;

	if (left->first != right->first)
		return left->first < right->first ? -1 : 1;
	return (left->last < right->last) - (left->last > right->last);
}

void prove_changes_forget(struct files_proof *state)
{
	for (size_t i = 0; i < state->change_count; i++)
		free(state->changes[i].key);
	free(state->changes);
	state->changes = NULL;
	state->change_count = state->next_change = 0;
}

static int list_changes(struct files_target *target, struct error *err)
{
	struct files_proof *state = target->proof;
	struct store *store = target->store;

	prove_changes_forget(state);
	if (store->ops->list(store, LAYOUT_CHANGES, see_changes, state, err) <
	    0)
		return -1;
	state->listed = true;
	if (state->change_count)
		qsort(state->changes, state->change_count,
		      sizeof(*state->changes), by_number);
	return 0;
}

int prove_changes_begin(struct files_target *target, struct proof *proof,
			struct error *err)
{
	struct files_proof *state = target->proof;

	if (!state->in_changes) {
		state->in_changes = true;
		state->number = (uint64_t)target->state
					.loads[target->state.load_count - 1]
					.first_file;
		state->end = (uint64_t)target->state.next_file;
		state->last_seq = target->state.seq;
		if (prove_set_place(proof, state, err) < 0)
			return -1;
	}
	return list_changes(target, err);
}

/* The file that has the next number, or the first one behind that; NULL: none
 * has. */
static const struct change_file *next_change(struct files_proof *state)
{
	while (state->next_change < state->change_count &&
	       state->changes[state->next_change].last < state->number)
		state->next_change++;
	return state->next_change < state->change_count
		       ? &state->changes[state->next_change]
		       : NULL;
}

/* What is missing has no name that anybody knows, but for its number. */
static int tell_gap(struct files_proof *state, struct proof *proof,
		    const char *extension, struct error *err)
{
	char key[80];

	snprintf(key, sizeof(key), LAYOUT_CHANGES "*-%05" PRIu64 "%s",
		 state->number, extension);
	if (prove_tell(proof, key, "MISSING", "a file of changes is not there",
		       err) < 0)
		return -1;
	state->number++;
	state->seq = 0;
	proof->objects++;
	return prove_set_place(proof, state, err);
}

static int done_with_change(struct files_proof *state, struct proof *proof,
			    const struct change_file *file, struct error *err)
{
	proof->objects++;
	proof->compared += state->back.sum.rows;
	readback_close(&state->back);
	state->reading = READING_NOTHING;
	state->number = file->last + 1;
	return prove_set_place(proof, state, err);
}

/*
 * With the columns that the load has, if the file has such; at least with our
 * own. It was written with the options of now, or else with those of the load.
 */
static int begin_rows(struct files_target *target, struct proof *proof,
		      struct error *err)
{
	struct files_proof *state = target->proof;
	const struct format_options *options[] = {
		&target->server->settings.format,
		&state->manifest.options,
	};
	const struct table *tables[] = {&state->view.table, &state->own};

	for (size_t i = 0; i < 4; i++) {
		if (readback_rows(&state->back, options[i & 1], tables[i >> 1],
				  prove_room(proof), err) == 0)
			return 0;
		if (err->kind != ERROR_DATA && err->kind != ERROR_SCHEMA)
			return -1;
		if (i < 3)
			error_clear(err);
	}
	return -1;
}

/* It may have been merged since it was listed. 1: it is open, or the list is
 * another one. */
static int open_change(struct files_target *target, struct proof *proof,
		       const struct change_file *file, struct error *err)
{
	struct files_proof *state = target->proof;
	int rc = readback_open(&state->back, target->store, file->key, err);

	if (rc == 0)
		return list_changes(target, err) < 0 ? -1 : 1;
	if (rc < 0)
		return -1;
	free(state->previous);
	state->previous = state->change.key;
	state->change = *file;
	state->change.key = strdup(file->key);
	if (!state->change.key)
		return error_memory(err, "a file of changes");
	state->reading = READING_ROWS;
	if (begin_rows(target, proof, err) == 0)
		return 1;
	state->seq = 0;
	return prove_tell_unreadable(proof, file->key, err);
}

/*
 * 1: each row's number is one more than that of the row before; 0: not so. What
 * came in an earlier file already is passed over.
 */
static bool check_numbers(struct files_proof *state)
{
	const struct batch *batch = &state->back.batch;
	const int64_t *numbers = batch->columns[CHANGE_VIEW_SEQ].i64;
	bool again = state->change.first < state->number;

	for (size_t row = 0; row < batch->rows; row++) {
		if (again && state->seq && numbers[row] < state->seq)
			continue;
		if (state->seq && numbers[row] != state->seq)
			return false;
		if (numbers[row] < 1 || numbers[row] == INT64_MAX)
			return false;
		state->seq = numbers[row] + 1;
	}
	return true;
}

/* All of it was read: the file's last change is the last that there was? */
static int check_last(struct files_proof *state, struct proof *proof,
		      struct error *err)
{
	char text[120];

	if (!state->seq || state->change.last + 1 < state->end ||
	    state->seq > state->last_seq)
		return 0;
	snprintf(text, sizeof(text),
		 "its last _seq is %" PRId64 " instead of %" PRId64,
		 state->seq - 1, state->last_seq);
	return prove_tell(proof, state->change.key, "ROWS", text, err);
}

/* This file begins too late: the one before it lacks rows. */
static int tell_cut_off(struct files_proof *state, struct proof *proof,
			struct error *err)
{
	char text[120];

	snprintf(text, sizeof(text),
		 "behind its last row there is no _seq %" PRId64, state->seq);
	state->seq = 0;
	return prove_tell(proof, state->previous, "ROWS", text, err);
}

static int check_change(struct files_proof *state, struct proof *proof,
			struct error *err)
{
	int rc = readback_next(&state->back, err);
	int64_t seq = state->seq;
	char text[120];

	if (rc < 0) {
		state->seq = 0;
		return prove_tell_unreadable(proof, state->change.key, err);
	}
	if (rc == 0)
		return check_last(state, proof, err);
	state->back.sum.rows += state->back.batch.rows;
	if (check_numbers(state))
		return 1;
	if (state->previous && state->seq == seq &&
	    state->back.sum.rows == state->back.batch.rows) {
		if (tell_cut_off(state, proof, err) < 0)
			return -1;
		if (check_numbers(state))
			return 1;
	}
	snprintf(text, sizeof(text),
		 "_seq %" PRId64 " is not where it has to be", state->seq);
	state->seq = 0;
	return prove_tell(proof, state->change.key, "ROWS", text, err);
}

/* As the list has it: a file that has nothing in it has lost that. */
static int look_at_change(struct files_proof *state, struct proof *proof,
			  const struct change_file *file, struct error *err)
{
	if (!file->size &&
	    prove_tell(proof, file->key, "SIZE", "it is empty", err) < 0)
		return -1;
	return done_with_change(state, proof, file, err);
}

int prove_changes_step(struct files_target *target, struct proof *proof,
		       struct error *err)
{
	struct files_proof *state = target->proof;
	const struct change_file *file;
	int rc;

	if (!state->listed && prove_changes_begin(target, proof, err) < 0)
		return -1;
	if (state->reading == READING_ROWS) {
		rc = check_change(state, proof, err);
		if (rc == 0)
			rc = done_with_change(state, proof, &state->change,
					      err) < 0
				     ? -1
				     : 1;
		return rc;
	}
	if (state->number >= state->end)
		return 0;
	file = next_change(state);
	if (!file || file->first > state->number)
		return tell_gap(state, proof,
				target->server->settings.extension, err) < 0
			       ? -1
			       : 1;
	if (!proof->whole)
		rc = look_at_change(state, proof, file, err);
	else
		rc = open_change(target, proof, file, err);
	if (rc == 0 && state->reading == READING_ROWS)
		rc = done_with_change(state, proof, &state->change, err);
	return rc < 0 ? -1 : 1;
}
