#include "engine/census.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/errand.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "engine/retry.h"
#include "engine/roster.h"

/* What failed is tried again after so long, and told when it fails again. */
#define RETRY_MS    10000
#define TELL_FAILED 3
/* And what there is, after so long: how far the mappings are changes. */
#define AGAIN_MS 3600000

struct census_server {
	struct census_server *next;
	int id;
	char *name, *type, *connection_string;
	struct server *server; /* kept while it has mappings; or NULL */

	struct roster roster;
	struct strbuf text; /* of that: is it another one? */

	bool gone;     /* its row is, and with it all of its mappings */
	bool told;     /* it knows the list */
	int failures;  /* to be told */
	bool reported; /* in error_logs, and not over yet */
	bool proven;   /* it was told once: what stood before is over */
	int64_t tried_ms, told_ms;
};

struct census {
	struct engine *engine;
	struct cancel cancel;
	struct errand errand; /* while it runs, the servers are its own */
	struct census_server *servers;
};

/* ----------------------------------------------------------------- servers */

static void server_free(struct census *census, struct census_server *server)
{
	engine_put_server(census->engine, server->server);
	roster_release(&server->roster);
	if (server->text.data)
		strbuf_release(&server->text);
	free(server->name);
	free(server->type);
	free(server->connection_string);
	free(server);
}

static struct census_server *server_new(const struct control_server *row)
{
	struct census_server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	roster_init(&server->roster);
	strbuf_init(&server->text);
	server->id = row->id;
	server->name = strdup(row->name);
	server->type = strdup(row->type);
	server->connection_string = strdup(row->connection_string);
	return server;
}

static bool is_for(const struct census_server *server,
		   const struct control_server *row)
{
	return server->id == row->id && !strcmp(server->name, row->name) &&
	       !strcmp(server->type, row->type) &&
	       !strcmp(server->connection_string, row->connection_string);
}

static bool is_whole(const struct census_server *server)
{
	return server->name && server->type && server->connection_string;
}

static bool is_old(const struct census_server *server)
{
	return server->roster.count && clock_ms() - server->told_ms >= AGAIN_MS;
}

static struct census_server *get_server(struct census *census,
					const struct control_server *row)
{
	struct census_server *server = census->servers;

	while (server && !is_for(server, row))
		server = server->next;
	if (server)
		return server;
	server = server_new(row);
	if (!server || !is_whole(server)) {
		if (server)
			server_free(census, server);
		return NULL;
	}
	server->next = census->servers;
	census->servers = server;
	return server;
}

/* Take the list of a server over, if it is another one, or is to be told. */
static void see_list(struct census_server *server,
		     const struct control_snapshot *snapshot)
{
	struct strbuf text;
	bool same;

	strbuf_init(&text);
	roster_print(snapshot, server->id, &text);
	same = server->roster.mappings && text.len == server->text.len &&
	       !memcmp(text.data, server->text.data, text.len);
	if (text.failed || (same && server->told && !is_old(server))) {
		strbuf_release(&text);
		return;
	}
	strbuf_release(&server->text);
	server->text = text;
	if (!same)
		server->tried_ms = 0;
	/* Half a list must not be told: what is missing would be dropped. */
	server->told = !roster_take(&server->roster, snapshot, server->id);
}

/* ------------------------------------------------------------------ telling */

/* The object that workers use now, which a change of settings replaces. */
static int renew(struct census *census, struct census_server *server,
		 struct error *err)
{
	const struct mapping_server which = {
		.id = server->id,
		.driver = driver_find(server->type, err),
		.name = server->name,
		.type = server->type,
		.connection_string = server->connection_string,
	};
	struct server *now;

	if (!which.driver ||
	    engine_get_server(census->engine, &which, &now, err) < 0)
		return -1;
	if (now != server->server) {
		server->told = false;
		server->tried_ms = 0;
	}
	engine_put_server(census->engine, server->server);
	server->server = now;
	return 0;
}

static int tell(struct census *census, struct census_server *server,
		struct error *err)
{
	struct engine *engine = census->engine;
	struct pool_share *share;
	int ret = -1;

	share = pool_join(&engine->pool, server->server, server->server);
	if (!share)
		return error_memory(err, "a place among the connections");
	if (pool_reserve(&engine->pool, share, 1, &census->cancel, err) == 0) {
		ret = server->server->driver->mappings(
			server->server, server->roster.mappings,
			server->roster.count, &census->cancel, err);
		pool_unreserve(&engine->pool, share, 1);
	}
	pool_leave(&engine->pool, share);
	return ret;
}

static void failed(struct census *census, struct census_server *server,
		   struct error *err)
{
	struct control_error row = {
		.server_id = server->id,
		.type = retry_error_type(err->kind),
		.message = err->message,
	};

	server->failures++;
	if (err->kind == ERROR_CANCELLED)
		return;
	error_wrap(err, "server '%s': what is set up there for changes",
		   server->name);
	log_debug("%s", err->message);
	if (err->retryable && server->failures < TELL_FAILED)
		return;
	report_error(census->engine->reporter, &row);
	server->reported = true;
}

static void succeeded(struct census *census, struct census_server *server)
{
	server->told = true;
	server->told_ms = clock_ms();
	server->failures = 0;
	/* At first also what was told before a restart, or of another string. */
	if (server->reported || !server->proven)
		report_resolved(census->engine->reporter, 0, server->id);
	server->reported = false;
	server->proven = true;
}

static bool is_due(const struct census_server *server)
{
	return !server->told &&
	       (!server->tried_ms || clock_ms() - server->tried_ms >= RETRY_MS);
}

static void tell_all(void *arg)
{
	struct census *census = arg;

	for (struct census_server *s = census->servers; s; s = s->next) {
		struct error err = ERROR_INIT;

		if (!is_due(s) || !s->server ||
		    cancel_level(&census->cancel) != CANCEL_NONE)
			continue;
		s->tried_ms = clock_ms();
		if (tell(census, s, &err) < 0)
			failed(census, s, &err);
		else
			succeeded(census, s);
	}
}

/* ---------------------------------------------------------------- the tables */

static bool is_told_of_mappings(const struct control_server *row)
{
	struct error ignored = ERROR_INIT;
	const struct driver *driver =
		row->type ? driver_find(row->type, &ignored) : NULL;

	return row->enabled && row->name && row->connection_string && driver &&
	       driver->mappings;
}

static const struct control_server *find_row(
	const struct control_snapshot *snapshot, int id)
{
	for (size_t i = 0; i < snapshot->source_count; i++)
		if (snapshot->sources[i].id == id)
			return &snapshot->sources[i];
	return NULL;
}

/* Its row is gone: it is told of no mappings, as long as it can be reached. */
static void see_gone(struct census_server *server)
{
	if (server->gone)
		return;
	server->gone = true;
	server->roster.count = 0;
	server->told = false;
	server->failures = 0;
	server->tried_ms = 0;
}

static bool is_over(const struct census_server *server,
		    const struct control_server *row)
{
	if (server->gone)
		return server->told || server->failures >= TELL_FAILED;
	return row && row->enabled && !is_for(server, row);
}

static void forget_gone(struct census *census,
			const struct control_snapshot *snapshot)
{
	struct census_server **link = &census->servers, *server;

	while ((server = *link)) {
		const struct control_server *row =
			find_row(snapshot, server->id);

		if (!row)
			see_gone(server);
		if (!is_over(server, row)) {
			link = &server->next;
			continue;
		}
		*link = server->next;
		server_free(census, server);
	}
}

/* Which of them have something to be told? */
static bool look_at(struct census *census, struct census_server *server)
{
	struct error err = ERROR_INIT;

	/* Without mappings nobody else has it. */
	if (server->told && !server->roster.count) {
		engine_put_server(census->engine, server->server);
		server->server = NULL;
		return false;
	}
	if (renew(census, server, &err) == 0)
		return is_due(server);
	if (!server->reported)
		failed(census, server, &err);
	return false;
}

void census_see(struct census *census, const struct control_snapshot *snapshot)
{
	struct error err = ERROR_INIT;
	bool any = false;

	if (!errand_has_ended(&census->errand))
		return;
	forget_gone(census, snapshot);
	for (size_t i = 0; i < snapshot->source_count; i++) {
		struct census_server *server =
			is_told_of_mappings(&snapshot->sources[i])
				? get_server(census, &snapshot->sources[i])
				: NULL;

		if (server)
			see_list(server, snapshot);
	}
	for (struct census_server *s = census->servers; s; s = s->next)
		any |= look_at(census, s);
	if (any && errand_start(&census->errand, tell_all, census, &err) < 0)
		log_error("%s", err.message);
}

/* ----------------------------------------------------------------- new, free */

struct census *census_new(struct engine *engine)
{
	struct census *census = calloc(1, sizeof(*census));
	struct error ignored = ERROR_INIT;

	if (!census)
		return NULL;
	census->engine = engine;
	if (cancel_init(&census->cancel, &ignored) == 0)
		return census;
	free(census);
	return NULL;
}

bool census_wait(struct census *census, int64_t ms)
{
	return errand_wait(&census->errand, ms);
}

bool census_stop(struct census *census, int64_t ms)
{
	cancel_request(&census->cancel, CANCEL_NOW);
	return errand_wait(&census->errand, ms);
}

void census_free(struct census *census)
{
	struct census_server *server;

	if (!census)
		return;
	while ((server = census->servers)) {
		census->servers = server->next;
		server_free(census, server);
	}
	cancel_release(&census->cancel);
	free(census);
}
