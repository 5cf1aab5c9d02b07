/*
 * Completion for shells, made of the tables that the parser reads: it cannot
 * know other commands or options than there are.
 */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

static void print_commands(void)
{
	for (size_t i = 0; commands[i]; i++)
		printf("%s%s", i ? " " : "", commands[i]->name);
}

static void print_options(const struct option_info *info)
{
	for (; info && info->name; info++)
		printf(" --%s", info->name);
}

/* "--config FILE" is followed by a file's name. */
static void print_file_options(const struct option_info *info)
{
	for (; info && info->name; info++)
		if (info->value && !strcmp(info->value, "FILE"))
			printf("%s--%s", info == options_common ? "" : "|",
			       info->name);
}

static void print_all_file_options(void)
{
	print_file_options(options_common);
	for (size_t i = 0; commands[i]; i++)
		print_file_options(commands[i]->options);
}

static void print_cases(void)
{
	for (size_t i = 0; commands[i]; i++) {
		printf("\t%s) words=\"", commands[i]->name);
		print_options(commands[i]->options);
		print_options(options_common);
		printf("\" ;;\n");
	}
	printf("\t*) words=\"--version");
	print_options(options_common);
	printf("\" ;;\n");
}

static void print_bash(void)
{
	printf("# bash completion for dbaops-dataflow, made by "
	       "'dbaops-dataflow completion bash'\n"
	       "_dbaops_dataflow()\n{\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]}\n"
	       "\tlocal prev=${COMP_WORDS[COMP_CWORD-1]} words=\n\n"
	       "\tif [ \"$COMP_CWORD\" -eq 1 ] && [[ $cur != -* ]]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W \"");
	print_commands();
	printf("\" -- \"$cur\"))\n\t\treturn\n\tfi\n"
	       "\tcase $prev in\n\t");
	print_all_file_options();
	printf(") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
	       "\tcompletion) [[ $cur == -* ]] || {\n"
	       "\t\tCOMPREPLY=($(compgen -W \"bash zsh\" -- \"$cur\")); "
	       "return; } ;;\n"
	       "\tesac\n"
	       "\tcase ${COMP_WORDS[1]} in\n");
	print_cases();
	printf("\tesac\n"
	       "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
	       "complete -F _dbaops_dataflow dbaops-dataflow\n");
}

static void print_zsh(void)
{
	printf("#compdef dbaops-dataflow\n"
	       "# zsh completion, made by 'dbaops-dataflow completion zsh'\n"
	       "local words_of_command=${words[2]} prev=${words[CURRENT-1]}\n"
	       "local -a known\n"
	       "if (( CURRENT == 2 )) && [[ ${words[CURRENT]} != -* ]]; then\n"
	       "\tknown=(");
	print_commands();
	printf(")\n\tcompadd -a known\n\treturn\nfi\n"
	       "case $prev in\n");
	print_all_file_options();
	printf(") _files; return ;;\n"
	       "completion) compadd bash zsh ;;\nesac\n"
	       "case $words_of_command in\n");
	for (size_t i = 0; commands[i]; i++) {
		printf("%s) known=(", commands[i]->name);
		print_options(commands[i]->options);
		print_options(options_common);
		printf(" ) ;;\n");
	}
	printf("*) known=( --version");
	print_options(options_common);
	printf(" ) ;;\nesac\ncompadd -a known\n");
}

static enum exit_code run(const struct options *options)
{
	struct error err = ERROR_INIT;

	if (!strcmp(options->arguments[0], "bash")) {
		print_bash();
	} else if (!strcmp(options->arguments[0], "zsh")) {
		print_zsh();
	} else {
		error_set(&err, ERROR_CONFIG,
			  "shell '%s' is neither bash nor zsh",
			  options->arguments[0]);
		return command_failed(&err, EXIT_USAGE);
	}
	return EXIT_FINE;
}

const struct command command_completion = {
	.name = "completion",
	.summary = "print completion for bash or zsh",
	.arguments = "SHELL",
	.help = "'make install' puts both in place. For this shell alone: "
		"source <(dbaops-dataflow\ncompletion bash)\n",
	.run = run,
};
