#include "control/control.h"

#include <stdlib.h>
#include <string.h>

#include "control/reader.h"
#include "control_sql.h" /* made by the build from control/sql/ */

static void read_setting(struct reader *reader, void *element)
{
	struct control_setting *setting = element;

	setting->key = read_text(reader, 0);
	setting->value = read_text(reader, 1);
}

static void read_server(struct reader *reader, void *element)
{
	struct control_server *server = element;

	server->id = read_id(reader, 0);
	server->name = read_text(reader, 1);
	server->type = read_text(reader, 2);
	server->connection_string = read_text(reader, 3);
	server->enabled = read_int(reader, 4) != 0;
}

/* What a mapping says instead of config; -1: nothing. */
static int read_override(struct reader *reader, size_t col)
{
	return reader->session->ops->null(reader->session, col)
		       ? -1
		       : read_id(reader, col);
}

static void read_mapping(struct reader *reader, void *element)
{
	struct control_mapping *mapping = element;

	mapping->id = read_id(reader, 0);
	mapping->server_id = read_id(reader, 1);
	mapping->target_id = read_id(reader, 2);
	mapping->enabled = read_int(reader, 3) != 0;
	mapping->paused = read_int(reader, 4) != 0;
	mapping->cdc_enabled = read_int(reader, 5) != 0;
	mapping->source_database = read_text(reader, 6);
	mapping->source_schema = read_text(reader, 7);
	mapping->source_table = read_text(reader, 8);
	mapping->dest_database = read_text(reader, 9);
	mapping->dest_schema = read_text(reader, 10);
	mapping->dest_table = read_text(reader, 11);
	mapping->key_columns = read_text(reader, 12);
	mapping->trigger_column = read_text(reader, 13);
	mapping->change_source = read_text(reader, 14);
	mapping->suspended = read_int(reader, 15) != 0;
	mapping->suspended_reason = read_text(reader, 16);
	mapping->verification_interval_min = read_override(reader, 17);
	mapping->verification_rows = read_override(reader, 18);
	mapping->full_verification_hours = read_override(reader, 19);
	mapping->full_verification_at = read_text(reader, 20);
	mapping->auto_repair = read_override(reader, 21);
	mapping->progress = read_text(reader, 22);
	mapping->last_tail_us = read_time(reader, 23);
	mapping->last_whole_us = read_time(reader, 24);
	for (size_t i = 0; i < ERROR_CLASSES; i++)
		mapping->on_error[i] = read_text(reader, 25 + i);
	mapping->error = read_text(reader, 25 + ERROR_CLASSES);
	mapping->verification_error = read_text(reader, 26 + ERROR_CLASSES);
	mapping->whole_differs = read_int(reader, 27 + ERROR_CLASSES) != 0;
	mapping->position = read_text(reader, 28 + ERROR_CLASSES);
}

static void read_request(struct reader *reader, void *element)
{
	struct control_request *request = element;

	request->id = read_id(reader, 0);
	request->mapping_id = read_id(reader, 1);
	request->type = read_text(reader, 2);
	request->scope = read_text(reader, 3);
	request->condition = read_text(reader, 4);
	request->dry_run = read_int(reader, 5) != 0;
}

static void read_channel(struct reader *reader, void *element)
{
	struct control_channel *channel = element;

	channel->id = read_id(reader, 0);
	channel->name = read_text(reader, 1);
	channel->type = read_text(reader, 2);
	channel->settings = read_text(reader, 3);
	channel->events = read_text(reader, 4);
	channel->mapping_id = read_id(reader, 5);
	channel->server_id = read_id(reader, 6);
	channel->enabled = read_int(reader, 7) != 0;
}

static void read_installation(struct reader *reader, void *element)
{
	*(const char **)element = read_text(reader, 0);
}

/*
 * Rows that name others come before those: what was inserted between two of
 * the statements, together with all that it needs, is seen whole or not yet.
 */
int control_load(struct control *control, struct control_snapshot *out,
		 struct error *err)
{
	struct reader reader = {
		.session = control->session,
		.arena = &out->arena,
	};
	const char **installation;
	size_t installations;

	memset(out, 0, sizeof(*out));
	arena_init(&out->arena, 0);
	if (read_all(&reader, sql_read_installation, NULL, 0,
		     sizeof(*installation), read_installation,
		     (void **)&installation, &installations, err) < 0 ||
	    read_all(&reader, sql_read_config, NULL, 0, sizeof(*out->settings),
		     read_setting, (void **)&out->settings, &out->setting_count,
		     err) < 0 ||
	    read_all(&reader, sql_read_requests, NULL, 0,
		     sizeof(*out->requests), read_request,
		     (void **)&out->requests, &out->request_count, err) < 0 ||
	    read_all(&reader, sql_read_channels, NULL, 0,
		     sizeof(*out->channels), read_channel,
		     (void **)&out->channels, &out->channel_count, err) < 0 ||
	    read_all(&reader, sql_read_mappings, NULL, 0,
		     sizeof(*out->mappings), read_mapping,
		     (void **)&out->mappings, &out->mapping_count, err) < 0 ||
	    read_all(&reader, sql_read_sources, NULL, 0, sizeof(*out->sources),
		     read_server, (void **)&out->sources, &out->source_count,
		     err) < 0 ||
	    read_all(&reader, sql_read_targets, NULL, 0, sizeof(*out->targets),
		     read_server, (void **)&out->targets, &out->target_count,
		     err) < 0)
		goto failed;
	if (!installations) {
		error_set(err, ERROR_CONFIG,
			  "the table 'installation' is empty; run "
			  "'dbaops-dataflow init'");
		goto failed;
	}
	out->installation_id = installation[0];
	return 0;
failed:
	control_snapshot_release(out);
	return -1;
}

void control_snapshot_release(struct control_snapshot *snapshot)
{
	arena_release(&snapshot->arena);
	memset(snapshot, 0, sizeof(*snapshot));
}

static int by_id(const void *a, const void *b)
{
	int left = ((const struct control_mapping *)a)->id;
	int right = ((const struct control_mapping *)b)->id;

	return (left > right) - (left < right);
}

const struct control_mapping *control_find_mapping(
	const struct control_snapshot *snapshot, int mapping_id)
{
	struct control_mapping key = {.id = mapping_id};

	if (!snapshot->mapping_count)
		return NULL;
	return bsearch(&key, snapshot->mappings, snapshot->mapping_count,
		       sizeof(key), by_id);
}

/* ---------------------------------------------------------- what was told */

static void read_told(struct reader *reader, void *element)
{
	struct control_told *told = element;

	told->id = read_int(reader, 0);
	told->channel_id = read_id(reader, 1);
	told->notices = read_text(reader, 2);
	told->daemon = read_text(reader, 3);
	told->created_us = read_time(reader, 4);
}

int control_read_told(struct control *control, int64_t after, int64_t since_us,
		      struct control_told_list *out, struct error *err)
{
	struct reader reader = {
		.session = control->session,
		.arena = &out->arena,
	};
	char since[CLOCK_TEXT_MAX];
	struct session_param params[] = {
		param_int("@after", after),
		param_time("@since", since_us, since),
	};

	memset(out, 0, sizeof(*out));
	arena_init(&out->arena, 0);
	if (read_all(&reader, sql_read_notifications, params, 2,
		     sizeof(*out->rows), read_told, (void **)&out->rows,
		     &out->count, err) == 0)
		return 0;
	control_told_release(out);
	return -1;
}

void control_told_release(struct control_told_list *list)
{
	arena_release(&list->arena);
	memset(list, 0, sizeof(*list));
}
