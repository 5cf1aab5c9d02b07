#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/cell.h"
#include "cli/command.h"
#include "notify/courier.h"

#define WAIT_MS 1000

/* One channel after the other, as many as there are. */
struct test {
	struct courier *courier;
	const char *installation;
	int tried, failed;
};

static void tell(const struct control_channel *row, const char *what,
		 const char *why)
{
	struct strbuf line;

	strbuf_init(&line);
	strbuf_addf(&line, "%s: %s%s", row->name, what, why);
	cell_print_text(stdout, line.data);
	strbuf_release(&line);
}

static void tell_failed(struct test *test, const struct control_channel *row,
			const struct error *err)
{
	tell(row, "FAILED: ", err->message);
	test->failed++;
}

static int send(struct test *test, const struct control_channel *row,
		struct error *err)
{
	struct message message = {
		.channel = row->name,
		.daemon = "dbaops-dataflow notify-test",
		.installation = test->installation,
		.sent_us = clock_utc_us(),
	};
	struct channel channel;
	unsigned events;
	int ret;

	uuid_make(message.id);
	if (!notice_events_parse(row->events, &events))
		return error_set(err, ERROR_CONFIG, "%s", NOTICE_EVENTS_WANTED);
	if (channel_parse(&channel, row->type ? row->type : "", row->settings,
			  err) < 0)
		return -1;
	ret = courier_send(test->courier, &channel, &message, test, err);
	channel_release(&channel);
	return ret;
}

static void try_channel(struct test *test, const struct control_channel *row)
{
	struct error err = ERROR_INIT;
	struct outcome outcome;

	test->tried++;
	if (send(test, row, &err) < 0) {
		tell_failed(test, row, &err);
		return;
	}
	while (!courier_take(test->courier, &outcome))
		courier_wait(test->courier, WAIT_MS);
	if (outcome.result == COURIER_DELIVERED)
		tell(row, "sent", "");
	else
		tell_failed(test, row, &outcome.err);
}

static enum exit_code try_all(struct test *test,
			      const struct control_snapshot *snapshot,
			      const char *name)
{
	for (size_t i = 0; i < snapshot->channel_count; i++) {
		const struct control_channel *row = &snapshot->channels[i];

		if (name ? row->name && !strcmp(row->name, name) : row->enabled)
			try_channel(test, row);
	}
	if (test->tried)
		return test->failed ? EXIT_FAILED : EXIT_FINE;
	if (name)
		fprintf(stderr,
			"dbaops-dataflow: notification_channels has no channel "
			"'%s'\n",
			name);
	else
		fprintf(stderr, "dbaops-dataflow: notification_channels has no "
				"enabled channel\n");
	return EXIT_FAILED;
}

static enum exit_code run(const struct options *options)
{
	const char *name =
		options->argument_count ? options->arguments[0] : NULL;
	struct control_snapshot snapshot;
	enum control_trouble trouble;
	struct error err = ERROR_INIT;
	struct test test = {.courier = NULL};
	struct control *control;
	enum exit_code code;

	if (control_open(&options->spec, NULL, &control, &trouble, &err) < 0)
		return command_failed(&err, exit_code_for(trouble));
	if (control_load(control, &snapshot, &err) < 0) {
		control_close(control);
		return command_failed(&err, EXIT_FAILED);
	}
	control_close(control);
	test.installation = snapshot.installation_id;
	if (courier_global_init(&err) < 0 ||
	    courier_new(&test.courier, &err) < 0)
		code = command_failed(&err, EXIT_FAILED);
	else
		code = try_all(&test, &snapshot, name);
	courier_free(test.courier);
	courier_global_exit();
	control_snapshot_release(&snapshot);
	return code;
}

const struct command command_notify_test = {
	.name = "notify-test",
	.summary = "send a test message to the notification channels",
	.arguments = "[CHANNEL]",
	.help = "Tells of each enabled channel, or of the one that is named, "
		"enabled or not,\nwhether the message was taken. Neither the "
		"daemon nor the log of messages knows\nof it.\n",
	.run = run,
};
