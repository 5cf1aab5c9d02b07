#ifndef ENGINE_LINK_H
#define ENGINE_LINK_H

#include "base/cancel.h"
#include "base/strbuf.h"
#include "control/settings.h"
#include "drivers/driver.h"
#include "engine/engine.h"
#include "engine/mapping.h"
#include "engine/memory.h"
#include "engine/reporter.h"

#define LINK_LONGER_MAX 400
#define LINK_LOSSES_MAX 1000

/*
 * The two ends of a mapping, and what is known of how they stand to each
 * other. Belongs to the mapping's worker; full_sync.c and cdc.c work on it.
 */
struct link {
	const struct mapping *mapping;
	struct server *from, *to; /* borrowed, as all strings */
	const char *installation;
	struct pool *pool; /* where this run has reserved its connections */
	struct pool_share *share;
	struct memory memory; /* what this run may take; given back with it */
	struct source *src;
	struct target *dst;
	bool src_connected, dst_connected;
	struct cancel *cancel;
	int64_t epoch; /* of the lease that the mapping is worked on under */
	struct report_subject *subject;
	struct reporter *reporter;
	struct settings settings; /* as of the beginning of this run */

	/*
	 * After link_attach(): the shape of the rows, and how far the
	 * destination is. `stored` is what it has on disk; `reached` may be
	 * ahead of it by windows that had nothing for this table.
	 */
	bool attached;
	bool loaded; /* the destination has a checkpoint */
	bool anew;   /* no load goes on: its source is another server now */
	struct table shape;
	struct checkpoint stored;
	struct position reached;
	int64_t stored_ms; /* when `stored` was last written */
	/* By clock_us(), what `stored.consistent_after_us` is, while it is. */
	int64_t loaded_us;

	/*
	 * A transaction of the destination is open, with whole windows in it:
	 * what `stored` will be with them, and how many rows that are.
	 */
	bool gathering;
	struct checkpoint gathered;
	uint64_t gathered_rows;

	/* Sees each batch of changes before it is applied; NULL: nobody. */
	int (*watch)(void *arg, const struct batch *changes, struct error *err);
	void *watch_arg;

	/*
	 * Refused rows. `applying`: changes are being applied, which an error
	 * has to do with. `isolate`: they are applied without the rows that
	 * are refused, which `keep` puts aside.
	 */
	bool applying;
	bool isolate, keep;
	bool exceeded;	     /* there were too many of them */
	uint64_t refused;    /* in this window */
	uint64_t exceptions; /* put aside and standing, as of the last look */

	struct strbuf details; /* more about the last error, may be "" */

	/* Which row is too long for the destination: sought once, for it may
	 * take a look at every row. Lasts until the two tables fit. */
	bool longer_sought;
	char longer[LINK_LONGER_MAX]; /* "" when there is none */
	char losses[LINK_LOSSES_MAX]; /* as they were told last */
};

/*
 * Its place in an engine: `from`, `to`, `installation`, `pool`, `share`, `memory`
 * and `reporter`, for the mapping that it has. Leave it after link_close().
 */
int link_join(struct link *link, struct engine *engine, struct error *err)
	__attribute__((warn_unused_result));
void link_leave(struct link *link, struct engine *engine);

/*
 * Make both ends; connects to nothing. `link` is zeroed but for its inputs:
 * mapping, servers, installation, pool, share, memory, cancel, epoch, subject,
 * reporter.
 */
int link_open(struct link *link, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Another pair of ends for the same mapping, for a thread that helps with a
 * load. Close both.
 */
int link_open_ends(const struct link *link, struct source **src,
		   struct target **dst, struct error *err)
	__attribute__((warn_unused_result));
void link_close(struct link *link); /* safe when it was not opened */

/* Borrow a connection for either end, unless it has one in this run. */
int link_connect_source(struct link *link, struct error *err)
	__attribute__((warn_unused_result));
int link_connect_target(struct link *link, struct error *err)
	__attribute__((warn_unused_result));

/* Give both back, and memory: the run is over; or the target's alone. */
void link_release(struct link *link);
void link_release_target(struct link *link);

/* The source's log is needed after `position` alone, see stored(). */
void link_keep_from(struct link *link, const struct position *position);

/* The destination's checkpoint is `to` now. */
void link_moved(struct link *link, const struct checkpoint *to);

/* Nothing is known any more: look again at the next attempt. */
void link_forget(struct link *link);

/*
 * Look at both tables and at the checkpoint. With `for_load` a missing
 * destination is made, and without one that has no checkpoint `loaded` is
 * false and the shape not checked yet.
 */
int link_attach(struct link *link, bool for_load, struct error *err)
	__attribute__((warn_unused_result));

/*
 * Have a destination that takes any shape make up its mind about this one, for
 * its describe(); others have a table. ERROR_SCHEMA: it cannot be carried.
 */
int link_offer_shape(struct link *link, const struct table *source,
		     struct error *err) __attribute__((warn_unused_result));

#endif
