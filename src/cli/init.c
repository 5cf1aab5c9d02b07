#include <stdio.h>

#include "cli/command.h"

static enum exit_code run(const struct options *options)
{
	struct control_spec spec = options->spec;
	enum control_trouble trouble;
	struct error err = ERROR_INIT;

	spec.create = true;
	if (control_init(&spec, &trouble, &err) < 0)
		return command_failed(&err, exit_code_for(trouble));
	if (spec.kind == CONTROL_SQLITE)
		printf("The control tables are ready in file '%s'.\n",
		       spec.file);
	else
		printf("The control tables are ready in database '%s' on "
		       "'%s'.\n",
		       spec.database, options->dest_server);
	return EXIT_FINE;
}

const struct command command_init = {
	.name = "init",
	.summary = "make the control tables and views, or upgrade them",
	.help = "Does what schema-dataflow.sql and the files of views/ and "
		"procedures/ do. Nothing\nis lost when the tables are there "
		"already.\n",
	.on_main = true,
	.run = run,
};
