#ifndef ENGINE_RETRY_H
#define ENGINE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* How persistent to be, from the config table. */
struct retry_policy {
	int max_attempts;
	int64_t delay_ms;    /* between the attempts */
	int64_t interval_ms; /* to the next look at the mapping */
};

/* How a mapping's attempts have gone lately. Zeroed: all is well. */
struct retry {
	int failures; /* in a row */
	int records;  /* of them, those that were recorded */
	bool recorded;
};

struct retry_decision {
	int64_t wait_ms; /* until the next attempt */
	bool record;	 /* put the error into error_logs */
	int retry_count; /* as error_logs shows it */
};

/*
 * An attempt failed. A retryable error is recorded after max_attempts, a final
 * one at once, a conflict when it comes again; from then on there is one attempt
 * an interval, and the record is kept up to date. What fails for the data itself
 * is tried less and less often, down to once in five minutes, because each attempt
 * may read the whole table again.
 */
struct retry_decision retry_failed(struct retry *retry, const struct error *err,
				   const struct retry_policy *policy);

/* An attempt succeeded. True when an error was recorded: resolve it. */
bool retry_succeeded(struct retry *retry);

/* The published error_type for a kind of error. */
const char *retry_error_type(enum error_kind kind);

#endif
