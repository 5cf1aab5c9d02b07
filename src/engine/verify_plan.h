#ifndef ENGINE_VERIFY_PLAN_H
#define ENGINE_VERIFY_PLAN_H

#include "control/settings.h"
#include "engine/mapping.h"

/*
 * When a mapping is verified: what its row says, or else what config says.
 * Times are microseconds UTC.
 */
struct verify_plan {
	int tail_interval_min; /* 0: never */
	int tail_rows;
	int whole_interval_h; /* 0: never */
	int whole_at_min;     /* of the day; -1: at any time */
	bool auto_repair;
	int auto_repair_max_rows;
};

void verify_plan_make(struct verify_plan *plan, const struct mapping *mapping,
		      const struct settings *settings);

/*
 * The next time after `last` (0: it was never done), for a worker that began
 * at `born`; 0: never. A time that is long past is spread over a minute, by
 * the mapping's id, so that a thousand mappings do not begin at once.
 */
int64_t verify_plan_tail(const struct verify_plan *plan, int mapping_id,
			 int64_t last_us, int64_t born_us);
int64_t verify_plan_whole(const struct verify_plan *plan, int mapping_id,
			  int64_t last_us, int64_t born_us);

/* "HH:MM" as a minute of the day; -1 when it is not one. */
int verify_plan_parse_time(const char *text);

#endif
