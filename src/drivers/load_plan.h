#ifndef DRIVERS_LOAD_PLAN_H
#define DRIVERS_LOAD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "row/position.h"
#include "row/schema.h"

/*
 * A stretch of a table in the order of its key: from `low` on, and before
 * `high`. An empty end is open. Only the source knows what the bytes mean.
 */
struct key_range {
	struct position low, high;
};

/*
 * A load in parts, each of which is written by a target of its own and
 * survives a crash once it is done.
 */
struct load_part {
	struct key_range range;
	bool done;
	uint64_t rows; /* of one that is done */
};

#define LOAD_PARTS_MAX 1000

struct load_plan {
	struct position position; /* taken before the first part was read */
	struct position stored;	  /* what the destination held by then */
	struct load_part *parts;
	size_t count;
};

/* `count` parts, all zero. */
int load_plan_init(struct load_plan *plan, size_t count, struct error *err)
	__attribute__((warn_unused_result));
void load_plan_release(struct load_plan *plan); /* safe on a zeroed one */

/*
 * What a load is made for: nobody goes on with it for anything else, or when
 * changes have come into the destination since it began, which it would take
 * back.
 */
void load_plan_sign(const struct load_plan *plan, const char *origin,
		    const struct table *shape, struct strbuf *out);

/* Do its parts together hold every key, each beginning where one ends? */
bool load_plan_is_whole(const struct load_plan *plan);

/* A plan of its own that says the same. */
int load_plan_copy(struct load_plan *to, const struct load_plan *from,
		   struct error *err) __attribute__((warn_unused_result));

#endif
