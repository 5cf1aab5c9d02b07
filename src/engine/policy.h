#ifndef ENGINE_POLICY_H
#define ENGINE_POLICY_H

#include <stdbool.h>

#include "base/error.h"
#include "control/settings.h"
#include "engine/mapping.h"

/*
 * What is done about an error, as DBAs chose it: pure functions. How often
 * something is tried before it counts as an error is retry.h's business.
 */

/* What they chose for one mapping. */
struct policy {
	enum error_action actions[ERROR_CLASSES];
	int suspend_after_failures; /* recorded ones in a row; 0: never */
};

void policy_init(struct policy *policy, const struct settings *settings,
		 const struct mapping *mapping);

/* Which class it is of; ERROR_CLASS_NONE is always tried again. */
enum error_class policy_class(const struct error *err);

/* How it came about. */
struct policy_case {
	const struct error *err;
	bool applying;	  /* changes were being applied, not a load */
	bool can_isolate; /* the target can leave refused rows out */
	bool isolated;	  /* it did already */
	bool exceeded;	  /* more rows were refused than may be */
	bool healed;	  /* a full sync is about to heal it */
	bool recorded;	  /* enough attempts were made: it counts */
	int records;	  /* in a row, this one among them */
};

/*
 * Is it to be applied once more, without the rows that are refused? `keep` is
 * set when they are put aside, and not only logged.
 */
bool policy_isolates(const struct policy *policy, const struct policy_case *c,
		     bool *keep);

struct policy_verdict {
	enum error_action action; /* RETRY, SUSPEND or STOP */
	const char *note;	  /* to add to the message; NULL: nothing */
};

/* Otherwise: what becomes of the mapping? */
struct policy_verdict policy_judge(const struct policy *policy,
				   const struct policy_case *c);

#endif
