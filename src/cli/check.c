#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cell.h"
#include "cli/command.h"
#include "cli/json.h"
#include "engine/check.h"

/* What was found so far. */
struct report {
	bool json;
	bool brief; /* what is all right of one subject comes in one line */
	bool colour;
	json_t *list;
	unsigned counts[3]; /* by level */
	char *subject;	    /* of the line that is being gathered, or NULL */
	struct strbuf fine; /* its checks that were all right */
};

static const int colours[] = {
	[FINDING_OK] = 32,
	[FINDING_WARN] = 33,
	[FINDING_FAIL] = 31,
};

static void print_line(const struct report *report, enum finding_level level,
		       const char *subject, const char *check, const char *text)
{
	struct strbuf line;

	strbuf_init(&line);
	if (report->colour)
		strbuf_addf(&line, "\033[%dm", colours[level]);
	cell_add(&line, finding_level_name(level), 5);
	if (report->colour)
		strbuf_addstr(&line, "\033[0m");
	cell_add(&line, subject, 34);
	strbuf_addstr(&line, "  ");
	cell_add(&line, check, 13);
	strbuf_addch(&line, ' ');
	cell_add_text(&line, text, 0);
	cell_print(&line);
}

static void print_fine(struct report *report)
{
	if (report->fine.len || report->fine.failed)
		print_line(report, FINDING_OK, report->subject, "",
			   report->fine.failed ? CELL_NO_MEMORY
					       : report->fine.data);
	strbuf_reset(&report->fine);
}

/* The name of the check, unless it is there already. */
static void gather(struct report *report, const struct finding *finding)
{
	const char *found = strstr(report->fine.data, finding->check);

	if (found)
		return;
	strbuf_addf(&report->fine, "%s%s", report->fine.len ? ", " : "",
		    finding->check);
}

static void print_finding(struct report *report, const struct finding *finding)
{
	if (!report->subject ||
	    strcmp(report->subject, finding->subject) != 0) {
		print_fine(report);
		free(report->subject);
		report->subject = strdup(finding->subject);
	}
	if (finding->level == FINDING_OK && report->brief && report->subject) {
		gather(report, finding);
		return;
	}
	print_line(report, finding->level, finding->subject, finding->check,
		   finding->text);
	if (finding->remedy) {
		struct strbuf line;

		strbuf_init(&line);
		strbuf_addstr(&line, "      -> ");
		cell_add_text(&line, finding->remedy, 0);
		cell_print(&line);
	}
	fflush(stdout);
}

static void take(void *arg, const struct finding *finding)
{
	struct report *report = arg;

	report->counts[finding->level]++;
	if (!report->json) {
		print_finding(report, finding);
		return;
	}
	report->list = json_append(
		report->list,
		json_pack("{s:s, s:o, s:s, s:o, s:o}", "level",
			  finding_level_name(finding->level), "subject",
			  json_text(finding->subject), "check", finding->check,
			  "finding", json_text(finding->text), "remedy",
			  json_text(finding->remedy)));
}

static enum exit_code worst(const struct report *report)
{
	if (report->counts[FINDING_FAIL])
		return EXIT_FAILED;
	return report->counts[FINDING_WARN] ? EXIT_WARNING : EXIT_FINE;
}

static enum exit_code finish(struct report *report)
{
	if (report->json) {
		enum exit_code code = json_print(json_incref(report->list));

		return code ? code : worst(report);
	}
	print_fine(report);
	printf("\n%u OK, %u WARN, %u FAIL\n", report->counts[FINDING_OK],
	       report->counts[FINDING_WARN], report->counts[FINDING_FAIL]);
	return worst(report);
}

/* Without its tables nothing else can be looked at. */
static enum exit_code no_control(struct report *report,
				 enum control_trouble trouble,
				 const struct error *err)
{
	struct findings out = {
		.take = take, .arg = report, .subject = "control tables"};

	if (err->kind == ERROR_CANCELLED)
		return command_failed(err, EXIT_FAILED);
	finding_error(&out, FINDING_FAIL, "connection", err);
	finish(report);
	return exit_code_for(trouble);
}

static enum exit_code look(const struct options *options, struct report *report)
{
	struct findings out = {.take = take, .arg = report};
	struct check check = {
		.spec = &options->spec,
		.what = options->argument_count ? options->arguments[0] : NULL,
		.cancel = options->cancel,
		.out = &out,
	};
	enum control_trouble trouble;
	struct error err = ERROR_INIT;
	int rc;

	if (control_open(&options->spec, options->cancel, &check.control,
			 &trouble, &err) < 0)
		return no_control(report, trouble, &err);
	rc = check_run(&check, &err);
	control_close(check.control);
	if (rc < 0)
		return command_failed(&err, err.kind == ERROR_CONFIG
						    ? EXIT_USAGE
						    : EXIT_FAILED);
	return finish(report);
}

static enum exit_code run(const struct options *options)
{
	struct report report = {
		.json = options->json,
		.brief = !options->argument_count,
		.colour = command_colours(),
	};
	enum exit_code code;

	strbuf_init(&report.fine);
	report.list = json_array();
	code = look(options, &report);
	json_decref(report.list);
	strbuf_release(&report.fine);
	free(report.subject);
	return code;
}

static const struct option_info own[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct options, json), NULL,
	 "for programs"},
	{.name = NULL},
};

const struct command command_check = {
	.name = "check",
	.summary = "would it work? servers, rights, tables, with remedies",
	.arguments = "[MAPPING|SERVER]",
	.help = "Looks at one mapping, one server and its mappings, or at "
		"everything that is\nswitched on: connection, version, rights, "
		"change capture, retention, keys,\nschemas, types, room. "
		"Changes nothing. The exit code is 0 when all is OK, 7 when\n"
		"the worst is a WARN, 1 with a FAIL.\n",
	.options = own,
	.run = run,
};
