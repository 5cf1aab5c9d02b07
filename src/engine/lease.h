#ifndef ENGINE_LEASE_H
#define ENGINE_LEASE_H

#include "control/control.h"

/*
 * Which mappings this daemon may work on. Several daemons can share a control
 * store: each mapping is leased to one of them, and goes to another when its
 * holder stops, dies or freezes. A daemon shows that it is alive by counting
 * beats; the others watch the count by their own clocks, so nobody's clock has
 * to be right.
 *
 * The lease decides who works. That nobody else can write is for the epoch to
 * ensure, which destinations compare (driver.h, fence()).
 *
 * Belongs to the scheduler's thread.
 */
struct lease_watch;

struct leases {
	const char *daemon; /* our own name; borrowed */
	struct lease_watch *watches;
	struct control_lease *own;
	size_t own_count;
	struct control_lease *before; /* `own` as of the update before */
	size_t before_count;
};

/* `leases` is zeroed but for `daemon`. */
void leases_release(struct leases *leases);

/*
 * Claim what nobody has, take over from daemons that show no sign of life for
 * `lease_ms`, and read what is ours then. A fixed number of statements, and
 * one more for each daemon that is gone. After -1 the leases are as they were.
 */
int leases_update(struct leases *leases, struct control *control,
		  int64_t lease_ms, struct error *err)
	__attribute__((warn_unused_result));

/* The epoch of our lease on a mapping, 0: it is not ours. */
int64_t leases_epoch(const struct leases *leases, int mapping_id);

/* Did the last update bring us this one of `own`? */
bool leases_is_gained(const struct leases *leases,
		      const struct control_lease *lease);

/*
 * Go on with a later epoch than ours, and than `past`, on a mapping that is
 * ours, as far as we know: if the control store says otherwise by now, nothing
 * is changed but what we know. After -1 the leases are as they were.
 */
int leases_raise(struct leases *leases, struct control *control, int mapping_id,
		 int64_t past, struct error *err)
	__attribute__((warn_unused_result));

#endif
