#include "engine/engine.h"

#include <stdlib.h>
#include <string.h>

#include "engine/memory.h"

/*
 * Connections that the limit does not give to workers: the control store is
 * read over one and written over another.
 */
#define CONTROL_CONNECTIONS 2

struct engine_server {
	struct engine_server *next;
	struct server *server;
	unsigned users;
	int id;
	bool is_target;
	char *type;
	char *connection_string;
	int login_timeout_s, query_timeout_s;
	int spill_mb;
};

int engine_init(struct engine *engine, struct error *err)
{
	struct memory_plan plan;
	int rc;

	memset(engine, 0, sizeof(*engine));
	settings_init(&engine->settings);
	if (memory_plan_make(&plan, &engine->settings, 0, err) < 0)
		return -1;
	engine->own_memory = plan.own;
	rc = pthread_mutex_init(&engine->lock, NULL);
	if (rc)
		return error_errno(err, rc, "cannot make a lock");
	if (budget_init(&engine->memory, plan.shared, err) < 0)
		goto no_budget;
	if (pool_init(&engine->pool,
		      (unsigned)engine->settings.max_connections -
			      CONTROL_CONNECTIONS,
		      err) < 0)
		goto no_pool;
	return 0;
no_pool:
	budget_release(&engine->memory);
no_budget:
	pthread_mutex_destroy(&engine->lock);
	return -1;
}

void engine_release(struct engine *engine)
{
	pool_release(&engine->pool);
	budget_release(&engine->memory);
	pthread_mutex_destroy(&engine->lock);
}

int engine_set_settings(struct engine *engine, const struct settings *settings,
			size_t mappings, struct error *err)
{
	struct memory_plan plan;
	int ret = memory_plan_make(&plan, settings, mappings, err);

	pthread_mutex_lock(&engine->lock);
	engine->settings = *settings;
	engine->own_memory = plan.own;
	pthread_mutex_unlock(&engine->lock);
	budget_resize(&engine->memory, plan.shared);
	pool_resize(&engine->pool,
		    (unsigned)settings->max_connections - CONTROL_CONNECTIONS);
	if (engine->reporter)
		reporter_set_limits(engine->reporter,
				    settings->log_retention_days,
				    settings->lease_s);
	return ret;
}

size_t engine_own_memory(struct engine *engine)
{
	size_t own;

	pthread_mutex_lock(&engine->lock);
	own = engine->own_memory;
	pthread_mutex_unlock(&engine->lock);
	return own;
}

void engine_get_settings(struct engine *engine, struct settings *out)
{
	pthread_mutex_lock(&engine->lock);
	*out = engine->settings;
	pthread_mutex_unlock(&engine->lock);
}

void engine_set_pulse(struct engine *engine, const struct pulse *pulse)
{
	pthread_mutex_lock(&engine->lock);
	engine->pulse = *pulse;
	pthread_mutex_unlock(&engine->lock);
}

void engine_get_pulse(struct engine *engine, struct pulse *out)
{
	pthread_mutex_lock(&engine->lock);
	*out = engine->pulse;
	pthread_mutex_unlock(&engine->lock);
}

/* ----------------------------------------------------------------- servers */

static bool is_for(const struct engine_server *entry,
		   const struct mapping_server *which,
		   const struct settings *settings)
{
	return entry->id == which->id && entry->is_target == which->is_target &&
	       !strcmp(entry->type, which->type) &&
	       !strcmp(entry->connection_string, which->connection_string) &&
	       entry->login_timeout_s == settings->connect_timeout_s &&
	       entry->query_timeout_s == settings->query_timeout_s &&
	       entry->spill_mb == settings->spill_limit_mb;
}

bool engine_serves_alike(const struct settings *a, const struct settings *b)
{
	return a->connect_timeout_s == b->connect_timeout_s &&
	       a->query_timeout_s == b->query_timeout_s &&
	       a->spill_limit_mb == b->spill_limit_mb &&
	       a->lease_s == b->lease_s;
}

static void entry_free(struct engine_server *entry)
{
	if (entry->server)
		entry->server->driver->server_free(entry->server);
	free(entry->type);
	free(entry->connection_string);
	free(entry);
}

static struct engine_server *entry_new(struct engine *engine,
				       const struct mapping_server *which,
				       struct error *err)
{
	struct engine_server *entry = calloc(1, sizeof(*entry));
	struct server_spec spec = {
		.id = which->id,
		.name = which->name,
		.connection_string = which->connection_string,
		.login_timeout_s = engine->settings.connect_timeout_s,
		.query_timeout_s = engine->settings.query_timeout_s,
		.pool = &engine->pool,
		.installation = engine->installation,
		.spill_bytes = (uint64_t)engine->settings.spill_limit_mb << 20,
	};

	if (!entry) {
		error_memory(err, "a server");
		return NULL;
	}
	entry->id = which->id;
	entry->is_target = which->is_target;
	entry->login_timeout_s = spec.login_timeout_s;
	entry->query_timeout_s = spec.query_timeout_s;
	entry->spill_mb = engine->settings.spill_limit_mb;
	entry->type = strdup(which->type);
	entry->connection_string = strdup(which->connection_string);
	if (!entry->type || !entry->connection_string) {
		error_memory(err, "a server");
		goto failed;
	}
	if (which->driver->server_new(&spec, &entry->server, err) < 0) {
		error_wrap(err, "server '%s'", which->name);
		goto failed;
	}
	return entry;
failed:
	entry_free(entry);
	return NULL;
}

int engine_get_server(struct engine *engine, const struct mapping_server *which,
		      struct server **out, struct error *err)
{
	struct engine_server *entry;

	pthread_mutex_lock(&engine->lock);
	for (entry = engine->servers; entry; entry = entry->next)
		if (is_for(entry, which, &engine->settings))
			break;
	if (!entry) {
		entry = entry_new(engine, which, err);
		if (entry) {
			entry->next = engine->servers;
			engine->servers = entry;
		}
	}
	if (entry) {
		entry->users++;
		*out = entry->server;
	}
	pthread_mutex_unlock(&engine->lock);
	return entry ? 0 : -1;
}

void engine_put_server(struct engine *engine, struct server *server)
{
	struct engine_server **link, *entry = NULL;

	if (!server)
		return;
	pthread_mutex_lock(&engine->lock);
	for (link = &engine->servers; *link; link = &(*link)->next) {
		if ((*link)->server != server)
			continue;
		if (--(*link)->users == 0) {
			entry = *link;
			*link = entry->next;
		}
		break;
	}
	pthread_mutex_unlock(&engine->lock);
	if (entry)
		entry_free(entry);
}
