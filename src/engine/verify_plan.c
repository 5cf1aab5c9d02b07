#include "engine/verify_plan.h"

#include <string.h>

#define MINUTE_US (INT64_C(60) * 1000000)
#define HOUR_US	  (60 * MINUTE_US)
#define DAY_US	  (24 * HOUR_US)

/*
 * Without change capture the destination is as old as its last load, and what
 * the source has changed since is no mistake: only who asks for it is told.
 */
void verify_plan_make(struct verify_plan *plan, const struct mapping *mapping,
		      const struct settings *settings)
{
	bool follows = mapping->cdc_enabled;

	plan->tail_interval_min = mapping->verification_interval_min;
	if (plan->tail_interval_min < 0)
		plan->tail_interval_min =
			follows ? settings->verification_interval_min : 0;
	plan->tail_rows = mapping->verification_rows > 0
				  ? mapping->verification_rows
				  : settings->verification_rows;
	plan->whole_interval_h = mapping->full_verification_hours;
	if (plan->whole_interval_h < 0)
		plan->whole_interval_h =
			follows ? settings->full_verification_hours : 0;
	plan->whole_at_min = mapping->full_verification_at;
	plan->auto_repair = mapping->auto_repair < 0 ? settings->auto_repair
						     : mapping->auto_repair > 0;
	plan->auto_repair_max_rows = settings->auto_repair_max_rows;
}

static int64_t spread(int mapping_id, int64_t born_us)
{
	uint32_t part = (uint32_t)mapping_id * 2654435761u >> 22;

	return born_us + MINUTE_US * part / 1024;
}

static int64_t not_at_once(int64_t due_us, int mapping_id, int64_t born_us)
{
	int64_t first = spread(mapping_id, born_us);

	return due_us > first ? due_us : first;
}

int64_t verify_plan_tail(const struct verify_plan *plan, int mapping_id,
			 int64_t last_us, int64_t born_us)
{
	int64_t interval = plan->tail_interval_min * MINUTE_US;

	if (!interval)
		return 0;
	if (!last_us)
		return spread(mapping_id, born_us);
	return not_at_once(last_us + interval, mapping_id, born_us);
}

int64_t verify_plan_whole(const struct verify_plan *plan, int mapping_id,
			  int64_t last_us, int64_t born_us)
{
	int64_t due = last_us + plan->whole_interval_h * HOUR_US, at;

	if (!plan->whole_interval_h)
		return 0;
	if (!last_us)
		due = born_us;
	if (plan->whole_at_min >= 0) {
		/* An hour early is no reason to wait for another day. */
		due -= last_us ? HOUR_US : 0;
		at = due / DAY_US * DAY_US + plan->whole_at_min * MINUTE_US;
		due = at < due ? at + DAY_US : at;
	}
	return not_at_once(due, mapping_id, born_us);
}

int verify_plan_parse_time(const char *text)
{
	int hour, minute;

	if (strlen(text) != 5 || text[2] != ':')
		return -1;
	for (int i = 0; i < 5; i++)
		if (i != 2 && (text[i] < '0' || text[i] > '9'))
			return -1;
	hour = (text[0] - '0') * 10 + text[1] - '0';
	minute = (text[3] - '0') * 10 + text[4] - '0';
	return hour < 24 && minute < 60 ? hour * 60 + minute : -1;
}
