/*
 * The screen is drawn over the one before, line by line, so that it does not
 * flicker; what came before the watch stays above it in the terminal, and the
 * last screen stays when it ends. Without a terminal each report is printed
 * below the one before, whole and without colours, for a file or a pager.
 */
#include "cli/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/platform.h"
#include "base/text.h"
#include "cli/cell.h"
#include "cli/command.h"
#include "cli/figures.h"

#define EVERY_S		2
#define NARROW		60  /* columns; no bars on a narrower terminal */
#define PLAIN_COLUMNS	110 /* of a line without a terminal; errors are longer */
#define SOURCE_MIN	12
#define PERCENT_COLUMNS 8
#define LEFT_COLUMNS	8
#define BAR_MIN		6
#define SOURCE_MAX	60

enum {
	RED = 31,
	GREEN = 32,
	YELLOW = 33,
	BLUE = 34,
	GREY = 90,
};

/* What a mapping needs comes first. */
static const struct state {
	const char *name;
	int rank; /* 0 is the worst */
	int colour;
} states[] = {
	{"SUSPENDED", 0, RED},	 {"ERROR", 0, RED},
	{"RETRYING", 1, YELLOW}, {"NOT RUNNING", 2, YELLOW},
	{"WAITING", 3, YELLOW},	 {"STARTING", 4, BLUE},
	{"FULL_SYNC", 4, BLUE},	 {"STOPPED", 5, GREY},
	{"CDC", 6, GREEN},	 {"IDLE", 7, GREEN},
	{"PAUSED", 8, GREY},	 {"DISABLED", 9, GREY},
};

#define STATES (sizeof(states) / sizeof(*states))

/* One that a later daemon has made up is shown among the loads. */
static struct state find_state(const char *name)
{
	for (size_t i = 0; i < STATES; i++)
		if (!strcmp(states[i].name, name))
			return states[i];
	return (struct state){.name = name, .rank = 4, .colour = BLUE};
}

struct line {
	const struct control_report_mapping *row;
	struct state state;
};

static int by_need(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->state.rank != y->state.rank)
		return x->state.rank < y->state.rank ? -1 : 1;
	if (strcmp(x->state.name, y->state.name) != 0)
		return strcmp(x->state.name, y->state.name);
	if (x->row->lag_ms != y->row->lag_ms)
		return x->row->lag_ms > y->row->lag_ms ? -1 : 1;
	return x->row->mapping.id < y->row->mapping.id ? -1 : 1;
}

/* ------------------------------------------------------------------ drawing */

static void add_colour(struct strbuf *out, const struct watch_screen *screen,
		       int colour)
{
	if (screen->colour)
		strbuf_addf(out, "\033[%dm", colour);
}

static void end_line(struct strbuf *out, const struct watch_screen *screen)
{
	while (out->len && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
	strbuf_addstr(out, screen->terminal ? "\033[K\n" : "\n");
}

static void add_bar(struct strbuf *out, double percent, int width)
{
	int full = (int)(percent * width / 100);

	strbuf_addch(out, '[');
	for (int i = 0; i < width; i++)
		strbuf_addch(out, i < full ? '#' : '.');
	strbuf_addch(out, ']');
}

/* "[###...]  45.0 %   120 s", as much of it as there is room for. */
static void add_progress(struct strbuf *out,
			 const struct control_report_mapping *row, int width)
{
	double percent = figures_percent(row);
	int64_t left = figures_seconds_left(row);
	int bar = width - PERCENT_COLUMNS - LEFT_COLUMNS - 2;

	if (!row->running || percent < 0 || width < PERCENT_COLUMNS)
		return;
	if (bar < BAR_MIN)
		bar += LEFT_COLUMNS;
	if (bar >= BAR_MIN)
		add_bar(out, percent, bar);
	strbuf_addf(out, "%6.1f %%", percent);
	if (left >= 0 && left < 100000 &&
	    bar + 2 + PERCENT_COLUMNS + LEFT_COLUMNS <= width)
		strbuf_addf(out, " %5lld s", (long long)left);
}

/*
 * How the columns share the width; on a narrow terminal the last ones are left
 * out (0). Id and state always have theirs.
 */
struct widths {
	int source, lag, rate, progress;
};

static struct widths share(int columns)
{
	struct widths widths = {.lag = 10, .rate = 11};
	int rest = columns - 21 - 21; /* id and state, lag and rate */

	if (rest < SOURCE_MIN) {
		widths.rate = 0;
		rest += 11;
	}
	if (rest < SOURCE_MIN) {
		widths.lag = 0;
		rest += 10;
	}
	if (columns >= NARROW)
		widths.progress = rest / 2 > 48 ? 48 : rest / 2;
	widths.source = rest - widths.progress;
	if (widths.source > SOURCE_MAX)
		widths.source = SOURCE_MAX;
	if (widths.source < 1)
		widths.source = 1;
	return widths;
}

/* Cut to the screen, without the colours, which take no room. */
static void add_cut(struct strbuf *out, const struct watch_screen *screen,
		    const char *text, int colour)
{
	if (colour)
		add_colour(out, screen, colour);
	cell_add_text(out, text, screen->terminal ? screen->columns : 0);
	if (colour)
		add_colour(out, screen, 0);
	end_line(out, screen);
}

static void draw_mapping(struct strbuf *out, const struct watch_screen *screen,
			 const struct line *line)
{
	const struct control_report_mapping *row = line->row;
	struct widths widths = share(screen->columns);
	char text[256], lag[FIGURES_TEXT_MAX];

	snprintf(text, sizeof(text), "%d", row->mapping.id);
	cell_add_right(out, text, 7);
	strbuf_addstr(out, "  ");
	figures_source(text, sizeof(text), &row->mapping);
	cell_add(out, text, widths.source);
	strbuf_addch(out, ' ');
	add_colour(out, screen, line->state.colour);
	cell_add(out, line->state.name, 11);
	add_colour(out, screen, 0);
	figures_lag(lag, row->lag_ms);
	cell_add_right(out, lag, widths.lag);
	snprintf(text, sizeof(text), row->running ? "%lld" : "-",
		 (long long)row->rows_per_second);
	cell_add_right(out, text, widths.rate);
	if (widths.progress) {
		strbuf_addstr(out, "  ");
		add_progress(out, row, widths.progress - 2);
	}
	end_line(out, screen);
}

static bool draw_error(struct strbuf *out, const struct watch_screen *screen,
		       const struct control_report_mapping *row)
{
	struct strbuf text;

	if (!row->error_type)
		return false;
	strbuf_init(&text);
	strbuf_addf(&text, "         %s: %s", row->error_type,
		    row->error_message ? row->error_message : "");
	add_cut(out, screen, text.data, RED);
	strbuf_release(&text);
	return true;
}

/* "3 ERROR, 997 CDC", worst first. */
static void add_counts(struct strbuf *out, const struct line *lines,
		       size_t count)
{
	size_t same;

	for (size_t i = 0; i < count; i += same) {
		const char *name = lines[i].state.name;

		for (same = 1; i + same < count &&
			       !strcmp(lines[i + same].state.name, name);
		     same++)
			;
		strbuf_addf(out, "%s%zu %s", i ? ", " : "", same, name);
	}
}

static void draw_head(struct strbuf *out, const struct watch_screen *screen,
		      const struct control_report *report,
		      const struct line *lines)
{
	struct widths widths = share(screen->columns);
	bool alive = figures_alive(report);
	char now[FIGURES_TEXT_MAX];
	struct strbuf text;

	figures_time(now, clock_utc_us());
	strbuf_init(&text);
	strbuf_addf(&text, "%s UTC  ", now);
	if (!report->daemon)
		strbuf_addstr(&text, "No daemon has run yet.");
	else if (alive)
		strbuf_addf(&text, "Daemon %s is running.", report->daemon);
	else
		strbuf_addf(&text, "No daemon is running; %s was the last one.",
			    report->daemon);
	add_cut(out, screen, text.data, alive ? 0 : YELLOW);
	strbuf_reset(&text);
	strbuf_addf(&text, "%zu mapping%s%s", report->mapping_count,
		    report->mapping_count == 1 ? "" : "s",
		    report->mapping_count ? ": " : "");
	add_counts(&text, lines, report->mapping_count);
	add_cut(out, screen, text.data, 0);
	end_line(out, screen);
	strbuf_reset(&text);
	strbuf_addf(&text, "%7s  %-*.*s %-11s%*s%*s%s", "MAPPING",
		    widths.source, widths.source, "SOURCE", "STATE", widths.lag,
		    widths.lag ? "LAG" : "", widths.rate,
		    widths.rate ? "ROWS/S" : "",
		    widths.progress ? "  PROGRESS" : "");
	add_cut(out, screen, text.data, 0);
	strbuf_release(&text);
}

static void draw_lines(struct strbuf *out, const struct watch_screen *screen,
		       const struct line *lines, size_t count)
{
	/* The head has four lines, the rest of the list one, the cursor one. */
	int room = screen->terminal ? screen->lines - 6 : 0;
	char text[64];
	size_t i;

	for (i = 0; i < count && (!screen->terminal || room > 0); i++) {
		draw_mapping(out, screen, &lines[i]);
		room--;
		if ((!screen->terminal || room > 0) &&
		    draw_error(out, screen, lines[i].row))
			room--;
	}
	if (i < count) {
		snprintf(text, sizeof(text), "         and %zu more",
			 count - i);
		add_cut(out, screen, text, GREY);
	}
}

void watch_draw(struct strbuf *out, const struct watch_screen *screen,
		const struct control_report *report)
{
	bool alive = figures_alive(report);
	struct line *lines = calloc(report->mapping_count + 1, sizeof(*lines));

	if (!lines) {
		out->failed = ERROR_MEMORY;
		return;
	}
	for (size_t i = 0; i < report->mapping_count; i++) {
		lines[i].row = &report->mappings[i];
		lines[i].state =
			find_state(figures_state(&report->mappings[i], alive));
	}
	qsort(lines, report->mapping_count, sizeof(*lines), by_need);
	draw_head(out, screen, report, lines);
	draw_lines(out, screen, lines, report->mapping_count);
	free(lines);
}

/* ----------------------------------------------------------------- watching */

/* A terminal of TERM=dumb, as editors have them, knows no escape sequences. */
static void look_at_screen(struct watch_screen *screen)
{
	const char *term = getenv("TERM");

	screen->columns = PLAIN_COLUMNS;
	screen->lines = 0;
	screen->terminal = term && *term && strcmp(term, "dumb") != 0 &&
			   platform_terminal(&screen->columns, &screen->lines);
	/* A line that filled the last column could break into two. */
	screen->columns--;
	screen->colour = command_colours();
}

/* False when nobody reads it any more. */
static bool show(const struct watch_screen *screen, const struct strbuf *text,
		 bool first)
{
	if (screen->terminal)
		fputs(first ? "\033[2J\033[H" : "\033[H", stdout);
	fwrite(text->data, 1, text->len, stdout);
	fputs(screen->terminal ? "\033[J" : "\n", stdout);
	return fflush(stdout) == 0 && !ferror(stdout);
}

/* The report, or why there is none; then another connection is tried. */
static void look(const struct options *options, struct control **control,
		 const struct watch_screen *screen, struct strbuf *out)
{
	enum control_trouble trouble;
	struct control_report report;
	struct error err = ERROR_INIT;
	struct strbuf text;

	if ((*control || control_open(&options->spec, options->cancel, control,
				      &trouble, &err) == 0) &&
	    control_report(*control, &report, &err) == 0) {
		watch_draw(out, screen, &report);
		control_report_release(&report);
		return;
	}
	control_close(*control);
	*control = NULL;
	strbuf_init(&text);
	strbuf_addf(&text,
		    "The control tables cannot be read: %s; trying "
		    "again",
		    err.message);
	add_cut(out, screen, text.data, RED);
	strbuf_release(&text);
}

enum exit_code watch_run(const struct options *options, struct control *control)
{
	int every = options->watch == OPTION_WITHOUT_VALUE ? EVERY_S
							   : options->watch;
	enum exit_code code = EXIT_FINE;
	struct error err = ERROR_INIT;
	struct watch_screen screen;
	struct strbuf text;
	bool first = true;

	strbuf_init(&text);
	while (cancel_level(options->cancel) == CANCEL_NONE) {
		look_at_screen(&screen);
		strbuf_reset(&text);
		look(options, &control, &screen, &text);
		if (cancel_level(options->cancel))
			break;
		if (strbuf_check(&text, &err) < 0) {
			code = command_failed(&err, EXIT_FAILED);
			break;
		}
		if (!show(&screen, &text, first))
			break;
		first = false;
		cancel_sleep(options->cancel, (int64_t)every * 1000);
	}
	control_close(control);
	strbuf_release(&text);
	return code;
}
