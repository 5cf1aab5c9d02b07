#include <stdlib.h>
#include <string.h>

#include "base/connstr.h"
#include "base/text.h"
#include "drivers/files/bucket.h"
#include "drivers/files/check.h"
#include "drivers/files/folder.h"
#include "drivers/files/target.h"
#include "drivers/registry.h"

static void server_free(struct server *base)
{
	struct files_server *server = (struct files_server *)base;

	s3_free(server->s3);
	s3_settings_release(&server->bucket);
	files_settings_release(&server->settings);
	free(server->path);
	free(server->prefix);
	free(server);
}

/* ------------------------------------------------------------------- the folder */

/* "/data//lake/" is "/data/lake". */
static void trim_slashes(char *path)
{
	char *to = path;

	for (const char *from = path; *from; from++)
		if (*from != '/' || to == path || to[-1] != '/')
			*to++ = *from;
	if (to > path + 1 && to[-1] == '/')
		to--;
	*to = '\0';
}

static int read_path(struct connstr *cs, char **out, struct error *err)
{
	const char *path = connstr_get(cs, "path|folder|directory");

	if (!path || *path != '/')
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'path' must be the "
				 "absolute path of a folder that is there, as "
				 "in path=/srv/lake");
	*out = strdup(path);
	if (!*out)
		return error_memory(err, "a server");
	trim_slashes(*out);
	return 0;
}

/* Below the path, and never out of it. */
static bool is_prefix(const char *prefix)
{
	while (*prefix) {
		size_t len = strcspn(prefix, "/");

		if (!len || (len == 1 && prefix[0] == '.') ||
		    (len == 2 && !strncmp(prefix, "..", 2)))
			return false;
		prefix += len;
		prefix += *prefix == '/';
	}
	return true;
}

static int read_prefix(struct connstr *cs, char **out, struct error *err)
{
	const char *prefix = connstr_get(cs, "prefix");
	struct strbuf text;

	if (!prefix)
		prefix = "";
	if (!is_prefix(prefix))
		return error_set(err, ERROR_CONFIG,
				 "connection string: 'prefix' must be folders "
				 "below 'path', with a / between two of them");
	strbuf_init(&text);
	strbuf_addstr(&text, prefix);
	if (text.len && text.data[text.len - 1] != '/')
		strbuf_addch(&text, '/');
	*out = strbuf_detach(&text);
	return *out ? 0 : error_memory(err, "a server");
}

/* What is the same for all: the rest of a server. */
static int read_server(const struct server_spec *spec,
		       const struct driver *driver,
		       int (*read)(struct files_server *server,
				   struct connstr *cs, struct error *err),
		       struct server **out, struct error *err)
{
	struct files_server *server = calloc(1, sizeof(*server));
	struct connstr cs;
	int ret;

	if (!server)
		return error_memory(err, "a server");
	server->base.driver = driver;
	if (connstr_parse(&cs, spec->connection_string, err) < 0) {
		free(server);
		return -1;
	}
	ret = read(server, &cs, err);
	if (ret == 0)
		ret = files_settings_read(&server->settings, &cs, err);
	if (ret == 0)
		ret = connstr_check_unused(&cs, err);
	connstr_release(&cs);
	if (ret == 0)
		*out = &server->base;
	else
		server_free(&server->base);
	return ret;
}

static int read_folder(struct files_server *server, struct connstr *cs,
		       struct error *err)
{
	if (read_path(cs, &server->path, err) < 0)
		return -1;
	return read_prefix(cs, &server->prefix, err);
}

static int folder_server_new(const struct server_spec *spec,
			     struct server **out, struct error *err)
{
	return read_server(spec, &file_driver, read_folder, out, err);
}

static int folder_address(const char *connection_string, char *out, size_t size,
			  struct error *err)
{
	char *path = NULL, *prefix = NULL;
	struct connstr cs;
	int ret;

	if (connstr_parse(&cs, connection_string, err) < 0)
		return -1;
	ret = read_path(&cs, &path, err);
	if (ret == 0)
		ret = read_prefix(&cs, &prefix, err);
	if (ret == 0) {
		text_copy(out, size, "file:");
		text_append(out, size, path);
		text_append(out, size, "/");
		text_append(out, size, prefix);
	}
	free(path);
	free(prefix);
	connstr_release(&cs);
	return ret;
}

/* ------------------------------------------------------------------- the bucket */

static int read_bucket(struct files_server *server, struct connstr *cs,
		       struct error *err)
{
	if (s3_settings_read(&server->bucket, cs, err) < 0)
		return -1;
	return s3_new(&server->s3, &server->bucket, err);
}

static int bucket_server_new(const struct server_spec *spec,
			     struct server **out, struct error *err)
{
	return read_server(spec, &s3_driver, read_bucket, out, err);
}

static int bucket_address(const char *connection_string, char *out, size_t size,
			  struct error *err)
{
	struct s3_settings settings;
	struct connstr cs;
	int ret;

	if (connstr_parse(&cs, connection_string, err) < 0)
		return -1;
	ret = s3_settings_read(&settings, &cs, err);
	connstr_release(&cs);
	if (ret < 0)
		return -1;
	text_copy(out, size, "s3:");
	text_append(out, size, settings.host ? settings.host : "");
	text_append(out, size, "/");
	text_append(out, size, settings.bucket);
	text_append(out, size, "/");
	text_append(out, size, settings.prefix);
	s3_settings_release(&settings);
	return 0;
}

/* -------------------------------------------------------------------- stores */

int files_open_store(const struct files_server *server,
		     const struct table_name *name, struct store **out,
		     struct error *err)
{
	struct strbuf below;
	int ret;

	strbuf_init(&below);
	strbuf_addstr(&below, server->s3 ? "" : server->prefix);
	layout_table(&below, name);
	ret = strbuf_check(&below, err);
	if (ret == 0)
		ret = server->s3
			      ? bucket_open(out, server->s3, &server->bucket,
					    below.data, err)
			      : folder_open(out, server->path, below.data, err);
	strbuf_release(&below);
	return ret;
}

const struct driver file_driver = {
	.name = "file",
	.abilities = TARGET_TRANSACTIONS | TARGET_ANY_SHAPE,
	.address = folder_address,
	.server_new = folder_server_new,
	.server_free = server_free,
	.check = files_check_server,
	.target = &files_target_ops,
};

const struct driver s3_driver = {
	.name = "s3",
	.abilities = TARGET_TRANSACTIONS | TARGET_ANY_SHAPE,
	.library_init = s3_global_init,
	.library_exit = s3_global_exit,
	.address = bucket_address,
	.server_new = bucket_server_new,
	.server_free = server_free,
	.check = files_check_server,
	.target = &files_target_ops,
};
