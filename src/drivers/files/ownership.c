/*
 * Who writes here, and what he has committed: all of it is in one small object.
 * Nobody ever writes that but on condition that it is as he knows it, so a
 * daemon that lost its lease, however long it stood still, cannot commit any
 * more. What it may still do is to make visible what it had committed before:
 * the same files under the same names as its successor does.
 *
 * Whatever removes files goes by what the state said while it was certainly
 * ours: names that are written down there, or were seen before we looked once
 * more.
 */
#include "drivers/files/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"

/* Others may write at the same moment, each a few times. */
#define TRIES 20

static int store_read(struct files_target *target, const char *key,
		      struct strbuf *out, struct store_tag *tag,
		      struct error *err)
{
	return target->store->ops->read(target->store, key, out, tag, err);
}

static const char *place_of(const struct files_target *target)
{
	return target->store->ops->name(target->store);
}

static void adopt(struct files_target *target, struct table_state *state)
{
	table_state_release(&target->state);
	target->state = *state;
	table_state_init(state);
}

/* -------------------------------------------------------------------- writing */

int files_write_state(struct files_target *target, struct table_state *next,
		      struct error *err)
{
	struct store *store = target->store;
	struct store_tag now;
	struct strbuf text;
	int ret = -1;

	next->writes = target->state.writes + 1;
	strbuf_init_max(&text, STORE_SMALL_MAX);
	if (table_state_format(next, &text, err) == 0)
		ret = store->ops->replace(store, LAYOUT_STATE, text.data,
					  text.len, &target->tag, &now, err);
	strbuf_release(&text);
	if (ret < 0) {
		target->tidied = false;
		return -1;
	}
	target->tag = now;
	adopt(target, next);
	return 0;
}

/* As it is, but for what `change` does to it. */
static int change_state(struct files_target *target,
			bool (*change)(struct table_state *next,
				       const void *arg),
			const void *arg, struct error *err)
{
	struct table_state next;
	int ret = -1;

	table_state_init(&next);
	if (table_state_copy(&next, &target->state, err) == 0) {
		if (change(&next, arg))
			ret = files_write_state(target, &next, err);
		else
			error_memory(err, "a table's state");
	}
	table_state_release(&next);
	return ret;
}

/* ------------------------------------------------------------- the first time */

/* Loads that are there although no state tells of them. */
static int see_load(void *arg, const struct store_item *item, struct error *err)
{
	const char *run = item->key + strlen(LAYOUT_FULL);
	const char *slash = strchr(run, '/');
	struct table_state *state = arg;
	char name[LAYOUT_RUN_MAX];
	size_t len = slash ? (size_t)(slash - run) : 0;

	if (!slash || len >= sizeof(name) ||
	    strcmp(slash + 1, LAYOUT_MANIFEST) != 0)
		return 0;
	memcpy(name, run, len);
	name[len] = '\0';
	if (table_state_add_load(state, name, 0, 0))
		return 0;
	return error_memory(err, "a table's state");
}

static int see_changes(void *arg, const struct store_item *item,
		       struct error *err)
{
	struct table_state *state = arg;
	uint64_t first, last;

	(void)err;
	if (layout_changes_numbers(item->key, &first, &last) &&
	    (int64_t)last >= state->next_file)
		state->next_file = (int64_t)last + 1;
	return 0;
}

static int by_run(const void *a, const void *b)
{
	return strcmp(((const struct state_load *)a)->run,
		      ((const struct state_load *)b)->run);
}

/*
 * A state for a table that has none. Should one have got lost, nothing that is
 * there may come again under the same name or number: changes are numbered by
 * the clock from here on, which nobody's numbers have reached.
 */
static int make_first(struct files_target *target, struct table_state *state,
		      struct error *err)
{
	struct store *store = target->store;
	struct store_tag tag;
	struct strbuf latest;
	int rc;

	strbuf_init_max(&latest, STORE_SMALL_MAX);
	rc = store_read(target, LAYOUT_LATEST, &latest, &tag, err);
	if (rc > 0)
		state->writes = manifest_latest_writes(latest.data);
	strbuf_release(&latest);
	if (rc < 0 ||
	    store->ops->list(store, LAYOUT_FULL, see_load, state, err) < 0 ||
	    store->ops->list(store, LAYOUT_CHANGES, see_changes, state, err) <
		    0)
		return -1;
	if (state->load_count)
		qsort(state->loads, state->load_count, sizeof(*state->loads),
		      by_run);
	state->seq = clock_utc_us();
	state->mapping_id = target->mapping_id;
	if (table_state_set(state, &state->installation, target->installation))
		return 0;
	return error_memory(err, "a table's state");
}

/* -------------------------------------------------------------------- fencing */

static int not_understood(const struct files_target *target, struct error *err)
{
	if (err->kind == ERROR_MEMORY)
		return -1;
	err->kind = ERROR_CONFIG;
	error_wrap(err, "'%s/" LAYOUT_STATE "' makes no sense",
		   place_of(target));
	error_append(err, "put back a copy of it, or remove it and have the "
			  "table loaded anew");
	return -1;
}

static int check_owner(const struct files_target *target,
		       const struct table_state *state, struct error *err)
{
	if (!strcmp(state->installation, target->installation) &&
	    state->mapping_id == target->mapping_id)
		return 0;
	return error_set(
		err, ERROR_CONFIG,
		"'%s' has the files of mapping %d of %s control tables; give "
		"this mapping another destination table, or remove "
		"'%s/" LAYOUT_STATE "' if nobody writes there any more",
		place_of(target), state->mapping_id,
		strcmp(state->installation, target->installation) ? "other"
								  : "these",
		place_of(target));
}

/* What is there, into an initialised state. 1: it was there; 0: it is new. */
static int read_state(struct files_target *target, struct table_state *state,
		      struct store_tag *tag, struct error *err)
{
	struct strbuf text;
	int rc;

	strbuf_init_max(&text, STORE_SMALL_MAX);
	rc = store_read(target, LAYOUT_STATE, &text, tag, err);
	if (rc > 0 && table_state_parse(state, text.data, err) < 0)
		rc = not_understood(target, err);
	strbuf_release(&text);
	if (rc == 0 && make_first(target, state, err) < 0)
		rc = -1;
	return rc;
}

static bool take_epoch(struct table_state *next, const void *arg)
{
	next->epoch = *(const int64_t *)arg;
	return true;
}

/*
 * What was only read is no ground to remove anything: a write of it that nobody
 * waits for any more may still be carried out, and names other files. Once it is
 * written, that one fails.
 */
static int claim(struct files_target *target, struct error *err)
{
	struct table_state state;
	struct store_tag tag;
	bool is_new, same;
	int rc;

	table_state_init(&state);
	rc = read_state(target, &state, &tag, err);
	if (rc >= 0 && check_owner(target, &state, err) < 0)
		rc = -1;
	if (rc >= 0 && state.epoch > target->epoch) {
		target->base.later_epoch = state.epoch;
		rc = error_set(err, ERROR_FENCED,
			       "another daemon works on '%s' now",
			       place_of(target));
	}
	if (rc < 0) {
		table_state_release(&state);
		return -1;
	}
	is_new = rc == 0;
	same = !is_new && !strcmp(tag.text, target->tag.text);
	target->published &= same;
	target->tag = tag;
	adopt(target, &state);
	if (!is_new && target->state.epoch == target->epoch && target->tidied)
		return 0;
	return change_state(target, take_epoch, &target->epoch, err);
}

int files_check_owned(struct files_target *target, struct error *err)
{
	struct store_tag tag;
	struct strbuf text;
	int rc;

	if (!target->known)
		return error_set(err, ERROR_INTERNAL, "fence() comes first");
	strbuf_init_max(&text, STORE_SMALL_MAX);
	rc = store_read(target, LAYOUT_STATE, &text, &tag, err);
	strbuf_release(&text);
	if (rc < 0)
		return -1;
	if (!strcmp(tag.text, target->tag.text))
		return 0;
	return error_set(err, ERROR_CONFLICT,
			 "somebody else wrote '%s/" LAYOUT_STATE "'",
			 place_of(target));
}

static int check_owned(void *arg, struct error *err)
{
	return files_check_owned(arg, err);
}

/* ------------------------------------------------------------------ publishing */

/* 1: it is out; 0: it was lost. */
static int publish_one(struct files_target *target,
		       const struct state_pending *file, struct error *err)
{
	struct store *store = target->store;

	FAILPOINT(BEFORE_PUBLISH);
	if (store->ops->publish(store, file->key, file->token, err) == 0) {
		FAILPOINT(AFTER_PUBLISH);
		return 1;
	}
	if (err->kind != ERROR_GAP)
		return -1;
	log_warning("%s", err->message);
	error_clear(err);
	return 0;
}

static bool take_lost(struct table_state *next, const void *arg)
{
	next->pending_count = 0;
	memset(&next->merge, 0, sizeof(next->merge));
	return table_state_set(next, &next->lost, arg);
}

static int publish_files(struct files_target *target, struct error *err)
{
	const struct table_state *state = &target->state;
	const char *lost = NULL;

	for (size_t i = 0; i < state->pending_count; i++) {
		int rc = publish_one(target, &state->pending[i], err);

		if (rc < 0)
			return -1;
		if (rc == 0)
			lost = state->pending[i].key;
	}
	return lost ? change_state(target, take_lost, lost, err) : 0;
}

/*
 * Which load counts never goes back, should a daemon get around to it long after
 * others went on.
 */
static int publish_latest(struct files_target *target, struct error *err)
{
	const char *text = target->state.latest;
	struct store *store = target->store;
	struct store_tag tag, now;
	struct strbuf old;
	int rc, ret = 0;

	strbuf_init_max(&old, STORE_SMALL_MAX);
	rc = store_read(target, LAYOUT_LATEST, &old, &tag, err);
	if (rc < 0)
		ret = -1;
	else if (!rc || manifest_latest_writes(old.data) <
				manifest_latest_writes(text))
		ret = store->ops->replace(store, LAYOUT_LATEST, text,
					  strlen(text), &tag, &now, err);
	strbuf_release(&old);
	return ret;
}

/* 1: all of the files that a merge is to replace are there. */
static int find_replaced(struct files_target *target, struct error *err)
{
	const struct state_merge *merge = &target->state.merge;
	struct store *store = target->store;
	int rc = 1;

	for (size_t i = 0; i < merge->count && rc > 0; i++)
		rc = store->ops->find(store, merge->replaced[i], NULL, err);
	return rc;
}

/*
 * First the merged file is visible, then those go that it has the changes of: at
 * any time each change is in one of them at least. What the state says of it stays
 * there until the next write, and can be done again. A merged file that was lost
 * is no loss as long as the others are there.
 */
static int publish_merge(struct files_target *target, struct error *err)
{
	struct state_merge *merge = &target->state.merge;
	struct state_pending file = {.key = merge->key, .token = merge->token};
	struct store *store = target->store;
	int rc;

	if (!merge->key)
		return 0;
	rc = publish_one(target, &file, err);
	if (rc < 0)
		return -1;
	if (rc > 0) {
		rc = store->ops->remove(store, merge->replaced, merge->count,
					err);
		FAILPOINT(MERGE_REMOVED);
	} else {
		rc = find_replaced(target, err);
		if (rc == 0)
			rc = change_state(target, take_lost, merge->key, err);
	}
	if (rc < 0)
		return -1;
	memset(&target->state.merge, 0, sizeof(target->state.merge));
	return 0;
}

int files_publish(struct files_target *target, struct error *err)
{
	int ret, tries = TRIES;

	if (target->published)
		return 0;
	if (publish_files(target, err) < 0 || publish_merge(target, err) < 0)
		return -1;
	do
		ret = target->state.latest ? publish_latest(target, err) : 0;
	while (ret < 0 && err->kind == ERROR_CONFLICT && --tries);
	if (ret < 0)
		return -1;
	target->published = true;
	return 0;
}

/* --------------------------------------------------------------------- tidying */

struct key_list {
	char **items;
	size_t count, room;
};

static int add_key(struct key_list *list, const char *key, struct error *err)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		char **grown = realloc(list->items, room * sizeof(*grown));

		if (!grown)
			return error_memory(err, "a list of files");
		list->items = grown;
		list->room = room;
	}
	list->items[list->count] = strdup(key);
	if (!list->items[list->count])
		return error_memory(err, "a list of files");
	list->count++;
	return 0;
}

static void free_keys(struct key_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
}

static int see_key(void *arg, const struct store_item *item, struct error *err)
{
	return add_key(arg, item->key, err);
}

static int remove_keys(struct files_target *target, const struct key_list *list,
		       struct error *err)
{
	struct store *store = target->store;

	return store->ops->remove(store, (const char *const *)list->items,
				  list->count, err);
}

static int remove_run(struct files_target *target, const char *run,
		      struct error *err)
{
	struct store *store = target->store;
	struct key_list list = {.items = NULL};
	struct strbuf prefix;
	int ret;

	strbuf_init(&prefix);
	strbuf_addf(&prefix, LAYOUT_FULL "%s/", run);
	ret = strbuf_check(&prefix, err);
	if (ret == 0)
		ret = store->ops->list(store, prefix.data, see_key, &list, err);
	if (ret == 0)
		ret = remove_keys(target, &list, err);
	free_keys(&list);
	strbuf_release(&prefix);
	return ret;
}

struct old_changes {
	struct key_list keys;
	uint64_t before;
};

static int see_old_changes(void *arg, const struct store_item *item,
			   struct error *err)
{
	struct old_changes *old = arg;
	uint64_t first, last;

	if (!layout_changes_numbers(item->key, &first, &last) ||
	    last >= old->before)
		return 0;
	return add_key(&old->keys, item->key, err);
}

static int remove_old_changes(struct files_target *target, struct error *err)
{
	struct store *store = target->store;
	struct old_changes old = {.before = 0};
	int ret;

	if (target->state.load_count)
		old.before = (uint64_t)target->state.loads[0].first_file;
	if (!old.before)
		return 0;
	ret = store->ops->list(store, LAYOUT_CHANGES, see_old_changes, &old,
			       err);
	if (ret == 0)
		ret = remove_keys(target, &old.keys, err);
	free_keys(&old.keys);
	return ret;
}

/* The state keeps their names until they are gone, and it was written since. */
static int remove_obsolete(struct files_target *target, struct error *err)
{
	struct table_state *state = &target->state;

	while (state->obsolete_count) {
		const char *run = state->obsolete[state->obsolete_count - 1];

		if (remove_run(target, run, err) < 0)
			return -1;
		state->obsolete_count--;
	}
	return 0;
}

/*
 * What was begun by those who are fenced out, and will never be visible. Whose
 * load it was may be writing still: the next one removes that once more.
 */
static int tidy(struct files_target *target, struct error *err)
{
	struct table_state *state = &target->state;
	const char **tokens = (const char **)calloc(state->pending_count + 1,
						    sizeof(*tokens));
	struct store *store = target->store;
	size_t count = 0;
	int ret;

	if (!tokens)
		return error_memory(err, "a list of files");
	for (; count < state->pending_count; count++)
		tokens[count] = state->pending[count].token;
	if (state->merge.key)
		tokens[count++] = state->merge.token;
	files_merge_end(&target->base); /* the one at hand is in no state */
	ret = store->ops->tidy(store, tokens, count, check_owned, target, err);
	free((void *)tokens);
	if (ret == 0 && *state->loading) {
		ret = remove_run(target, state->loading, err);
		if (ret == 0 &&
		    !table_state_add_obsolete(state, state->loading))
			ret = error_memory(err, "a table's state");
		if (ret == 0)
			state->loading = "";
	}
	target->tidied = ret == 0;
	return ret;
}

/* Requests of one that was killed may have come late: once more. */
void files_remove_old(struct files_target *target)
{
	struct error err = ERROR_INIT;

	if (remove_obsolete(target, &err) == 0 &&
	    remove_old_changes(target, &err) == 0 && tidy(target, &err) == 0)
		return;
	if (err.kind != ERROR_CANCELLED)
		log_warning("files in '%s' that are not needed any more cannot "
			    "be removed: %s",
			    place_of(target), err.message);
}

int files_fence(struct target *dst, struct error *err)
{
	struct files_target *target = files_target_of(dst);
	struct store *store = target->store;
	int ret, tries = TRIES;

	target->known = false;
	if (store->ops->set_up(store, err) < 0)
		return -1;
	do
		ret = claim(target, err);
	while (ret < 0 && err->kind == ERROR_CONFLICT && --tries);
	if (ret < 0)
		return -1;
	target->known = true;
	if ((!target->tidied || store->untidy) && tidy(target, err) < 0)
		return -1;
	return files_publish(target, err);
}

/* ----------------------------------------------------------------- checkpoints */

static bool is_loaded(const struct files_target *target)
{
	const struct table_state *state = &target->state;

	return state->loaded && !strcmp(state->origin, target->origin);
}

static int was_lost(const struct files_target *target, struct error *err)
{
	return error_set(err, ERROR_GAP,
			 "'%s/%s' was committed, and lost before it became "
			 "visible",
			 place_of(target), target->state.lost);
}

int files_checkpoint(struct target *dst, struct checkpoint *out,
		     struct error *err)
{
	struct files_target *target = files_target_of(dst);

	memset(out, 0, sizeof(*out));
	if (!target->known)
		return error_set(err, ERROR_INTERNAL, "fence() comes first");
	if (!is_loaded(target))
		return 0;
	if (*target->state.lost)
		return was_lost(target, err);
	*out = target->state.checkpoint;
	return 1;
}

int files_check_from(const struct files_target *target,
		     const struct checkpoint *from, struct error *err)
{
	const struct table_state *state = &target->state;

	if (!from)
		return 0;
	if (!is_loaded(target) ||
	    !position_equal(&state->checkpoint.position, &from->position))
		return error_set(err, ERROR_CONFLICT, "the checkpoint moved");
	return *state->lost ? was_lost(target, err) : 0;
}
