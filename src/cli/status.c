#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cell.h"
#include "cli/command.h"
#include "cli/figures.h"
#include "cli/json.h"
#include "cli/watch.h"

/* ---------------------------------------------------------------------- JSON */

static json_t *json_name(const char *database, const char *schema,
			 const char *table)
{
	return json_pack("{s:o, s:o, s:o}", "database", json_text(database),
			 "schema", json_text(schema), "table",
			 json_text(table));
}

static json_t *json_run(const struct control_report_mapping *row)
{
	if (!row->running)
		return json_null();
	return json_pack(
		"{s:s, s:I, s:I, s:o, s:o, s:o}", "sync_type", row->running,
		"records_processed", (json_int_t)row->processed,
		"rows_per_second", (json_int_t)row->rows_per_second,
		"records_total",
		row->total ? json_integer(row->total) : json_null(), "percent",
		figures_percent(row) < 0 ? json_null()
					 : json_real(figures_percent(row)),
		"seconds_left",
		figures_seconds_left(row) < 0
			? json_null()
			: json_integer(figures_seconds_left(row)));
}

static json_t *json_error(const struct control_report_mapping *row)
{
	if (!row->error_type)
		return json_null();
	return json_pack("{s:s, s:o, s:i}", "type", row->error_type, "message",
			 json_text(row->error_message), "retry_count",
			 row->retry_count);
}

static json_t *json_mapping(const struct control_report_mapping *row,
			    bool alive)
{
	const struct control_mapping *m = &row->mapping;
	json_t *out = json_pack(
		"{s:i, s:o, s:o, s:o, s:s, s:o, s:b, s:b, s:I, s:o}",
		"mapping_id", m->id, "server", json_text(row->server_name),
		"source",
		json_name(m->source_database, m->source_schema,
			  m->source_table),
		"destination",
		json_name(m->dest_database, m->dest_schema, m->dest_table),
		"state", figures_state(row, alive), "reason",
		json_text(row->reason), "cdc_enabled", m->cdc_enabled,
		"consistent", row->consistent, "rows_applied",
		(json_int_t)row->rows_applied, "updated_at",
		json_time(row->updated_us));

	out = json_put(out, "lag_seconds",
		       row->lag_ms < 0
			       ? json_null()
			       : json_real((double)row->lag_ms / 1000.0));
	out = json_put(out, "run", json_run(row));
	return json_put(out, "error", json_error(row));
}

static enum exit_code print_json(const struct control_report *report)
{
	bool alive = figures_alive(report);
	json_t *mappings = json_array();
	json_t *root;

	for (size_t i = 0; i < report->mapping_count; i++)
		mappings = json_append(
			mappings, json_mapping(&report->mappings[i], alive));
	root = json_pack("{s:{s:o, s:o, s:b, s:o, s:o}, s:o}", "daemon", "name",
			 json_text(report->daemon), "version",
			 json_text(report->daemon_version), "running", alive,
			 "started_at", json_time(report->started_us),
			 "heartbeat_at", json_time(report->heartbeat_us),
			 "mappings", mappings);
	return json_print(root);
}

/* --------------------------------------------------------------------- table */

/* Names and messages are others' words: no line may become two. */
static void print_line(struct strbuf *line)
{
	cell_print_text(stdout, line->data);
	strbuf_reset(line);
}

static void print_mapping(const struct control_report_mapping *row, bool alive)
{
	const struct control_mapping *m = &row->mapping;
	struct strbuf line;
	char name[256], lag[FIGURES_TEXT_MAX], rate[24] = "-", done[16] = "-",
					       left[24] = "-";

	figures_source(name, sizeof(name), m);
	figures_lag(lag, row->lag_ms);
	if (row->running) {
		snprintf(rate, sizeof(rate), "%lld",
			 (long long)row->rows_per_second);
		if (figures_percent(row) >= 0)
			snprintf(done, sizeof(done), "%.1f %%",
				 figures_percent(row));
		if (figures_seconds_left(row) >= 0)
			snprintf(left, sizeof(left), "%lld s",
				 (long long)figures_seconds_left(row));
	}
	strbuf_init(&line);
	strbuf_addf(&line, "%7d  %-36s %-11s %9s %10s %8s %9s", m->id, name,
		    figures_state(row, alive), lag, rate, done, left);
	print_line(&line);
	if (row->error_type) {
		strbuf_addf(&line, "         %s: %s", row->error_type,
			    row->error_message ? row->error_message : "");
		print_line(&line);
	}
	strbuf_release(&line);
}

static void print_daemon(const struct control_report *report, bool alive)
{
	struct strbuf line;

	strbuf_init(&line);
	if (!report->daemon)
		strbuf_addstr(&line, "No daemon has run on these control "
				     "tables yet.");
	else if (alive)
		strbuf_addf(&line, "Daemon %s, version %s, is running.",
			    report->daemon, report->daemon_version);
	else
		strbuf_addf(&line, "No daemon is running; %s was the last one.",
			    report->daemon);
	print_line(&line);
	strbuf_release(&line);
}

static enum exit_code print_table(const struct control_report *report)
{
	bool alive = figures_alive(report);

	print_daemon(report, alive);
	printf("\n%7s  %-36s %-11s %9s %10s %8s %9s\n", "MAPPING", "SOURCE",
	       "STATE", "LAG", "ROWS/S", "DONE", "LEFT");
	for (size_t i = 0; i < report->mapping_count; i++)
		print_mapping(&report->mappings[i], alive);
	return EXIT_FINE;
}

static enum exit_code run(const struct options *options)
{
	enum control_trouble trouble;
	struct control_report report;
	struct error err = ERROR_INIT;
	struct control *control;
	enum exit_code code;

	if (options->watch && options->json) {
		error_set(&err, ERROR_CONFIG,
			  "--watch and --json do not go together");
		return command_failed(&err, EXIT_USAGE);
	}
	if (control_open(&options->spec, options->cancel, &control, &trouble,
			 &err) < 0)
		return command_failed(&err, exit_code_for(trouble));
	if (options->watch)
		return watch_run(options, control);
	if (control_report(control, &report, &err) < 0) {
		control_close(control);
		return command_failed(&err, EXIT_FAILED);
	}
	code = options->json ? print_json(&report) : print_table(&report);
	control_report_release(&report);
	control_close(control);
	return code;
}

static const struct option_info own[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct options, json), NULL,
	 "for programs"},
	{"watch", 0, OPTION_MAYBE, offsetof(struct options, watch), "SECONDS",
	 "show it anew every 2 seconds, or every SECONDS;\n"
	 "Ctrl-C ends it"},
	{.name = NULL},
};

const struct command command_status = {
	.name = "status",
	.summary = "what each mapping does: state, lag, progress, last error",
	.help = "Reads the control tables; works while the daemon runs and "
		"when it does not.\n",
	.options = own,
	.run = run,
};
