#include <stdio.h>
#include <stdlib.h>

#include "base/errand.h"
#include "base/log.h"
#include "base/platform.h"
#include "base/version.h"
#include "cli/command.h"
#include "engine/scheduler.h"
#include "monitor/monitor.h"

#define WAIT_MS 5000

/* How often it is looked whether the control tables are open, and how long that
 * may go on when nobody wants it any more. */
#define LOOK_MS 20
#define STOP_MS 1500

/* The control tables being opened, which may take long. */
struct opening {
	const struct control_spec *spec;
	struct cancel *cancel;
	struct errand errand;
	struct control *control;
	enum control_trouble trouble;
	struct error err;
	int ret;
};

/* With --wait, what may pass by itself is waited for. */
static bool is_worth_waiting(enum control_trouble trouble)
{
	return trouble != CONTROL_BAD_SETTINGS && trouble != CONTROL_TOO_NEW;
}

static void open_it(void *arg)
{
	struct opening *opening = arg;

	opening->ret =
		control_open(opening->spec, opening->cancel, &opening->control,
			     &opening->trouble, &opening->err);
}

/* 1: open; 0: stopped while waiting; -1: it cannot be opened. */
static int open_once(struct opening *opening)
{
	error_clear(&opening->err);
	if (errand_start(&opening->errand, open_it, opening, &opening->err) < 0)
		return -1;
	while (!errand_has_ended(&opening->errand)) {
		if (platform_wait(LOOK_MS) != PLATFORM_STOP)
			continue;
		cancel_request(opening->cancel, CANCEL_NOW);
		if (errand_wait(&opening->errand, STOP_MS) && opening->ret == 0)
			control_close(opening->control);
		return 0;
	}
	return opening->ret < 0 ? -1 : 1;
}

static int open_control(const struct options *options, struct opening *opening)
{
	int rc;

	while ((rc = open_once(opening)) < 0) {
		if (!options->wait || !is_worth_waiting(opening->trouble))
			return -1;
		log_warning("%s; trying again", opening->err.message);
		platform_notify("READY=1\nSTATUS=waiting for the control "
				"tables");
		if (platform_wait(WAIT_MS) == PLATFORM_STOP)
			return 0;
	}
	return rc;
}

/* The monitor is there first: it also tells that the tables are waited for. */
static enum exit_code run_monitored(const struct options *options,
				    struct monitor *monitor, bool *clean)
{
	/* A thread that does not come to an end may still use these. */
	static struct control_spec spec;
	static struct cancel cancel;
	static struct opening opening;
	struct error err = ERROR_INIT;
	bool listens = options->metrics_listen && *options->metrics_listen;
	int rc;

	if (listens)
		monitor_listen(monitor, options->metrics_listen);
	spec = options->spec;
	spec.create = true;
	if (cancel_init(&cancel, &err) < 0)
		return command_failed(&err, EXIT_FAILED);
	opening.spec = &spec;
	opening.cancel = &cancel;
	rc = open_control(options, &opening);
	*clean = !opening.errand.running;
	if (rc < 0)
		return command_failed(&opening.err,
				      exit_code_for(opening.trouble));
	if (rc == 0)
		return EXIT_FINE;
	log_info("dbaops-dataflow " DATAFLOW_VERSION " starts, control tables "
		 "in %s",
		 spec.kind == CONTROL_SQLITE ? spec.file : spec.database);
	if (scheduler_run(&spec, opening.control, &cancel, monitor, listens,
			  clean, &err) < 0)
		return command_failed(&err, EXIT_FAILED);
	return EXIT_FINE;
}

static enum exit_code run(const struct options *options)
{
	struct error err = ERROR_INIT;
	struct monitor *monitor;
	enum exit_code code;
	bool clean = true;

	if (monitor_new(&monitor, &err) < 0)
		return command_failed(&err, EXIT_FAILED);
	code = run_monitored(options, monitor, &clean);
	if (!monitor_free(monitor) || !clean) {
		/* Threads still run: nothing may be taken from under them. */
		fflush(NULL);
		_Exit((int)code);
	}
	return code;
}

static const struct option_info own[] = {
	{"wait", 0, OPTION_FLAG, offsetof(struct options, wait), NULL,
	 "keep trying when the control tables cannot be reached"},
	{"metrics-listen", 0, OPTION_TEXT,
	 offsetof(struct options, given.metrics_listen), "WHERE",
	 "serve metrics and a status page: HOST:PORT,\n"
	 "[::1]:PORT, a PORT on loopback, or 'off';\n"
	 "default: as metrics_listen in config says"},
	{.name = NULL},
};

const struct command command_run = {
	.name = "run",
	.summary = "the daemon; also without a command",
	.help = "Runs in the foreground until SIGTERM or SIGINT, which end it "
		"within five\nseconds, a second one at once. SIGHUP makes it "
		"read the control tables now.\n",
	.options = own,
	.on_main = true,
	.run = run,
};
