/*
 * sync_logs and error_logs as one stream, by time. An error's row stands there
 * once, however long the trouble lasts; when it is over, a follower is told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cell.h"
#include "cli/command.h"
#include "cli/figures.h"

#define LINES	    20
#define FOLLOW_MS   1000
#define FOLLOW_MOST 10000 /* lines between two looks */

/* How far the follower is. */
struct place {
	int64_t log_id, error_id;
	int64_t resolved_us;
};

static void print_line(const struct control_line *line, bool resolution)
{
	char when[FIGURES_TEXT_MAX], who[16];
	struct strbuf text;

	figures_time(when, resolution ? line->resolved_us : line->created_us);
	snprintf(who, sizeof(who), line->mapping_id ? "%d" : "-",
		 line->mapping_id);
	strbuf_init(&text);
	strbuf_addf(&text, "%s %7s ", when, who);
	if (resolution)
		strbuf_addstr(&text, "RESOLVED ");
	else if (line->is_error)
		strbuf_addstr(&text, "ERROR    ");
	else
		cell_add(&text, line->level ? line->level : "?", 9);
	if (line->is_error)
		strbuf_addf(&text, "%s: ", line->level ? line->level : "?");
	cell_add_text(&text, line->message ? line->message : "", 0);
	if (!line->is_error && line->records >= 0)
		strbuf_addf(&text, " [%lld rows", (long long)line->records);
	if (!line->is_error && line->records >= 0 && line->duration_ms >= 0)
		strbuf_addf(&text, ", %lld ms", (long long)line->duration_ms);
	if (!line->is_error && line->records >= 0)
		strbuf_addch(&text, ']');
	if (line->is_error && line->resolved && !resolution)
		strbuf_addstr(&text, " [resolved]");
	cell_print(&text);
}

/* In the order of time; of one time, as they were written. */
static int by_time(const void *a, const void *b)
{
	const struct control_line *x = *(const struct control_line *const *)a;
	const struct control_line *y = *(const struct control_line *const *)b;

	if (x->created_us != y->created_us)
		return x->created_us < y->created_us ? -1 : 1;
	if (x->is_error != y->is_error)
		return x->is_error ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int merge(const struct control_lines *logs,
		 const struct control_lines *errors,
		 const struct control_line ***out, struct error *err)
{
	size_t count = 0;

	*out = calloc(logs->count + errors->count + 1, sizeof(**out));
	if (!*out)
		return error_memory(err, "the logs");
	for (size_t i = 0; i < logs->count; i++)
		(*out)[count++] = &logs->lines[i];
	for (size_t i = 0; i < errors->count; i++)
		(*out)[count++] = &errors->lines[i];
	qsort((void *)*out, count, sizeof(**out), by_time);
	return 0;
}

/* The newest `most` lines, and move the place behind them. */
static void print_lines(const struct control_line **lines, size_t count,
			size_t most, struct place *place)
{
	for (size_t i = 0; i < count; i++) {
		const struct control_line *line = lines[i];
		bool is_new = line->id > (line->is_error ? place->error_id
							 : place->log_id);

		if (i + most >= count && is_new)
			print_line(line, false);
		else if (i + most >= count && line->resolved)
			print_line(line, true);
		if (line->resolved_us > place->resolved_us)
			place->resolved_us = line->resolved_us;
	}
	/* Afterwards, for the order of time is not that of the ids. */
	for (size_t i = 0; i < count; i++) {
		int64_t *last =
			lines[i]->is_error ? &place->error_id : &place->log_id;

		if (lines[i]->id > *last)
			*last = lines[i]->id;
	}
}

static int look(const struct options *options, struct control *control,
		int mapping_id, int most, bool follows, struct place *place,
		struct error *err)
{
	struct control_lines logs = {.count = 0}, errors = {.count = 0};
	const struct control_line **lines;
	int ret = -1;

	if (!options->errors &&
	    control_list_logs(control, mapping_id, place->log_id, most, &logs,
			      err) < 0)
		return -1;
	if (control_list_errors(control, mapping_id, place->error_id,
				follows ? place->resolved_us : 0, most, &errors,
				err) < 0)
		goto done;
	if (merge(&logs, &errors, &lines, err) == 0) {
		print_lines(lines, logs.count + errors.count, (size_t)most,
			    place);
		free((void *)lines);
		ret = 0;
	}
	control_lines_release(&errors);
done:
	if (!options->errors)
		control_lines_release(&logs);
	return ret;
}

/* Until Ctrl-C, or nobody reads it. Takes `control` over. */
static enum exit_code follow(const struct options *options,
			     struct control *control, int mapping_id,
			     struct place *place)
{
	enum control_trouble trouble;
	struct error err = ERROR_INIT;
	bool told = false;
	int rc;

	while (fflush(stdout) == 0 && !ferror(stdout)) {
		cancel_sleep(options->cancel, FOLLOW_MS);
		if (cancel_level(options->cancel))
			break;
		rc = 0;
		if (!control)
			rc = control_open(&options->spec, options->cancel,
					  &control, &trouble, &err);
		if (rc == 0)
			rc = look(options, control, mapping_id, FOLLOW_MOST,
				  true, place, &err);
		if (rc < 0 && err.kind != ERROR_CANCELLED) {
			if (!told)
				log_warning("%s; trying again", err.message);
			control_close(control);
			control = NULL;
		}
		told = rc < 0;
	}
	control_close(control);
	return EXIT_FINE;
}

static enum exit_code run(const struct options *options)
{
	int most = options->lines ? options->lines : LINES;
	struct place place = {.resolved_us = clock_utc_us()};
	enum control_trouble trouble;
	struct error err = ERROR_INIT;
	struct control *control;
	int mapping_id = command_mapping(options, &err);

	if (mapping_id < 0)
		return command_failed(&err, EXIT_USAGE);
	if (control_open(&options->spec, options->cancel, &control, &trouble,
			 &err) < 0)
		return command_failed(&err, exit_code_for(trouble));
	if (look(options, control, mapping_id, most, false, &place, &err) < 0) {
		control_close(control);
		return command_failed(&err, EXIT_FAILED);
	}
	if (options->follow)
		return follow(options, control, mapping_id, &place);
	control_close(control);
	return EXIT_FINE;
}

static const struct option_info own[] = {
	{"follow", 0, OPTION_FLAG, offsetof(struct options, follow), NULL,
	 "go on with what comes, until Ctrl-C"},
	{"errors", 0, OPTION_FLAG, offsetof(struct options, errors), NULL,
	 "errors alone"},
	{"lines", 'n', OPTION_NUMBER, offsetof(struct options, lines), "N",
	 "begin with the newest N; default 20"},
	{.name = NULL},
};

const struct command command_logs = {
	.name = "logs",
	.summary = "what happened: sync_logs and error_logs in order of time",
	.arguments = "[MAPPING]",
	.help = "Of one mapping, or of all. Times are UTC.\n",
	.options = own,
	.run = run,
};
