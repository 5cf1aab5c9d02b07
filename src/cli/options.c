#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/endpoint.h"
#include "base/keyring.h"
#include "base/secret.h"
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
	SETTING(metrics_listen, "DATAFLOW_METRICS_LISTEN"),
	SETTING(key_file, "DATAFLOW_KEY_FILE"),
#undef SETTING
};

#define SETTING_COUNT (sizeof(settings) / sizeof(*settings))

static char **field(struct options *options, size_t i)
{
	return (char **)(void *)((char *)options + settings[i].offset);
}

static int set(char **to, const char *value, struct error *err)
{
	secret_free(*to);
	*to = strdup(value);
	return *to ? 0 : error_memory(err, "the settings");
}

void options_release(struct options *options)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
		secret_free(*field(options, i));
	secret_free(options->connection_string);
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
	OPENSSL_cleanse(line, sizeof(line));
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

/* 1: it was read; 0: there is none, and none is needed. */
static int read_file(struct options *options, const char *path, bool must_exist,
		     struct error *err)
{
	FILE *file = fopen(path, "r");
	int ret;

	if (!file) {
		if (!must_exist && (errno == ENOENT || errno == ENOTDIR))
			return 0;
		error_errno(err, errno, "cannot read '%s'", path);
		if (!must_exist)
			error_append(err, "let this user read it, or name "
					  "another file with --config");
		return -1;
	}
	ret = read_lines(options, file, path, err);
	fclose(file);
	return ret < 0 ? -1 : 1;
}

static int read_files(struct options *options, const char *named,
		      struct error *err)
{
	int rc = 0;

	if (named)
		return read_file(options, named, true, err);
	for (size_t i = 0;
	     !rc && i < sizeof(default_files) / sizeof(*default_files); i++)
		rc = read_file(options, default_files[i], false, err);
	return rc;
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

#define OPTIONS_MAX 32
#define FIRST_VALUE 256 /* getopt's number of the first option */

const struct option_info options_common[] = {
	{"config", 0, OPTION_TEXT, offsetof(struct options, given.config),
	 "FILE",
	 "settings; default etc/dataflow.conf, then\n"
	 "/etc/dbaops-dataflow/dataflow.conf"},
	{"control", 0, OPTION_TEXT, offsetof(struct options, given.control),
	 "WHERE",
	 "the control tables: 'sqlserver' (DEST_SERVER and\n"
	 "so on), or sqlite:FILE (default without\n"
	 "DEST_SERVER: sqlite:dataflow.db)"},
	{"log-format", 0, OPTION_TEXT,
	 offsetof(struct options, given.log_format), "FORMAT", "text or json"},
	{"log-level", 0, OPTION_TEXT, offsetof(struct options, given.log_level),
	 "LEVEL", "debug, info, warning or error"},
	{"help", 'h', OPTION_FLAG, offsetof(struct options, help), NULL,
	 "this text"},
	{.name = NULL},
};

/* The options that may be given, in getopt's words and in ours. */
struct parser {
	const struct option_info *known[OPTIONS_MAX];
	struct option words[OPTIONS_MAX + 1];
	char letters[2 * OPTIONS_MAX + 2];
	int count;
};

static void add_options(struct parser *parser, const struct option_info *info)
{
	size_t len = strlen(parser->letters);

	for (; info && info->name && parser->count < OPTIONS_MAX; info++) {
		struct option *word = &parser->words[parser->count];

		word->name = info->name;
		word->val = FIRST_VALUE + parser->count;
		word->has_arg = info->type == OPTION_FLAG ? no_argument
				: info->type == OPTION_MAYBE
					? optional_argument
					: required_argument;
		parser->known[parser->count++] = info;
		if (!info->letter)
			continue;
		parser->letters[len++] = info->letter;
		if (info->type != OPTION_FLAG)
			parser->letters[len++] = ':';
	}
}

static const struct option_info *find_option(const struct parser *parser,
					     int value)
{
	if (value >= FIRST_VALUE)
		return parser->known[value - FIRST_VALUE];
	for (int i = 0; i < parser->count; i++)
		if (parser->known[i]->letter == value)
			return parser->known[i];
	return NULL;
}

static int read_number(const struct option_info *info, const char *text,
		       int *out, struct error *err)
{
	long number;

	if (!text_to_long(text, &number) || number < 1 ||
	    number > OPTION_NUMBER_MAX)
		return error_set(err, ERROR_CONFIG,
				 "option '--%s': '%s' is not a number from 1 "
				 "to %d",
				 info->name, text, OPTION_NUMBER_MAX);
	*out = (int)number;
	return 0;
}

/* `next` is what follows on the command line, which may be its value. */
static int take_option(struct options *options, const struct option_info *info,
		       const char *value, const char *next, struct error *err)
{
	void *to = (char *)options + info->offset;
	long number;

	switch (info->type) {
	case OPTION_FLAG:
		*(bool *)to = true;
		break;
	case OPTION_TEXT:
		*(const char **)to = value;
		break;
	case OPTION_NUMBER:
		return read_number(info, value, to, err);
	case OPTION_MAYBE:
		if (value)
			return read_number(info, value, to, err);
		if (next && text_to_long(next, &number)) {
			optind++;
			return read_number(info, next, to, err);
		}
		*(int *)to = OPTION_WITHOUT_VALUE;
		break;
	}
	return 0;
}

static int parse_arguments(struct options *options,
			   const struct option_info *own, int argc, char **argv,
			   struct error *err)
{
	struct parser parser = {.letters = ":"};
	int value;

	add_options(&parser, own);
	add_options(&parser, options_common);
	optind = 1;
	opterr = 0;
	while ((value = getopt_long(argc, argv, parser.letters, parser.words,
				    NULL)) != -1) {
		const struct option_info *info = find_option(&parser, value);

		if (value == ':')
			return error_set(err, ERROR_CONFIG,
					 "option '%s' needs a value",
					 argv[optind - 1]);
		if (!info)
			return error_set(err, ERROR_CONFIG,
					 "option '%s' is not known",
					 argv[optind - 1]);
		if (take_option(options, info, optarg,
				optind < argc ? argv[optind] : NULL, err) < 0)
			return -1;
	}
	options->arguments = argv + optind;
	options->argument_count = argc - optind;
	return options->help;
}

static int take_arguments(struct options *options, struct error *err)
{
	const struct options_given *given = &options->given;

	if ((given->control &&
	     set(&options->control, given->control, err) < 0) ||
	    (given->log_format &&
	     set(&options->log_format, given->log_format, err) < 0) ||
	    (given->log_level &&
	     set(&options->log_level, given->log_level, err) < 0) ||
	    (given->metrics_listen &&
	     set(&options->metrics_listen, given->metrics_listen, err) < 0) ||
	    (given->key_file &&
	     set(&options->key_file, given->key_file, err) < 0))
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

static int check_metrics(const struct options *options, struct error *err)
{
	struct endpoint endpoint;

	if (options->metrics_listen &&
	    !endpoint_parse(options->metrics_listen, &endpoint))
		return error_set(
			err, ERROR_CONFIG,
			"metrics_listen '%s' is none of " ENDPOINT_FORMS,
			options->metrics_listen);
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

int options_read(struct options *options, const struct option_info *own,
		 int argc, char **argv, struct error *err)
{
	int rc;

	memset(options, 0, sizeof(*options));
	rc = parse_arguments(options, own, argc, argv, err);
	if (rc)
		return rc;
	if (read_files(options, options->given.config, err) < 0 ||
	    read_environment(options, err) < 0 ||
	    take_arguments(options, err) < 0 || set_up_log(options, err) < 0 ||
	    check_metrics(options, err) < 0 ||
	    (options->key_file &&
	     keyring_set_file(options->key_file, err) < 0) ||
	    choose_control(options, err) < 0)
		return -1;
	return 0;
}
