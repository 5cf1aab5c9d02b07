#include "drivers/memory/memory.h"

#include <limits.h>
#include <stdlib.h>

#include "base/connstr.h"
#include "base/text.h"
#include "drivers/memory/server.h"
#include "drivers/registry.h"

static int server_address(const char *connection_string, char *out, size_t size,
			  struct error *err)
{
	struct connstr cs;
	const char *name;

	if (connstr_parse(&cs, connection_string, err) < 0)
		return -1;
	name = connstr_get(&cs, "name");
	text_copy(out, size, name ? name : "");
	connstr_release(&cs);
	return 0;
}

static int server_new(const struct server_spec *spec, struct server **out,
		      struct error *err)
{
	struct memory_server *server = calloc(1, sizeof(*server));
	struct connstr cs;
	const char *name;
	int ret;

	if (!server)
		return error_memory(err, "a server");
	if (connstr_parse(&cs, spec->connection_string, err) < 0) {
		free(server);
		return -1;
	}
	name = connstr_get(&cs, "name");
	server->base.driver = &memory_driver;
	server->store = name ? store_find(name) : NULL;
	ret = connstr_get_int(&cs, "gather_ms", 0, INT_MAX, &server->gather_ms,
			      err);
	connstr_release(&cs);
	if (ret == 0 && !server->store)
		ret = error_set(err, ERROR_CONFIG,
				"connection string: 'name' is missing");
	if (ret == 0)
		*out = &server->base;
	else
		free(server);
	return ret;
}

static void server_free(struct server *server)
{
	free(server);
}

static int server_check(struct server *server, struct cancel *cancel,
			struct findings *out, struct error *err)
{
	struct memory_store *store = ((struct memory_server *)server)->store;

	(void)cancel;
	if (store_call(store, "server.check", err) < 0)
		return -1;
	finding_add(out, FINDING_OK, "connection", "it is in this process");
	return 0;
}

static int server_mappings(struct server *server,
			   const struct server_mapping *mappings, size_t count,
			   struct cancel *cancel, struct error *err)
{
	struct memory_store *store = ((struct memory_server *)server)->store;

	(void)mappings;
	(void)cancel;
	if (store_call(store, "server.mappings", err) < 0)
		return -1;
	pthread_mutex_lock(&store->lock);
	store->mapping_count = count;
	store->told++;
	pthread_mutex_unlock(&store->lock);
	return 0;
}

static const char *const change_sources[] = {"cdc", NULL};

const struct driver memory_driver = {
	.name = "memory",
	.abilities = SOURCE_SNAPSHOTS | TARGET_TRANSACTIONS,
	.change_sources = change_sources,
	.address = server_address,
	.server_new = server_new,
	.server_free = server_free,
	.check = server_check,
	.mappings = server_mappings,
	.source = &memory_source_ops,
	.target = &memory_target_ops,
};
