#include "cli/figures.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"

/* A daemon that has not been heard of for so long is not there any more. */
#define ALIVE_US (INT64_C(35) * 1000000)

bool figures_alive(const struct control_report *report)
{
	return report->daemon && !report->stopped_us &&
	       clock_utc_us() - report->heartbeat_us < ALIVE_US;
}

const char *figures_state(const struct control_report_mapping *row, bool alive)
{
	if (!row->mapping.enabled)
		return "DISABLED";
	if (row->mapping.paused)
		return "PAUSED";
	if (!alive || !row->state)
		return "NOT RUNNING";
	return row->state;
}

double figures_percent(const struct control_report_mapping *row)
{
	double done;

	if (row->total <= 0 || row->processed < 0)
		return -1;
	done = 100.0 * (double)row->processed / (double)row->total;
	return done > 100 ? 100 : done;
}

int64_t figures_seconds_left(const struct control_report_mapping *row)
{
	if (row->total <= 0 || row->processed < 0 ||
	    row->rows_per_second <= 0 || row->total < row->processed)
		return -1;
	return (row->total - row->processed) / row->rows_per_second;
}

void figures_lag(char out[FIGURES_TEXT_MAX], int64_t lag_ms)
{
	if (lag_ms < 0)
		text_copy(out, FIGURES_TEXT_MAX, "-");
	else if (lag_ms < 60000)
		snprintf(out, FIGURES_TEXT_MAX, "%.1f s",
			 (double)lag_ms / 1000.0);
	else
		snprintf(out, FIGURES_TEXT_MAX, "%lld min",
			 (long long)(lag_ms / 60000));
}

void figures_time(char out[FIGURES_TEXT_MAX], int64_t us)
{
	char text[CLOCK_TEXT_MAX];

	text_copy(out, FIGURES_TEXT_MAX, "-");
	if (!us)
		return;
	clock_format(text, us);
	text[10] = ' ';
	text[19] = '\0'; /* whole seconds */
	text_copy(out, FIGURES_TEXT_MAX, text);
}

void figures_source(char *out, size_t size, const struct control_mapping *row)
{
	snprintf(out, size, "%s.%s.%s",
		 row->source_database ? row->source_database : "?",
		 row->source_schema ? row->source_schema : "?",
		 row->source_table ? row->source_table : "?");
	text_trim_partial_utf8(out);
}
