#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "control/control.h"

/* How the program ends; the man page documents them. */
enum exit_code {
	EXIT_FINE = 0,
	EXIT_FAILED = 1,      /* something went wrong while it ran */
	EXIT_USAGE = 2,	      /* wrong arguments or settings */
	EXIT_UNREACHABLE = 3, /* the control store cannot be reached */
	EXIT_REFUSED = 4,     /* wrong user or password */
	EXIT_NO_DATABASE = 5, /* the control database does not exist */
	EXIT_NO_TABLES = 6,   /* control tables missing, or another version */
};

enum exit_code exit_code_for(enum control_trouble trouble);

/*
 * Settings from, in this order, the command line, the environment and the
 * configuration file. Owns its strings.
 */
struct options {
	char *dest_server;
	char *dest_port;
	char *dest_user;
	char *dest_pass;
	char *dest_database;
	char *dest_options; /* more of a connection string */
	char *control;
	char *log_format;
	char *log_level;
	bool wait;
	bool json;
	char **arguments; /* what is no option */
	int argument_count;

	/* What follows from them. */
	struct control_spec spec;
	char *connection_string;
};

/*
 * Read everything. `argv` starts after the command's name. 1: --help was
 * asked for; 0: done; -1: `err` says what is wrong. Release in any case.
 */
int options_read(struct options *options, int argc, char **argv,
		 struct error *err) __attribute__((warn_unused_result));
void options_release(struct options *options); /* safe on zeroed memory */

#endif
