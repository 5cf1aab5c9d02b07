/*
 * The commands that order something: a row of sync_requests, which the daemon
 * that has the mapping takes up and answers.
 */
#include <stdio.h>
#include <string.h>

#include "base/platform.h"
#include "base/text.h"
#include "cli/cell.h"
#include "cli/command.h"
#include "cli/figures.h"

#define POLL_MS	 300
#define USER_MAX 256

static bool is_over(const struct control_order *order)
{
	return !text_iequal(order->state, "PENDING") &&
	       !text_iequal(order->state, "RUNNING");
}

static enum exit_code tell(const struct control_order *order)
{
	printf("Request %d: ", order->id);
	if (order->answer)
		printf("%s: ", order->state);
	cell_print_text(stdout, order->answer ? order->answer : order->state);
	return text_iequal(order->state, "COMPLETED") ? EXIT_FINE : EXIT_FAILED;
}

/* 1: it is over, and `code` says how; 0: not yet. */
static int look(struct control *control, int id, enum exit_code *code,
		struct error *err)
{
	struct control_orders found;
	int rc = 0;

	if (control_list_orders(control, 0, id, 1, &found, err) < 0)
		return -1;
	if (!found.count) {
		error_set(err, ERROR_CONFIG, "request %d was deleted", id);
		*code = command_failed(err, EXIT_FAILED);
		rc = 1;
	} else if (is_over(&found.orders[0])) {
		*code = tell(&found.orders[0]);
		rc = 1;
	}
	control_orders_release(&found);
	return rc;
}

/*
 * The control store may go away and come back meanwhile: told once. Takes
 * `control` over.
 */
static enum exit_code wait_for(const struct options *options,
			       struct control *control, int id)
{
	enum exit_code code = EXIT_FAILED;
	struct error err = ERROR_INIT;
	enum control_trouble trouble;
	bool told = false;
	int rc;

	for (;;) {
		rc = control ? look(control, id, &code, &err)
			     : control_open(&options->spec, options->cancel,
					    &control, &trouble, &err);
		if (rc > 0 || cancel_level(options->cancel))
			break;
		if (rc < 0) {
			if (!told)
				log_warning("%s; trying again", err.message);
			control_close(control);
			control = NULL;
		}
		told = rc < 0;
		cancel_sleep(options->cancel, POLL_MS);
	}
	control_close(control);
	if (rc <= 0) {
		fprintf(stderr,
			"dbaops-dataflow: not waited for any longer; request "
			"%d stays, and 'dbaops-dataflow requests' shows it\n",
			id);
		return EXIT_FAILED;
	}
	return code;
}

/* Whoever orders and sees nothing happen should know why. */
static void warn_without_daemon(struct control *control)
{
	struct control_report report;
	struct error err = ERROR_INIT;

	if (control_report(control, &report, &err) < 0)
		return; /* the order was taken, that is what counts */
	if (!figures_alive(&report))
		printf("No daemon is running: the request waits for one.\n");
	control_report_release(&report);
}

static enum exit_code order(const struct options *options,
			    struct control_order what)
{
	enum control_trouble trouble;
	struct error err = ERROR_INIT;
	struct control *control;
	char user[USER_MAX];

	what.mapping_id = command_mapping(options, &err);
	if (what.mapping_id < 0)
		return command_failed(&err, EXIT_USAGE);
	platform_user(user, sizeof(user));
	what.by = user;
	if (control_open(&options->spec, options->cancel, &control, &trouble,
			 &err) < 0)
		return command_failed(&err, exit_code_for(trouble));
	if (control_order(control, &what, &err) < 0) {
		control_close(control);
		return command_failed(&err, err.kind == ERROR_CONFIG
						    ? EXIT_USAGE
						    : EXIT_FAILED);
	}
	printf("Request %d: %s of mapping %d is ordered.\n", what.id, what.type,
	       what.mapping_id);
	warn_without_daemon(control);
	fflush(stdout);
	if (options->wait)
		return wait_for(options, control, what.id);
	control_close(control);
	return EXIT_FINE;
}

/* ------------------------------------------------------------ the commands */

#define WAIT                                                                  \
	{                                                                     \
		"wait", 0, OPTION_FLAG, offsetof(struct options, wait), NULL, \
			"until the daemon has answered"                       \
	}
#define WHOLE(help)                                                       \
	{                                                                 \
		"whole", 0, OPTION_FLAG, offsetof(struct options, whole), \
			NULL, help                                        \
	}
#define END                  \
	{                    \
		.name = NULL \
	}

static enum exit_code run_sync(const struct options *options)
{
	struct control_order what = {
		.type = options->where ? "RESYNC" : "FULL_SYNC",
		.condition = options->where,
	};
	struct error err = ERROR_INIT;

	if (options->where &&
	    !options->where[strspn(options->where, " \t\n")]) {
		error_set(&err, ERROR_CONFIG,
			  "the condition of --where is "
			  "empty");
		return command_failed(&err, EXIT_USAGE);
	}
	return order(options, what);
}

static const struct option_info sync_options[] = {
	{"where", 0, OPTION_TEXT, offsetof(struct options, where), "CONDITION",
	 "only the rows of which this is true, as it would\n"
	 "stand behind WHERE on the source"},
	WAIT,
	END,
};

const struct command command_sync = {
	.name = "sync",
	.summary = "load a mapping's table again, or some of its rows",
	.arguments = "MAPPING",
	.help = "Readers of the destination see the old rows until the new "
		"ones are complete.\n",
	.options = sync_options,
	.run = run_sync,
};

static enum exit_code run_verify(const struct options *options)
{
	struct control_order what = {
		.type = "VERIFY",
		.scope = options->whole ? "WHOLE" : "TAIL",
	};

	return order(options, what);
}

static const struct option_info verify_options[] = {
	WHOLE("the whole table, not just its newest rows"),
	WAIT,
	END,
};

const struct command command_verify = {
	.name = "verify",
	.summary = "compare a mapping's destination with its source",
	.arguments = "MAPPING",
	.help = "What it finds goes into verification_logs; it changes no "
		"row.\n",
	.options = verify_options,
	.run = run_verify,
};

static enum exit_code run_repair(const struct options *options)
{
	struct control_order what = {
		.type = "REPAIR",
		.scope = options->whole ? "WHOLE" : "TAIL",
		.dry_run = !options->apply,
	};

	return order(options, what);
}

static const struct option_info repair_options[] = {
	WHOLE("in the whole table, not just in its newest rows"),
	{"apply", 0, OPTION_FLAG, offsetof(struct options, apply), NULL,
	 "do it; without this it only says what it would do"},
	WAIT,
	END,
};

const struct command command_repair = {
	.name = "repair",
	.summary = "copy those rows again that differ",
	.arguments = "MAPPING",
	.help = "Without --apply it is a dry run.\n",
	.options = repair_options,
	.run = run_repair,
};

static const struct option_info wait_options[] = {
	WAIT,
	END,
};

static enum exit_code run_pause(const struct options *options)
{
	struct control_order what = {.type = "PAUSE"};

	return order(options, what);
}

const struct command command_pause = {
	.name = "pause",
	.summary = "let a mapping rest",
	.arguments = "MAPPING",
	.help = "It keeps its place in the source's changes, as long as the "
		"source keeps these.\n",
	.options = wait_options,
	.run = run_pause,
};

static enum exit_code run_resume(const struct options *options)
{
	struct control_order what = {.type = "RESUME"};

	return order(options, what);
}

const struct command command_resume = {
	.name = "resume",
	.summary = "let a mapping that rests, or is suspended, go on",
	.arguments = "MAPPING",
	.help = "It goes on where it was.\n",
	.options = wait_options,
	.run = run_resume,
};

static enum exit_code run_skip(const struct options *options)
{
	struct control_order what = {.type = "SKIP_TO_NOW"};
	struct error err = ERROR_INIT;

	if (!options->yes) {
		error_set(&err, ERROR_CONFIG,
			  "skip leaves out every change up to now, and the "
			  "destination stays different until the next full "
			  "sync; if that is meant, say --yes");
		return command_failed(&err, EXIT_USAGE);
	}
	return order(options, what);
}

static const struct option_info skip_options[] = {
	{"yes", 0, OPTION_FLAG, offsetof(struct options, yes), NULL,
	 "that is meant"},
	WAIT,
	END,
};

const struct command command_skip = {
	.name = "skip",
	.summary = "leave out what changed up to now",
	.arguments = "MAPPING",
	.help = "The mapping goes on with the changes that come from now on; "
		"what it has not\napplied yet is missing in the destination "
		"until the next full sync or repair.\n",
	.options = skip_options,
	.run = run_skip,
};

static enum exit_code run_compact(const struct options *options)
{
	struct control_order what = {.type = "COMPACT"};

	return order(options, what);
}

const struct command command_compact = {
	.name = "compact",
	.summary = "merge a mapping's small files of changes",
	.arguments = "MAPPING",
	.help = "Of a mapping to files or a bucket. Readers miss nothing while "
		"it "
		"runs, and changes\ngo on.\n",
	.options = wait_options,
	.run = run_compact,
};
