#include "cli/command.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/keyring.h"
#include "base/platform.h"
#include "base/text.h"
#include "base/version.h"
#include "cli/cell.h"
#include "drivers/driver.h"

const struct command *const commands[] = {
	&command_run,
	&command_init,
	&command_check,
	&command_status,
	&command_sync,
	&command_verify,
	&command_repair,
	&command_pause,
	&command_resume,
	&command_skip,
	&command_compact,
	&command_requests,
	&command_logs,
	&command_notify_test,
	&command_encrypt,
	&command_completion,
	NULL,
};

#define OPTION_COLUMN  23 /* where an option's explanation begins */
#define SIGNAL_POLL_MS 10

static const char environment_help[] =
	"Environment (the configuration file has the same in lower case):\n"
	"  DEST_SERVER    host, host,port or host\\instance of the SQL Server\n"
	"                 with the control tables\n"
	"  DEST_PORT      its port, if not in DEST_SERVER\n"
	"  DEST_USER      login\n"
	"  DEST_PASS      password, enc:..., or ${file:PATH}\n"
	"  DEST_DATABASE  control database, default dbaops_dataflow\n"
	"  DEST_OPTIONS   more of a connection string, as encrypt=true\n"
	"  DATAFLOW_CONTROL, DATAFLOW_LOG_FORMAT, DATAFLOW_LOG_LEVEL,\n"
	"  DATAFLOW_METRICS_LISTEN\n"
	"                 as the options of these names\n"
	"  DATAFLOW_KEY_FILE\n"
	"                 the key of enc:... secrets, default\n"
	"                 " KEYRING_DEFAULT_FILE "\n";

enum exit_code command_failed(const struct error *err, enum exit_code code)
{
	if (err->kind == ERROR_CANCELLED)
		code = EXIT_FAILED;
	fflush(stdout);
	fputs("dbaops-dataflow: ", stderr);
	cell_print_text(stderr, err->kind == ERROR_CANCELLED ? "interrupted"
							     : err->message);
	return code;
}

static void print_option(const struct option_info *info)
{
	bool maybe = info->type == OPTION_MAYBE;
	int at = 2;

	printf("  ");
	if (info->letter)
		at += printf("-%c, ", info->letter);
	at += printf("--%s", info->name);
	if (info->value)
		at += printf(maybe ? " [%s]" : " %s", info->value);
	printf("%*s", at < OPTION_COLUMN ? OPTION_COLUMN - at : 1, "");
	for (const char *s = info->help; *s; s++) {
		putchar(*s);
		if (*s == '\n')
			printf("%*s", OPTION_COLUMN, "");
	}
	putchar('\n');
}

static void print_options(const struct option_info *info)
{
	for (; info && info->name; info++)
		print_option(info);
}

static void print_common_help(void)
{
	printf("\nOptions:\n");
	print_options(options_common);
	printf("\n%s", environment_help);
}

static void print_usage(void)
{
	printf("dbaops-dataflow " DATAFLOW_VERSION
	       ": tables of one server follow tables of another\n\n"
	       "Usage: dbaops-dataflow [COMMAND] [OPTIONS]\n\n"
	       "Commands:\n");
	for (size_t i = 0; commands[i]; i++)
		printf("  %-11s %s\n", commands[i]->name, commands[i]->summary);
	print_common_help();
	printf("\n'dbaops-dataflow COMMAND --help' tells more; so does "
	       "dbaops-dataflow(8).\n");
}

static void print_help(const struct command *command)
{
	printf("Usage: dbaops-dataflow %s%s%s [OPTIONS]\n\n%s\n", command->name,
	       command->arguments ? " " : "",
	       command->arguments ? command->arguments : "", command->help);
	print_options(command->options);
	print_common_help();
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
	for (size_t i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int check_arguments(const struct command *command,
			   const struct options *options, struct error *err)
{
	int most = command->arguments ? 1 : 0;

	if (options->argument_count > most && command->takes_secret)
		return error_set(err, ERROR_CONFIG,
				 "%s takes no argument: other users see it in "
				 "the list of processes; use the terminal or "
				 "stdin, and change a secret that was given so",
				 command->name);
	if (options->argument_count > most)
		return error_set(err, ERROR_CONFIG,
				 "argument '%s' is not expected",
				 options->arguments[most]);
	if (command->arguments && command->arguments[0] != '[' &&
	    !options->argument_count)
		return error_set(err, ERROR_CONFIG,
				 "%s needs an argument: dbaops-dataflow %s %s",
				 command->name, command->name,
				 command->arguments);
	return 0;
}

bool command_colours(void)
{
	const char *term = getenv("TERM"), *never = getenv("NO_COLOR");
	int columns, lines;

	return platform_terminal(&columns, &lines) && term && *term &&
	       strcmp(term, "dumb") != 0 && !(never && *never);
}

int command_mapping(const struct options *options, struct error *err)
{
	const char *text =
		options->argument_count ? options->arguments[0] : NULL;
	long id;

	if (!text)
		return 0;
	if (!text_to_long(text, &id) || id < 1 || id > INT32_MAX)
		return error_set(err, ERROR_CONFIG,
				 "'%s' is not the number of a mapping; "
				 "'dbaops-dataflow status' lists them",
				 text);
	return (int)id;
}

/* A command that a thread of its own runs, so that Ctrl-C can cut it short. */
struct job {
	const struct command *command;
	const struct options *options;
	enum exit_code code;
	atomic_bool done;
};

static void *work(void *arg)
{
	struct job *job = arg;

	job->code = job->command->run(job->options);
	atomic_store(&job->done, true);
	return NULL;
}

/* A login is not to be interrupted: whoever asks twice does not wait. */
static void watch_signals(struct job *job, struct cancel *cancel)
{
	while (!atomic_load(&job->done)) {
		if (platform_wait(SIGNAL_POLL_MS) != PLATFORM_STOP)
			continue;
		if (cancel_level(cancel) == CANCEL_NOW)
			_Exit(EXIT_FAILED);
		cancel_request(cancel, CANCEL_NOW);
	}
}

static enum exit_code run_in_thread(const struct command *command,
				    struct options *options)
{
	struct job job = {.command = command, .options = options};
	struct error err = ERROR_INIT;
	struct cancel cancel;
	pthread_t thread;
	int rc;

	if (cancel_init(&cancel, &err) < 0)
		return command_failed(&err, EXIT_FAILED);
	options->cancel = &cancel;
	job.code = EXIT_FAILED;
	rc = pthread_create(&thread, NULL, work, &job);
	if (rc) {
		error_errno(&err, rc, "cannot start a thread");
		command_failed(&err, EXIT_FAILED);
	} else {
		watch_signals(&job, &cancel);
		pthread_join(thread, NULL);
	}
	cancel_release(&cancel);
	options->cancel = NULL;
	return job.code;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct options options;
	struct error err = ERROR_INIT;
	int code;

	switch (options_read(&options, command->options, argc, argv, &err)) {
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
	else if (command->on_main)
		code = (int)command->run(&options);
	else
		code = (int)run_in_thread(command, &options);
	drivers_exit();
	options_release(&options);
	return code;
}

static int find_and_run(int argc, char **argv)
{
	const struct command *command = &command_run;
	const char *first = argc > 1 ? argv[1] : "";

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

/*
 * What could not be written was not done: it may be a secret that was made for
 * a file on a full disk. A reader who has gone has seen what he wanted.
 */
static int say_whether_written(int code)
{
	struct error err = ERROR_INIT;

	errno = 0;
	if ((fflush(stdout) == 0 && !ferror(stdout)) ||
	    platform_nobody_reads(stdout))
		return code;
	error_errno(&err, errno ? errno : EIO, "cannot write to stdout");
	command_failed(&err, EXIT_FAILED);
	return code == EXIT_FINE || code == EXIT_WARNING ? EXIT_FAILED : code;
}

int command_main(int argc, char **argv)
{
	platform_memory_init();
	platform_signals_init();
	json_setup();
	return say_whether_written(find_and_run(argc, argv));
}
