#include "engine/triggers.h"

#include "base/clock.h"

/* With the usual interval that is two minutes. */
#define TELL_AFTER_LOOKS 12

void triggers_init(struct triggers *triggers)
{
	*triggers = (struct triggers){.looked_ms = INT64_MIN / 2};
}

/* Nobody else would say why a request has no answer. */
static void tell_locked(struct triggers *triggers, const struct link *link)
{
	if (++triggers->locked_looks != TELL_AFTER_LOOKS)
		return;
	report_log(link->subject, LOG_WARNING, "FULL_SYNC", -1, -1,
		   "'%s': the last %u looks at the trigger column '%s' met "
		   "rows that others keep locked; what it asks for waits until "
		   "they are done",
		   link->mapping->name, triggers->locked_looks,
		   link->mapping->trigger_column);
}

int triggers_look(struct triggers *triggers, struct link *link,
		  int64_t every_ms, bool *asked, struct error *err)
{
	uint64_t rows;
	bool locked;

	*asked = false;
	if (!link->mapping->trigger_column ||
	    clock_ms() - triggers->looked_ms < every_ms)
		return 0;
	if (link_connect_source(link, err) < 0 ||
	    link->src->ops->triggered(link->src, 1, &rows, &locked, err) < 0)
		return -1;
	triggers->looked_ms = clock_ms();
	if (locked)
		tell_locked(triggers, link);
	else
		triggers->locked_looks = 0;
	*asked = rows > 0;
	return 0;
}
