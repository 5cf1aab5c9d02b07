#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "base/strbuf.h"
#include "cli/options.h"
#include "control/control.h"

/*
 * `status --watch`: the report again and again, until Ctrl-C or nobody reads
 * it any more. Survives that the control store goes away. Takes `control`
 * over.
 */
enum exit_code watch_run(const struct options *options,
			 struct control *control);

/* How a screen is drawn; apart from it, so that tests can look. */
struct watch_screen {
	bool terminal; /* as many lines as fit; else everything */
	bool colour;
	int columns, lines;
};

/* Append the report, worst mappings first, as lines no longer than that. */
void watch_draw(struct strbuf *out, const struct watch_screen *screen,
		const struct control_report *report);

#endif
