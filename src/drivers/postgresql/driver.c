#include "drivers/postgresql/server.h"

#include <stdlib.h>

#include "drivers/postgresql/check.h"
#include "drivers/postgresql/streams.h"
#include "drivers/registry.h"

static int server_address(const char *connection_string, char *out, size_t size,
			  struct error *err)
{
	struct pg_login login = {.login_timeout_s = 0};

	if (pg_login_parse(&login, connection_string, err) < 0)
		return -1;
	pg_login_address(&login, out, (int)size);
	pg_login_release(&login);
	return 0;
}

static int server_new(const struct server_spec *spec, struct server **out,
		      struct error *err)
{
	struct postgresql *server = calloc(1, sizeof(*server));

	if (!server)
		return error_memory(err, "a server");
	server->base.driver = &postgresql_driver;
	server->id = spec->id;
	server->pool = spec->pool;
	server->login.login_timeout_s = spec->login_timeout_s;
	server->login.query_timeout_s = spec->query_timeout_s;
	if (pg_login_parse(&server->login, spec->connection_string, err) < 0) {
		free(server);
		return -1;
	}
	if (pg_snapshots_init(&server->snapshots, err) < 0)
		goto no_snapshots;
	if (streams_new(&server->streams, spec, err) < 0)
		goto no_streams;
	*out = &server->base;
	return 0;
no_streams:
	pg_snapshots_release(&server->snapshots);
no_snapshots:
	pg_login_release(&server->login);
	free(server);
	return -1;
}

static void server_free(struct server *base)
{
	struct postgresql *server = (struct postgresql *)base;

	streams_free(server->streams);
	pg_snapshots_release(&server->snapshots);
	pool_expire(server->pool, server, 0);
	pg_login_release(&server->login);
	free(server);
}

static void close_connection(void *connection)
{
	pg_close(connection);
}

/* libpq would take one by the login's name, which is seldom there. */
static const char *default_database(const struct postgresql *server)
{
	const char *named = pg_login_value(&server->login, "dbname");

	if (named && *named)
		return named;
	return pg_login_value(&server->login, "service") ||
			       getenv("PGDATABASE") || getenv("PGSERVICE")
		       ? ""
		       : "postgres";
}

int postgresql_take(struct postgresql *server, const char *database,
		    struct cancel *cancel, struct pg **out, struct error *err)
{
	int ret;

	if (!*database)
		database = default_database(server);
	*out = pool_take(server->pool, server, database);
	if (*out) {
		pg_set_cancel(*out, cancel);
		return 0;
	}
	ret = pg_open(out, &server->login, PG_ORDINARY, database, cancel, err);
	if (ret < 0)
		pool_drop(server->pool);
	return ret;
}

void postgresql_drop(struct postgresql *server, struct pg *conn)
{
	if (!conn)
		return;
	pg_close(conn);
	pool_drop(server->pool);
}

void postgresql_give(struct postgresql *server, const char *database,
		     struct pg *conn)
{
	if (!conn)
		return;
	pg_set_cancel(conn, NULL);
	if (!*database)
		database = default_database(server);
	if (pg_usable(conn) && !pg_in_transaction(conn))
		pool_give(server->pool, server, database, conn,
			  close_connection);
	else
		postgresql_drop(server, conn);
}

static int server_check(struct server *server, struct cancel *cancel,
			struct findings *out, struct error *err)
{
	return pg_check_server((struct postgresql *)server, cancel, out, err);
}

static int server_mappings(struct server *server,
			   const struct server_mapping *mappings, size_t count,
			   struct cancel *cancel, struct error *err)
{
	return streams_see((struct postgresql *)server, mappings, count, cancel,
			   err);
}

static const char *const change_sources[] = {"logical", NULL};

const struct driver postgresql_driver = {
	.name = "postgresql",
	.abilities = SOURCE_SNAPSHOTS | TARGET_TRANSACTIONS | NAMES_EXACT,
	.change_sources = change_sources,
	.address = server_address,
	.server_new = server_new,
	.server_free = server_free,
	.check = server_check,
	.mappings = server_mappings,
	.source = &postgresql_source_ops,
	.target = &postgresql_target_ops,
};
