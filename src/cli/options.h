#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cancel.h"
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
	EXIT_WARNING = 7,     /* check found something, but no failure */
};

enum exit_code exit_code_for(enum control_trouble trouble);

#define OPTION_NUMBER_MAX    1000000
#define OPTION_WITHOUT_VALUE (-1) /* of an OPTION_MAYBE */

/*
 * An option of the command line. Help, shell completion and the parser all go
 * by these tables, which a line without a name ends.
 */
struct option_info {
	const char *name; /* without the dashes */
	char letter;	  /* as in -n; 0: it has none */
	enum {
		OPTION_FLAG,   /* a bool */
		OPTION_TEXT,   /* a const char *, of argv */
		OPTION_NUMBER, /* an int, 1 to OPTION_NUMBER_MAX */
		OPTION_MAYBE,  /* likewise, and the value may be left out */
	} type;
	size_t offset;	   /* of that in struct options */
	const char *value; /* what it takes, for people; NULL: nothing */
	const char *help;  /* a line or more */
};

/* Those that every command has. */
extern const struct option_info options_common[];

/*
 * Settings from, in this order, the command line, the environment and the
 * configuration file. Owns its strings, but for those of argv.
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
	char *metrics_listen; /* see base/endpoint.h; NULL: as config says */
	char *key_file;	      /* see base/keyring.h, which is told */

	/* Of the command line alone; which command has which says its table. */
	struct options_given {
		const char *config, *control, *log_format, *log_level;
		const char *metrics_listen, *key_file;
	} given;
	bool help;
	bool wait;
	bool json;
	bool whole;
	bool apply;
	bool yes;
	bool follow;
	bool errors;
	bool new_key;
	const char *where;
	int lines;	  /* 0: not given */
	int watch;	  /* seconds; 0: not given */
	char **arguments; /* what is no option */
	int argument_count;

	/* What follows from them. */
	struct control_spec spec;
	char *connection_string;

	/* Raised by Ctrl-C and SIGTERM; of commands that command.c runs in a
	 * thread of their own. */
	struct cancel *cancel;
};

/*
 * Read everything. `own` are the command's options (NULL: none); `argv` starts
 * with the command's name. 1: --help was asked for; 0: done; -1: `err` says
 * what is wrong. Release in any case.
 */
int options_read(struct options *options, const struct option_info *own,
		 int argc, char **argv, struct error *err)
	__attribute__((warn_unused_result));
void options_release(struct options *options); /* safe on zeroed memory */

#endif
