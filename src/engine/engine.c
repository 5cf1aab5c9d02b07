#include "engine/engine.h"

#include <stdlib.h>
#include <string.h>

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
};

int engine_init(struct engine *engine, struct error *err)
{
	int rc;

	memset(engine, 0, sizeof(*engine));
	settings_init(&engine->settings);
	rc = pthread_mutex_init(&engine->lock, NULL);
	if (rc)
		return error_errno(err, rc, "cannot make a lock");
	if (pool_init(&engine->pool,
		      (unsigned)engine->settings.max_connections -
			      CONTROL_CONNECTIONS,
		      err) < 0) {
		pthread_mutex_destroy(&engine->lock);
		return -1;
	}
	return 0;
}

void engine_release(struct engine *engine)
{
	pool_release(&engine->pool);
	pthread_mutex_destroy(&engine->lock);
}

void engine_set_settings(struct engine *engine, const struct settings *settings)
{
	pthread_mutex_lock(&engine->lock);
	engine->settings = *settings;
	pthread_mutex_unlock(&engine->lock);
	pool_resize(&engine->pool,
		    (unsigned)settings->max_connections - CONTROL_CONNECTIONS);
	if (engine->reporter)
		reporter_set_limits(engine->reporter,
				    settings->log_retention_days,
				    settings->lease_s);
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
	       entry->query_timeout_s == settings->query_timeout_s;
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
	};

	if (!entry) {
		error_memory(err, "a server");
		return NULL;
	}
	entry->id = which->id;
	entry->is_target = which->is_target;
	entry->login_timeout_s = spec.login_timeout_s;
	entry->query_timeout_s = spec.query_timeout_s;
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
