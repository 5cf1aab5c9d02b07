#ifndef DRIVERS_FINDING_H
#define DRIVERS_FINDING_H

#include "base/error.h"

/*
 * What a check found, good or bad. Drivers and the engine hand findings to
 * whoever asked, one at a time, in the order in which they looked.
 */
enum finding_level { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct finding {
	enum finding_level level;
	const char *subject; /* "mapping 3" */
	const char *check;   /* what was looked at, in a word: "retention" */
	const char *text;
	const char *remedy; /* the statement or step that helps; NULL: none is
			     * needed */
};

struct findings {
	void (*take)(void *arg, const struct finding *finding);
	void *arg;
	const char *subject; /* of those that come now; the engine sets it */
};

/*
 * Hand one over. In `fmt` the remedy follows FINDING_REMEDY; everything but an
 * OK needs one.
 */
#define FINDING_REMEDY "\001"

void finding_add(struct findings *out, enum finding_level level,
		 const char *check, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * An error as a finding. Its remedy is what its message has behind the first
 * "; ", or what helps against its kind.
 */
void finding_error(struct findings *out, enum finding_level level,
		   const char *check, const struct error *err);

/* "OK", "WARN", "FAIL" */
const char *finding_level_name(enum finding_level level);

#endif
