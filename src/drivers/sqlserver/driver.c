#include "drivers/sqlserver/check.h"

#include <stdlib.h>

#include "drivers/registry.h"
#include "tds/conf.h"

static int server_address(const char *connection_string, char *out, size_t size,
			  struct error *err)
{
	struct tds_login login = {.port = 0};

	if (tds_login_parse(&login, connection_string, err) < 0)
		return -1;
	tds_login_address(&login, out, (int)size);
	tds_login_release(&login);
	return 0;
}

static int server_new(const struct server_spec *spec, struct server **out,
		      struct error *err)
{
	struct sqlserver *server = calloc(1, sizeof(*server));

	if (!server)
		return error_memory(err, "a server");
	server->base.driver = &sqlserver_driver;
	server->pool = spec->pool;
	server->login.login_timeout_s = spec->login_timeout_s;
	server->login.query_timeout_s = spec->query_timeout_s;
	if (tds_login_parse(&server->login, spec->connection_string, err) < 0) {
		free(server);
		return -1;
	}
	*out = &server->base;
	return 0;
}

static void server_free(struct server *base)
{
	struct sqlserver *server = (struct sqlserver *)base;

	pool_expire(server->pool, server, 0);
	tds_login_release(&server->login);
	free(server);
}

static void close_connection(void *connection)
{
	tds_close(connection);
}

int sqlserver_take(struct sqlserver *server, const char *database,
		   struct cancel *cancel, struct tds **out, struct error *err)
{
	struct tds_login login;
	int ret;

	*out = pool_take(server->pool, server, database);
	if (*out) {
		tds_set_cancel(*out, cancel);
		return 0;
	}
	ret = tds_login_copy(&login, &server->login,
			     *database ? database : NULL, err);
	if (ret == 0) {
		ret = tds_open(out, &login, cancel, err);
		tds_login_release(&login);
	}
	if (ret < 0)
		pool_drop(server->pool);
	return ret;
}

void sqlserver_give(struct sqlserver *server, const char *database,
		    struct tds *conn)
{
	if (!conn)
		return;
	tds_set_cancel(conn, NULL);
	if (tds_usable(conn)) {
		pool_give(server->pool, server, database, conn,
			  close_connection);
	} else {
		tds_close(conn);
		pool_drop(server->pool);
	}
}

static int server_check(struct server *server, struct cancel *cancel,
			struct findings *out, struct error *err)
{
	return check_server((struct sqlserver *)server, cancel, out, err);
}

static int library_init(struct error *err)
{
	if (tds_conf_init(err) < 0)
		return -1;
	return tds_init(err);
}

static void library_exit(void)
{
	tds_exit();
	tds_conf_release();
}

static const char *const change_sources[] = {"cdc", "change_tracking", NULL};

const struct driver sqlserver_driver = {
	.name = "sqlserver",
	.abilities = SOURCE_SNAPSHOTS | TARGET_TRANSACTIONS,
	.change_sources = change_sources,
	.library_init = library_init,
	.library_exit = library_exit,
	.address = server_address,
	.server_new = server_new,
	.server_free = server_free,
	.check = server_check,
	.source = &sqlserver_source_ops,
	.target = &sqlserver_target_ops,
};
