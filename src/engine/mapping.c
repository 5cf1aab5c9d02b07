#include "engine/mapping.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "control/settings.h"
#include "engine/verify_plan.h"

static const struct control_server *find_server(
	const struct control_server *servers, size_t count, int id)
{
	for (size_t i = 0; i < count; i++)
		if (servers[i].id == id)
			return &servers[i];
	return NULL;
}

int mapping_find_address(const char *type, const char *connection_string,
			 char address[MAPPING_ADDRESS_MAX], struct error *err)
{
	struct error why = ERROR_INIT;
	const struct driver *driver = type ? driver_find(type, &why) : NULL;

	if (driver && connection_string &&
	    driver->address(connection_string, address, MAPPING_ADDRESS_MAX,
			    &why) == 0)
		return 0;
	address[0] = '\0';
	if (why.kind != ERROR_MEMORY)
		return 0;
	*err = why;
	return -1;
}

static int find_all(struct arena *arena, struct control_server *servers,
		    size_t count, struct error *err)
{
	char address[MAPPING_ADDRESS_MAX];

	for (size_t i = 0; i < count; i++) {
		if (mapping_find_address(servers[i].type,
					 servers[i].connection_string, address,
					 err) < 0)
			return -1;
		servers[i].address = arena_strdup(arena, address);
		if (!servers[i].address)
			return error_memory(err, "an address");
	}
	return 0;
}

int mapping_find_addresses(struct control_snapshot *snapshot, struct error *err)
{
	if (find_all(&snapshot->arena, snapshot->sources,
		     snapshot->source_count, err) < 0)
		return -1;
	return find_all(&snapshot->arena, snapshot->targets,
			snapshot->target_count, err);
}

bool mapping_is_enabled(const struct control_mapping *row,
			const struct control_snapshot *snapshot)
{
	const struct control_server *source = find_server(
		snapshot->sources, snapshot->source_count, row->server_id);
	const struct control_server *target = find_server(
		snapshot->targets, snapshot->target_count, row->target_id);

	return row->enabled && (!source || source->enabled) &&
	       (!target || target->enabled);
}

/* A copy, or NULL for NULL and for what is blank. */
static const char *keep(struct mapping *mapping, const char *s, bool *failed)
{
	char *copy;

	if (!s || !s[strspn(s, " \t\r\n")])
		return NULL;
	copy = arena_strdup(&mapping->arena, s);
	if (!copy)
		*failed = true;
	return copy;
}

static const char *keep_or_empty(struct mapping *mapping, const char *s,
				 bool *failed)
{
	const char *copy = keep(mapping, s, failed);

	return copy ? copy : "";
}

static void copy_server(struct mapping *mapping, struct mapping_server *to,
			const struct control_server *from, bool *failed)
{
	to->id = from->id;
	to->name = keep_or_empty(mapping, from->name, failed);
	to->type = keep(mapping, from->type, failed);
	to->connection_string = keep(mapping, from->connection_string, failed);
	to->address = keep_or_empty(mapping, from->address, failed);
}

static const char *first_change_source(const struct mapping *mapping)
{
	const struct driver *driver = mapping->from.driver;

	return driver && driver->change_sources ? driver->change_sources[0]
						: NULL;
}

/*
 * The origin is written out in full, however long: another source table has to
 * have another one, and so has another change log, whose positions mean
 * something else.
 */
static bool make_names(struct mapping *mapping)
{
	const struct table_name *t = &mapping->dest;
	struct strbuf sb;

	strbuf_init(&sb);
	strbuf_addf(&sb, "%s.%s.%s", t->database, t->schema, t->table);
	if (!sb.failed)
		mapping->dest_name = arena_strdup(&mapping->arena, sb.data);
	strbuf_reset(&sb);
	t = &mapping->source;
	strbuf_addf(&sb, "%s.%s.%s", t->database, t->schema, t->table);
	if (!sb.failed)
		mapping->name = arena_strdup(&mapping->arena, sb.data);
	strbuf_reset(&sb);
	strbuf_addf(&sb, "%d/%s.%s.%s", mapping->from.id, t->database,
		    t->schema, t->table);
	if (mapping->change_source != first_change_source(mapping))
		strbuf_addf(&sb, " by %s", mapping->change_source);
	if (!sb.failed)
		mapping->origin = arena_strdup(&mapping->arena, sb.data);
	strbuf_release(&sb);
	return mapping->name && mapping->origin && mapping->dest_name;
}

static bool copy_row(struct mapping *mapping, const struct control_mapping *row)
{
	bool failed = false;

	mapping->id = row->id;
	mapping->cdc_enabled = row->cdc_enabled;
	mapping->paused = row->paused;
	mapping->suspended = row->suspended;
	mapping->suspended_reason =
		keep(mapping, row->suspended_reason, &failed);
	mapping->verification_interval_min = row->verification_interval_min;
	mapping->verification_rows = row->verification_rows;
	mapping->full_verification_hours = row->full_verification_hours;
	mapping->auto_repair = row->auto_repair;
	mapping->source.database =
		keep_or_empty(mapping, row->source_database, &failed);
	mapping->source.schema =
		keep_or_empty(mapping, row->source_schema, &failed);
	mapping->source.table =
		keep_or_empty(mapping, row->source_table, &failed);
	mapping->dest.database =
		keep_or_empty(mapping, row->dest_database, &failed);
	mapping->dest.schema =
		keep_or_empty(mapping, row->dest_schema, &failed);
	mapping->dest.table = keep_or_empty(mapping, row->dest_table, &failed);
	mapping->key_columns = keep(mapping, row->key_columns, &failed);
	mapping->trigger_column = keep(mapping, row->trigger_column, &failed);
	return !failed;
}

static bool copy_servers(struct mapping *mapping,
			 const struct control_mapping *row,
			 const struct control_snapshot *snapshot,
			 const struct mapping_default_target *fallback)
{
	const struct control_server *source = find_server(
		snapshot->sources, snapshot->source_count, row->server_id);
	const struct control_server *target = find_server(
		snapshot->targets, snapshot->target_count, row->target_id);
	struct control_server control = {
		.name = "the control tables' server",
		.type = fallback->type,
		.connection_string = fallback->connection_string,
		.address = fallback->address,
	};
	bool failed = false;

	mapping->to.is_target = true;
	mapping->from.address = mapping->to.address = "";
	mapping->from.id = row->server_id;
	mapping->to.id = row->target_id;
	if (source)
		copy_server(mapping, &mapping->from, source, &failed);
	if (!row->target_id)
		target = &control;
	if (target)
		copy_server(mapping, &mapping->to, target, &failed);
	return !failed;
}

/* ---------------------------------------------------------------- checking */

static int check_names(const struct mapping *mapping, struct error *err)
{
	const struct {
		const char *column, *value;
	} needed[] = {
		{"source_database", mapping->source.database},
		{"source_schema", mapping->source.schema},
		{"source_table", mapping->source.table},
		{"dest_database", mapping->dest.database},
		{"dest_schema", mapping->dest.schema},
		{"dest_table", mapping->dest.table},
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		if (!*needed[i].value)
			return error_set(
				err, ERROR_CONFIG,
				"table_mappings: '%s' of mapping %d is "
				"NULL or blank",
				needed[i].column, mapping->id);
	return 0;
}

static int check_server(const struct mapping *mapping,
			struct mapping_server *server, struct error *err)
{
	const char *table =
		server->is_target ? "target_servers" : "source_servers";

	if (server->is_target && !server->id && !server->connection_string)
		return error_set(err, ERROR_CONFIG,
				 "mapping %d has no target_id, and the control "
				 "tables are not on a SQL Server that could be "
				 "its destination; insert a row into "
				 "target_servers and name it",
				 mapping->id);
	if (!server->name)
		return error_set(err, ERROR_CONFIG,
				 "mapping %d names server %d, which is not in "
				 "%s",
				 mapping->id, server->id, table);
	if (!server->connection_string)
		return error_set(err, ERROR_CONFIG,
				 "%s: connection_string of server '%s' is NULL "
				 "or blank",
				 table, server->name);
	if (!server->type)
		return error_set(err, ERROR_CONFIG,
				 "%s: the type of server '%s' is NULL or blank",
				 table, server->name);
	server->driver = driver_find(server->type, err);
	if (!server->driver)
		return error_wrap(err, "%s: server '%s'", table, server->name);
	return 0;
}

static int check_abilities(const struct mapping *mapping, struct error *err)
{
	if (!mapping->from.driver->source)
		return error_set(err, ERROR_CONFIG,
				 "server '%s': '%s' cannot be a source",
				 mapping->from.name, mapping->from.type);
	if (!mapping->to.driver->target)
		return error_set(err, ERROR_CONFIG,
				 "server '%s': '%s' cannot be a target",
				 mapping->to.name, mapping->to.type);
	return 0;
}

static int check_verification(struct mapping *mapping,
			      const struct control_mapping *row,
			      struct error *err)
{
	const char *at = row->full_verification_at;

	mapping->full_verification_at = -1;
	if (!at || !at[strspn(at, " ")])
		return 0;
	mapping->full_verification_at = verify_plan_parse_time(at);
	if (mapping->full_verification_at >= 0)
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "table_mappings: full_verification_at '%s' of mapping "
			 "%d is no time of day (UTC), as 02:30",
			 at, mapping->id);
}

/* What the column has by default: whatever log the source has. */
#define ANY_CHANGE_SOURCE "cdc"

/* Which of the source's change logs is meant: `wanted`, or the first. */
static int choose_change_source(struct mapping *mapping, const char *wanted,
				struct error *err)
{
	const char *const *known = mapping->from.driver->change_sources;
	struct strbuf names;

	mapping->change_source = first_change_source(mapping);
	if (!mapping->cdc_enabled)
		return 0;
	if (!known)
		return error_set(err, ERROR_CONFIG,
				 "cdc_enabled is 1, but '%s' cannot tell "
				 "changes",
				 mapping->from.type);
	if (!wanted)
		return 0;
	strbuf_init(&names);
	for (size_t i = 0; known[i]; i++) {
		if (text_iequal(known[i], wanted)) {
			mapping->change_source = known[i];
			strbuf_release(&names);
			return 0;
		}
		strbuf_addf(&names, "%s'%s'", i ? ", " : "", known[i]);
	}
	if (text_iequal(wanted, ANY_CHANGE_SOURCE)) {
		strbuf_release(&names);
		return 0;
	}
	error_set(err, ERROR_CONFIG,
		  "table_mappings: change_source '%s' of mapping %d is not one "
		  "that '%s' has: %s",
		  wanted, mapping->id, mapping->from.type,
		  names.failed ? "" : names.data);
	strbuf_release(&names);
	return -1;
}

/* What this mapping says instead of config. */
static int choose_actions(struct mapping *mapping,
			  const struct control_mapping *row, struct error *err)
{
	for (int i = 0; i < ERROR_CLASSES; i++) {
		const char *word = row->on_error[i];
		enum error_action action;

		mapping->on_error[i] = -1;
		if (!word || !word[strspn(word, " \t\r\n")])
			continue;
		if (settings_action((enum error_class)i, word, &action, err) <
		    0)
			return error_wrap(err, "table_mappings: mapping %d",
					  mapping->id);
		mapping->on_error[i] = (int)action;
	}
	return 0;
}

struct mapping *mapping_new(const struct control_mapping *row,
			    const struct control_snapshot *snapshot,
			    const struct mapping_default_target *fallback)
{
	struct mapping *mapping = calloc(1, sizeof(*mapping));
	struct error *problem;
	const char *change_source;
	bool failed = false;

	if (!mapping)
		return NULL;
	arena_init(&mapping->arena, 0);
	change_source = keep(mapping, row->change_source, &failed);
	if (failed || !copy_row(mapping, row) ||
	    !copy_servers(mapping, row, snapshot, fallback))
		goto no_memory;
	problem = &mapping->problem;
	if (check_names(mapping, problem) == 0 &&
	    check_server(mapping, &mapping->from, problem) == 0 &&
	    check_server(mapping, &mapping->to, problem) == 0 &&
	    check_abilities(mapping, problem) == 0 &&
	    choose_change_source(mapping, change_source, problem) == 0 &&
	    check_verification(mapping, row, problem) == 0 &&
	    choose_actions(mapping, row, problem) == 0)
		error_clear(problem);
	/* A lack of memory is no trouble of the row's. */
	if (problem->kind != ERROR_MEMORY && make_names(mapping))
		return mapping;
no_memory:
	mapping_free(mapping);
	return NULL;
}

void mapping_free(struct mapping *mapping)
{
	if (!mapping)
		return;
	arena_release(&mapping->arena);
	free(mapping);
}

/* -------------------------------------------------------------- comparison */

static bool same_table(const struct table_name *a, const struct table_name *b)
{
	return text_equal(a->database, b->database) &&
	       text_equal(a->schema, b->schema) &&
	       text_equal(a->table, b->table);
}

static bool same_server(const struct mapping_server *a,
			const struct mapping_server *b)
{
	return a->id == b->id && text_equal(a->name, b->name) &&
	       text_equal(a->type, b->type) &&
	       text_equal(a->connection_string, b->connection_string);
}

static bool same_verification(const struct mapping *a, const struct mapping *b)
{
	return a->verification_interval_min == b->verification_interval_min &&
	       a->verification_rows == b->verification_rows &&
	       a->full_verification_hours == b->full_verification_hours &&
	       a->full_verification_at == b->full_verification_at &&
	       a->auto_repair == b->auto_repair;
}

int64_t mapping_interval_ms(const struct mapping *mapping, int seconds)
{
	int64_t interval = seconds * INT64_C(1000);
	uint32_t spread = (uint32_t)mapping->id * 2654435761u;

	return interval - (interval / 8 * (spread >> 22)) / 1024;
}

bool mapping_equal(const struct mapping *a, const struct mapping *b)
{
	return a->id == b->id && same_server(&a->from, &b->from) &&
	       same_server(&a->to, &b->to) &&
	       same_table(&a->source, &b->source) &&
	       same_table(&a->dest, &b->dest) &&
	       text_equal(a->key_columns, b->key_columns) &&
	       text_equal(a->trigger_column, b->trigger_column) &&
	       text_equal(a->change_source, b->change_source) &&
	       !strcmp(a->problem.message, b->problem.message) &&
	       same_verification(a, b) && a->cdc_enabled == b->cdc_enabled &&
	       a->paused == b->paused && a->suspended == b->suspended &&
	       !memcmp(a->on_error, b->on_error, sizeof(a->on_error));
}
