#ifndef MONITOR_STATUS_H
#define MONITOR_STATUS_H

#include "base/strbuf.h"
#include "monitor/overview.h"

/*
 * Append what the status page shows, as one JSON object. Its names are an
 * interface: they are those of the control tables and of `status --json` where
 * these have them. Times are ISO 8601 in UTC, null: never, or not known.
 */
void status_write(struct strbuf *sb, const struct overview *now);

#endif
