#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"

#define DEFAULT_DATABASE "dbaops_dataflow"
#define DEFAULT_FILE	 "dataflow.db"
#define LOGIN_TIMEOUT_S	 15
#define QUERY_TIMEOUT_S	 120
#define LINE_BYTES_MAX	 4096 /* of the configuration file */

/* Where the configuration file is looked for when none is named. */
static const char *const default_files[] = {
	"etc/dataflow.conf",
	"/etc/dbaops-dataflow/dataflow.conf",
};

/* The settings that the file and the environment share. */
static const struct {
	const char *key;	 /* in the file */
	const char *environment; /* variable */
	size_t offset;
} settings[] = {
#define SETTING(key, variable)                                \
	{                                                     \
#key, variable, offsetof(struct options, key) \
	}
	SETTING(dest_server, "DEST_SERVER"),
	SETTING(dest_port, "DEST_PORT"),
	SETTING(dest_user, "DEST_USER"),
	SETTING(dest_pass, "DEST_PASS"),
	SETTING(dest_database, "DEST_DATABASE"),
	SETTING(dest_options, "DEST_OPTIONS"),
	SETTING(control, "DATAFLOW_CONTROL"),
	SETTING(log_format, "DATAFLOW_LOG_FORMAT"),
	SETTING(log_level, "DATAFLOW_LOG_LEVEL"),
#undef SETTING
};

#define SETTING_COUNT (sizeof(settings) / sizeof(*settings))

static char **field(struct options *options, size_t i)
{
	return (char **)(void *)((char *)options + settings[i].offset);
}

static int set(char **to, const char *value, struct error *err)
{
	free(*to);
	*to = strdup(value);
	return *to ? 0 : error_memory(err, "the settings");
}

static void wipe(char *s)
{
	volatile char *p = s;

	while (p && *p)
		*p++ = '\0';
	free(s);
}

void options_release(struct options *options)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
		wipe(*field(options, i));
	wipe(options->connection_string);
	memset(options, 0, sizeof(*options));
}

enum exit_code exit_code_for(enum control_trouble trouble)
{
	switch (trouble) {
	case CONTROL_FINE:
		return EXIT_FINE;
	case CONTROL_BAD_SETTINGS:
		return EXIT_USAGE;
	case CONTROL_UNREACHABLE:
		return EXIT_UNREACHABLE;
	case CONTROL_REFUSED:
		return EXIT_REFUSED;
	case CONTROL_NO_DATABASE:
		return EXIT_NO_DATABASE;
	case CONTROL_NO_TABLES:
	case CONTROL_TOO_NEW:
		return EXIT_NO_TABLES;
	case CONTROL_OTHER:
		break;
	}
	return EXIT_FAILED;
}

/* ----------------------------------------------------- configuration file */

static int read_line(struct options *options, char *line, const char *file,
		     int number, struct error *err)
{
	char *key, *value;

	key = text_trim(line);
	if (!*key || *key == '#')
		return 0;
	value = strchr(key, '=');
	if (!value)
		return error_set(err, ERROR_CONFIG,
				 "%s, line %d: 'key = value' expected", file,
				 number);
	*value++ = '\0';
	key = text_trim(key);
	value = text_trim(value);
	for (size_t i = 0; i < SETTING_COUNT; i++)
		if (!strcmp(settings[i].key, key))
			return set(field(options, i), value, err);
	return error_set(err, ERROR_CONFIG,
			 "%s, line %d: '%s' is not a known setting", file,
			 number, key);
}

/*
 * The next line, without its end. 1: there is one; 0: no more; -1: it is too
 * long, so that its rest would be taken for another one, or has a NUL, which
 * would hide what follows.
 */
static int next_line(FILE *file, char line[LINE_BYTES_MAX])
{
	size_t len = 0;
	int c;

	while ((c = fgetc(file)) != EOF && c != '\n') {
		if (c == '\0' || len + 1 == LINE_BYTES_MAX)
			return -1;
		line[len++] = (char)c;
	}
	line[len] = '\0';
	return len > 0 || c == '\n';
}

static int read_lines(struct options *options, FILE *file, const char *path,
		      struct error *err)
{
	char line[LINE_BYTES_MAX];
	int number = 1, rc;

	while ((rc = next_line(file, line)) > 0)
		if (read_line(options, line, path, number++, err) < 0)
			break;
	memset(line, 0, sizeof(line));
	if (rc > 0)
		return -1;
	if (rc < 0)
		return error_set(err, ERROR_CONFIG,
				 "%s, line %d: it is longer than %d bytes, or "
				 "has a NUL in it",
				 path, number, LINE_BYTES_MAX - 1);
	if (ferror(file))
		return error_errno(err, errno, "cannot read '%s'", path);
	return 0;
}

static int read_file(struct options *options, const char *path, bool must_exist,
		     struct error *err)
{
	FILE *file = fopen(path, "r");
	int ret;

	if (!file) {
		if (!must_exist && errno == ENOENT)
			return 0;
		return error_errno(err, errno, "cannot read '%s'", path);
	}
	ret = read_lines(options, file, path, err);
	fclose(file);
	return ret;
}

static int read_files(struct options *options, const char *named,
		      struct error *err)
{
	FILE *file;

	if (named)
		return read_file(options, named, true, err);
	for (size_t i = 0; i < sizeof(default_files) / sizeof(*default_files);
	     i++) {
		file = fopen(default_files[i], "r");
		if (!file)
			continue;
		fclose(file);
		return read_file(options, default_files[i], false, err);
	}
	return 0;
}

static int read_environment(struct options *options, struct error *err)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const char *value = getenv(settings[i].environment);

		if (value && *value && set(field(options, i), value, err) < 0)
			return -1;
	}
	return 0;
}

/* ------------------------------------------------------------ command line */

enum {
	OPT_CONFIG = 256,
	OPT_CONTROL,
	OPT_FORMAT,
	OPT_LEVEL,
	OPT_WAIT,
	OPT_JSON
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, OPT_CONFIG},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"log-format", required_argument, NULL, OPT_FORMAT},
	{"log-level", required_argument, NULL, OPT_LEVEL},
	{"wait", no_argument, NULL, OPT_WAIT},
	{"json", no_argument, NULL, OPT_JSON},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct arguments {
	const char *config, *control, *log_format, *log_level;
};

static int parse_arguments(struct options *options, struct arguments *args,
			   int argc, char **argv, struct error *err)
{
	int opt;

	optind = 1;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", long_options, NULL)) !=
	       -1) {
		switch (opt) {
		case OPT_CONFIG:
			args->config = optarg;
			break;
		case OPT_CONTROL:
			args->control = optarg;
			break;
		case OPT_FORMAT:
			args->log_format = optarg;
			break;
		case OPT_LEVEL:
			args->log_level = optarg;
			break;
		case OPT_WAIT:
			options->wait = true;
			break;
		case OPT_JSON:
			options->json = true;
			break;
		case 'h':
			return 1;
		case ':':
			return error_set(err, ERROR_CONFIG,
					 "option '%s' needs a value",
					 argv[optind - 1]);
		default:
			return error_set(err, ERROR_CONFIG,
					 "option '%s' is not known",
					 argv[optind - 1]);
		}
	}
	options->arguments = argv + optind;
	options->argument_count = argc - optind;
	return 0;
}

static int take_arguments(struct options *options, const struct arguments *args,
			  struct error *err)
{
	if ((args->control && set(&options->control, args->control, err) < 0) ||
	    (args->log_format &&
	     set(&options->log_format, args->log_format, err) < 0) ||
	    (args->log_level &&
	     set(&options->log_level, args->log_level, err) < 0))
		return -1;
	return 0;
}

/* ------------------------------------------------------------ consequences */

static int set_up_log(const struct options *options, struct error *err)
{
	enum log_level level = LOG_INFO;
	bool json = false;

	if (options->log_level && !log_level_parse(options->log_level, &level))
		return error_set(err, ERROR_CONFIG,
				 "log level '%s' is none of debug, info, "
				 "warning and error",
				 options->log_level);
	if (options->log_format) {
		json = text_iequal(options->log_format, "json");
		if (!json && !text_iequal(options->log_format, "text"))
			return error_set(err, ERROR_CONFIG,
					 "log format '%s' is neither text nor "
					 "json",
					 options->log_format);
	}
	log_setup(level, json);
	return 0;
}

/* A value in braces may hold anything but needs its closing ones doubled. */
static void add_value(struct strbuf *sb, const char *key, const char *value)
{
	if (!value)
		return;
	strbuf_addf(sb, "%s={", key);
	for (; *value; value++) {
		if (*value == '}')
			strbuf_addch(sb, '}');
		strbuf_addch(sb, *value);
	}
	strbuf_addstr(sb, "};");
}

static int use_sqlserver(struct options *options, struct error *err)
{
	struct strbuf sb;

	if (!options->dest_server || !*options->dest_server)
		return error_set(err, ERROR_CONFIG,
				 "DEST_SERVER is not set: name the SQL Server "
				 "with the control tables");
	if (!options->dest_user)
		return error_set(err, ERROR_CONFIG,
				 "DEST_SERVER is set, but DEST_USER is not");
	strbuf_init(&sb);
	add_value(&sb, "server", options->dest_server);
	add_value(&sb, "port", options->dest_port);
	add_value(&sb, "user id", options->dest_user);
	add_value(&sb, "password", options->dest_pass);
	if (options->dest_options)
		strbuf_addstr(&sb, options->dest_options);
	options->connection_string = strbuf_detach(&sb);
	if (!options->connection_string)
		return error_memory(err, "the settings");
	options->spec.kind = CONTROL_SQLSERVER;
	options->spec.connection_string = options->connection_string;
	options->spec.database = options->dest_database ? options->dest_database
							: DEFAULT_DATABASE;
	return 0;
}

static int choose_control(struct options *options, struct error *err)
{
	const char *control = options->control;

	options->spec.login_timeout_s = LOGIN_TIMEOUT_S;
	options->spec.query_timeout_s = QUERY_TIMEOUT_S;
	if (!control && options->dest_server && *options->dest_server)
		control = "sqlserver";
	if (!control)
		control = "sqlite:" DEFAULT_FILE;
	if (text_iequal(control, "sqlserver"))
		return use_sqlserver(options, err);
	if (!text_istarts(control, "sqlite:") || !control[strlen("sqlite:")])
		return error_set(
			err, ERROR_CONFIG,
			"control store '%s' is neither 'sqlserver' nor "
			"'sqlite:FILE'",
			control);
	options->spec.kind = CONTROL_SQLITE;
	options->spec.file = control + strlen("sqlite:");
	return 0;
}

int options_read(struct options *options, int argc, char **argv,
		 struct error *err)
{
	struct arguments args = {.config = NULL};
	int rc;

	memset(options, 0, sizeof(*options));
	rc = parse_arguments(options, &args, argc, argv, err);
	if (rc)
		return rc;
	if (read_files(options, args.config, err) < 0 ||
	    read_environment(options, err) < 0 ||
	    take_arguments(options, &args, err) < 0 ||
	    set_up_log(options, err) < 0 || choose_control(options, err) < 0)
		return -1;
	return 0;
}
