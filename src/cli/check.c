#include "cli/command.h"
static enum exit_code run(const struct options *options)
{
	(void)options;
	return EXIT_FAILED;
}
const struct command command_check = {
	.name = "check", .summary = "x", .help = "x\n", .run = run};
