#ifndef ENGINE_NOTIFIER_H
#define ENGINE_NOTIFIER_H

#include <stdbool.h>
#include <stdint.h>

#include "control/control.h"
#include "control/settings.h"
#include "notify/notice.h"

struct reporter;

/*
 * Tells people of troubles and of their end, over the channels that the table
 * notification_channels names. A thread of its own does it; whoever reports
 * something only leaves it in a ledger (notify/ledger.h), and waits neither for
 * a channel nor for the control tables.
 *
 * A channel that does not work has a row in error_logs, with the subject
 * "channel <id>", and holds up nobody. What it could not deliver is told when
 * it works again, as far as it is still true.
 */
struct notifier;

/*
 * By the main thread. Rows are written by `reporter`, which is stopped after
 * it. `daemon` is borrowed.
 */
int notifier_start(struct notifier **out, struct reporter *reporter,
		   const char *daemon, struct error *err)
	__attribute__((warn_unused_result));
/* Begin nothing new, and drop what is not delivered in a moment. */
void notifier_drain(struct notifier *notifier);
/* The end of that. False when its thread hangs: then it must not be freed. */
bool notifier_stop(struct notifier *notifier);
void notifier_free(struct notifier *notifier);

/*
 * What the tables say now. `working`: this daemon has mappings, so what
 * concerns all of them is for it to tell.
 */
void notifier_update(struct notifier *notifier,
		     const struct control_snapshot *snapshot,
		     const struct settings *settings, bool working);
/*
 * What was told by other daemons, and by those before this one; after the
 * update, which names the channels.
 */
void notifier_recall(struct notifier *notifier,
		     const struct control_told_list *told);

/* ------------------------------------------------------ from the reporter */

/* mapping_id 0: the daemon itself. `type` as in error_logs. */
void notifier_trouble(struct notifier *notifier, int mapping_id,
		      enum notice_event trouble, const char *type,
		      const char *message);
void notifier_over(struct notifier *notifier, int mapping_id,
		   enum notice_event trouble);
/* Its worker has ended. */
void notifier_rest(struct notifier *notifier, int mapping_id);

/* The lag that is too much, 0: none is; and one that is, or is not any more. */
int64_t notifier_lag_limit_ms(struct notifier *notifier);
void notifier_lag(struct notifier *notifier, int mapping_id, int64_t lag_ms);

#endif
