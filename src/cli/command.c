#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/platform.h"
#include "base/text.h"
#include "base/version.h"
#include "drivers/driver.h"

static const struct command *const commands[] = {
	&command_run,
	&command_init,
	&command_status,
	&command_notify_test,
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(*commands))

static const char options_help[] =
	"Options:\n"
	"  --config FILE        settings; default etc/dataflow.conf, then\n"
	"                       /etc/dbaops-dataflow/dataflow.conf\n"
	"  --control WHERE      the control tables: 'sqlserver' (DEST_SERVER "
	"and\n"
	"                       so on), or sqlite:FILE (default without\n"
	"                       DEST_SERVER: sqlite:dataflow.db)\n"
	"  --log-format FORMAT  text or json\n"
	"  --log-level LEVEL    debug, info, warning or error\n"
	"  -h, --help           this text\n";

static const char environment_help[] =
	"Environment (the configuration file has the same in lower case):\n"
	"  DEST_SERVER    host, host,port or host\\instance of the SQL Server\n"
	"                 with the control tables\n"
	"  DEST_PORT      its port, if not in DEST_SERVER\n"
	"  DEST_USER      login\n"
	"  DEST_PASS      password, or ${file:PATH}\n"
	"  DEST_DATABASE  control database, default dbaops_dataflow\n"
	"  DEST_OPTIONS   more of a connection string, as encrypt=true\n"
	"  DATAFLOW_CONTROL, DATAFLOW_LOG_FORMAT, DATAFLOW_LOG_LEVEL\n"
	"                 as the options of these names\n";

enum exit_code command_failed(const struct error *err, enum exit_code code)
{
	fprintf(stderr, "dbaops-dataflow: %s\n", err->message);
	return code;
}

static void print_usage(void)
{
	printf("dbaops-dataflow " DATAFLOW_VERSION
	       ": tables of one server follow tables of another\n\n"
	       "Usage: dbaops-dataflow [COMMAND] [OPTIONS]\n\n"
	       "Commands:\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-11s %s\n", commands[i]->name, commands[i]->summary);
	printf("\n%s\n%s\n"
	       "'dbaops-dataflow COMMAND --help' tells more; so does "
	       "dbaops-dataflow(8).\n",
	       options_help, environment_help);
}

static void print_help(const struct command *command)
{
	printf("Usage: dbaops-dataflow %s%s%s [OPTIONS]\n\n%s\n%s\n%s",
	       command->name, command->arguments ? " " : "",
	       command->arguments ? command->arguments : "", command->help,
	       options_help, environment_help);
}

static void print_version(void)
{
	const struct driver *const *driver = driver_list();

	printf("dbaops-dataflow " DATAFLOW_VERSION " (drivers:");
	for (; *driver; driver++)
		printf(" %s", (*driver)->name);
	printf(")\n");
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int check_arguments(const struct command *command,
			   const struct options *options, struct error *err)
{
	int most = command->arguments ? 1 : 0;

	if (options->argument_count > most)
		return error_set(err, ERROR_CONFIG,
				 "argument '%s' is not expected",
				 options->arguments[most]);
	return 0;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct options options;
	struct error err = ERROR_INIT;
	int code;

	switch (options_read(&options, argc, argv, &err)) {
	case 0:
		if (check_arguments(command, &options, &err) == 0)
			break;
		options_release(&options);
		return (int)command_failed(&err, EXIT_USAGE);
	case 1:
		print_help(command);
		options_release(&options);
		return EXIT_FINE;
	default:
		options_release(&options);
		return (int)command_failed(&err, EXIT_USAGE);
	}
	if (drivers_init(&err) < 0)
		code = (int)command_failed(&err, EXIT_FAILED);
	else
		code = (int)command->run(&options);
	drivers_exit();
	options_release(&options);
	return code;
}

int command_main(int argc, char **argv)
{
	const struct command *command = &command_run;
	const char *first = argc > 1 ? argv[1] : "";

	platform_signals_init();
	if (!strcmp(first, "--version")) {
		print_version();
		return EXIT_FINE;
	}
	if (!strcmp(first, "--help") || !strcmp(first, "-h") ||
	    !strcmp(first, "help")) {
		print_usage();
		return EXIT_FINE;
	}
	if (*first && *first != '-') {
		command = find(first);
		if (!command) {
			fprintf(stderr,
				"dbaops-dataflow: command '%s' is not known; "
				"see dbaops-dataflow --help\n",
				first);
			return EXIT_USAGE;
		}
		argc--;
		argv++;
	}
	return run(command, argc, argv);
}
