#include "drivers/files/state.h"

#include <string.h>

#include "base/json.h"
#include "drivers/files/layout.h"

#define VERSION 1

/* Far above any need. */
#define LIST_MAX 1000000

void table_state_init(struct table_state *state)
{
	memset(state, 0, sizeof(*state));
	arena_init(&state->arena, 0);
	state->installation = state->origin = "";
	state->lost = state->loading = state->look = "";
}

void table_state_release(struct table_state *state)
{
	arena_release(&state->arena);
	table_state_init(state);
}

/* ------------------------------------------------------------------ building */

bool table_state_set(struct table_state *state, const char **text,
		     const char *value)
{
	const char *copy = arena_strdup(&state->arena, value);

	if (copy)
		*text = copy;
	return copy != NULL;
}

/* An array with room for one more; whenever it is full it doubles. */
static void *grow(struct arena *arena, void *array, size_t count, size_t size)
{
	void *grown;

	if (count & (count - 1) || (count && count < 4))
		return array;
	grown = arena_alloc(arena, (count < 4 ? 4 : 2 * count) * size);
	if (grown && count)
		memcpy(grown, array, count * size);
	return grown;
}

bool table_state_add_load(struct table_state *state, const char *run,
			  int64_t first_seq, int64_t first_file)
{
	struct state_load *loads = grow(&state->arena, state->loads,
					state->load_count, sizeof(*loads));
	struct state_load load = {.first_seq = first_seq,
				  .first_file = first_file};

	if (!loads || !table_state_set(state, &load.run, run))
		return false;
	state->loads = loads;
	loads[state->load_count++] = load;
	return true;
}

bool table_state_add_obsolete(struct table_state *state, const char *run)
{
	const char **runs =
		grow(&state->arena, (void *)state->obsolete,
		     state->obsolete_count, sizeof(*state->obsolete));

	if (!runs || !table_state_set(state, &runs[state->obsolete_count], run))
		return false;
	state->obsolete = runs;
	state->obsolete_count++;
	return true;
}

bool table_state_add_pending(struct table_state *state, const char *key,
			     const char *token)
{
	struct state_pending *files =
		grow(&state->arena, state->pending, state->pending_count,
		     sizeof(*files));
	struct state_pending file = {.key = NULL};

	if (!files || !table_state_set(state, &file.key, key) ||
	    !table_state_set(state, &file.token, token))
		return false;
	state->pending = files;
	files[state->pending_count++] = file;
	return true;
}

bool table_state_add_column(struct table_state *state, const char *name,
			    const char *type)
{
	struct state_column *columns =
		grow(&state->arena, state->columns, state->column_count,
		     sizeof(*columns));
	struct state_column column = {.name = NULL};

	if (!columns || !table_state_set(state, &column.name, name) ||
	    !table_state_set(state, &column.type, type))
		return false;
	state->columns = columns;
	columns[state->column_count++] = column;
	return true;
}

struct state_column *table_state_column(const struct table_state *state,
					const char *name)
{
	for (size_t i = 0; i < state->column_count; i++)
		if (!strcmp(state->columns[i].name, name))
			return &state->columns[i];
	return NULL;
}

static bool add_replaced(struct table_state *state, const char *key)
{
	struct state_merge *merge = &state->merge;
	const char **keys = grow(&state->arena, (void *)merge->replaced,
				 merge->count, sizeof(*keys));

	if (!keys || !table_state_set(state, &keys[merge->count], key))
		return false;
	merge->replaced = keys;
	merge->count++;
	return true;
}

bool table_state_set_merge(struct table_state *state,
			   const struct state_merge *merge)
{
	bool done;

	memset(&state->merge, 0, sizeof(state->merge));
	if (!merge->key)
		return true;
	done = table_state_set(state, &state->merge.key, merge->key) &&
	       table_state_set(state, &state->merge.token, merge->token);
	for (size_t i = 0; done && i < merge->count; i++)
		done = add_replaced(state, merge->replaced[i]);
	return done;
}

bool table_state_keep_loads(struct table_state *state, size_t count)
{
	size_t gone;

	if (state->load_count <= count)
		return true;
	gone = state->load_count - count;
	for (size_t i = 0; i < gone; i++)
		if (!table_state_add_obsolete(state, state->loads[i].run))
			return false;
	/* The array keeps its size, which grow() goes by. */
	for (size_t i = 0; i < count; i++)
		state->loads[i] = state->loads[gone + i];
	state->load_count = count;
	return true;
}

int table_state_copy(struct table_state *to, const struct table_state *from,
		     struct error *err)
{
	bool done;

	to->mapping_id = from->mapping_id;
	to->epoch = from->epoch;
	to->writes = from->writes;
	to->loaded = from->loaded;
	to->checkpoint = from->checkpoint;
	to->seq = from->seq;
	to->next_file = from->next_file;
	to->look_file = from->look_file;
	done = table_state_set(to, &to->installation, from->installation) &&
	       table_state_set(to, &to->origin, from->origin) &&
	       table_state_set(to, &to->lost, from->lost) &&
	       table_state_set(to, &to->loading, from->loading) &&
	       table_state_set(to, &to->look, from->look) &&
	       table_state_set_merge(to, &from->merge) &&
	       (!from->latest ||
		table_state_set(to, &to->latest, from->latest));
	for (size_t i = 0; done && i < from->load_count; i++)
		done = table_state_add_load(to, from->loads[i].run,
					    from->loads[i].first_seq,
					    from->loads[i].first_file);
	for (size_t i = 0; done && i < from->column_count; i++)
		done = table_state_add_column(to, from->columns[i].name,
					      from->columns[i].type);
	for (size_t i = 0; done && i < from->obsolete_count; i++)
		done = table_state_add_obsolete(to, from->obsolete[i]);
	for (size_t i = 0; done && i < from->pending_count; i++)
		done = table_state_add_pending(to, from->pending[i].key,
					       from->pending[i].token);
	return done ? 0 : error_memory(err, "a table's state");
}

/* ---------------------------------------------------------------- formatting */

static json_t *format_checkpoint(const struct table_state *state)
{
	char position[POSITION_TEXT_MAX];

	if (!state->loaded)
		return json_null();
	position_format(position, &state->checkpoint.position);
	return json_pack("{s:s, s:I}", "position", position,
			 "consistent_after_us",
			 (json_int_t)state->checkpoint.consistent_after_us);
}

static json_t *format_loads(const struct table_state *state)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < state->load_count; i++) {
		const struct state_load *load = &state->loads[i];

		list = json_append(
			list,
			json_pack("{s:s, s:I, s:I}", "run", load->run,
				  "first_seq", (json_int_t)load->first_seq,
				  "first_file", (json_int_t)load->first_file));
	}
	return list;
}

static json_t *format_texts(const char *const *texts, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < count; i++)
		list = json_append(list, json_string(texts[i]));
	return list;
}

static json_t *format_columns(const struct table_state *state)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < state->column_count; i++)
		object = json_put(object, state->columns[i].name,
				  json_string(state->columns[i].type));
	return object;
}

static json_t *format_merge(const struct state_merge *merge)
{
	if (!merge->key)
		return json_null();
	return json_pack("{s:s, s:s, s:o}", "key", merge->key, "token",
			 merge->token, "replaces",
			 format_texts(merge->replaced, merge->count));
}

static json_t *format_pending(const struct table_state *state)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < state->pending_count; i++)
		list = json_append(list,
				   json_pack("{s:s, s:s}", "key",
					     state->pending[i].key, "token",
					     state->pending[i].token));
	return list;
}

int table_state_format(const struct table_state *state, struct strbuf *out,
		       struct error *err)
{
	json_t *root = json_pack(
		"{s:i, s:s, s:i, s:s, s:I, s:I, s:o, s:s, s:I, s:I, s:s, s:o, "
		"s:o, s:o, s:s?, s:o, s:s, s:I, s:o}",
		"version", VERSION, "installation", state->installation,
		"mapping", state->mapping_id, "origin", state->origin, "epoch",
		(json_int_t)state->epoch, "writes", (json_int_t)state->writes,
		"checkpoint", format_checkpoint(state), "lost", state->lost,
		"seq", (json_int_t)state->seq, "next_file",
		(json_int_t)state->next_file, "loading", state->loading,
		"loads", format_loads(state), "obsolete",
		format_texts(state->obsolete, state->obsolete_count), "pending",
		format_pending(state), "latest", state->latest, "columns",
		format_columns(state), "look", state->look, "look_file",
		(json_int_t)state->look_file, "merge",
		format_merge(&state->merge));
	char *text = json_format(root, JSON_INDENT(1));

	json_decref(root);
	if (!text)
		return error_memory(err, "a table's state");
	strbuf_addstr(out, text);
	strbuf_addch(out, '\n');
	free(text);
	return strbuf_check(out, err);
}

/* ------------------------------------------------------------------- parsing */

static int broken(struct error *err, const char *what)
{
	return error_set(err, ERROR_DATA, "its '%s' is not as it should be",
			 what);
}

/* A name of a folder that layout_run() may have made. */
static bool is_run(const char *run)
{
	size_t len = strlen(run);

	return len && len < LAYOUT_RUN_MAX &&
	       strspn(run, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == len;
}

/* A file of changes: no way leads out of the folder, or to what is private. */
static bool is_key(const char *key)
{
	return !strncmp(key, LAYOUT_CHANGES, strlen(LAYOUT_CHANGES)) &&
	       !strstr(key, "//") && !strstr(key, "/./") &&
	       !strstr(key, "/../") && key[strlen(key) - 1] != '/' &&
	       strcmp(strrchr(key, '/'), "/..") != 0 &&
	       strcmp(strrchr(key, '/'), "/.") != 0;
}

struct parsed {
	const char *installation, *origin, *lost, *loading;
	json_t *checkpoint, *loads, *obsolete, *pending, *latest;
	json_int_t epoch, writes, seq, next_file;
	int version, mapping_id;
};

static int take_checkpoint(struct table_state *state, json_t *in,
			   struct error *err)
{
	const char *position;
	json_int_t after;

	state->loaded = !json_is_null(in);
	if (!state->loaded)
		return 0;
	if (json_unpack(in, "{s:s, s:I}", "position", &position,
			"consistent_after_us", &after) < 0 ||
	    after < 0)
		return broken(err, "checkpoint");
	state->checkpoint.consistent_after_us = after;
	return position_parse(&state->checkpoint.position, position) < 0
		       ? broken(err, "position")
		       : 0;
}

static int take_load(struct table_state *state, json_t *in, struct error *err)
{
	json_int_t first_seq, first_file;
	const char *run;

	if (json_unpack(in, "{s:s, s:I, s:I}", "run", &run, "first_seq",
			&first_seq, "first_file", &first_file) < 0 ||
	    !is_run(run) || first_seq < 0 || first_file < 0)
		return broken(err, "loads");
	if (table_state_add_load(state, run, first_seq, first_file))
		return 0;
	return error_memory(err, "a table's state");
}

static int take_obsolete(struct table_state *state, json_t *in,
			 struct error *err)
{
	const char *run = json_string_value(in);

	if (!run || !is_run(run))
		return broken(err, "obsolete");
	if (table_state_add_obsolete(state, run))
		return 0;
	return error_memory(err, "a table's state");
}

static int take_pending(struct table_state *state, json_t *in,
			struct error *err)
{
	const char *key, *token;

	if (json_unpack(in, "{s:s, s:s}", "key", &key, "token", &token) < 0 ||
	    !is_key(key) || !*token)
		return broken(err, "pending");
	if (table_state_add_pending(state, key, token))
		return 0;
	return error_memory(err, "a table's state");
}

static int take_replaced(struct table_state *state, json_t *in,
			 struct error *err)
{
	const char *key = json_string_value(in);

	if (!key || !is_key(key))
		return broken(err, "replaces");
	return add_replaced(state, key) ? 0
					: error_memory(err, "a table's state");
}

static int take_list(struct table_state *state, json_t *list, const char *name,
		     int (*take)(struct table_state *state, json_t *in,
				 struct error *err),
		     struct error *err)
{
	size_t count = json_array_size(list);

	if (!json_is_array(list) || count > LIST_MAX)
		return broken(err, name);
	for (size_t i = 0; i < count; i++)
		if (take(state, json_array_get(list, i), err) < 0)
			return -1;
	return 0;
}

/* Not in states that were written before there were such. */
static int take_merge(struct table_state *state, json_t *in, struct error *err)
{
	struct state_merge merge = {.key = NULL};
	json_t *replaced;

	if (!in || json_is_null(in))
		return 0;
	if (json_unpack(in, "{s:s, s:s, s:o}", "key", &merge.key, "token",
			&merge.token, "replaces", &replaced) < 0 ||
	    !is_key(merge.key) || !*merge.token)
		return broken(err, "merge");
	if (!table_state_set_merge(state, &merge))
		return error_memory(err, "a table's state");
	return take_list(state, replaced, "replaces", take_replaced, err);
}

static int take_columns(struct table_state *state, json_t *in,
			struct error *err)
{
	const char *name;
	json_t *type;

	if (in && !json_is_object(in))
		return broken(err, "columns");
	json_object_foreach(in, name, type)
	{
		if (!json_is_string(type))
			return broken(err, "columns");
		if (!table_state_add_column(state, name,
					    json_string_value(type)))
			return error_memory(err, "a table's state");
	}
	return 0;
}

static int take_look(struct table_state *state, json_t *root, struct error *err)
{
	const char *look = "";
	json_int_t file = 0;

	if (json_unpack(root, "{s?s, s?I}", "look", &look, "look_file", &file) <
		    0 ||
	    file < 0)
		return broken(err, "look");
	state->look_file = file;
	return table_state_set(state, &state->look, look)
		       ? 0
		       : error_memory(err, "a table's state");
}

static int take_numbers(struct table_state *state, const struct parsed *in,
			struct error *err)
{
	if (in->epoch < 0 || in->writes < 0 || in->seq < 0 || in->next_file < 0)
		return broken(err, "epoch, writes, seq or next_file");
	state->mapping_id = in->mapping_id;
	state->epoch = in->epoch;
	state->writes = in->writes;
	state->seq = in->seq;
	state->next_file = in->next_file;
	return 0;
}

static int take_texts(struct table_state *state, const struct parsed *in,
		      struct error *err)
{
	const char *latest = json_string_value(in->latest);

	if ((*in->loading && !is_run(in->loading)) ||
	    (*in->lost && !is_key(in->lost)) ||
	    (!latest && !json_is_null(in->latest)))
		return broken(err, "loading, lost or latest");
	if (table_state_set(state, &state->installation, in->installation) &&
	    table_state_set(state, &state->origin, in->origin) &&
	    table_state_set(state, &state->lost, in->lost) &&
	    table_state_set(state, &state->loading, in->loading) &&
	    (!latest || table_state_set(state, &state->latest, latest)))
		return 0;
	return error_memory(err, "a table's state");
}

static int take_all(struct table_state *state, json_t *root, struct error *err)
{
	struct parsed in;

	if (json_unpack(root,
			"{s:i, s:s, s:i, s:s, s:I, s:I, s:o, s:s, s:I, s:I, "
			"s:s, s:o, s:o, s:o, s:o}",
			"version", &in.version, "installation",
			&in.installation, "mapping", &in.mapping_id, "origin",
			&in.origin, "epoch", &in.epoch, "writes", &in.writes,
			"checkpoint", &in.checkpoint, "lost", &in.lost, "seq",
			&in.seq, "next_file", &in.next_file, "loading",
			&in.loading, "loads", &in.loads, "obsolete",
			&in.obsolete, "pending", &in.pending, "latest",
			&in.latest) < 0)
		return error_set(err, ERROR_DATA, "something is missing in it");
	if (in.version != VERSION)
		return error_set(err, ERROR_DATA,
				 "it has version %d, and this program knows %d "
				 "alone",
				 in.version, VERSION);
	if (take_numbers(state, &in, err) < 0 ||
	    take_texts(state, &in, err) < 0 ||
	    take_checkpoint(state, in.checkpoint, err) < 0 ||
	    take_list(state, in.loads, "loads", take_load, err) < 0 ||
	    take_list(state, in.obsolete, "obsolete", take_obsolete, err) < 0 ||
	    take_columns(state, json_object_get(root, "columns"), err) < 0 ||
	    take_look(state, root, err) < 0 ||
	    take_merge(state, json_object_get(root, "merge"), err) < 0)
		return -1;
	return take_list(state, in.pending, "pending", take_pending, err);
}

int table_state_parse(struct table_state *state, const char *text,
		      struct error *err)
{
	json_t *root = json_parse(text, err);
	int ret;

	if (!root)
		return -1;
	ret = take_all(state, root, err);
	json_decref(root);
	return ret;
}
