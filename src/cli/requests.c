#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/cell.h"
#include "cli/command.h"
#include "cli/figures.h"
#include "cli/json.h"

#define LINES 20

static json_t *json_order(const struct control_order *order)
{
	return json_pack(
		"{s:i, s:i, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}",
		"request_id", order->id, "mapping_id", order->mapping_id,
		"request_type", json_text(order->type), "scope",
		json_text(order->scope), "where_condition",
		json_text(order->condition), "dry_run", order->dry_run,
		"requested_by", json_text(order->by), "requested_at",
		json_time(order->requested_us), "state",
		json_text(order->state), "answer", json_text(order->answer),
		"started_at", json_time(order->started_us), "completed_at",
		json_time(order->completed_us));
}

static enum exit_code print_json(const struct control_orders *found)
{
	json_t *list = json_array();

	for (size_t i = 0; i < found->count; i++)
		list = json_append(list, json_order(&found->orders[i]));
	return json_print(list);
}

/* "REPAIR whole, dry run", "RESYNC where …" */
static void add_words(struct strbuf *out, const struct control_order *order)
{
	strbuf_addstr(out, order->type ? order->type : "?");
	if (order->scope)
		strbuf_addf(out, " %s", order->scope);
	if (order->dry_run)
		strbuf_addstr(out, ", dry run");
	if (order->condition)
		strbuf_addf(out, " where %s", order->condition);
}

static void print_order(const struct control_order *order)
{
	char when[FIGURES_TEXT_MAX], id[16];
	struct strbuf line, words;

	strbuf_init(&line);
	strbuf_init(&words);
	add_words(&words, order);
	figures_time(when, order->requested_us);
	snprintf(id, sizeof(id), "%d", order->id);
	cell_add_right(&line, id, 7);
	snprintf(id, sizeof(id), "%d", order->mapping_id);
	cell_add_right(&line, id, 8);
	strbuf_addf(&line, "  %-19s  ", when);
	cell_add(&line, order->by ? order->by : "-", 16);
	strbuf_addch(&line, ' ');
	cell_add(&line, order->state ? order->state : "?", 10);
	strbuf_addch(&line, ' ');
	cell_add_text(&line, words.data, 0);
	if (order->answer) {
		strbuf_addstr(&line, "\n         ");
		cell_add_text(&line, order->answer, 0);
	}
	puts(line.data);
	strbuf_release(&words);
	strbuf_release(&line);
}

static enum exit_code print_table(const struct control_orders *found)
{
	printf("%7s %7s  %-19s  %-16s %-10s %s\n", "REQUEST", "MAPPING",
	       "AT (UTC)", "BY", "STATE", "WHAT");
	for (size_t i = 0; i < found->count; i++)
		print_order(&found->orders[i]);
	return EXIT_FINE;
}

static enum exit_code run(const struct options *options)
{
	enum control_trouble trouble;
	struct error err = ERROR_INIT;
	struct control_orders found;
	struct control *control;
	enum exit_code code;
	int mapping_id = command_mapping(options, &err);
	int rc;

	if (mapping_id < 0)
		return command_failed(&err, EXIT_USAGE);
	if (control_open(&options->spec, options->cancel, &control, &trouble,
			 &err) < 0)
		return command_failed(&err, exit_code_for(trouble));
	rc = control_list_orders(control, mapping_id, 0,
				 options->lines ? options->lines : LINES,
				 &found, &err);
	control_close(control);
	if (rc < 0)
		return command_failed(&err, EXIT_FAILED);
	code = options->json ? print_json(&found) : print_table(&found);
	control_orders_release(&found);
	return code;
}

static const struct option_info own[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct options, json), NULL,
	 "for programs"},
	{"lines", 'n', OPTION_NUMBER, offsetof(struct options, lines), "N",
	 "the newest N; default 20"},
	{.name = NULL},
};

const struct command command_requests = {
	.name = "requests",
	.summary = "what was ordered, by whom, and what became of it",
	.arguments = "[MAPPING]",
	.help = "The newest first: of one mapping, or of all.\n",
	.options = own,
	.run = run,
};
