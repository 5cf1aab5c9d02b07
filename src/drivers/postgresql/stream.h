#ifndef DRIVERS_POSTGRESQL_STREAM_H
#define DRIVERS_POSTGRESQL_STREAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "drivers/postgresql/backlog.h"
#include "drivers/postgresql/lsn.h"
#include "drivers/postgresql/slot.h"
#include "drivers/postgresql/spill.h"
#include "pg/login.h"

/*
 * The changes of one source database, for all its mappings of this daemon: one
 * replication connection, read by a thread of its own, which deals out what was
 * committed to the mappings' backlogs, wakes their workers, and confirms to the
 * server what all of them have stored.
 *
 * What may be confirmed is the least position that any mapping has stored, those
 * that are switched off included. So the server keeps what somebody will ask for
 * after a crash. Of a mapping that has told nothing since the daemon began, what
 * the control tables know counts, which is older if anything: its destination may
 * be away for long. One that they know nothing of was never loaded, and may never
 * be: it keeps nothing, once it has had STREAM_GRACE_MS to say otherwise.
 *
 * A mapping that wants changes from before where the stream is makes it begin
 * again at what was confirmed; the others do not notice, since they know what
 * they have. But when the server turns out to be another one, or on another
 * timeline, nobody goes on with what it has: each asks again.
 *
 * Any thread may call; `lock` guards everything but what says otherwise.
 */
/* As a position: a mapping that will begin anew. */
#define STREAM_NEEDS_NOTHING UINT64_MAX

/* From when the stream begins. */
#define STREAM_GRACE_MS 30000

/* A mapping as the control tables have it. Borrowed. */
struct stream_listed {
	int id;
	const char *schema, *table;
	uint64_t stored; /* 0: nothing */
	bool enabled;
};

struct stream_mapping {
	struct stream_mapping *next;
	struct stream *stream;
	int id;
	char *schema, *table;
	uint32_t oid;	/* of that table, which may be renamed; 0: not known */
	unsigned users; /* sources that are open on it */
	bool listed;	/* the control tables have it */
	bool enabled;	/* and say that it is switched on */
	uint64_t listed_stored; /* as they know it; 0: nothing */
	struct cancel *sleeper; /* of its worker, to be woken; or NULL */
	bool poked;		/* and it has not looked since */
	uint64_t stored;	/* 0: it has not told */
	unsigned taking; /* a position: nothing may be confirmed meanwhile */

	bool wants; /* changes after `from` */
	uint64_t from;
	bool fed;	  /* it gets them */
	bool cut_at_work; /* its backlog was cut off within a window */
	bool drains;	  /* likewise: it has what is left first, then anew */
	uint64_t old_end; /* of the log when it began; 0: not yet known */
	uint64_t again_from; /* where it last began after being cut off; or 0 */
	uint64_t floor; /* they are complete up to here, or the stream's own */
	bool proven;	/* since the last start it was seen to be up to date */
	uint64_t proof_lsn; /* where the log ended when that was asked; or 0 */
	struct error gap;   /* why it cannot get them; kind ERROR_NONE */
	uint64_t fresh;	    /* but what comes after this, where it may begin
			     * anew since then; or 0 */
	bool touched;	    /* by the transaction that comes in */
	struct stream_mapping *next_touched;
	struct backlog backlog;
};

struct stream {
	struct stream *next;	      /* of its server */
	const struct pg_login *login; /* the server's */
	char *database;
	struct slot_names names;
	pthread_mutex_t setup; /* one at a time makes slot and publication */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct spill spill;
	struct backlog_store store;
	struct stream_mapping *mappings;
	bool told; /* which mappings there are; before, nothing is confirmed */
	int64_t began_ms; /* when somebody first wanted it; 0: nobody does */
	bool spoilt;	  /* the slot cannot be read any more: make it anew */

	/* The thread. */
	pthread_t thread;
	bool running, stopping;
	struct cancel cancel;	    /* of its connection */
	bool again;		    /* somebody wants what came before */
	bool live;		    /* it reads */
	struct error trouble;	    /* why not; kind ERROR_NONE: it begins */
	struct lsn_position server; /* which it is, and where it was then */
	uint64_t confirmed;	    /* to the server */
	uint64_t passed;	    /* what was committed up to here came */
	int64_t commit_us; /* the last commit, by clock_us(); 0: none */
	int64_t offset_us; /* clock_us() less the server's clock */
	bool has_offset;
	char *history; /* of the server's timelines; NULL: it is the first */
	struct stream_feed *feed; /* see feed.h */
};

/*
 * `login` is borrowed. A mapping's backlog may have `spill_max` bytes on disk.
 */
int stream_new(struct stream **out, const struct pg_login *login,
	       const char *database, const struct slot_names *names,
	       uint64_t spill_max, struct error *err)
	__attribute__((warn_unused_result));

/* Stops the thread; no mapping uses it any more. */
void stream_free(struct stream *stream);

/*
 * The place of a mapping, made unless it is there; give it back. `sleeper` may
 * be NULL and outlives that.
 */
struct stream_mapping *stream_join(struct stream *stream, int id,
				   const char *schema, const char *table,
				   struct cancel *sleeper, struct error *err);
void stream_leave(struct stream_mapping *mapping);

/* All mappings that there are in the control tables, and no others. */
int stream_list(struct stream *stream, const struct stream_listed *listed,
		size_t count, struct error *err)
	__attribute__((warn_unused_result));

/* The mapping that keeps the most of the log. */
struct stream_least {
	int id; /* 0: none keeps any */
	uint64_t lsn;
	bool enabled, started;
	char name[256]; /* its table */
};

void stream_find_least(struct stream *stream, struct stream_least *out);

/*
 * A position is taken for the mapping, which stream_hold() will say: until
 * the end nothing is confirmed that may come after it.
 */
void stream_take_begin(struct stream_mapping *mapping);
void stream_take_end(struct stream_mapping *mapping);

/* It has stored that it needs nothing up to here. */
void stream_stored(struct stream_mapping *mapping, uint64_t lsn);

/* The reader of its backlog is through. */
void stream_read_end(struct stream_mapping *mapping,
		     struct backlog_reader *reader);

/*
 * It may begin at `lsn`, which is the end of the log now, unless it has stored
 * something already: nothing after that may be forgotten.
 */
void stream_hold(struct stream_mapping *mapping, uint64_t lsn);

/*
 * From now on it needs what is committed after `from`, and that comes, of the
 * table of that name, and of the one with that OID, should that be renamed. Waits for
 * the stream a moment if that is not up. 1: not yet; ERROR_GAP when it cannot
 * get it; otherwise `err` says why the stream is not up.
 */
int stream_follow(struct stream_mapping *mapping, uint32_t oid,
		  const struct lsn_position *from, struct cancel *cancel,
		  struct error *err) __attribute__((warn_unused_result));

/*
 * Something after `from` was not told, or never will be: stream_follow() says so
 * until it begins at a position that was held since then.
 */
void stream_gap(struct stream_mapping *mapping, uint64_t from,
		const struct error *why);

/* The log went up to there after the stream began: see stream_prove(). */
void stream_ask(struct stream_mapping *mapping, uint64_t lsn);

/*
 * Wait until all that was asked for has come: `proven` says so then. Once the
 * time is over, only as long as there is nothing to do.
 */
void stream_prove(struct stream_mapping *mapping, int wait_ms,
		  struct cancel *cancel);

/* Wait until everything up to `lsn` has come. False: not yet. */
bool stream_passes(struct stream_mapping *mapping, uint64_t lsn, int wait_ms,
		   struct cancel *cancel);

/* Slot and publication were made anew. */
void stream_is_anew(struct stream *stream);

/* With the lock held: it cannot get what it wants. */
bool stream_is_barred(const struct stream_mapping *mapping);

/* Likewise: what it needs comes after this. */
uint64_t stream_needs(const struct stream_mapping *mapping);

/* Likewise. It gets changes, and none of those that it got was dropped. */
bool stream_is_whole(const struct stream_mapping *mapping);

/*
 * Likewise. Has it what came after `from`, up to where? False when it has nothing
 * more, since something was dropped; stream_follow() tells why.
 */
bool stream_is_fed(const struct stream_mapping *mapping, uint64_t from);
uint64_t stream_reached(const struct stream_mapping *mapping);

#endif
