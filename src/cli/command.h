#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/options.h"

/* A subcommand: one file each, or one for several of a kind. */
struct command {
	const char *name;
	const char *summary;   /* one line for the list */
	const char *arguments; /* "MAPPING", in brackets if it may be left
				* out; NULL: it has none */
	const char *help;      /* what it does, in a few lines */
	const struct option_info *options; /* its own; NULL: none */
	bool takes_secret; /* what it is given in error is not repeated */
	bool on_main; /* runs on the main thread and sees to signals itself */
	enum exit_code (*run)(const struct options *options);
};

extern const struct command command_run;
extern const struct command command_init;
extern const struct command command_check;
extern const struct command command_status;
extern const struct command command_sync;
extern const struct command command_verify;
extern const struct command command_repair;
extern const struct command command_pause;
extern const struct command command_resume;
extern const struct command command_skip;
extern const struct command command_compact;
extern const struct command command_requests;
extern const struct command command_logs;
extern const struct command command_notify_test;
extern const struct command command_encrypt;
extern const struct command command_completion;

/* All of them, ended by NULL. */
extern const struct command *const commands[];

/* Do what the arguments of main() say; the process's exit code. */
int command_main(int argc, char **argv);

/*
 * Print "dbaops-dataflow: message" to stderr and return `code`; EXIT_FAILED
 * after Ctrl-C.
 */
enum exit_code command_failed(const struct error *err, enum exit_code code);

/* May stdout have colours? On a terminal that knows them, unless NO_COLOR. */
bool command_colours(void);

/*
 * The id of the mapping that the first argument names, 0 when there is no
 * argument; -1: it is no id.
 */
int command_mapping(const struct options *options, struct error *err)
	__attribute__((warn_unused_result));

#endif
