#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/options.h"

/* A subcommand: one file each. */
struct command {
	const char *name;
	const char *summary;   /* one line for the list */
	const char *arguments; /* "CHANNEL", in brackets if it may be left
				* out; NULL: it has none */
	const char *help;      /* what it does, and its own options */
	enum exit_code (*run)(const struct options *options);
};

extern const struct command command_run;
extern const struct command command_init;
extern const struct command command_status;
extern const struct command command_notify_test;

/* Do what the arguments of main() say; the process's exit code. */
int command_main(int argc, char **argv);

/* Print "dbaops-dataflow: message" to stderr and return `code`. */
enum exit_code command_failed(const struct error *err, enum exit_code code);

#endif
