#ifndef CLI_FIGURES_H
#define CLI_FIGURES_H

#include "control/control.h"

/* What status shows of a mapping, in one shot and in a watch. */

/* Does the daemon that wrote last still show signs of life? */
bool figures_alive(const struct control_report *report);

/* What the daemon would say if it had been asked; never NULL. */
const char *figures_state(const struct control_report_mapping *row, bool alive);

/* Of the run under way: per cent done, and seconds left; -1: not known. */
double figures_percent(const struct control_report_mapping *row);
int64_t figures_seconds_left(const struct control_report_mapping *row);

#define FIGURES_TEXT_MAX 32

/* "1.5 s", "12 min" or "-". */
void figures_lag(char out[FIGURES_TEXT_MAX], int64_t lag_ms);

/* "2026-01-31 13:00:59" UTC, or "-" for 0. */
void figures_time(char out[FIGURES_TEXT_MAX], int64_t us);

/* "database.schema.table" of the source; cut if it does not fit. */
void figures_source(char *out, size_t size, const struct control_mapping *row);

#endif
