/*
 * dataflow.conf and the environment, cli/options.h.
 *
 * Whatever server, user and password are, the connection string made of them
 * reads back as exactly these: no value brings in a key. No message has the
 * password in it, be the rest of the file as broken as it may. A file of
 * anything is read, or refused as a wrong setting.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#include "base/connstr.h"
#include "base/strbuf.h"
#include "cli/options.h"

#define SECRET "CANARY"

static const char *const variables[] = {
	"DEST_SERVER",	      "DEST_PORT",
	"DEST_USER",	      "DEST_PASS",
	"DEST_DATABASE",      "DEST_OPTIONS",
	"DATAFLOW_CONTROL",   "DATAFLOW_LOG_FORMAT",
	"DATAFLOW_LOG_LEVEL", "DATAFLOW_METRICS_LISTEN",
	"DATAFLOW_KEY_FILE",
};

#define VARIABLES (sizeof(variables) / sizeof(*variables))

static char path[600];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	snprintf(path, sizeof(path), "%s/dataflow.conf", private_folder());
	return 0;
}

static void write_conf(const void *data, size_t len)
{
	FILE *file = fopen(path, "wb");

	HOLDS(file);
	HOLDS(fwrite(data, 1, len, file) == len);
	HOLDS(fclose(file) == 0);
}

static int read_options(struct options *options, struct error *err)
{
	char program[] = "run", option[] = "--config";
	char *argv[] = {program, option, path, NULL};

	return options_read(options, NULL, 3, argv, err);
}

static void check_failed(const struct error *err)
{
	check_error(err);
	HOLDS(err->kind == ERROR_CONFIG);
}

/* ------------------------------------------------------- a file of anything */

static void check_anything(struct input *in)
{
	unsigned set = (unsigned)take_number(in, 2);
	struct error err = ERROR_INIT;
	struct options options;
	unsigned char *file;
	size_t len;

	for (size_t i = 0; i < VARIABLES; i++) {
		if (set >> i & 1) {
			char *value = take_text(in, 200);

			setenv(variables[i], value, 1);
			free(value);
		}
	}
	file = take_bytes(in, in->len, &len);
	write_conf(file, len);
	if (read_options(&options, &err) < 0)
		check_failed(&err);
	else if (options.spec.kind == CONTROL_SQLITE)
		HOLDS(options.spec.file && *options.spec.file);
	else
		HOLDS(options.spec.connection_string && options.spec.database);
	options_release(&options);
	for (size_t i = 0; i < VARIABLES; i++)
		unsetenv(variables[i]);
	free(file);
}

/* -------------------------------------------------------- three values */

static void check_entry(struct connstr *cs, const char *key, const char *value)
{
	const char *found = connstr_get(cs, key);

	HOLDS(found && !strcmp(found, value));
}

static void check_values(const struct options *options)
{
	struct error err = ERROR_INIT;
	struct connstr cs;

	HOLDS(options->spec.kind == CONTROL_SQLSERVER);
	/* What stands for something else is replaced, as it shall be. */
	if (strstr(options->connection_string, "${") ||
	    strstr(options->connection_string, "{enc:"))
		return;
	HOLDS(connstr_parse(&cs, options->connection_string, &err) == 0);
	HOLDS(cs.count == 3);
	check_entry(&cs, "server", options->dest_server);
	check_entry(&cs, "user id", options->dest_user);
	check_entry(&cs, "password", options->dest_pass);
	connstr_release(&cs);
}

/* A line of the file: without what would end it. */
static void add_line(struct strbuf *file, const char *key, const char *value)
{
	strbuf_addf(file, "%s = ", key);
	for (; *value; value++)
		if (*value != '\n')
			strbuf_addch(file, *value);
	strbuf_addch(file, '\n');
}

static void check_secret(struct input *in)
{
	bool in_file = take_byte(in) & 1;
	size_t padding = take_below(in, 5000);
	char *server = take_text(in, 100), *user = take_text(in, 100);
	char *end = take_text(in, in->len);
	struct error err = ERROR_INIT;
	struct options options;
	struct strbuf file, pass;

	strbuf_init(&file);
	strbuf_init(&pass);
	for (; padding > 0; padding--)
		strbuf_addch(&pass, '=');
	strbuf_addf(&pass, SECRET "%s", end);
	add_line(&file, "dest_server", server);
	add_line(&file, "dest_user", user);
	if (in_file)
		add_line(&file, "dest_pass", pass.data);
	else
		setenv("DEST_PASS", pass.data, 1);
	write_conf(file.data, file.len);
	if (read_options(&options, &err) < 0) {
		check_failed(&err);
		HOLDS(!strstr(err.message, SECRET));
	} else if (options.dest_server && *options.dest_server) {
		check_values(&options);
	}
	if (!in_file && options.dest_pass)
		HOLDS(!strcmp(options.dest_pass, pass.data));
	options_release(&options);
	unsetenv("DEST_PASS");
	strbuf_release(&pass);
	strbuf_release(&file);
	free(end);
	free(user);
	free(server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	if (take_byte(&in) & 1)
		check_anything(&in);
	else
		check_secret(&in);
	return 0;
}
