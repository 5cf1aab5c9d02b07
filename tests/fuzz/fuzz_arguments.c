/*
 * The command line, cli/options.h, as each of the commands reads it.
 *
 * Every argument is an option, the value of one, or left over in the order in
 * which it stood there; numbers are within their bounds; what is refused is so
 * as a wrong setting, and names what was given.
 */
#include "fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#include "cli/command.h"

#define ARGUMENTS_MAX 12

/* Nothing of the system is read that an argument may name. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	HOLDS(chdir(private_folder()) == 0);
	return 0;
}

static size_t take_arguments(struct input *in, char *argv[])
{
	size_t count = 1;

	argv[0] = strdup("dbaops-dataflow");
	HOLDS(argv[0]);
	while (in->len && count < ARGUMENTS_MAX) {
		char *text = take_text(in, 200);

		for (char *s = text; *s; s++)
			if (*s == '/')
				*s = '.';
		argv[count++] = text;
	}
	argv[count] = NULL;
	return count;
}

/* It goes on in the middle of an argument if it was left there. */
static void forget_arguments(void)
{
	char name[] = "x", *argv[] = {name, NULL};

	optind = 0;
	HOLDS(getopt(1, argv, "") == -1);
}

static bool is_given(char *const argv[], const char *text)
{
	for (; *argv; argv++)
		if (text >= *argv && text <= *argv + strlen(*argv))
			return true;
	return false;
}

static void check_taken(const struct options *options, char *const argv[])
{
	const struct options_given *given = &options->given;
	const char *const texts[] = {given->config,	given->control,
				     given->log_format, given->log_level,
				     options->where,	given->metrics_listen};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		HOLDS(!texts[i] || is_given(argv, texts[i]));
	HOLDS(options->lines >= 0 && options->lines <= OPTION_NUMBER_MAX);
	HOLDS(options->watch >= OPTION_WITHOUT_VALUE &&
	      options->watch <= OPTION_NUMBER_MAX);
	HOLDS(options->argument_count >= 0 &&
	      options->argument_count < ARGUMENTS_MAX);
	for (int i = 0; i < options->argument_count; i++)
		HOLDS(is_given(argv, options->arguments[i]));
	HOLDS(!options->arguments[options->argument_count]);
}

static void check_mapping(const struct options *options)
{
	struct error err = ERROR_INIT;
	int id = command_mapping(options, &err);

	if (id < 0)
		check_error(&err);
	HOLDS(id != 0 || !options->argument_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	size_t which = 0, commands_count = 0, count;
	char *argv[ARGUMENTS_MAX + 1], *given[ARGUMENTS_MAX + 1];
	struct error err = ERROR_INIT;
	struct options options;
	int rc;

	while (commands[commands_count])
		commands_count++;
	which = take_below(&in, commands_count);
	count = take_arguments(&in, argv);
	memcpy(given, argv, sizeof(given)); /* getopt() moves them */
	forget_arguments();
	rc = options_read(&options, commands[which]->options, (int)count, argv,
			  &err);
	if (rc < 0) {
		check_error(&err);
		HOLDS(err.kind == ERROR_CONFIG || err.kind == ERROR_SYSTEM);
	} else {
		HOLDS(rc == options.help);
		check_taken(&options, given);
		check_mapping(&options);
	}
	options_release(&options);
	for (size_t i = 0; i < count; i++)
		free(given[i]);
	return 0;
}
